"""What the address of a drift page asks for. All that can be chosen is in the address, so a link shows what its sender saw."""

from dataclasses import dataclass
from typing import Literal, get_args

from django.http import HttpRequest, QueryDict

from runs.drift.matrix import ScoreMatrix

Show = Literal["score", "start", "previous", "peak", "own", "row"]
SHOWS: dict[Show, str] = {
    "score": "Score",
    "previous": "vs previous",
    "start": "vs start",
    "peak": "vs peak",
    "own": "vs own stage",
    "row": "vs a checkpoint",
}
_NOT_OF_THE_PAGE = ("part", "theme", "columns")  # what scripts add
_OF_A_PAIR = ("only", "page")  # which of its flips are listed
assert set(SHOWS) == set(get_args(Show))


@dataclass(frozen=True)
class DriftView:
    """The state of the page; `against` is a row's key where `show` is row, `baseline` another run's number."""

    show: Show
    against: str
    cell: str
    before: str
    baseline: int | None
    query: QueryDict  # as it came, so that what other sections of the page choose is kept

    def address(self, **changed: str) -> str:
        """Write the address of this page with some choices changed; an empty one is dropped."""
        query = self.query.copy()
        for name in (*_NOT_OF_THE_PAGE, *(_OF_A_PAIR if "cell" in changed else ())):
            query.pop(name, None)
        for name, value in changed.items():
            query.pop(name, None)
            if value:
                query[name] = value
        return f"?{query.urlencode(safe=':')}"

    def kept(self, *replaced: str) -> list[tuple[str, str]]:
        """List what a form has to carry along so that only its own choices, `replaced`, change."""
        dropped = {*replaced, *_NOT_OF_THE_PAGE, *(_OF_A_PAIR if "cell" in replaced else ())}
        return [(name, value) for name in self.query if name not in dropped for value in self.query.getlist(name)]


def read_view(request: HttpRequest, matrix: ScoreMatrix) -> DriftView:
    """Read the address; whatever it says that makes no sense is as if it were not said."""
    query = request.GET.copy()
    domain, after = (query.pop(name, [""])[-1] for name in ("domain", "after"))
    if domain and after:  # as the form for a pair gives them
        query["cell"] = f"{after}:{domain}"
    asked = query.get("show")
    show: Show = next((known for known in SHOWS if known == asked), "score")
    against = query.get("against", "")
    scored = [row.key for row in matrix.scored_rows()]
    if show == "row" and against not in scored:
        start = matrix.start_row()
        against = start.key if start and start.key in scored else next(iter(scored), "")
    number = query.get("baseline", "")
    baseline = int(number) if number.isdecimal() and len(number) < 9 else None
    return DriftView(show, against, query.get("cell", ""), query.get("before", ""), baseline, query)
