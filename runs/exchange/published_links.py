"""Which published benchmark stands beside a benchmark of a run: the one of exactly its name, or what somebody chose."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse
from django.utils.text import slugify

from runs import audit
from runs.exchange.reference_data import POINTS, PublishedModel, published_benchmarks, published_models
from runs.models import PublishedLink, Run
from workers.catalogue import describe

NONE = ""  # chosen: no published benchmark, not even the one of its name


class LinkError(ValueError):
    """A link that cannot be made as asked; `field` is what to change."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


@dataclass(frozen=True)
class Beside:
    """What stands beside one benchmark of a run."""

    domain: str
    title: str
    benchmarks: tuple[str, ...]  # published names; of several, the mean
    by_name: tuple[str, ...]  # what its own name says
    chosen: str | None  # by a person; None: nobody did
    made_by: str = ""


def linkable() -> list[str]:
    """Name the published benchmarks that are scored in points out of 100."""
    return [name for name, about in published_benchmarks().items() if about.unit == POINTS]


def beside(run: Run) -> list[Beside]:
    """Tell for each benchmark of a run what stands beside it."""
    links = {link.domain: link for link in run.published_links.select_related("made_by")}
    return [_beside(benchmark, links.get(benchmark["domain"])) for benchmark in run.benchmarks]


def models_beside(run: Run) -> list[PublishedModel]:
    """The models whose results may stand beside a run: all, but for the one that a published run itself is."""
    own = run.published["sample"] if run.published else None
    return [model for model in published_models() if own is None or model.sample != own]


def link(run: Run, domain: str, benchmark: str | None, *, by: User) -> None:
    """Choose what stands beside a benchmark; None takes the choice back. Raises LinkError."""
    domains = [found["domain"] for found in run.benchmarks]
    if domain not in domains:
        raise LinkError("domain", f"found '{domain[:80]}', expected a benchmark of the run: {', '.join(domains)}")
    if benchmark and benchmark not in linkable():
        raise LinkError("benchmark", f"found '{benchmark[:80]}', expected one of: {', '.join(linkable())}")
    with transaction.atomic():
        Run.objects.select_for_update().get(
            pk=run.pk
        )  # two people at once: the later stands, with the earlier as its before
        rows = run.published_links.filter(domain=domain)
        before = rows.values_list("benchmark", flat=True).first()
        if before == benchmark:
            return
        if benchmark is None:
            rows.delete()
        else:
            PublishedLink.objects.update_or_create(
                run=run, domain=domain, defaults={"benchmark": benchmark, "made_by": by}
            )
        audit.record(
            run.project,
            "reference.linked",
            by=by,
            subject=f"{domain} of {run}",
            url=reverse("runs:drift", args=[run.project.slug, run.number]),
            before={"benchmark": _word(before)},
            after={"benchmark": _word(benchmark)},
        )


def _word(benchmark: str | None) -> str:
    return "by name" if benchmark is None else benchmark or "none"


def _of_this_name(domain: str) -> tuple[str, ...]:
    """Find the published benchmark whose name this is, as far as the name of a data set can say it: AIME 2025 is aime-2025."""
    return tuple(name for name in linkable() if slugify(name) == domain)


def _beside(benchmark: dict[str, object], made: PublishedLink | None) -> Beside:
    domain = str(benchmark["domain"])
    title = str(benchmark.get("title") or describe(domain).title)
    known, parts = published_benchmarks(), benchmark.get("of")
    named = tuple(str(part) for part in parts) if isinstance(parts, list) else _of_this_name(domain)
    by_name = named if all(name in known and known[name].unit == POINTS for name in named) else ()
    if made is None:
        return Beside(domain, title, by_name, by_name, None)
    shown = (made.benchmark,) if made.benchmark in known else ()
    return Beside(domain, title, shown, by_name, made.benchmark, made.made_by.username)
