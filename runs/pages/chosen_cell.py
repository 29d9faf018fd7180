"""What one cell of the drift matrix rests on: its score, its change since another checkpoint, causes, flipped problems."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from runs.drift import words
from runs.drift.causes import decisive_row
from runs.drift.changes import Change, change_between
from runs.drift.matrix import ScoreCell, ScoreMatrix
from runs.models import Run
from runs.pages.causes import causes_view
from runs.pages.flips import flips_view, scores_of_domain
from runs.pages.matrix_view import Show, change_words
from runs.report import DriftReport


@dataclass(frozen=True)
class Pair:
    """What an address asks to compare: a domain at two checkpoints; where `before` is none of the run's, the matrix decides."""

    domain: str = ""
    after: str = ""
    before: str = ""


def asked_pair(query: QueryDict) -> Pair:
    """Read cell=after:domain, which links give, or domain and after, which the form gives."""
    row, _, domain = query.get("cell", "").partition(":")
    return Pair(query.get("domain") or domain, query.get("after") or row, query.get("before", ""))


def chosen_cell(report: DriftReport, run: Run, show: Show, query: QueryDict) -> dict[str, Any] | None:
    """Look into the cell that the address chooses; None where there is no such score."""
    pair, matrix = asked_pair(query), report.matrix
    now = matrix.cell(pair.after, pair.domain)
    if now is None:
        return None
    change = _change(report, show, now, pair.before)
    earlier = matrix.cell(change.reference, now.column) if change.reference else None
    scores = scores_of_domain(run, now.column)
    info, scored = matrix.row(now.row), scores[now.row]
    chosen = {
        "key": f"{now.row}:{now.column}",
        "row": info,
        "row_domain": info.domains[0] if len(info.domains) == 1 else "",
        "domain": next(column.title for column in matrix.columns if column.domain == now.column),
        "score": now,
        "score_text": words.joined(words.score(now.mean), words.score_interval(now.interval)),
        "scored": scored,
        "protocol": [(name.replace("_", " "), value) for name, value in scored.benchmark.protocol.items()],
        "reason": change.reason,
        "before": matrix.row(change.reference) if change.reference else None,
        "causes": causes_view(run, decisive_row(matrix, now.column, change.reference or now.row, now.row).key),
    }
    if earlier is None:
        return chosen
    only, page = query.get("only", ""), query.get("page", "")
    address = {"show": show, "cell": chosen["key"], "before": earlier.row}
    return chosen | {
        "change_text": change_words(change),
        "lengths": (scores[earlier.row].response_tokens, scored.response_tokens),
        "flips": flips_view(matrix, scores, before=earlier, after=now, only=only, page=page),
        "query": urlencode(address),
    }


def pair_form(report: DriftReport, query: QueryDict, chosen: dict[str, Any] | None) -> dict[str, Any]:
    """What can be compared with what, and what is: the domains, and the checkpoints that have any score."""
    pair, matrix = asked_pair(query), report.matrix
    domains = {column.domain for column in matrix.columns}
    known = {row.key: row.title for row in matrix.rows}
    is_missing = not chosen and pair.domain in domains and pair.after in known
    worst = report.summary.worst_drop
    return {
        "domains": matrix.columns,
        "rows": matrix.scored_rows(),
        "domain": chosen["score"].column if chosen else pair.domain,
        "after": chosen["row"].key if chosen else pair.after,
        "before": chosen["before"].key if chosen and chosen["before"] else pair.before,
        "missing": f"{known[pair.after]} is not scored on it yet" if is_missing else "",
        "worst": worst if worst.difference is not None else None,
        "worst_text": _worst_words(matrix, worst),
    }


def _worst_words(matrix: ScoreMatrix, worst: Change) -> str:
    if worst.difference is None:
        return ""
    title = next(column.title for column in matrix.columns if column.domain == worst.column)
    return f"{title} at {matrix.row(worst.row).title}, {words.change(worst.difference)}"


def _change(report: DriftReport, show: Show, now: ScoreCell, before: str) -> Change:
    """Take the change that the matrix shows, so that both say the same; another pair is compared on its own."""
    shown = report.changes["previous" if show == "score" else show][now.row, now.column]
    is_other = before not in (now.row, shown.reference) and report.matrix.cell(before, now.column) is not None
    return change_between(report.matrix, now.column, before, now.row) if is_other else shown
