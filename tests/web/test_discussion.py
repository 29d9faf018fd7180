"""Discussion: threads about a place, mentions, edits, tombstones, and who is told."""

import html
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs import discussions, notices, reviews
from runs.anchors import AnchorError, anchor_of, anchor_url, anchor_words
from runs.lifecycle import NotPossibleError
from runs.models import Comment, Membership, Notice, NoticeKind, Role, Run, Thread, Verdict
from runs.pages.comment_text import comment_html
from tests.web.some_clients import BACKEND
from tests.web.some_runs import a_member, finish

pytestmark = pytest.mark.django_db
RUN = "/projects/team/runs/1/"


@pytest.fixture
def finished(run: Run) -> Run:
    finish(run, "warm", "if_rl")
    return run


def _client(user: User) -> Client:
    client = Client()
    client.force_login(user, backend=BACKEND)
    return client


def _thread(run: Run, text: str, *, by: User, anchor: dict[str, Any] | None = None) -> Thread:
    return discussions.start_thread(run, anchor_of(anchor or {"kind": "run"}, run), text, by=by)


def _page(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status
    return html.unescape(answer.content.decode())


def _told(user: User) -> list[str]:
    return list(Notice.objects.filter(recipient=user).order_by("pk").values_list("kind", flat=True))


PLACES: list[tuple[dict[str, Any], str, str]] = [
    ({"kind": "run"}, "the whole run", RUN),
    ({"kind": "stage", "stage": "if_rl"}, "stage if_rl", f"{RUN}stages/if_rl/#stage"),
    ({"kind": "cell", "row": "if_rl", "domain": "stem"}, "if_rl · STEM", f"{RUN}drift/?cell=if_rl:stem#cell"),
    ({"kind": "cell", "row": "base", "domain": "stem"}, "base · STEM", f"{RUN}drift/?cell=base:stem#cell"),
    (
        {"kind": "item", "row": "base", "domain": "stem", "item": 3},
        "base · STEM, problem 3",
        f"{RUN}drift/?cell=base:stem#cell",
    ),
    (
        {"kind": "rollout", "stage": "if_rl", "step": 4, "group": 2},
        "rollouts of if_rl, step 4, prompt 2",
        f"{RUN}stages/if_rl/?rollouts=4#group-2",
    ),
    (
        {"kind": "point", "stage": "if_rl", "metric": "reward", "step": 2},
        "reward of if_rl at step 2",
        f"{RUN}stages/if_rl/#stage",
    ),
]


@pytest.mark.parametrize(("document", "words", "address"), PLACES, ids=[place[1] for place in PLACES])
def test_every_kind_of_place_has_words_and_an_address(
    document: dict[str, Any], words: str, address: str, finished: Run, ada: Client
) -> None:
    anchor = anchor_of(document, finished)
    assert anchor_words(anchor) == words
    assert anchor_url(anchor, finished) == address
    assert ada.get(address.partition("#")[0]).status_code == 200
    assert words in _page(ada, f"{RUN}threads/?" + "&".join(f"{name}={value}" for name, value in document.items()))
    ada.post(f"{RUN}threads/", {**document, "text": "why?"})
    assert Thread.objects.get().anchor == document


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"kind": "stage", "stage": "nope"}, "found stage 'nope', expected one of: warm, if_rl, mopd"),
        ({"kind": "cell", "row": "nope", "domain": "stem"}, "found stage 'nope'"),
        ({"kind": "cell", "row": "base", "domain": "nope"}, "found domain 'nope', expected one of: instructions, stem"),
        ({"kind": "item", "row": "base", "domain": "stem", "item": 99}, "found no result of base on problem 99"),
        ({"kind": "item", "row": "mopd", "domain": "stem", "item": 1}, "found no result of mopd on problem 1"),
        ({"kind": "point", "stage": "warm", "metric": "loss", "step": 999}, "found no loss of warm at step 999"),
        ({"kind": "planet"}, "an anchor's kind is one of: run, stage"),
        ({"kind": "stage"}, "field required"),
        ({"kind": "run", "more": "x"}, "more: extra inputs are not permitted"),
        ({"kind": "rollout", "stage": "warm", "step": -1, "group": 1}, "step: input should be greater"),
        ({}, "anchor: unable to extract tag"),
    ],
)
def test_a_place_that_is_not_there_is_refused(document: dict[str, Any], words: str, finished: Run, ada: Client) -> None:
    with pytest.raises(AnchorError, match=words.replace("[", r"\[")):
        anchor_of(document, finished)
    if document:
        answer = ada.post(f"{RUN}threads/", {**document, "text": "why?"})
        assert answer.status_code in (302, 422)
        assert answer.status_code == 422 or "more" in document
    assert not Thread.objects.exclude(anchor={"kind": "run"}).exists()


def test_a_comment_on_the_chosen_cell_marks_it_until_it_is_resolved(finished: Run, ada: Client) -> None:
    page = _page(ada, f"{RUN}drift/?cell=if_rl:stem")
    assert "About <b>if_rl · STEM</b>" in page
    assert "data-discussed" not in page
    ada.post(
        f"{RUN}threads/", {"kind": "cell", "row": "if_rl", "domain": "stem", "item": "3", "text": "lost after SFT"}
    )
    page = _page(ada, f"{RUN}drift/?cell=if_rl:stem")
    assert page.count("data-discussed") == 1
    assert "this cell" in page
    discussions.resolve(Thread.objects.get(), by=finished.created_by)
    assert "data-discussed" not in _page(ada, f"{RUN}drift/")


def test_a_thread_about_the_whole_run_marks_no_cell(finished: Run, ada: Client) -> None:
    discussions.start_thread(finished, anchor_of({"kind": "run"}, finished), "well", by=finished.created_by)
    page = _page(ada, f"{RUN}drift/")
    assert "open discussion" not in page
    assert "data-discussed" not in page


def test_words_are_text_and_only_members_are_linked() -> None:
    written = comment_html("<script>@ada</script>\n@eve, @ada. mail@ada @ada-", members={"ada"}, slug="team")
    link = '<a class="mention" href="/projects/team/members/#member-ada">@ada</a>'
    assert written == f"&lt;script&gt;{link}&lt;/script&gt;\n@eve, {link}. mail@ada {link}-"


def test_who_is_mentioned_or_takes_part_is_told_once(finished: Run, grace: User, alan: User) -> None:
    ada = finished.created_by
    thread = _thread(finished, "@grace look; @nobody, @ada", by=ada)
    assert (_told(grace), _told(alan), _told(ada)) == ([NoticeKind.MENTION], [], [])
    discussions.reply(thread, "@alan and you?", by=grace)
    assert (_told(ada), _told(alan)) == ([NoticeKind.REPLY], [NoticeKind.MENTION])
    comment = discussions.reply(thread, "fine", by=ada)
    assert _told(alan) == [NoticeKind.MENTION]  # mentioned once, but takes no part
    discussions.edit(comment, "fine, @alan @grace", by=ada)
    assert _told(alan) == [NoticeKind.MENTION] * 2
    assert _told(grace) == [NoticeKind.MENTION, NoticeKind.REPLY]


def test_proposals_ask_for_reviews_and_tell_of_verdicts(finished: Run, grace: User, alan: User) -> None:
    ada = finished.created_by
    vera = a_member(finished.project, "vera", Role.VIEWER)
    proposal = reviews.propose(finished.checkpoints.get(stage__name="warm"), note="look", by=ada)
    assert (_told(grace), _told(alan), _told(vera)) == ([NoticeKind.REVIEW_REQUEST], [NoticeKind.REVIEW_REQUEST], [])
    reviews.review(proposal, Verdict.APPROVE, note="", by=grace)
    assert _told(ada) == [NoticeKind.REVIEW]
    reviews.set_policy(finished.project, n_approvals=1, required=[grace], by=ada)
    reviews.propose(finished.checkpoints.get(stage__name="if_rl"), note="look", by=ada)
    assert (len(_told(grace)), len(_told(alan))) == (2, 1)


def test_the_inbox_counts_what_is_unread_until_it_is_read(finished: Run, grace: User) -> None:
    client = _client(grace)
    assert "Nothing for you yet" in _page(client, "/inbox/")
    first = _thread(finished, "@grace one", by=finished.created_by)
    second = _thread(finished, "@grace two", by=finished.created_by)
    page = _page(client, "/inbox/")
    assert "mentioned you" in page
    assert '<span class="unread num">2' in page
    client.get(f"/projects/team/threads/{first.public_id}/")  # reading it is reading its notice
    assert notices.n_unread(grace) == 1
    client.post("/inbox/", {"notice": Notice.objects.get(comment__thread=second).pk})
    assert notices.n_unread(grace) == 0
    _thread(finished, "@grace three", by=finished.created_by)
    client.post("/inbox/", {"notice": "all"})
    assert "unread num" not in _page(client, "/inbox/")


def test_nobody_reads_or_marks_the_notices_of_others(finished: Run, grace: User, alan: User) -> None:
    _thread(finished, "@grace secret", by=finished.created_by)
    client = _client(alan)
    assert "secret" not in _page(client, "/inbox/")
    for number in (Notice.objects.get().pk, "x", "", "9" * 30):
        client.post("/inbox/", {"notice": number})
    assert notices.n_unread(grace) == 1
    Membership.objects.filter(user=grace).delete()
    assert "secret" not in _page(_client(grace), "/inbox/")


def test_an_edit_keeps_what_was_said_before(finished: Run, ada: Client) -> None:
    thread = _thread(finished, "first words", by=finished.created_by)
    comment = thread.comments.get()
    address = f"/projects/team/comments/{comment.public_id}/edit/"
    ada.post(address, {"text": "second words"})
    ada.post(address, {"text": "second words"})  # changes nothing
    page = _page(ada, f"/projects/team/threads/{thread.public_id}/")
    assert "What it said before" in page
    assert page.index("second words") < page.index("first words")
    assert comment.edits.count() == 1
    assert "Your comment is as it was" in ada.post(address, {"text": " "}, follow=True).content.decode()


def test_a_deleted_comment_leaves_a_tombstone_without_words(finished: Run, ada: Client, grace: User) -> None:
    thread = _thread(finished, "@grace wrong", by=finished.created_by)
    comment = thread.comments.get()
    discussions.edit(comment, "very wrong", by=finished.created_by)
    ada.post(f"/projects/team/comments/{comment.public_id}/delete/")
    page = _page(ada, f"/projects/team/threads/{thread.public_id}/")
    assert "Deleted by its author" in page
    assert "wrong" not in page
    assert not Notice.objects.exists()
    assert not comment.edits.exists()
    with pytest.raises(NotPossibleError, match="is deleted"):
        discussions.edit(comment, "again", by=finished.created_by)


def test_words_belong_to_who_wrote_them(finished: Run, ada: Client, grace: User) -> None:
    comment = _thread(finished, "mine", by=grace).comments.get()
    for action in ("edit", "delete"):
        assert ada.post(f"/projects/team/comments/{comment.public_id}/{action}/", {"text": "yours"}).status_code == 403
    assert Comment.objects.get().text == "mine"


def test_a_thread_is_resolved_and_reopened(finished: Run, grace: User) -> None:
    thread, client = _thread(finished, "done?", by=finished.created_by), _client(grace)
    address = f"/projects/team/threads/{thread.public_id}/"
    client.post(f"{address}resolve/")
    assert "resolved by grace" in _page(client, address)
    assert "is resolved already" in client.post(f"{address}resolve/", follow=True).content.decode()
    client.post(f"{address}reply/", {"text": "one more thing"})
    client.post(f"{address}reopen/")
    thread.refresh_from_db()
    assert (thread.resolved_at, thread.resolved_by, thread.comments.count()) == (None, None, 2)


def test_a_viewer_reads_and_says_nothing(finished: Run) -> None:
    thread, vera = _thread(finished, "hello", by=finished.created_by), a_member(finished.project, "vera", Role.VIEWER)
    client, address = _client(vera), f"/projects/team/threads/{thread.public_id}/"
    for page in (address, f"{RUN}threads/", f"{RUN}drift/"):
        shown = _page(client, page)
        assert "hello" in shown
        assert '<textarea name="text"' not in shown
    assert client.post(f"{address}reply/", {"text": "me too"}).status_code == 403


@pytest.mark.parametrize("text", ["", "   ", "x" * 10_001, "nul \0"])
def test_words_that_cannot_be_kept_are_refused_beside_the_field(text: str, finished: Run, ada: Client) -> None:
    answer = ada.post(f"{RUN}threads/", {"text": text})
    assert answer.status_code == 422
    assert 'class="error"' in answer.content.decode()


def test_open_threads_come_first(finished: Run, ada: Client) -> None:
    old, new = (_thread(finished, words, by=finished.created_by) for words in ("older words", "newer words"))
    page = _page(ada, f"{RUN}threads/")
    assert page.index("newer words") < page.index("older words")
    discussions.resolve(new, by=finished.created_by)
    page = _page(ada, f"{RUN}threads/")
    assert page.index("older words") < page.index("newer words")
    assert old.pk < new.pk


def test_rollouts_that_are_renewed_live_keep_their_way_to_a_thread(finished: Run, ada: Client) -> None:
    page = _page(ada, f"{RUN}stages/if_rl/?part=rollouts")
    assert f"{RUN}threads/?kind=rollout&stage=if_rl&step=" in page


def test_a_second_click_is_no_second_thread_and_no_second_comment(finished: Run, grace: User, alan: User) -> None:
    anchor = anchor_of({"kind": "run"}, finished)
    thread = discussions.start_thread(finished, anchor, "why?", by=grace)
    assert discussions.start_thread(finished, anchor, "why?", by=grace) == thread
    assert discussions.start_thread(finished, anchor, "how?", by=grace) != thread
    first = discussions.reply(thread, "so", by=alan)
    assert discussions.reply(thread, "so", by=alan) == first
    assert discussions.reply(thread, "so", by=grace) != first  # another person agrees
    assert thread.comments.count() == 3
