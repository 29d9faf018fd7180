"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path, re_path

from runs.pages import (
    added,
    audit_log,
    compare,
    compose,
    data_sets,
    drift_export,
    drift_figures,
    drift_page,
    exports,
    figures,
    health,
    home,
    inbox,
    live,
    members,
    missing_scores,
    proposals,
    published_view,
    recipes,
    registered_models,
    run_list,
    run_page,
    samples,
    sign_in,
    threads,
    tokens,
    top_ups,
)

run_pages: tuple[list[URLPattern | URLResolver], str] = (
    [
        path("new/", compose.compose, name="new"),
        path("new/samples/", samples.add_samples, name="samples"),
        path(
            "runs/",
            include(
                [
                    path("", run_list.run_list, name="list"),
                    path("events/", live.list_events, name="list-events"),
                    path("compare/", compare.compare, name="compare"),
                    path("compare/curves/", compare.compare_figure, name="compare-figure"),
                    path("<int:number>/", run_page.run_page, name="detail"),
                    path("<int:number>/events/", live.run_events, name="events"),
                    path("<int:number>/stages/<slug:name>/", run_page.run_page, name="stage"),
                    path("<int:number>/stages/<slug:name>/retry/", run_page.retry_stage, name="retry-stage"),
                    path("<int:number>/stages/<slug:name>/log/", run_page.log, name="log"),
                    path("<int:number>/stages/<slug:name>/curves/<slug:curve>/", figures.curve, name="figure"),
                    path("<int:number>/drift/", drift_page.drift, name="drift"),
                    path("<int:number>/drift/figures/<slug:name>/", drift_figures.figure, name="drift-figure"),
                    path("<int:number>/drift/export/<str:name>", drift_export.export, name="drift-export"),
                    path("<int:number>/drift/score/", missing_scores.score_again, name="score-again"),
                    path("<int:number>/drift/add/", added.add, name="add-benchmark"),
                    path("<int:number>/drift/added/<slug:domain>/remove/", added.remove, name="remove-benchmark"),
                    path("<int:number>/drift/top-up/", top_ups.top_up, name="top-up"),
                    path("<int:number>/drift/top-up/cancel/", top_ups.cancel_top_up, name="cancel-top-up"),
                    path("<int:number>/drift/published/", published_view.link_published, name="link-published"),
                    path("<int:number>/threads/", threads.run_threads, name="threads"),
                    path("<int:number>/hold/", run_page.hold, name="hold"),
                    path("<int:number>/release/", run_page.release, name="release"),
                    path("<int:number>/propose/", proposals.propose, name="propose"),
                    path("<int:number>/<slug:action>/", run_page.act, name="action"),  # last: it takes any word
                ]
            ),
        ),
    ],
    "runs",
)
recipe_pages: tuple[list[URLPattern | URLResolver], str] = (
    [
        path("", recipes.recipe_list, name="list"),
        path("<slug:name>/v<int:version>/", recipes.recipe_detail, name="detail"),
        path("<slug:name>/v<int:version>.yaml", recipes.recipe_yaml, name="yaml"),
    ],
    "recipes",
)
data_pages: tuple[list[URLPattern | URLResolver], str] = (
    [
        path("", data_sets.data_set_list, name="list"),
        path("new/", data_sets.new_data_set, name="new"),
        path("leaks/<slug:check>/", data_sets.leaks_part, name="leaks"),
        path("<slug:name>/v<int:version>/", data_sets.data_set_page, name="detail"),
        path("<slug:name>/v<int:version>/again/", data_sets.read_data_set_again, name="again"),
        path("<slug:name>/v<int:version>/delete/", data_sets.delete_data_set_page, name="delete"),
    ],
    "data",
)
model_pages: tuple[list[URLPattern | URLResolver], str] = (
    [
        path("", registered_models.model_list, name="list"),
        path("new/", registered_models.new_model, name="new"),
        path("<slug:model>/", registered_models.model_page, name="detail"),
        path("<slug:model>/again/", registered_models.look_again, name="again"),
        path("<slug:model>/remove/", registered_models.remove_model, name="remove"),
    ],
    "models",
)
proposal_pages: list[URLPattern | URLResolver] = [
    path("", proposals.proposal_page, name="proposal"),
    path("review/", proposals.review, name="review-proposal"),
    path("renew/", proposals.renew, name="renew-proposal"),
    path("withdraw/", proposals.withdraw, name="withdraw-proposal"),
    path("promote/", proposals.promote, name="promote-proposal"),
    path("card/", exports.card, name="proposal-card"),
    path("export/", exports.export, name="export-proposal"),
]
thread_pages: list[URLPattern | URLResolver] = [
    path("", threads.thread_page, name="thread"),
    path("reply/", threads.reply, name="reply"),
    path("resolve/", threads.resolve, name="resolve-thread"),
    path("reopen/", threads.reopen, name="reopen-thread"),
]

urlpatterns = [
    path("", home.home, name="home"),
    path("projects/<slug:slug>/", include(run_pages)),
    path("projects/<slug:slug>/recipes/", include(recipe_pages)),
    path("projects/<slug:slug>/data/", include(data_pages)),
    path("projects/<slug:slug>/models/", include(model_pages)),
    path("projects/<slug:slug>/published/", published_view.published_page, name="published"),
    path("projects/<slug:slug>/members/", members.members, name="members"),
    path("projects/<slug:slug>/policy/", members.set_policy, name="policy"),
    path("projects/<slug:slug>/audit/", audit_log.audit_log, name="audit"),
    path("projects/<slug:slug>/proposals/<slug:proposal>/", include(proposal_pages)),
    path("projects/<slug:slug>/threads/<slug:thread>/", include(thread_pages)),
    path("projects/<slug:slug>/comments/<slug:comment>/edit/", threads.edit_comment, name="edit-comment"),
    path("projects/<slug:slug>/comments/<slug:comment>/delete/", threads.delete_comment, name="delete-comment"),
    path("inbox/", inbox.inbox, name="inbox"),
    path("new-project/", members.new_project, name="new-project"),
    path("sign-in/", sign_in.SignIn.as_view(), name="login"),
    path("sign-in/link/", sign_in.SignInByLink.as_view(), name="sign-in-link"),
    path("sign-out/", LogoutView.as_view(next_page="login"), name="logout"),
    path("password/", sign_in.password, name="password"),
    path("tokens/", tokens.tokens, name="tokens"),
    re_path(r"^health/?$", health.health, name="health"),
]
