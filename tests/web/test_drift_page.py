"""The drift page: what each stage did to every domain."""

import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from runs.models import Role, Run, Score
from runs.report import drift_report, plain_text
from tests.web.some_runs import a_member, a_project

pytestmark = pytest.mark.django_db
DRIFT = "/projects/team/runs/1/drift/"


def _page(client: Client, address: str = DRIFT) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_matrix_has_every_score_that_is_stored(finished: Run, ada: Client) -> None:
    page = _page(ada)
    scores = Score.objects.filter(checkpoint__run=finished, benchmark__split="test")
    assert scores.count() == 4 * 2
    for score in scores:
        assert f">{100 * score.mean:.1f}" in page
    assert drift_report(finished).verdict in page.replace("&#x27;", "'")


def test_changes_and_a_chosen_cell_can_be_asked_for(finished: Run, ada: Client) -> None:
    assert "within noise" in _page(ada, DRIFT + "?show=previous")
    cell = _page(ada, DRIFT + "?cell=if_rl:instructions")
    assert 'id="cell"' in cell
    assert "since warm" in cell
    assert "lost" in cell
    assert "since base" in _page(ada, DRIFT + "?cell=if_rl:instructions&before=base")
    assert "none: this is its own stage" in _page(ada, DRIFT + "?show=own&cell=if_rl:instructions")


def test_what_is_renewed_live_brings_the_head_along(finished: Run, ada: Client) -> None:
    part = _page(ada, DRIFT + "?show=peak&part=drift")
    assert part.lstrip().startswith('<div class="stack stack-lg" id="drift"')
    assert 'id="run-status" hx-swap-oob' in part
    assert "<html" not in part


@pytest.mark.parametrize("address", ["?show=nonsense", "?cell=nothing:here", "?cell=:::", "?show=own&cell=mopd:stem"])
def test_a_strange_address_shows_the_page(address: str, finished: Run, ada: Client) -> None:
    assert "Stages × benchmarks" in _page(ada, DRIFT + address)


def test_a_run_without_scores_says_what_will_be_here(run: Run, ada: Client) -> None:
    page = _page(ada)
    assert "Nothing is scored yet" in page
    assert "data-plot-url" not in page


@pytest.mark.parametrize("name", ["curves", "matrix", "recovery-mopd"])
def test_pictures_are_plotly_json_and_unchanged_ones_are_not_sent_again(name: str, finished: Run, ada: Client) -> None:
    answer = ada.get(f"{DRIFT}figures/{name}/?theme=dark&columns=2")
    drawing = json.loads(answer.content)
    assert all({"data", "layout"} <= set(figure) for figure in drawing.get("panels", [drawing]))
    assert ("panels" in drawing) == (name == "curves")
    again = ada.get(f"{DRIFT}figures/{name}/?theme=dark&columns=2", headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304


def test_a_picture_that_there_is_none_of_is_not_found(finished: Run, ada: Client) -> None:
    assert ada.get(f"{DRIFT}figures/recovery-warm/").status_code == 404


def test_strangers_and_the_signed_out_see_nothing(finished: Run, client: Client) -> None:
    stranger = a_member(a_project("Others", owner="eve"), "mallory", Role.OWNER)
    for address in (DRIFT, f"{DRIFT}figures/curves/"):
        assert client.get(address).status_code == 302
        client.force_login(stranger)
        assert client.get(address).status_code == 404
        client.logout()


def test_the_number_of_queries_does_not_grow_with_the_scores(finished: Run, ada: Client) -> None:
    with CaptureQueriesContext(connection) as asked:
        _page(ada)
    assert len(asked) <= 25


def test_the_terminal_shows_the_same_numbers(finished: Run) -> None:
    text = plain_text(finished)
    report = drift_report(finished)
    assert report.verdict in text
    assert "mopd" in text
    cell = report.matrix.cell("if_rl", "instructions")
    assert cell is not None
    assert f"{100 * cell.mean:.0f}" in text
