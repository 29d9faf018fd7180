"""The run page: where a run stands, and one of its stages."""

from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from runs import ingest, lifecycle
from runs.models import Project, Role, Run
from tests.web.some_runs import a_member, a_recipe, a_run, begin, finish

pytestmark = pytest.mark.django_db
RUN = "/projects/team/runs/1/"


def _page(client: Client, address: str = RUN) -> str:
    return client.get(address).content.decode()


def test_a_finished_run_says_so_with_its_numbers(run: Run, ada: Client) -> None:
    finish(run, "warm", "if_rl", "mopd")
    page = _page(ada)
    assert "All 3 stages are trained and scored in " in page
    assert "The mean score went from " in page
    assert "succeeded" in page
    assert f'href="{RUN}drift/"' in page
    assert "data-live-url" not in page


def test_a_running_stage_tells_step_substep_reward_and_what_is_left(run: Run, ada: Client) -> None:
    finish(run, "warm")
    begin(run, "if_rl", step=3)
    page = _page(ada)
    assert "Stage 2 of 3, if_rl, step 3 of 6, about 1 m 10 s left in it." in page
    for words in (
        '<progress data-status="running" max="6" value="3"',
        "sample",
        "0.500",
        'data-live-url="/projects/team/runs/1/events/"',
    ):
        assert words in page


def test_a_failure_says_why_what_to_do_and_from_where_it_goes_on(run: Run, ada: Client) -> None:
    finish(run, "warm")
    claimed = begin(run, "if_rl", step=5)
    folder = ingest.stage_folder(run.stages.get(name="if_rl"))
    (folder.resume / "step_000004").mkdir(parents=True)
    lifecycle.fail(claimed, code="error", reason="found no such key: 'x'")
    page = _page(ada)
    assert "Failed at if_rl, step 5 of 6: found no such key: &#x27;x&#x27;. Retry goes on from step 4." in page
    assert "Read the end of its log, mend the cause, then retry." in page
    assert "Retry if_rl" in page


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lifecycle.pause, "Paused at stage 1 of 3, warm, step 2 of 6. Resume goes on from its start."),
        (lifecycle.cancel, "Cancelled at stage 1 of 3, warm, step 2 of 6."),
    ],
)
def test_a_held_run_says_where_it_was(run: Run, ada: Client, act, words: str) -> None:
    begin(run, "warm", step=2)
    act(run)
    assert words in _page(ada)


def test_a_run_that_waits_and_one_whose_worker_is_silent_say_so(run: Run, ada: Client, settings) -> None:
    assert "Stage 1 of 3, warm, waits for a worker." in _page(ada)
    settings.LEASE_SECONDS = -1
    begin(run, "warm", step=2)
    assert "its worker has been silent since" in _page(ada)
    assert "stale" in _page(ada)


def test_failed_scoring_is_told_with_its_reason(run: Run, ada: Client) -> None:
    finish(run, "warm", "if_rl")
    lifecycle.finish_stage(begin(run, "mopd", step=6), folder="mopd/checkpoints/step_000006")
    scoring = lifecycle.claim_checkpoint(run.checkpoints.get(stage__name="mopd").pk, worker="host:3")
    assert scoring is not None
    lifecycle.fail(scoring, code="corrupt_checkpoint", reason="weights cannot be read")
    page = _page(ada)
    assert "All 3 stages are trained, but scoring mopd failed: weights cannot be read." in page
    assert "Scoring mopd: weights cannot be read. Retry makes damaged checkpoints anew, with the same weights." in page


@pytest.mark.parametrize(
    ("mean", "largest", "words"),
    [
        (
            1.03,
            1.5,
            "if_rl: in the last 10 steps trainer and engine gave tokens probabilities with a ratio of 1.030 on average",
        ),
        (0.985, 1.5, "of 0.985 on average, where 0.99 to 1.01 is expected. Check that the engine gets the weights"),
        (1.001, 5.125, "with a ratio of up to 5.12, where at most 2 is expected."),
        (1.03, 5.125, "of 1.030 on average, where 0.99 to 1.01 is expected and of up to 5.12, where at most 2 is"),
        (1.009, 2.0, ""),
    ],
)
def test_a_gap_between_trainer_and_engine_is_told(
    run: Run, ada: Client, mean: float, largest: float, words: str
) -> None:
    finish(run, "warm", "if_rl")
    stage = run.stages.get(name="if_rl")
    for name, value in (("ratio_mean", mean), ("ratio_max", largest)):
        stage.metrics.create(name=name, step=5, value=value)
        stage.metrics.create(name=name, step=6, value=1.0)
    assert ("trainer and engine" in _page(ada)) is bool(words)
    assert words in _page(ada)


def test_a_gap_of_long_ago_is_not_told(run: Run, ada: Client) -> None:
    begin(run, "warm", step=15)
    stage = run.stages.get(name="warm")
    stage.metrics.create(name="ratio_max", step=5, value=9.0)
    assert "trainer and engine" not in _page(ada)
    stage.metrics.create(name="ratio_max", step=6, value=9.0)
    assert "trainer and engine" in _page(ada)


def test_the_head_tells_tokens_seed_and_recipe(run: Run, ada: Client) -> None:
    finish(run, "warm", "if_rl")
    page = _page(ada)
    assert "4.6 k tokens" in page  # 6 steps of 640, and 6 steps of 16 answers of about 7.5 tokens
    assert 'seed <span class="num">0</span>' in page
    assert "small v1</a>" in page


def test_mopd_shows_who_teaches_what_once_that_is_decided(run: Run, ada: Client) -> None:
    assert "chosen when the stage becomes ready" in _page(ada, f"{RUN}stages/mopd/")
    finish(run, "warm", "if_rl", "mopd")
    page = _page(ada, f"{RUN}stages/mopd/")
    teachers = run.stages.get(name="mopd").resolved["teachers"]
    for teacher in set(teachers.values()):
        assert f"<div>{teacher} <span" in page


def test_a_curve_without_a_number_says_whether_one_may_come(run: Run, ada: Client) -> None:
    begin(run, "warm", step=0)
    for is_over, words in ((False, "no step yet"), (True, "nothing recorded")):
        if is_over:
            lifecycle.cancel(run)
        picture = ada.get(f"{RUN}stages/warm/curves/reward/").json()
        assert [note["text"] for note in picture["layout"]["annotations"]][-1] == words


def test_the_stage_in_the_address_is_the_one_shown(run: Run, ada: Client) -> None:
    finish(run, "warm", "if_rl")
    page = _page(ada, f"{RUN}stages/if_rl/")
    assert "stage 2 of 3 · GRPO" in page
    assert 'id="line-if_rl" aria-current="true"' in page
    assert "learning_rate: 0.001" in page
    assert ada.get(f"{RUN}stages/nothing/").status_code == 404


def test_rollouts_are_grouped_and_escaped_and_can_be_stepped_through(run: Run, ada: Client) -> None:
    steps = a_recipe().model_dump(mode="json")["stages"]
    steps[1]["steps"] = 12
    longer = a_run(run.project, spec=a_recipe(stages=steps))
    finish(longer, "warm", "if_rl")
    page = _page(ada, "/projects/team/runs/2/stages/if_rl/")
    assert "of step 10" in page
    assert "&lt;task instructions&gt; 7 4 + ?" in page
    assert "&lt;b&gt;0&lt;/b&gt;" in page
    assert "cut off: counts 0" in page
    earlier = _page(ada, "/projects/team/runs/2/stages/if_rl/?rollouts=1")
    assert "of step 1<" in earlier
    assert 'id="rollouts" hx-get' not in earlier  # what somebody is reading stays


def test_the_log_is_shown_and_can_be_taken_away(run: Run, ada: Client) -> None:
    assert "Nothing printed yet." in _page(ada, f"{RUN}stages/warm/")
    assert ada.get(f"{RUN}stages/warm/log/?download=1").status_code == 404
    finish(run, "warm")
    assert "warm went well" in _page(ada, f"{RUN}stages/warm/")
    assert ada.get(f"{RUN}stages/warm/log/").content == b"warm went well\n"
    whole = ada.get(f"{RUN}stages/warm/log/?download=1")
    assert whole.headers["Content-Disposition"] == 'attachment; filename="small-1-warm.log"'
    assert whole.getvalue() == b"warm went well\n"


def test_a_curve_is_a_figure_that_is_sent_once(run: Run, ada: Client) -> None:
    finish(run, "warm", "if_rl")
    address = f"{RUN}stages/if_rl/curves/reward/"
    first = ada.get(address)
    assert len(first.json()["data"][-1]["x"]) == 6
    assert ada.get(address, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    assert ada.get(f"{RUN}stages/if_rl/curves/nothing/").status_code == 404


def test_a_curve_marks_where_a_resumed_trainer_went_on(run: Run, ada: Client, monkeypatch) -> None:
    finish(run, "warm")
    monkeypatch.setenv("FAKE_FAULT", "4:out_of_memory")
    with pytest.raises(AssertionError):
        finish(run, "if_rl")  # it fails after step 4, its checkpoint
    lifecycle.release(lifecycle.Claim(run.stages.get(name="if_rl"), 1))
    monkeypatch.delenv("FAKE_FAULT")
    finish(run, "if_rl")
    texts = [note["text"] for note in ada.get(f"{RUN}stages/if_rl/curves/reward/").json()["layout"]["annotations"]]
    marks = [shape["x0"] for shape in ada.get(f"{RUN}stages/if_rl/curves/reward/").json()["layout"]["shapes"]]
    assert "resumed" in texts
    assert 5 in marks


def test_parts_of_the_page_are_answered_alone(run: Run, ada: Client) -> None:
    finish(run, "warm")
    overview = _page(ada, f"{RUN}stages/warm/?part=overview")
    assert "<html" not in overview
    for part in ("run-status", "run-actions", "run-facts", "run-tabs"):
        assert f'id="{part}" ' in overview
    assert _page(ada, f"{RUN}stages/warm/?part=rollouts").lstrip().startswith('<div class="section" id="rollouts"')


def test_the_number_of_queries_does_not_grow_with_the_stages(run: Run, ada: Client) -> None:
    def n_queries(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            ada.get(address)
        return len(queries)

    stages = a_recipe().model_dump(mode="json")["stages"]
    rl = [{**stages[1], "name": f"rl_{i}"} for i in range(9)]
    a_run(run.project, spec=a_recipe(stages=[stages[0], *rl]))
    assert n_queries("/projects/team/runs/2/") == n_queries(RUN)


def test_strangers_and_the_signed_out_see_nothing(run: Run, client: Client) -> None:
    finish(run, "warm")
    addresses = [
        "",
        "events/",
        "stages/warm/",
        "stages/warm/log/",
        "stages/warm/log/?download=1",
        "stages/warm/curves/loss/",
    ]
    for address in addresses:
        sent_to = client.get(RUN + address).headers["Location"]
        assert sent_to == f"/sign-in/?next={quote(RUN + address)}", address
    other = Project.objects.create(name="Other", slug="other")
    client.force_login(a_member(other, "mallory", Role.OWNER))
    for address in addresses:
        assert client.get(RUN + address).status_code == 404, address
