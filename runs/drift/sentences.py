"""The sentence at the top of the drift page: what a run did, from its numbers alone."""

from runs.drift import words
from runs.drift.changes import Change, ChangeMatrix, find_changes, find_changes_of_row
from runs.drift.harm import find_harm
from runs.drift.matrix import ScoreMatrix
from runs.drift.recovery import Recovery

NAMED = 3  # domains are named up to here, and counted beyond


def verdict(
    matrix: ScoreMatrix,
    *,
    recovery: Recovery | None = None,
    n_stages: int | None = None,
    start: str | None = None,
    since_previous: ChangeMatrix | None = None,
) -> str:
    """Say how many domains rose and fell, which stage did most harm, and what the last MOPD stage won back.

    recovery: of the last MOPD stage that is scored, if there is one. n_stages: how many stages the run will have;
    left out, the stages that the matrix lists. since_previous: `find_changes(matrix, "previous")`, where it is known already.
    """
    final, at = matrix.final_row(), matrix.start_row()
    origin = start or (at.key if at else None)
    if final is None or origin is None:
        return "No checkpoint is scored yet."
    if final.key == origin or len(matrix.scored_rows()) == 1:
        return f"Only {final.title} is scored so far; it has nothing to be compared with yet."
    done = sum(row.kind != "base" for row in matrix.scored_rows())
    planned = max(n_stages or 0, sum(row.kind != "base" for row in matrix.rows))
    first = _standing(matrix, find_changes_of_row(matrix, final.key, "start", start=origin), done, planned)
    changes = since_previous if since_previous is not None else find_changes(matrix, "previous")
    second = [text for text in (_harm(matrix, changes, origin), _won_back(matrix, recovery, final.key)) if text]
    return f"{first}. {_capitalised('; '.join(second))}." if second else f"{first}."


def _standing(matrix: ScoreMatrix, since_start: list[Change], done: int, planned: int) -> str:
    """Count the domains that are up, lost, within noise and unknown at the last checkpoint."""
    up = [change for change in since_start if change.is_gain]
    lost = [change for change in since_start if change.is_loss]
    noise = [change for change in since_start if change.is_known and not change.is_significant]
    published = [change for change in since_start if not change.is_known and change.difference is not None]
    unknown = [change for change in since_start if change.difference is None]
    higher = [change for change in published if (change.difference or 0.0) > 0]
    parts = [
        _count(up, "is up", "are up"),
        _count(noise, "is within noise", "are within noise"),
        _count(higher, "is higher", "are higher"),
        _count([change for change in published if change not in higher], "is not", "are not"),
        _count(unknown, "cannot be judged", "cannot be judged") + _names(matrix, unknown),
        _count(lost, "is lost", "are lost") + _worst_loss(matrix, lost),
    ]
    after = f"After {_stages(done)}" if done >= planned else f"So far, after {done} of {_stages(planned)},"
    first, *others = [part for part in parts if part]
    doubt = "; without item results nobody can tell how much of it is noise" if published else ""
    return ", ".join([f"{after} {_with_noun(first)}", *others]) + doubt


def _worst_loss(matrix: ScoreMatrix, lost: list[Change]) -> str:
    """Name the largest loss since the start, with its interval."""
    if not lost:
        return ""
    worst = min(lost, key=lambda change: change.difference or 0.0)
    assert worst.reference is not None
    most = " most" if len(lost) > 1 else ""
    return f": {_title(matrix, worst.column)}{most}, {_written(worst)} since {matrix.row(worst.reference).title}"


def _harm(matrix: ScoreMatrix, since_previous: ChangeMatrix, start: str) -> str:
    """Name the stage that took most from all domains together, and the domain it took most from."""
    harms = find_harm(matrix, start=start, since_previous=since_previous)
    if not harms:
        is_known = any(change.is_known for change in since_previous.values())
        return "no stage cost any domain more than noise" if is_known else ""
    worst = harms[0]
    largest, n_lost = worst.losses[0], len(worst.losses)
    stage, domain = matrix.row(worst.row).title, _title(matrix, largest.column)
    if n_lost == 1:
        return f"stage {stage} did most harm: {domain} {_written(largest)}"
    together = f"{n_lost} domains lost {words.score(-worst.total)} points together"
    return f"stage {stage} did most harm: {together}, {domain} most, {_written(largest)}"


def _written(change: Change) -> str:
    assert change.difference is not None
    return words.joined(words.change(change.difference), words.change_interval(change.interval))


def _won_back(matrix: ScoreMatrix, recovery: Recovery | None, final: str) -> str:
    """Say what a MOPD stage recovered; nothing where it is not scored yet."""
    if recovery is None or not recovery.domains or any(domain.after is None for domain in recovery.domains):
        return ""
    stage = "the closing MOPD" if recovery.row == final else matrix.row(recovery.row).title
    if recovery.fraction is None:
        return f"{stage} found nothing to win back that is more than noise"
    share = words.joined(words.percent(recovery.fraction), words.percent_interval(recovery.interval))
    if recovery.interval is None:
        return f"{stage} won back {share} of what was lost"
    if recovery.interval[1] < 0:
        return f"{stage} won back nothing and lost more ({share} of what was lost)"
    if recovery.interval[0] <= 0:
        return f"{stage} won back {share} of what was lost, which is within noise"
    return f"{stage} won back {share} of what was lost"


def _count(found: list[Change], one: str, many: str) -> str:
    return f"{len(found)} {one if len(found) == 1 else many}" if found else ""


def _names(matrix: ScoreMatrix, found: list[Change]) -> str:
    titles = [_title(matrix, change.column) for change in found]
    return f" ({words.listed(titles)})" if 0 < len(titles) <= NAMED else ""


def _with_noun(part: str) -> str:
    """Put the noun after the first count: '7 are up' becomes '7 domains are up'."""
    number, rest = part.split(" ", 1)
    return f"{number} {'domain' if number == '1' else 'domains'} {rest}"


def _stages(count: int) -> str:
    return f"{count} stage" if count == 1 else f"{count} stages"


def _title(matrix: ScoreMatrix, domain: str) -> str:
    return words.in_sentence(matrix.column(domain).title)


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]
