"""Answers that come line by line while a run goes on."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from isek.cancelling import cancel
from isek.node.endpoint import while_connected

BEAT_SECONDS = 15.0
"""Balancers and proxies cut what is silent for a minute or so."""


class LineStream(StreamingResponse):
    """Lines as they are made. The run ends when the caller goes away; a caller that is slow to read holds it back.

    Args:
        lines: made of ``source``.
        source: the run; closed in the end.
        media_type: of the lines.
        beat: a line that means nothing, sent whenever there was none for a while.
    """

    def __init__(self, lines: AsyncGenerator[str], source: AsyncGenerator[object], media_type: str, beat: str) -> None:
        super().__init__(lines, media_type=media_type, headers={"Cache-Control": "no-store"})
        self._source = source
        self._beat = beat.encode()
        self._sent_at = time.monotonic()
        self._over = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def sending(message: Message) -> None:
            self._over = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)
            self._sent_at = time.monotonic()

        with suppress(ClientDisconnect):
            async with aclosing(self._source):
                beating = asyncio.create_task(self._keep_alive(send))
                try:
                    await while_connected(receive, self.stream_response(sending))
                finally:
                    await cancel(beating)

    async def _keep_alive(self, send: Send) -> None:
        while True:
            await asyncio.sleep(max(self._sent_at + BEAT_SECONDS - time.monotonic(), BEAT_SECONDS / 100))
            if not self._over and time.monotonic() >= self._sent_at + BEAT_SECONDS:
                self._sent_at = time.monotonic()
                await send({"type": "http.response.body", "body": self._beat, "more_body": True})


async def after(first: str, rest: AsyncGenerator[str]) -> AsyncGenerator[str]:
    """All lines."""
    yield first
    async for line in rest:
        yield line
