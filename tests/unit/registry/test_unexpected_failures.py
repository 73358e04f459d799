"""A store that fails in a way nobody thought of."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from isek.registry import NodeRecord
from isek.registry.default import DefaultRegistry
from isek.registry.memory_store import MemoryStore
from isek.registry.store import Changes, Listing
from typing_extensions import override

from tests.support.log_lines import LogLines

RECORD = NodeRecord(node_id="first.default", host="127.0.0.1", port=8080)


class OddStore(MemoryStore):
    """Raises something odd once, in the method it is told."""

    def __init__(self, odd: str) -> None:
        super().__init__()
        self._odd: str | None = odd
        self.renewed = asyncio.Event()

    def _work(self, method: str) -> None:
        if method == self._odd:
            self._odd = None
            raise RuntimeError("the moon\nis full")

    @override
    async def grant(self, ttl_seconds: int) -> int:
        self._work("grant")
        return await super().grant(ttl_seconds)

    @override
    async def keep_alive(self, lease: int) -> None:
        self._work("keep_alive")
        await super().keep_alive(lease)
        self.renewed.set()

    @override
    async def put(self, key: str, value: bytes, lease: int) -> None:
        self._work("put")
        await super().put(key, value, lease)

    @override
    async def list(self, prefix: str) -> Listing:
        self._work("list")
        return await super().list(prefix)

    @override
    async def watch(self, prefix: str, after: int) -> AsyncGenerator[Changes, None]:
        async for changes in super().watch(prefix, after):
            yield changes
            self._work("watch")


@pytest.mark.parametrize("odd", ["grant", "put", "keep_alive", "list", "watch"])
async def test_an_unexpected_failure_of_the_store_is_logged_and_tried_again(odd: str, log: LogLines) -> None:
    store = OddStore(odd)

    async with asyncio.timeout(10), DefaultRegistry(store, ttl_seconds=1) as registry:
        registration = await registry.register(RECORD)
        await store.renewed.wait()

        assert registration.registered
        assert registry.peers() == (RECORD,)

    assert [sentence for sentence in log.sentences if "RuntimeError: the moon is full" in sentence]
