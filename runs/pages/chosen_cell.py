"""What one cell of the drift matrix rests on: its score, its change since another checkpoint, causes, flipped problems."""

from typing import Any

from runs.drift import words
from runs.drift.causes import decisive_row
from runs.drift.changes import Change, change_between
from runs.drift.intervals import ALPHA
from runs.drift.matrix import ScoreCell, ScoreMatrix
from runs.drift.power import effort_to_decide
from runs.drift.top_up import TopUpPlan
from runs.matrices import scores_of_domain
from runs.models import Run
from runs.pages.causes import causes_view
from runs.pages.drift_view import DriftView
from runs.pages.flips import flips_view
from runs.pages.matrix_view import change_words, shown_changes
from runs.pages.top_ups import plan_words, top_up_view
from runs.report import DriftReport
from runs.top_ups import plan_between


def chosen_cell(report: DriftReport, run: Run, view: DriftView) -> dict[str, Any] | None:
    """Look into the chosen cell, 'stage:domain'; None where there is no such score.

    It is compared with the chosen checkpoint before it; where that is none of the run's, with the one that the matrix
    shows the change since.
    """
    row, _, domain = view.cell.partition(":")
    matrix, now = report.matrix, report.matrix.cell(row, domain)
    if now is None:
        return None
    change = _change(report, view, now)
    earlier = matrix.cell(change.reference, domain) if change.reference else None
    scores = scores_of_domain(run, domain)
    info, scored = matrix.row(row), scores[row]
    chosen = {
        "key": f"{row}:{domain}",
        "row": info,
        "row_domain": info.domains[0] if len(info.domains) == 1 else "",
        "domain": next(column.title for column in matrix.columns if column.domain == domain),
        "score": now,
        "score_text": words.joined(words.score(now.mean), words.score_interval(now.interval)),
        "scored": scored,
        "protocol": [(name.replace("_", " "), value) for name, value in scored.benchmark.protocol.items()],
        "answers": scored.samples,
        "reason": change.reason,
        "before": matrix.row(change.reference) if change.reference else None,
        "causes": causes_view(run, decisive_row(matrix, domain, change.reference or row, row).key),
        "close_url": f"{view.address(cell='', before='')}#matrix",
    }
    if earlier is None:
        return chosen
    only, page = view.query.get("only", ""), view.query.get("page", "")
    plan = plan_between(matrix, domain, earlier.row, row) if change.is_known and not change.is_significant else None
    return chosen | {
        "change_text": change_words(change),
        "effort": _effort(report, plan, change, earlier, now) if plan else "",
        "top_up": top_up_view(run, plan, earlier, now),
        "lengths": (scores[earlier.row].response_tokens, scored.response_tokens),
        "flips": flips_view(matrix, scores, before=earlier, after=now, only=only, page=page),
        "query": view.address(cell=f"{row}:{domain}", before=earlier.row).removeprefix("?"),
    }


def pair_form(report: DriftReport, view: DriftView, chosen: dict[str, Any] | None) -> dict[str, Any]:
    """What can be compared with what, and what is: the domains, and the checkpoints that have any score."""
    after, _, domain = view.cell.partition(":")
    matrix, worst = report.matrix, report.summary.worst_drop
    known = {row.key: row.title for row in matrix.rows}
    is_missing = not chosen and domain in {column.domain for column in matrix.columns} and after in known
    return {
        "domains": matrix.columns,
        "rows": matrix.scored_rows(),
        "domain": chosen["score"].column if chosen else domain,
        "after": chosen["row"].key if chosen else after,
        "before": chosen["before"].key if chosen and chosen["before"] else view.before,
        "kept": view.kept("cell", "before"),
        "missing": f"{known[after]} is not scored on it yet" if is_missing else "",
        "worst_url": view.address(cell=f"{worst.row}:{worst.column}", before="")
        if worst.difference is not None
        else "",
        "worst_text": _worst_words(matrix, worst),
    }


def _worst_words(matrix: ScoreMatrix, worst: Change) -> str:
    if worst.difference is None:
        return ""
    title = next(column.title for column in matrix.columns if column.domain == worst.column)
    return f"{title} at {matrix.row(worst.row).title}, {words.change(worst.difference)}"


def _change(report: DriftReport, view: DriftView, now: ScoreCell) -> Change:
    """Take the change that the matrix shows, so that both say the same; another pair is compared on its own."""
    shown, before = shown_changes(report, view)[now.row, now.column], view.before
    is_other = before not in (now.row, shown.reference) and report.matrix.cell(before, now.column) is not None
    return change_between(report.matrix, now.column, before, now.row) if is_other else shown


def _effort(report: DriftReport, plan: TopUpPlan, change: Change, before: ScoreCell, now: ScoreCell) -> str:
    """Say what it would take to tell an undecided change from noise, were it as large as it looks."""
    if not change.difference:
        seen = report.detectable[now.column].change
        would = f"; a true one of {words.score(seen)} points is found in 8 of 10 cases" if seen else ""
        return f"no difference was seen{would}"
    found = effort_to_decide(before, now, alpha=ALPHA / len(report.matrix.columns))
    if found.items is None:
        return found.why_no_items
    each = f"{now.samples:,} answer{'' if now.samples == 1 else 's'} each"
    by_items = f"{found.items:,} problems with {each} find a change of this size in 8 of 10 cases"
    return f"{by_items}. {plan_words(plan, n=now.n)}"
