"""A judge's address, played by a local server: real sockets, and whatever answers a test wants."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from workers.judges import JudgeSpec
from workers.training.judge import Judge

KEY = "sk-very-secret-0123456789"


@dataclass(frozen=True)
class Answer:
    """What the server sends: words of the judge, or a body as it is."""

    said: str = ""
    status: int = 200
    body: str | None = None
    after_s: float = 0.0


@dataclass
class Server:
    """A running server, and what it was asked."""

    url: str
    say: Callable[[str], Answer | str]
    asked: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def spec(self, **settings: Any) -> JudgeSpec:
        quick: dict[str, Any] = {"timeout_s": 5, "retries": 1, "concurrency": 8}
        return JudgeSpec(url=self.url, model="m", **{**quick, **settings})

    def judge(self, folder: Path, **settings: Any) -> Judge:
        return Judge("local", self.spec(**settings), KEY, folder / "judged")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        played: Server = self.server.played  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = body["messages"][-1]["content"]
        with played.lock:
            played.asked.append(question)
            played.bodies.append(body)
            played.keys.add(self.headers.get("Authorization", ""))
            played.at_once += 1
            played.most_at_once = max(played.most_at_once, played.at_once)
        try:
            found = played.say(question)
            answer = Answer(found) if isinstance(found, str) else found
            time.sleep(answer.after_s)
            self._send(answer)
        except (BrokenPipeError, ConnectionResetError):
            pass  # who asked did not wait
        finally:
            with played.lock:
                played.at_once -= 1

    def _send(self, answer: Answer) -> None:
        message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": answer.said}}
        usage = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}
        whole = {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [message],
            "usage": usage,
        }
        data = (json.dumps(whole) if answer.body is None else answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


@contextmanager
def serving(say: Callable[[str], Answer | str]) -> Iterator[Server]:
    """Serve on a free port until the test is over."""
    server = _Server(("127.0.0.1", 0), _Handler)
    played = Server(f"http://127.0.0.1:{server.server_address[1]}/v1", say)
    server.played = played  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield played
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sections(question: str) -> dict[str, str]:
    """Read the material as a judge that keeps to the marks does."""
    found = re.search(r"carry the word ([0-9a-f]{16})\.", question)
    assert found, question
    word = found[1]
    return dict(re.findall(rf"^\[{word} ([a-z ]+)\]\n(.*?)\n\[{word} end of \1\]$", question, re.DOTALL | re.MULTILINE))


def honest(question: str) -> str:
    """Judge by the texts alone: right where the answer has the expected words; of two responses the longer is better.

    It repeats the answer before its verdict, as judges do.
    """
    parts = sections(question)
    if "first response" in parts:
        first, second = (len(parts[f"{place} response"]) for place in ("first", "second"))
        better = "VERDICT: 4 2 2" if first > second else "VERDICT: 2 4 5"
        return f"I compare:\n{parts['second response']}\n{'VERDICT: 3 3 3' if first == second else better}"
    expected = parts.get("expected answer") or parts.get("reference patch") or ""
    is_right = expected.lower() in parts["answer"].lower()
    return f"The answer says:\n{parts['answer']}\n\n**VERDICT: {'RIGHT' if is_right else 'WRONG'}**"
