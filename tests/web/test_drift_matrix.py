"""The drift page's matrix: ways to read it, lines that must break, what a benchmark can see, cells without a score."""

import re

import pytest
from django.test import Client

from runs import lifecycle, ready
from runs.models import Benchmark, Checkpoint, Role, Run, Score, Status
from runs.report import drift_report
from tests.web.some_runs import a_member, finish

pytestmark = pytest.mark.django_db
DRIFT = "/projects/team/runs/1/drift/"


def _page(client: Client, query: str = "") -> str:
    answer = client.get(DRIFT + query)
    assert answer.status_code == 200
    return answer.content.decode()


def _score(run: Run, stage: str, domain: str = "stem") -> Score:
    return Score.objects.get(
        checkpoint__run=run, checkpoint__stage__name=stage, benchmark__domain=domain, benchmark__split="test"
    )


def test_changes_since_any_checkpoint(finished: Run, ada: Client) -> None:
    page = _page(ada, "?show=row&against=if_rl")
    assert '<option value="if_rl" selected>' in page
    assert "since if_rl" in page
    assert "this is the reference" in page
    expected = drift_report(finished).changes_against("if_rl")["mopd", "stem"].difference
    assert expected is not None
    assert f"{100 * expected:+.1f}".replace("-", "−") in page
    assert ada.get(f"{DRIFT}figures/matrix/?show=row&against=if_rl").status_code == 200


def test_a_checkpoint_that_there_is_none_of_is_the_start(finished: Run, ada: Client) -> None:
    assert '<option value="warm" selected>' in _page(ada, "?show=row&against=nothing")


def test_links_keep_what_the_address_holds(finished: Run, ada: Client) -> None:
    page = _page(ada, "?show=own&cell=mopd:stem&theirs=7").replace("&amp;", "&")
    assert 'href="?cell=mopd:stem&theirs=7&show=peak"' in page
    assert 'href="?show=own&theirs=7&cell=if_rl:stem#cell"' in page
    assert "part=drift" not in _page(ada, "?show=own&part=drift").replace("&amp;", "&")


def test_scores_of_another_protocol_are_not_joined_and_the_page_says_why(finished: Run, ada: Client) -> None:
    score = _score(finished, "mopd")
    changed = {**score.benchmark.protocol, "temperature": 0.3}
    score.benchmark = Benchmark.objects.create(
        domain="stem", split="test", version=score.benchmark.version, protocol=changed, digest="f" * 64
    )
    score.save()
    page = _page(ada, "?show=previous")
    assert "STEM: the line breaks between if_rl and mopd, scored under another protocol: temperature" in page
    assert page.count("data-broken") == 1
    assert "scored otherwise than before: not joined" in page
    assert "data-broken" not in _page(ada).replace("data-broken", "", 1)


def test_each_benchmark_says_how_small_a_change_it_sees(finished: Run, ada: Client) -> None:
    found = drift_report(finished).detectable["stem"]
    foot = _page(ada).split("<tfoot>")[1].split("</tfoot>")[0]
    assert "smallest change seen" in foot
    assert (f"±{100 * found.change:.1f}" if found.change is not None else found.reason) in foot


def test_an_undecided_cell_says_what_would_decide_it(finished: Run, ada: Client) -> None:
    changes = drift_report(finished).changes["previous"].values()
    undecided = next(c for c in changes if c.is_known and not c.is_significant and c.difference)
    cell = _page(ada, f"?cell={undecided.row}:{undecided.column}").split('id="cell"')[1]
    assert "To decide it" in cell
    assert re.search(r"[\d,]+ problems with 1 answer each", cell)
    decided = next((c for c in changes if c.is_significant), None)
    if decided:
        assert "To decide it" not in _page(ada, f"?cell={decided.row}:{decided.column}").split('id="cell"')[1]


@pytest.fixture
def unscored(run: Run) -> Checkpoint:
    """The first stage's checkpoint, whose scoring failed."""
    finish(run, "warm")
    checkpoint = run.checkpoints.get(stage__name="warm")
    checkpoint.scores.all().delete()
    claimed = _claimed_again(checkpoint)
    lifecycle.fail(claimed, code="error", reason="the disk was full")
    return checkpoint


def _claimed_again(checkpoint: Checkpoint) -> lifecycle.Claim:
    lifecycle.score_again(checkpoint)
    claimed = lifecycle.claim_checkpoint(checkpoint.pk, worker="host:3")
    assert claimed is not None
    return claimed


def test_a_failed_scoring_can_be_asked_for_where_it_is_missing(unscored: Checkpoint, ada: Client) -> None:
    page = _page(ada)
    assert page.count('form="score-again"') == 2
    assert "its scoring failed: the disk was full" in page
    assert ada.post(f"{DRIFT}score/", {"row": "warm"}).status_code == 302
    unscored.refresh_from_db()
    assert unscored.status == Status.QUEUED
    page = _page(ada)
    assert "Queued: warm at step 6 is scored by the next free worker." in page
    assert "waits to be scored" in page
    assert 'form="score-again"' not in page


def test_what_is_scored_or_under_way_is_not_queued_again(finished: Run, ada: Client) -> None:
    assert 'form="score-again"' not in _page(ada)
    ada.post(f"{DRIFT}score/", {"row": "warm"})
    assert "has all its scores, or they are on the way; nothing was queued" in _page(ada)
    assert not ready.checkpoints().exists()
    assert ada.post(f"{DRIFT}score/", {"row": "nothing"}).status_code == 404
    assert ada.get(f"{DRIFT}score/").status_code == 405


def test_a_lost_score_of_one_benchmark_can_be_restored(finished: Run, ada: Client) -> None:
    _score(finished, "warm").delete()
    assert "its scoring left this benchmark out" in _page(ada)
    ada.post(f"{DRIFT}score/", {"row": "warm"})
    assert ready.checkpoints().get().stage == finished.stages.get(name="warm")
    ada.post(f"{DRIFT}score/", {"row": "warm"})
    assert "only one whose scoring is over can be scored again" in _page(ada)


def test_a_reader_sees_no_button_and_may_not_ask(unscored: Checkpoint, client: Client) -> None:
    client.force_login(a_member(unscored.run.project, "vic", Role.REVIEWER))
    assert 'form="score-again"' not in _page(client)
    assert client.post(f"{DRIFT}score/", {"row": "warm"}).status_code == 403
