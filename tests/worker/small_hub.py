"""A hub of one model, for the library that downloads: its answers about the model, and the files themselves, in ranges."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c" * 40


@contextmanager
def a_hub(folder: Path) -> Iterator[str]:
    """Serve a folder as the model team/small; yields the hub's address."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, *_: Any) -> None:
            pass

        def _answer(self, *, with_body: bool) -> None:
            path, status, headers = unquote(urlsplit(self.path).path), 200, {}
            file = folder / path.rpartition("/")[2]
            if path.startswith("/api/models/team/small/tree/"):
                data = json.dumps([_entry(found) for found in _files(folder)]).encode()
            elif path.startswith("/api/models/team/small"):
                data = json.dumps(_about(folder)).encode()
            elif path.startswith("/team/small/resolve/") and file.is_file():
                data = file.read_bytes()
                headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
            else:
                data, status = b"{}", 404
            self._send(data, with_body=with_body, status=status, **headers)

        def _send(self, data: bytes, *, with_body: bool, status: int = 200, **headers: str) -> None:
            wanted = self.headers.get("Range", "")
            if wanted.startswith("bytes="):
                begin = int(wanted.removeprefix("bytes=").partition("-")[0])
                data, status = data[begin:], 206
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if with_body:
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _entry(file: Path) -> dict[str, Any]:
    return {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": "0" * 40}


def _about(folder: Path) -> dict[str, Any]:
    siblings = [{"rfilename": file.name, "size": file.stat().st_size} for file in _files(folder)]
    return {
        "id": "team/small",
        "modelId": "team/small",
        "sha": COMMIT,
        "private": False,
        "tags": [],
        "siblings": siblings,
    }
