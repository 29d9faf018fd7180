"""Any two checkpoints on one benchmark: what flipped, and what the stage behind it did."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from runs.models import Benchmark, ItemResult, Metric, Role, Run, Score
from tests.web.some_runs import a_member

pytestmark = pytest.mark.django_db
DRIFT = "/projects/team/runs/1/drift/"
PAIR = DRIFT + "?domain=instructions&before=base&after=mopd"


def _page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def _set_items(run: Run, stage: str, domain: str, values: list[float], **fields: object) -> None:
    """Give a checkpoint's items chosen grades; the others become right."""
    score = Score.objects.get(checkpoint__stage__name=stage, benchmark__domain=domain, benchmark__split="test")
    score.items.update(value=1.0, response="1 1")
    for item, value in enumerate(values):
        ItemResult.objects.filter(score=score, item=item).update(value=value, **fields)


def test_the_address_chooses_domain_and_both_checkpoints(finished: Run, ada: Client) -> None:
    page = _page(ada, PAIR)
    assert "since base" in page
    assert '<option value="instructions" selected>' in page
    assert '<option value="base" selected>' in page
    assert '<option value="mopd" selected>' in page
    assert 'class="flip"' in page


def test_the_default_is_the_stage_before(finished: Run, ada: Client) -> None:
    assert "from warm to if_rl" in _page(ada, DRIFT + "?cell=if_rl:stem")


def test_what_was_stable_is_listed_first_with_both_answers(finished: Run, ada: Client) -> None:
    for stage in ("warm", "if_rl"):
        _set_items(finished, stage, "stem", [])
    _set_items(finished, "warm", "stem", [0.0])  # item 0 was right at if_rl alone
    _set_items(finished, "mopd", "stem", [0.0, 0.0], response="1 2")
    page = _page(ada, DRIFT + "?cell=mopd:stem&only=lost")
    assert page.index('id="item-1"') < page.index('id="item-0"')
    assert "in a row" in page
    assert "<mark>1</mark>" in page
    assert "<mark>2</mark>" in page
    assert "if_rl: right; mopd: wrong" in page  # the ribbon in words


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "wrong"),
        ({"response": ""}, "empty"),
        ({"n_tokens": 16}, "wrong"),  # as long as allowed, and ended by itself
        ({"n_truncated": 1}, "cut off"),
        ({"n_tokens": 16, "n_truncated": None}, "cut off"),  # scored before it was kept
        ({"value": 0.5}, "partly right"),
        ({"parts": {"reason": "not JSON"}}, "malformed"),
    ],
)
def test_faults_are_named_as_far_as_they_are_stored(fields: dict, kind: str, finished: Run, ada: Client) -> None:
    _set_items(finished, "if_rl", "stem", [])
    _set_items(finished, "mopd", "stem", [0.0])
    Benchmark.objects.update(protocol={"max_response_tokens": 16})
    ItemResult.objects.filter(score__checkpoint__stage__name="mopd", score__benchmark__domain="stem", item=0).update(
        **fields
    )
    assert f'<span class="num">1</span> {kind}' in _page(ada, DRIFT + "?cell=mopd:stem")


def test_what_the_grader_said_stands_beside_the_fault_as_text(finished: Run, ada: Client) -> None:
    _set_items(finished, "if_rl", "stem", [])
    said = {"reason": "<b>not JSON</b>", "visible": 0.5}
    _set_items(finished, "mopd", "stem", [0.0], parts=said)
    page = _page(ada, DRIFT + "?cell=mopd:stem")
    assert '<span class="quiet">&lt;b&gt;not JSON&lt;/b&gt; · visible 0.5</span>' in page


def test_flips_are_filtered_and_come_in_pages(finished: Run, ada: Client) -> None:
    _set_items(finished, "if_rl", "stem", [0.0, 0.0])
    _set_items(finished, "mopd", "stem", [1.0, 1.0, *[0.0] * 12])
    lost = _page(ada, DRIFT + "?cell=mopd:stem&only=lost&page=2")
    assert lost.count('class="flip"') == 2
    assert "11–12 of 12" in lost
    gained = _page(ada, DRIFT + "?cell=mopd:stem&only=gained")
    assert gained.count('class="flip"') == 2
    assert "lost</span> after" not in gained


def test_equal_checkpoints_say_so(finished: Run, ada: Client) -> None:
    for stage in ("if_rl", "mopd"):
        _set_items(finished, stage, "stem", [])
    assert "answered every problem alike" in _page(ada, DRIFT + "?cell=mopd:stem")
    assert "None was gained" in _page(ada, DRIFT + "?cell=mopd:stem&only=gained")


def test_answers_are_shown_as_text_and_long_ones_cut(finished: Run, ada: Client) -> None:
    _set_items(finished, "if_rl", "stem", [])
    _set_items(finished, "mopd", "stem", [0.0], response="<script>alert(1)</script>" + "x" * 3000)
    page = _page(ada, DRIFT + "?cell=mopd:stem")
    assert "<script>alert" not in page
    assert "1025 more characters" in page


def test_a_checkpoint_without_a_score_says_so(finished: Run, ada: Client) -> None:
    Score.objects.filter(checkpoint__stage__name="if_rl", benchmark__domain="stem").delete()
    page = _page(ada, DRIFT + "?domain=stem&before=warm&after=if_rl")
    assert "if_rl is not scored on it yet" in page
    assert 'id="pair"' in page


def test_scores_that_may_not_be_compared_have_their_reason(finished: Run, ada: Client) -> None:
    score = Score.objects.get(checkpoint__stage__name="mopd", benchmark__domain="stem", benchmark__split="test")
    other = score.benchmark
    other.pk, other.digest, other.version = None, "0" * 64, 99
    other.save()
    Score.objects.filter(pk=score.pk).update(benchmark=other)
    page = _page(ada, DRIFT + "?cell=mopd:stem")
    assert "Nothing to compare: scored on version" in page


def test_queries_do_not_grow_with_flips_or_checkpoints(finished: Run, ada: Client) -> None:
    with CaptureQueriesContext(connection) as without:
        _page(ada, DRIFT)
    with CaptureQueriesContext(connection) as asked:
        _page(ada, PAIR)
    assert len(asked) - len(without) <= 4  # scores, answers, kinds of faults, metrics


def test_a_cause_is_read_from_first_and_last_third(finished: Run, ada: Client) -> None:
    stage = finished.stages.get(name="if_rl")
    for step, value in ((1, 0.1), (2, 0.3), (3, 9.0), (4, 9.0), (5, 0.5), (6, 0.7)):
        Metric.objects.update_or_create(stage=stage, name="entropy", step=step, defaults={"value": value})
    page = _page(ada, DRIFT + "?cell=if_rl:stem")
    assert "0.2 → 0.6" in page
    assert "KL to its start: it is computed only where kl_coefficient is above 0" in page
    assert "Set up unlike warm" in page
    assert "kl_coefficient" in page
    picture = ada.get("/projects/team/runs/1/stages/if_rl/curves/entropy/?thirds=1").json()
    assert picture["data"][1]["y"] == [pytest.approx(0.2)] * 2
    assert picture["data"][2]["y"] == [pytest.approx(0.6)] * 2


def test_an_sft_stage_and_the_base_say_what_they_lack(finished: Run, ada: Client) -> None:
    page = _page(ada, DRIFT + "?cell=warm:stem")
    assert "Response length: SFT samples no answers" in page
    assert "no stage before to compare its settings with" in page
    assert "No stage of this run made the base" in _page(ada, DRIFT + "?cell=base:stem")


def test_a_change_over_several_stages_names_the_one_that_did_it(finished: Run, ada: Client) -> None:
    for stage, values in (("warm", []), ("if_rl", [0.0] * 12), ("mopd", [0.0] * 10)):
        _set_items(finished, stage, "stem", values)
    page = _page(ada, DRIFT + "?domain=stem&before=warm&after=mopd")
    assert "most of the change came with this stage" in page
    assert 'stages/if_rl/">if_rl</a>' in page


def test_a_viewer_reads_it_all(finished: Run, client: Client) -> None:
    client.force_login(a_member(finished.project, "vic", Role.VIEWER))
    assert 'class="flip"' in _page(client, PAIR)
