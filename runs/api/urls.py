"""Addresses of the API. Ids in them are public ones; whatever matches nothing is a 404 problem."""

from django.contrib.auth.decorators import login_required
from django.urls import path, re_path, register_converter
from django.urls.converters import StringConverter
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import IsAuthenticated

from runs.api.added import AddedBenchmarks, OneAddedBenchmark
from runs.api.checkpoints import CheckpointDetail, CheckpointScores, RunCheckpoints, ScoreItems
from runs.api.compare import Comparison
from runs.api.data_sets import DataSetBadRows, DataSetDetail, DataSetRows, DataSets
from runs.api.drift import RunDrift
from runs.api.estimate import Estimate
from runs.api.exports import ExportProposal, ProposalCard, ProposalFiles
from runs.api.gates import RunGates
from runs.api.leaks import RecipeLeaks
from runs.api.metrics import MetricSeries, StageMetrics
from runs.api.models import ModelDetail, ModelFolders, Models, RetryModel
from runs.api.projects import Projects
from runs.api.proposals import (
    Aliases,
    Audit,
    PromoteProposal,
    ProposalDetail,
    Proposals,
    RenewProposal,
    ReviewProposal,
    WithdrawProposal,
)
from runs.api.published import PublishedResults, RunPublished
from runs.api.recipes import RecipeDetail, Recipes
from runs.api.reference import PresetDetail, Presets, RecipeSchema
from runs.api.runs import CancelRun, Hold, PauseRun, Release, ResumeRun, RetryRun, RunDetail, Runs
from runs.api.samples import PresetSamples
from runs.api.stages import RetryStage, RunStages, StageDetail, StageLog
from runs.api.threads import (
    CommentDetail,
    Comments,
    Notices,
    ReadNoticesView,
    ReopenThread,
    ResolveThread,
    ThreadDetail,
    Threads,
)
from runs.api.tokens import TokenDetail, Tokens
from runs.api.top_ups import CancelTopUps, TopUps
from runs.api.unknown import NAME as UNKNOWN
from runs.api.unknown import UnknownAddress


class PublicId(StringConverter):
    regex = "[a-z]+_[0-9a-z]{16}"


class Digest(StringConverter):
    regex = "[0-9a-f]{64}"


class MetricName(StringConverter):
    regex = r"[\w./@:+-]{1,80}"


register_converter(PublicId, "id")
register_converter(Digest, "digest")
register_converter(MetricName, "metric")

DOCS = SpectacularSwaggerSplitView.as_view(
    url_name="api-schema", template_name="api_docs.html", permission_classes=[IsAuthenticated]
)

urlpatterns = [
    path("projects/", Projects.as_view(), name="api-projects"),
    path("projects/<slug:slug>/recipes/", Recipes.as_view(), name="api-recipes"),
    path("projects/<slug:slug>/data-sets/", DataSets.as_view(), name="api-data-sets"),
    path("projects/<slug:slug>/models/", Models.as_view(), name="api-models"),
    path("projects/<slug:slug>/model-folders/", ModelFolders.as_view(), name="api-model-folders"),
    path(
        "projects/<slug:slug>/presets/<slug:name>/samples/",
        PresetSamples.as_view(),
        name="api-preset-samples",
    ),
    path("projects/<slug:slug>/estimate/", Estimate.as_view(), name="api-estimate"),
    path("projects/<slug:slug>/runs/", Runs.as_view(), name="api-runs"),
    path("compare/", Comparison.as_view(), name="api-compare"),
    path("projects/<slug:slug>/proposals/", Proposals.as_view(), name="api-proposals"),
    path("projects/<slug:slug>/aliases/", Aliases.as_view(), name="api-aliases"),
    path("projects/<slug:slug>/audit/", Audit.as_view(), name="api-audit"),
    path("proposals/<id:public_id>/", ProposalDetail.as_view(), name="api-proposal"),
    path("proposals/<id:public_id>/review/", ReviewProposal.as_view(), name="api-proposal-review"),
    path("proposals/<id:public_id>/renew/", RenewProposal.as_view(), name="api-proposal-renew"),
    path("proposals/<id:public_id>/withdraw/", WithdrawProposal.as_view(), name="api-proposal-withdraw"),
    path("proposals/<id:public_id>/promote/", PromoteProposal.as_view(), name="api-proposal-promote"),
    path("proposals/<id:public_id>/card/", ProposalCard.as_view(), name="api-proposal-card"),
    path("proposals/<id:public_id>/files/", ProposalFiles.as_view(), name="api-proposal-files"),
    path("proposals/<id:public_id>/export/", ExportProposal.as_view(), name="api-proposal-export"),
    path("data-sets/<id:public_id>/", DataSetDetail.as_view(), name="api-data-set"),
    path("data-sets/<id:public_id>/rows/", DataSetRows.as_view(), name="api-data-set-rows"),
    path("data-sets/<id:public_id>/bad-rows/", DataSetBadRows.as_view(), name="api-data-set-bad-rows"),
    path("models/<id:public_id>/", ModelDetail.as_view(), name="api-model"),
    path("models/<id:public_id>/retry/", RetryModel.as_view(), name="api-model-retry"),
    path("recipes/<id:public_id>/", RecipeDetail.as_view(), name="api-recipe"),
    path("recipes/<id:public_id>/leaks/", RecipeLeaks.as_view(), name="api-recipe-leaks"),
    path("runs/<id:public_id>/", RunDetail.as_view(), name="api-run"),
    path("runs/<id:public_id>/pause/", PauseRun.as_view(), name="api-run-pause"),
    path("runs/<id:public_id>/resume/", ResumeRun.as_view(), name="api-run-resume"),
    path("runs/<id:public_id>/cancel/", CancelRun.as_view(), name="api-run-cancel"),
    path("runs/<id:public_id>/retry/", RetryRun.as_view(), name="api-run-retry"),
    path("runs/<id:public_id>/hold/", Hold.as_view(), name="api-hold"),
    path("runs/<id:public_id>/release/", Release.as_view(), name="api-release"),
    path("runs/<id:public_id>/stages/", RunStages.as_view(), name="api-stages"),
    path("runs/<id:public_id>/checkpoints/", RunCheckpoints.as_view(), name="api-checkpoints"),
    path("runs/<id:public_id>/gates/", RunGates.as_view(), name="api-gates"),
    path("runs/<id:public_id>/drift/", RunDrift.as_view(), name="api-drift"),
    path("runs/<id:public_id>/published/", RunPublished.as_view(), name="api-published-links"),
    path("published-results/", PublishedResults.as_view(), name="api-published-results"),
    path("runs/<id:public_id>/top-ups/", TopUps.as_view(), name="api-top-ups"),
    path("runs/<id:public_id>/top-ups/cancel/", CancelTopUps.as_view(), name="api-cancel-top-ups"),
    path("runs/<id:public_id>/benchmarks/", AddedBenchmarks.as_view(), name="api-added-benchmarks"),
    path("runs/<id:public_id>/benchmarks/<slug:domain>/", OneAddedBenchmark.as_view(), name="api-added-benchmark"),
    path("runs/<id:public_id>/threads/", Threads.as_view(), name="api-threads"),
    path("threads/<id:public_id>/", ThreadDetail.as_view(), name="api-thread"),
    path("threads/<id:public_id>/comments/", Comments.as_view(), name="api-comments"),
    path("threads/<id:public_id>/resolve/", ResolveThread.as_view(), name="api-thread-resolve"),
    path("threads/<id:public_id>/reopen/", ReopenThread.as_view(), name="api-thread-reopen"),
    path("comments/<id:public_id>/", CommentDetail.as_view(), name="api-comment"),
    path("notices/", Notices.as_view(), name="api-notices"),
    path("notices/read/", ReadNoticesView.as_view(), name="api-notices-read"),
    path("stages/<id:public_id>/", StageDetail.as_view(), name="api-stage"),
    path("stages/<id:public_id>/retry/", RetryStage.as_view(), name="api-stage-retry"),
    path("stages/<id:public_id>/log/", StageLog.as_view(), name="api-stage-log"),
    path("stages/<id:public_id>/metrics/", StageMetrics.as_view(), name="api-metrics"),
    path("stages/<id:public_id>/metrics/<metric:name>/", MetricSeries.as_view(), name="api-metric"),
    path("checkpoints/<id:public_id>/", CheckpointDetail.as_view(), name="api-checkpoint"),
    path("checkpoints/<id:public_id>/scores/", CheckpointScores.as_view(), name="api-scores"),
    path("checkpoints/<id:public_id>/scores/<digest:digest>/items/", ScoreItems.as_view(), name="api-score-items"),
    path("schemas/recipe/", RecipeSchema.as_view(), name="api-recipe-schema"),
    path("presets/", Presets.as_view(), name="api-presets"),
    path("presets/<slug:name>/", PresetDetail.as_view(), name="api-preset"),
    path("tokens/", Tokens.as_view(), name="api-tokens"),
    path("tokens/<slug:key>/", TokenDetail.as_view(), name="api-token"),
    path("schema/", SpectacularJSONAPIView.as_view(permission_classes=[IsAuthenticated]), name="api-schema"),
    path("docs/", login_required(DOCS), name="api-docs"),
    re_path(r"^(?P<rest>.*)$", UnknownAddress.as_view(), name=UNKNOWN),
]
