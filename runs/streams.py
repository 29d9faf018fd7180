"""Long answers: sent piece by piece, holding neither the whole of them nor a connection of the database."""

import asyncio
import threading
from collections.abc import AsyncIterator, Generator

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import StreamingHttpResponse


@sync_to_async
def let_go_of_the_database() -> None:
    """Close this request's connection: a long answer would hold it for as long as somebody reads."""
    connections.close_all()


def download(blocks: Generator[bytes], *, name: str, n_bytes: int, content_type: str) -> StreamingHttpResponse:
    """Answer a file that is made while it is sent; n_bytes: its whole length, so that what breaks off is seen to."""
    headers = {
        "Content-Length": str(n_bytes),
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",  # nginx would keep it on its disk first
    }
    return StreamingHttpResponse(_InThreads(blocks), content_type=content_type, headers=headers)


class _InThreads:
    """Blocks that are made in threads as they are asked for. Django would gather those of a plain iterator in memory.

    Django closes it when the answer is over, also where the reader went away, and a block may be under way then.
    """

    def __init__(self, blocks: Generator[bytes]) -> None:
        self._blocks, self._one_at_a_time = blocks, threading.Lock()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await let_go_of_the_database()
        while (block := await asyncio.to_thread(self._next)) is not None:
            yield block

    def _next(self) -> bytes | None:
        with self._one_at_a_time:
            return next(self._blocks, None)

    def close(self) -> None:
        """Let go of the file that is being read."""
        with self._one_at_a_time:
            self._blocks.close()
