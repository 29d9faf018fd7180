"""The drift page as files: its numbers, the page in Markdown, the page in one HTML file that needs no network."""

import csv
import io
import json
import re

import pytest
from django.test import Client

from runs.models import Run
from runs.report import drift_report
from tests.web.some_runs import a_run, finish

pytestmark = pytest.mark.django_db
EXPORT = "/projects/team/runs/1/drift/export/"


def _file(client: Client, name: str) -> str:
    answer = client.get(EXPORT + name)
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith('attachment; filename="run-1-')
    return answer.content.decode()


def test_scores_go_out_as_csv_and_json_without_loss(finished: Run, ada: Client) -> None:
    matrix = drift_report(finished).matrix
    lines = list(csv.DictReader(io.StringIO(_file(ada, "curves.csv"))))
    assert len(lines) == 4 * 2
    objects = json.loads(_file(ada, "curves.json"))
    for line, found in zip(lines, objects, strict=True):
        cell = matrix.cell(line["checkpoint"], line["benchmark"])
        assert cell is not None
        assert float(line["score"]) == found["score"] == cell.mean
        assert (found["low"], found["high"]) == cell.interval


def test_the_matrix_goes_out_as_it_is_shown(finished: Run, ada: Client) -> None:
    found = json.loads(_file(ada, "matrix.json?show=row&against=if_rl"))
    own = next(line for line in found if (line["checkpoint"], line["benchmark"]) == ("mopd", "stem"))
    change = drift_report(finished).changes_against("if_rl")["mopd", "stem"]
    assert (own["since"], own["change"], own["adjusted_p"]) == ("if_rl", change.difference, change.adjusted_p)
    reference = next(line for line in found if line["checkpoint"] == "if_rl")
    assert (reference["change"], reference["reason"]) == (None, "this is the reference")


def test_measures_and_recoveries_go_out_with_their_reasons(finished: Run, ada: Client) -> None:
    measures = list(csv.DictReader(io.StringIO(_file(ada, "measures.csv"))))
    assert {line["measure"] for line in measures} >= {"average", "plasticity", "retention"}
    assert next(line for line in measures if line["measure"] == "forgetting")["low"] == ""
    recovery = json.loads(_file(ada, "recovery-mopd.json"))
    assert [line["domain"] for line in recovery] == ["instructions", "stem", None]


@pytest.mark.parametrize(
    "name", ["nothing.csv", "recovery-warm.csv", "curves.xlsx", "report.pdf", "curves", "..%2Fx.csv"]
)
def test_a_file_that_there_is_none_of_is_not_found(name: str, finished: Run, ada: Client) -> None:
    assert ada.get(EXPORT + name).status_code == 404


def test_markdown_says_what_the_page_says(finished: Run, ada: Client) -> None:
    text = _file(ada, "report.md?show=previous")
    assert drift_report(finished).verdict in text
    assert "## Stages × benchmarks (vs previous)" in text
    assert "http://testserver/projects/team/runs/1/drift/?show=previous" in text
    header = next(line for line in text.splitlines() if line.startswith("| | stage |"))
    table = [line for line in text.splitlines() if re.match(r"\| \d \|", line)]
    assert len(table) == 4
    assert {line.count("|") for line in table} == {header.count("|")}
    assert "Instruction following, version" in text


def test_the_html_file_is_whole(finished: Run, ada: Client) -> None:
    text = _file(ada, "report.html?cell=if_rl:stem")
    head, _, figures = text.partition('<script type="application/json" id="figures">')
    assert drift_report(finished).verdict in head.replace("&#x27;", "'")
    assert not re.search(r"""(src|href)=["'](?!http://testserver/projects/team/runs/1/drift/)""", head)
    assert set(json.loads(figures.partition("</script>")[0])) == {"curves", "recovery-mopd"}
    assert len(text) < 2_500_000


def test_a_run_without_scores_has_a_report_that_says_so(run: Run, ada: Client) -> None:
    for name in ("report.md", "report.html"):
        assert "Nothing is scored yet." in _file(ada, name)
    assert _file(ada, "curves.csv").count("\n") == 1


def test_a_name_cannot_leave_its_place_in_the_file(finished: Run, ada: Client) -> None:
    Run.objects.filter(pk=finished.pk).update(name="</script><b>x")
    text = _file(ada, "report.html")
    assert "</script><b>x" not in text
    assert "&lt;/script&gt;&lt;b&gt;x" in text


def test_the_page_offers_all_of_it_for_what_it_shows(finished: Run, ada: Client) -> None:
    page = ada.get("/projects/team/runs/1/drift/?show=own&baseline=7").content.decode().replace("&amp;", "&")
    assert f'href="{EXPORT}report.html?show=own&baseline=7"' in page
    assert f'href="{EXPORT}matrix.csv?show=own&baseline=7"' in page
    assert 'data-plot-save="svg" data-plot-of="curves"' in page
    assert '<code id="permalink" class="visually-hidden">http://testserver/projects/team/runs/1/drift/?show=own' in page


def test_the_baseline_goes_out_too(finished: Run, ada: Client) -> None:
    finish(a_run(finished.project, name="second"), "warm")
    assert "| second #2 |" in _file(ada, "report.md?baseline=2")
