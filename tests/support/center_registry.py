"""A center registry within the test's own process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from isek.cancelling import cancel
from isek.registry.center import serve


@asynccontextmanager
async def center_registry() -> AsyncIterator[str]:
    """Its URL; the end of the context stops it."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve("127.0.0.1", 0, started=port.set_result))
    try:
        yield f"http://127.0.0.1:{await port}"
    finally:
        await cancel(serving)
