"""Long answers: sent piece by piece, holding neither the whole of them nor a connection of the database."""

import asyncio
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
    return StreamingHttpResponse(_read_in_threads(blocks), content_type=content_type, headers=headers)


async def _read_in_threads(blocks: Generator[bytes]) -> AsyncIterator[bytes]:
    """Pass blocks on as they are asked for. Django would gather a plain iterator's in memory before it sent the first."""
    await let_go_of_the_database()
    try:
        while (block := await asyncio.to_thread(next, blocks, None)) is not None:
            yield block
    finally:
        blocks.close()
