"""Fixtures of the node's tests: a registry that several nodes share."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from isek.registry.center import serve


@pytest.fixture(scope="module")
async def center() -> AsyncIterator[str]:
    """The URL of a center registry."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve("127.0.0.1", 0, started=port.set_result))
    yield f"http://127.0.0.1:{await port}"
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
