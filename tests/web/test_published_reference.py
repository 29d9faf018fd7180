"""Published results beside a run's scores: labelled, chosen by people, and in none of its numbers."""

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from runs.exchange.published import import_sample, read_sample
from runs.exchange.published_links import LinkError, beside, link, linkable
from runs.exchange.reference_data import POINTS, published_benchmarks, published_models
from runs.models import AuditEntry, Role, Run, Score
from runs.report import drift_report
from tests.web.some_clients import a_client
from tests.web.some_runs import a_member

pytestmark = pytest.mark.django_db
DRIFT, CURVES = "/projects/team/runs/1/drift/", "/projects/team/runs/1/drift/figures/curves/"
CHOOSE = "/projects/team/runs/1/drift/published/"


def test_the_files_hold_what_the_papers_say() -> None:
    known = published_benchmarks()
    models = {model.name: model for model in published_models()}
    assert all(set(model.results) <= set(known) for model in models.values())
    assert all(
        0 <= result.value <= 100
        for model in models.values()
        for name, result in model.results.items()
        if known[name].unit == POINTS
    )
    cascade = models["Nemotron-Cascade-2-30B-A3B"].results
    assert (cascade["IFBench"].value, cascade["AIME 2025"].with_tools) == (82.9, 98.6)
    halves = (cascade["ArenaHard v2 hard prompts"].value + cascade["ArenaHard v2 creative writing"].value) / 2
    assert abs(halves - cascade["ArenaHard v2"].value) <= 0.05
    assert models["Qwen3.5-35B-A3B"].results["IOI 2025"].is_again
    assert (
        models["Nemotron-Cascade-8B"].results["AIME 2024"].value
        == read_sample("nemotron-cascade-8b")["scores"]["swe_rl"][6]
    )
    assert (
        known["IFBench"].protocol == "avg@8, by prompt; 294 problems; temperature 0.6, top-p 0.95, 32K tokens, thinking"
    )


def test_nothing_is_matched_by_guess(ada: Client, finished: Run) -> None:
    assert all(found.benchmarks == () for found in beside(finished))
    text = ada.get(DRIFT).content.decode()
    assert "No benchmark of this run has the name of a published one" in text
    assert "published-rows" not in text


def test_what_a_runner_chooses_is_shown_labelled_and_taken_back(ada: Client, finished: Run) -> None:
    plain = ada.get(CURVES).content.decode()
    answer = ada.post(CHOOSE, {"beside.instructions": "IFBench", "address": "?show=score"})
    assert answer.headers["Location"] == f"{DRIFT}?show=score#published"
    text = ada.get(DRIFT).content.decode()
    assert '<span class="chip">published</span> Cascade 2' in text
    assert "published: IFBench (avg@8, by prompt; 294 problems" in text
    assert "chosen by ada" in text
    curves = ada.get(CURVES).content.decode()
    assert "published: Cascade 2 82.9" in curves
    assert "Qwen3.5" not in curves
    entry = AuditEntry.objects.get(action="reference.linked")
    assert (entry.before, entry.after) == ({"benchmark": "by name"}, {"benchmark": "IFBench"})
    ada.post(CHOOSE, {"beside.instructions": ""})
    assert ada.get(CURVES).content.decode() == plain
    assert not finished.published_links.exists()


def test_the_address_says_whose_results_are_shown(ada: Client, finished: Run) -> None:
    link(finished, "instructions", "IFBench", by=finished.created_by)
    assert "Qwen3.5 35B 70.2" in ada.get(f"{CURVES}?published=Qwen3.5-35B-A3B").content.decode()
    both = f"{DRIFT}?published=&published=Qwen3.5-35B-A3B&published=Nemotron-Cascade-2-30B-A3B"
    text = ada.get(both).content.decode()
    assert text.count('<span class="chip">published</span>') == 2
    assert text.count('name="published" value="Qwen3.5-35B-A3B"') >= 2  # a box, and what other forms carry along
    assert "published-rows" not in ada.get(f"{DRIFT}?published=").content.decode()
    assert "published-rows" not in ada.get(f"{DRIFT}?show=previous").content.decode()
    assert ada.get(f"{DRIFT}?published=nobody").status_code == 200


def test_no_number_of_the_run_changes(ada: Client, finished: Run) -> None:
    tables = ("curves.csv", "matrix.json", "measures.csv")
    before = [ada.get(f"{DRIFT}export/{name}").content for name in tables]
    n_scores, verdict = Score.objects.count(), drift_report(finished).verdict
    link(finished, "instructions", "IFBench", by=finished.created_by)
    assert [ada.get(f"{DRIFT}export/{name}").content for name in tables] == before
    assert (Score.objects.count(), drift_report(finished).verdict) == (n_scores, verdict)
    report = ada.get(f"{DRIFT}export/report.md").content.decode()
    assert "Published results of other models, measured elsewhere" in report
    assert "Instruction following 82.9" in report
    assert "published: Cascade 2" in ada.get(f"{DRIFT}export/report.html").content.decode()


def test_what_cannot_be_chosen_is_refused(ada: Client, finished: Run) -> None:
    for domain, benchmark in (("coding", "IFBench"), ("stem", "Nothing"), ("stem", "IOI 2025")):
        with pytest.raises(LinkError):
            link(finished, domain, benchmark, by=finished.created_by)
    answer = ada.post(CHOOSE, {"beside.stem": "Nothing"})
    assert answer.status_code == 422
    assert "expected one of" in answer.content.decode()
    for address in ("https://evil.example", "//evil.example", "?a\r\nX: y"):
        there = ada.post(CHOOSE, {"beside.stem": "MMLU-Pro", "address": address}).headers["Location"]
        assert there == f"{DRIFT}#published"


def test_a_reader_chooses_nothing(finished: Run, grace: User) -> None:
    reader = Client()
    reader.force_login(grace)
    assert reader.post(CHOOSE, {"beside.stem": "MMLU-Pro"}).status_code == 403
    assert CHOOSE not in reader.get(DRIFT).content.decode()


def test_a_published_run_is_held_against_others_and_never_itself(client: Client, run: Run) -> None:
    sample = import_sample("nemotron-cascade-8b", project=run.project, user=run.created_by)
    client.force_login(a_member(run.project, "rob", Role.RUNNER))
    there = f"/projects/team/runs/{sample.number}/drift/"
    found = {beside_.domain: beside_.benchmarks for beside_ in beside(sample)}
    assert found["coding"] == ("LiveCodeBench v5", "LiveCodeBench v6")
    text = client.get(there).content.decode()
    assert "Cascade 14B" in text  # ArenaHard
    assert '<span class="chip">published</span> Cascade 8B' not in text
    client.post(f"{there}published/", {"beside.preference": "none"})
    assert "Cascade 14B" not in client.get(there).content.decode()


def test_the_page_lists_every_benchmark_with_its_source(ada: Client) -> None:
    text = ada.get("/projects/team/published/").content.decode()
    assert all(name in text for name in published_benchmarks())
    assert "arXiv 2603.19220" in text
    assert "54.5‡" in text
    assert "98.6 with a Python executor" in text


def test_links_over_the_api(finished: Run) -> None:
    runner: APIClient = a_client(finished.project, Role.RUNNER)
    address = f"/api/v1/runs/{finished.public_id}/published/"
    answer = runner.put(address, {"domain": "stem", "benchmark": "GPQA-Diamond"}, format="json")
    assert {found["domain"]: found["benchmarks"] for found in answer.json()["results"]}["stem"] == ["GPQA-Diamond"]
    wrong = runner.put(address, {"domain": "stem", "benchmark": "GPQA"}, format="json")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "benchmark")
    answer = runner.put(address, {"domain": "stem", "benchmark": None}, format="json")
    assert all(found["chosen"] is None for found in answer.json()["results"])
    listed = runner.get("/api/v1/published-results/").json()
    assert len(listed["benchmarks"]) == len(published_benchmarks())
    assert json.dumps(listed).count("Nemotron-Cascade 2, arXiv 2603.19220") > len(linkable()) / 2
