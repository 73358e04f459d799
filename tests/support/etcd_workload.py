"""A program that writes to an etcd and watches it until its input ends, and prints the history: a JSON object a line.

It runs wherever ``isek`` is installed: in a pod, or beside the kubelet of the tests. ``tests.support.etcd_history``
says what the lines mean and judges them. Its one argument is a JSON object with the fields of ``Plan``.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from aetcd import rpc

CALL_SECONDS = 2.0
PAUSE_SECONDS = 0.03
LEASE_SECONDS = 600
OPTIONS = (
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.http2.ping_timeout_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
)
FAILURES = (grpc.aio.AioRpcError, asyncio.InvalidStateError, TimeoutError)


@dataclass(frozen=True)
class Plan:
    endpoints: list[str]
    """``host:port`` of members, or of a Service in front of them."""
    tls: str
    """The folder of ``ca.crt``, ``tls.crt`` and ``tls.key``."""
    prefix: str
    """Ends in a slash; everything is written below it."""
    nodes: str = ""
    """The prefix of nodes that are registered meanwhile by others."""
    seed: int = 0
    writers: int = 4
    keys: int = 8
    watchers: int = 2


class Client:
    """One client, that turns to the next endpoint when one fails it. It never does anything twice by itself."""

    def __init__(self, plan: Plan, number: int) -> None:
        self._plan = plan
        self._current = number
        self._channel: grpc.aio.Channel | None = None

    @property
    def channel(self) -> grpc.aio.Channel:
        if self._channel is None:
            tls = Path(self._plan.tls)
            ca, key, certificate = ((tls / name).read_bytes() for name in ("ca.crt", "tls.key", "tls.crt"))
            endpoint = self._plan.endpoints[self._current % len(self._plan.endpoints)]
            self._channel = grpc.aio.secure_channel(
                endpoint, grpc.ssl_channel_credentials(ca, key, certificate), options=OPTIONS
            )
        return self._channel

    async def failed(self) -> None:
        if self._channel is not None:
            await self._channel.close()
        self._channel = None
        self._current += 1
        await asyncio.sleep(0.1)

    async def insist(self, call: Callable[[grpc.aio.Channel], Awaitable[Any]]) -> Any:
        """Call until it succeeds: for what may be done twice."""
        while True:
            try:
                return await call(self.channel)
            except FAILURES:
                await self.failed()

    async def list(self, prefix: str) -> Any:
        request = rpc.RangeRequest(key=prefix.encode(), range_end=_end(prefix))
        return await self.insist(lambda channel: rpc.KVStub(channel).Range(request, timeout=CALL_SECONDS))


async def write_and_read(plan: Plan, number: int, ending: asyncio.Event) -> None:
    """Write unique values to keys that others write too, each only in the place of what was seen there last."""
    client, chance = Client(plan, number), random.Random(f"{plan.seed}/{number}")  # noqa: S311 - no secret
    lease = await client.insist(
        lambda channel: rpc.LeaseStub(channel).LeaseGrant(
            rpc.LeaseGrantRequest(TTL=LEASE_SECONDS), timeout=CALL_SECONDS
        )
    )
    seen: dict[str, int] = {}
    count = 0
    while not ending.is_set():
        await asyncio.sleep(PAUSE_SECONDS * 2 * chance.random())
        key = f"{plan.prefix}{chance.randrange(plan.keys)}".encode()
        count += 1
        value = f"{number}-{count}"
        operation: dict[str, Any] = {"client": number, "key": key.decode(), "start": time.monotonic()}
        read = rpc.RequestOp(request_range=rpc.RangeRequest(key=key))
        request = rpc.TxnRequest(success=[read])
        if chance.random() < 0.7:
            expected = seen.get(key.decode(), 0)
            operation |= {"op": "write", "value": value, "expected": expected}
            compare = rpc.Compare(result=rpc.Compare.EQUAL, target=rpc.Compare.MOD, key=key, mod_revision=expected)
            put = rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=value.encode(), lease=lease.ID))
            request = rpc.TxnRequest(compare=[compare], success=[put], failure=[read])
        else:
            operation |= {"op": "read"}
        try:
            answer = await rpc.KVStub(client.channel).Txn(request, timeout=CALL_SECONDS)
        except FAILURES as error:
            why = error.details() if isinstance(error, grpc.aio.AioRpcError) else repr(error)
            _tell(operation | {"outcome": "unknown", "error": why})
            await client.failed()
            continue
        operation |= {"end": time.monotonic(), "revision": answer.header.revision}
        if operation["op"] == "write" and answer.succeeded:
            seen[key.decode()] = answer.header.revision
            _tell(operation | {"outcome": "done"})
            continue
        found = answer.responses[0].response_range.kvs
        seen[key.decode()] = found[0].mod_revision if found else 0
        _tell(
            operation
            | {
                "outcome": "done" if operation["op"] == "read" else "refused",
                "found": found[0].value.decode() if found else None,
                "found_revision": seen[key.decode()],
            }
        )


class Watcher:
    """Tells every event after a revision, through all members that have to be turned to."""

    def __init__(self, plan: Plan, number: int, start: int) -> None:
        self._plan, self._number = plan, number
        self._last = start
        self._moved = asyncio.Event()

    async def until_told(self, revision: int) -> None:
        while self._last < revision:
            self._moved.clear()
            await self._moved.wait()

    async def watch(self) -> None:
        client = Client(self._plan, self._number)
        prefix = self._plan.prefix
        while True:
            stream = rpc.WatchStub(client.channel).Watch(metadata=(("hasleader", "true"),))
            create = rpc.WatchCreateRequest(
                key=prefix.encode(), range_end=_end(prefix), start_revision=self._last + 1, progress_notify=True
            )
            try:
                await stream.write(rpc.WatchRequest(create_request=create))
                while True:
                    answer = await stream.read()
                    if answer is grpc.aio.EOF or answer.canceled:
                        raise TimeoutError("the watch ended")
                    for event in answer.events:
                        self._tell(event)
            except FAILURES:
                await client.failed()
            finally:
                stream.cancel()

    def _tell(self, event: Any) -> None:
        self._last = event.kv.mod_revision
        value = event.kv.value.decode() if event.type == rpc.Event.PUT else None
        line = {"op": "event", "watcher": self._number, "key": event.kv.key.decode(), "value": value}
        _tell(line | {"revision": self._last})
        self._moved.set()


async def run(plan: Plan) -> None:
    client = Client(plan, 0)
    start = (await client.list(plan.prefix)).header.revision
    watchers = [Watcher(plan, number, start) for number in range(plan.watchers)]
    watching = [asyncio.create_task(watcher.watch()) for watcher in watchers]
    enough = asyncio.Event()
    writing = [asyncio.create_task(write_and_read(plan, number, enough)) for number in range(plan.writers)]
    _tell({"op": "start", "revision": start, "registered": await _registered(client, plan), "at": time.monotonic()})
    ending = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait([ending, *watching, *writing], return_when=asyncio.FIRST_COMPLETED)
    for task in (*watching, *writing):
        if task.done():
            task.result()  # raises what went wrong
    enough.set()
    await asyncio.gather(*writing)  # each tells of its last operation
    final = await client.list(plan.prefix)
    newest = max((item.mod_revision for item in final.kvs), default=start)
    async with asyncio.timeout(30):
        await asyncio.gather(*(watcher.until_told(newest) for watcher in watchers))
    items = {item.key.decode(): [item.value.decode(), item.mod_revision] for item in final.kvs}
    registered = await _registered(client, plan)
    _tell(
        {"op": "end", "revision": final.header.revision, "items": items, "registered": registered}
        | {"at": time.monotonic()}
    )
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)


async def _registered(client: Client, plan: Plan) -> dict[str, list[int]]:
    """Each node's key, with when it was made and how often it was written since."""
    if not plan.nodes:
        return {}
    return {item.key.decode(): [item.create_revision, item.version] for item in (await client.list(plan.nodes)).kvs}


def _tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _end(prefix: str) -> bytes:
    start = prefix.encode()
    return start[:-1] + bytes([start[-1] + 1])


if __name__ == "__main__":
    asyncio.run(run(Plan(**json.loads(sys.argv[1]))))
