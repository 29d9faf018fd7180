"""A published table as a run to read: its measures come out as published, and nobody can take it for a run of this server."""

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from runs import lifecycle, ready, reviews, statuses
from runs.drift.comparability import why_incomparable
from runs.exchange.published import import_sample, sample_names
from runs.models import Role, Run
from runs.report import drift_report
from tests.web.some_runs import a_member, a_project, a_run, finish

pytestmark = pytest.mark.django_db
DRIFT = "/projects/team/runs/1/drift/"


@pytest.fixture
def sample(client: Client) -> Run:
    project = a_project()
    owner = project.members.get()
    client.force_login(owner)
    return import_sample("nemotron-cascade-8b", project=project, user=owner)


def test_the_published_measures_come_out(sample: Run, client: Client) -> None:
    summary = drift_report(sample).summary
    # docs/drift.md works them by hand: ACC 69.62, BWT -1.025, forgetting 1.225, FWT 2.5875
    assert summary.average.value == pytest.approx(0.6962)
    assert summary.backward_transfer.value == pytest.approx(-0.01025)
    assert summary.forgetting.value == pytest.approx(0.01225)
    assert summary.forward_transfer.value == pytest.approx(0.025875)
    strip = client.get(DRIFT).content.decode().split('id="measures"')[1].split("</section>")[0]
    for exact in ("69.62", "−1.025", "1.225", "+2.5875"):
        assert f"exactly {exact}<" in strip
    assert "no item results, so noise is unknown" in strip


def test_the_page_says_before_anything_else_that_it_is_published(sample: Run, client: Client) -> None:
    page = client.get(DRIFT).content.decode()
    assert page.index("Published results, not a run of this server.") < page.index('class="verdict"')
    assert page.count("published results") == 1  # in place of the status
    assert "succeeded" not in page
    assert "seed" not in page
    assert "Stage rlhf did most harm: instruction following −8.7." in page
    assert "without item results nobody can tell how much of it is noise" in page
    assert ">44.7" not in page  # no mean over benchmarks that belong to no domain
    assert "GPQA-Diamond" in page
    for name in ("report.md", "report.html"):
        assert "Published results, not a run of this server." in client.get(f"{DRIFT}export/{name}").content.decode()


def test_a_cell_of_it_shows_no_checkpoint_of_ours(sample: Run, client: Client) -> None:
    cell = client.get(f"{DRIFT}?cell=rlhf:instructions").content.decode().split('id="cell"')[1]
    assert "arXiv 2512.13607" in cell
    assert "ckpt_" not in cell.split("</section>")[0]
    assert "IFEval, IFBench" in cell


def test_in_the_list_it_is_no_finished_run(sample: Run, client: Client) -> None:
    page = client.get("/projects/team/runs/").content.decode()
    assert "published results" in page
    assert 'data-status="succeeded"' not in page.split("<tbody>")[1].split("</tr>")[0]
    assert client.get("/projects/team/runs/1/").headers["Location"] == DRIFT
    assert client.get("/projects/team/runs/1/stages/rlhf/").headers["Location"] == DRIFT


def test_nothing_of_it_can_be_queued(sample: Run, client: Client) -> None:
    assert statuses.possible_actions(sample) == []
    assert not ready.stages().exists()
    assert not ready.checkpoints().exists()
    sample.checkpoints.get(stage__name="rlhf").scores.all().delete()
    assert 'form="score-again"' not in client.get(DRIFT).content.decode()
    client.post(f"{DRIFT}score/", {"row": "rlhf"})
    assert "were published elsewhere; there are no weights to score" in client.get(DRIFT).content.decode()
    assert not ready.checkpoints().exists()


def test_it_is_never_joined_with_measured_scores(sample: Run, client: Client) -> None:
    ours = a_run(sample.project)
    finish(ours, "warm")
    published, measured = drift_report(sample).matrix, drift_report(ours).matrix
    there, here = published.cell("sft", "instructions"), measured.cell("warm", "instructions")
    assert there is not None
    assert here is not None
    assert why_incomparable(there, here)
    page = client.get("/projects/team/runs/2/drift/?baseline=1").content.decode()
    assert "is not quite the same yardstick" in page


def test_importing_twice_is_once_and_the_names_are_told(sample: Run) -> None:
    again = import_sample("nemotron-cascade-8b", project=sample.project, user=sample.created_by)
    assert again == sample
    call_command("import_sample", "--project", "team")
    assert Run.objects.count() == 1
    with pytest.raises(CommandError, match="found no sample 'x', expected one of: nemotron-cascade-8b"):
        call_command("import_sample", "x", "--project", "team")
    with pytest.raises(CommandError, match="found no project 'nowhere', expected one of: team"):
        call_command("import_sample", "--project", "nowhere")
    assert sample_names() == ["nemotron-cascade-8b"]


def test_strangers_do_not_see_it(sample: Run, client: Client) -> None:
    client.force_login(a_member(a_project("Others", owner="eve"), "mallory", Role.OWNER))
    assert client.get(DRIFT).status_code == 404


def test_it_can_be_compared_with_a_run(sample: Run, client: Client) -> None:
    finish(a_run(sample.project))
    answer = client.get("/projects/team/runs/compare/?run=1&run=2")
    assert answer.status_code == 200
    assert "Settings that differ" in answer.content.decode()
    assert client.get("/projects/team/runs/compare/curves/?run=1&run=2").status_code == 200
    for page in ("", "threads/", "drift/?cell=rlhf:ifeval"):
        assert client.get(f"/projects/team/runs/1/{page}").status_code in (200, 302)


def test_it_cannot_be_promoted(sample: Run, client: Client) -> None:
    end = sample.checkpoints.last()
    assert end is not None
    with pytest.raises(lifecycle.NotPossibleError, match="there are no weights to promote") as found:
        reviews.propose(end, note="best", by=sample.created_by)
    assert found.value.code == "no_weights"
    page = client.get(DRIFT).content.decode()
    assert "There are no weights here, so nothing to propose." in page
    assert "Propose a checkpoint" not in page
