"""A promoted checkpoint leaves with its card: by the page and over REST, to those who may, and the log knows."""

import hashlib
import html
import io
import json
import tarfile
from collections.abc import Generator
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from django.test import Client

from runs import ingest, reviews, streams
from runs.models import AuditEntry, Checkpoint, ItemResult, Proposal, Role, Run, Verdict
from tests.web.some_clients import BACKEND, client_of
from tests.web.some_runs import a_member, a_project, finish

pytestmark = pytest.mark.django_db


@pytest.fixture
def proposal(run: Run) -> Proposal:
    finish(run, "warm", "if_rl")
    return _proposed(run.checkpoints.get(stage__name="if_rl"))


@pytest.fixture
def promoted(proposal: Proposal, grace: User) -> Proposal:
    return _promoted(proposal, grace)


@pytest.fixture(autouse=True)
def _keep_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's rows are in a transaction, which a closed connection would lose."""
    monkeypatch.setattr(streams, "let_go_of_the_database", sync_to_async(lambda: None))


def _proposed(checkpoint: Checkpoint) -> Proposal:
    return reviews.propose(checkpoint, note="look", by=checkpoint.run.created_by)


def _promoted(proposal: Proposal, grace: User) -> Proposal:
    reviews.review(proposal, Verdict.APPROVE, note="between us", by=grace)
    reviews.promote(proposal, "production", by=proposal.proposer)
    return proposal


def _page(proposal: Proposal) -> str:
    return f"/projects/team/proposals/{proposal.public_id}/"


def _api(proposal: Proposal) -> str:
    return f"/api/v1/proposals/{proposal.public_id}/"


def _text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def _folder(proposal: Proposal) -> Path:
    return ingest.checkpoint_folder(proposal.checkpoint)


@async_to_sync
async def _received(response: StreamingHttpResponse) -> bytes:
    assert response.is_async, "a plain iterator would be gathered in memory"
    return b"".join([block async for block in response.streaming_content])  # type: ignore[union-attr]


def _unpacked(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {name: archive.extractfile(name) for name in archive.getnames()}
        return {name: handle.read() for name, handle in found.items() if handle is not None}


def test_the_page_sends_the_folder_with_the_sign_off_in_its_card(promoted: Proposal, ada: Client) -> None:
    (_folder(promoted) / "README.md").write_text("the card without a sign-off")
    (_folder(promoted) / "pytorch_model.bin").write_bytes(b"pickle")
    (_folder(promoted) / ".cache").mkdir()
    (_folder(promoted) / ".cache" / "x").write_text("x")
    page = _text(ada, _page(promoted))
    assert "Export the checkpoint" in page
    answer = ada.post(f"{_page(promoted)}export/")
    assert answer.headers["Content-Type"] == "application/x-tar"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="team-1-if_rl-step_000006.tar"'
    data = _received(answer)
    assert len(data) == int(answer.headers["Content-Length"])
    files = _unpacked(data)
    inside = "team-1-if_rl-step_000006/"
    assert set(files) == {f"{inside}README.md", f"{inside}model.safetensors"}
    assert files[f"{inside}model.safetensors"] == (_folder(promoted) / "model.safetensors").read_bytes()
    card = files[f"{inside}README.md"].decode()
    for words in (
        "# if_rl, stage of run_",
        "- Proposed by ada, ",
        "- Approved by grace, ",
        "- Alias `production`, given by ada, ",
        f"- Scores: sha256 `{promoted.digest}`",
        "Started from: stage `warm` at step 6",
    ):
        assert words in card, words
    assert "between us" not in card
    assert card == ada.get(f"{_page(promoted)}card/").content.decode()


def test_the_audit_log_knows_every_export(promoted: Proposal, ada: Client) -> None:
    for _ in range(2):
        _received(ada.post(f"{_page(promoted)}export/"))
    entries = AuditEntry.objects.filter(action="checkpoint.exported")
    assert [entry.actor.username for entry in entries] == ["ada", "ada"]
    assert entries[0].after["scores"] == promoted.digest
    assert "exported" in _text(ada, "/projects/team/audit/")


def test_over_rest_sizes_come_first_and_the_card_alone_is_there(promoted: Proposal) -> None:
    client = client_of(promoted.proposer)
    listed = client.get(f"{_api(promoted)}files/").json()
    assert [file["name"] for file in listed["files"]] == ["README.md", "model.safetensors"]
    answer = client.post(f"{_api(promoted)}export/", headers={"Accept": "application/x-tar"})
    files = _unpacked(_received(answer))
    assert sum(len(content) for content in files.values()) == listed["n_bytes"]
    card = client.get(f"{_api(promoted)}card/")
    assert card["Content-Type"] == "text/markdown; charset=utf-8"
    assert files["team-1-if_rl-step_000006/README.md"] == card.content


def test_the_base_can_leave_too(run: Run, grace: User) -> None:
    finish(run, "warm")
    base = _promoted(_proposed(run.checkpoints.get(stage=None)), grace)
    files = _unpacked(_received(client_of(base.proposer).post(f"{_api(base)}export/")))
    assert "no stage of the run has trained it" in files["team-1-base-step_000000/README.md"].decode()


def test_what_is_not_promoted_does_not_leave(proposal: Proposal, ada: Client, grace: User) -> None:
    assert "Once the checkpoint is promoted, a runner may export it" in _text(ada, _page(proposal))
    refused = client_of(proposal.proposer).post(f"{_api(proposal)}export/")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_promoted")
    assert "- Not promoted: awaiting review" in _text(ada, _page(proposal))
    reviews.withdraw(proposal, by=proposal.proposer)
    page = ada.post(f"{_page(proposal)}export/", follow=True).content.decode()
    assert "This proposal is withdrawn, only a promoted checkpoint can be exported" in page
    assert not AuditEntry.objects.filter(action="checkpoint.exported").exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REVIEWER])
def test_a_reader_sees_the_card_and_the_size_and_takes_nothing(promoted: Proposal, role: Role) -> None:
    reader, browser = a_member(promoted.project, "vic", role), Client()
    browser.force_login(reader, backend=BACKEND)
    page = _text(browser, _page(promoted))
    assert f"Your role is {role}: a runner may export the checkpoint" in page
    assert "Export the checkpoint</button>" not in page
    assert browser.post(f"{_page(promoted)}export/").status_code == 403
    assert client_of(reader).post(f"{_api(promoted)}export/").json()["code"] == "role_too_low"
    assert client_of(reader).get(f"{_api(promoted)}card/").status_code == 200
    assert not AuditEntry.objects.filter(action="checkpoint.exported").exists()


def test_to_a_stranger_there_is_nothing(promoted: Proposal) -> None:
    stranger = client_of(a_project("Elsewhere", owner="eve").members.get())
    for address in ("card", "files"):
        assert stranger.get(f"{_api(promoted)}{address}/").status_code == 404
    assert stranger.post(f"{_api(promoted)}export/").status_code == 404


def test_a_missing_folder_is_said_plainly(promoted: Proposal, ada: Client) -> None:
    (_folder(promoted) / "model.safetensors").unlink()
    _folder(promoted).rmdir()
    assert "Found no weights (*.safetensors) in the folder of if_rl at step 6" in _text(ada, _page(promoted))
    client = client_of(promoted.proposer)
    for answer in (client.get(f"{_api(promoted)}files/"), client.post(f"{_api(promoted)}export/")):
        assert (answer.status_code, answer.json()["code"]) == (409, "weights_missing")


def test_a_damaged_folder_is_said_plainly_and_nothing_is_sent(promoted: Proposal, ada: Client) -> None:
    checksums = {"model.safetensors": hashlib.sha256(b"what was written").hexdigest()}
    (_folder(promoted) / "checksums.json").write_text(json.dumps(checksums))
    page = ada.post(f"{_page(promoted)}export/", follow=True).content.decode()
    assert "is damaged: its files are not those that were written" in html.unescape(page)
    answer = client_of(promoted.proposer).post(f"{_api(promoted)}export/")
    assert (answer.status_code, answer.json()["code"]) == (409, "weights_damaged")
    assert not AuditEntry.objects.filter(action="checkpoint.exported").exists()


def test_a_link_in_a_runs_folder_leads_nowhere(promoted: Proposal, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (_folder(promoted) / "secret.json").symlink_to(tmp_path / "secret")
    (_folder(promoted) / "all").symlink_to(tmp_path)
    data = _received(client_of(promoted.proposer).post(f"{_api(promoted)}export/"))
    assert b"secret" not in data


def test_a_card_says_what_changed_since_it_was_signed(promoted: Proposal, ada: Client) -> None:
    ItemResult.objects.filter(score__checkpoint=promoted.checkpoint, item=0).update(value=0.25)
    assert "- Changed since: " in _text(ada, f"{_page(promoted)}card/")


def test_an_answer_that_breaks_off_lets_go_of_its_file() -> None:
    closed = []

    def blocks() -> Generator[bytes]:
        try:
            yield b"first"
            yield b"second"
        finally:
            closed.append(True)

    response = streams.download(blocks(), name="x.tar", n_bytes=11, content_type="application/x-tar")

    @async_to_sync
    async def read_one() -> bytes:
        return await anext(aiter(response))

    assert read_one() == b"first"
    assert not closed
    response.close()
    assert closed
