"""The nouns of the product, a file per family."""

from runs.models.access import Membership, Project, Role
from runs.models.added import AddedBenchmark, AddedScoring
from runs.models.checkpoint import Checkpoint
from runs.models.claim import Claimable, Status
from runs.models.data_set import DataSet, LeakCheck, SourceKind
from runs.models.discussion import Comment, CommentEdit, Notice, NoticeKind, Thread
from runs.models.gate import GateCheck, GateOutcome
from runs.models.metric import Metric
from runs.models.published_link import PublishedLink
from runs.models.recipe import Recipe
from runs.models.registered_model import RegisteredModel
from runs.models.review import Alias, AuditEntry, Proposal, Review, ReviewPolicy, Verdict
from runs.models.run import Attempt, Need, Run, Stage
from runs.models.score import Benchmark, ItemResult, Score
from runs.models.top_up import TopUp

__all__ = [
    "AddedBenchmark",
    "AddedScoring",
    "Alias",
    "Attempt",
    "AuditEntry",
    "Benchmark",
    "Checkpoint",
    "Claimable",
    "Comment",
    "CommentEdit",
    "DataSet",
    "GateCheck",
    "GateOutcome",
    "ItemResult",
    "LeakCheck",
    "Membership",
    "Metric",
    "Need",
    "Notice",
    "NoticeKind",
    "Project",
    "Proposal",
    "PublishedLink",
    "Recipe",
    "RegisteredModel",
    "Review",
    "ReviewPolicy",
    "Role",
    "Run",
    "Score",
    "SourceKind",
    "Stage",
    "Status",
    "Thread",
    "TopUp",
    "Verdict",
]
