"""The sentence at the top of the drift page: what a run did, from its numbers alone."""

from runs.drift import words
from runs.drift.changes import Change, find_changes, find_changes_of_row
from runs.drift.matrix import ScoreMatrix
from runs.drift.recovery import Recovery

NAMED = 3  # domains are named up to here, and counted beyond


def verdict(
    matrix: ScoreMatrix, *, recovery: Recovery | None = None, n_stages: int | None = None, start: str | None = None
) -> str:
    """Say how many domains rose and fell, what cost most, and what the last MOPD stage won back.

    recovery: of the last MOPD stage that is scored, if there is one. n_stages: how many stages the run will have;
    left out, the stages that the matrix lists.
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
    second = [text for text in (_cost(matrix, final.key, origin), _won_back(matrix, recovery, final.key)) if text]
    return f"{first}. {_capitalised('; '.join(second))}." if second else f"{first}."


def _standing(matrix: ScoreMatrix, since_start: list[Change], done: int, planned: int) -> str:
    """Count the domains that are up, down, within noise and unknown at the last checkpoint."""
    up = [change for change in since_start if change.is_gain]
    down = [change for change in since_start if change.is_loss]
    noise = [change for change in since_start if change.is_known and not change.is_significant]
    unknown = [change for change in since_start if not change.is_known]
    parts = [
        _count(up, "is up", "are up"),
        _count(down, "is down", "are down") + _names(matrix, down),
        _count(noise, "is within noise", "are within noise"),
        _count(unknown, "cannot be judged", "cannot be judged") + _names(matrix, unknown),
    ]
    after = f"After {_stages(done)}" if done >= planned else f"So far, after {done} of {_stages(planned)},"
    first, *others = [part for part in parts if part]
    return ", ".join([f"{after} {_with_noun(first)}", *others])


def _cost(matrix: ScoreMatrix, final: str, start: str) -> str:
    """Name the largest loss over one stage since the start that is more than noise."""
    line = matrix.lineage(final)
    keys = [row.key for row in line]
    since = set(keys[keys.index(start) + 1 :] if start in keys else keys)
    found = [change for change in find_changes(matrix, "previous").values() if change.row in since]
    losses = [change for change in found if change.is_loss]
    if losses:
        worst = min(losses, key=lambda change: change.difference or 0.0)
        assert worst.difference is not None
        cost = words.joined(words.change(worst.difference), words.change_interval(worst.interval))
        return f"stage {matrix.row(worst.row).title} cost {_title(matrix, worst.column)} {cost}"
    return "no stage cost any domain more than noise" if any(change.is_known for change in found) else ""


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
    return next(words.in_sentence(column.title) for column in matrix.columns if column.domain == domain)


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]
