"""A thin asyncio client of etcd's v3 API, on the gRPC stubs that aetcd generates.

It knows what a registry needs: several endpoints, keep-alive pings, leases, watches that end when their member has lost
its leader. https://etcd.io/docs/v3.6/learning/api/
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from aetcd import rpc
from typing_extensions import override

from isek.registry.store import (
    Changes,
    HistoryLostError,
    LeaseNotFoundError,
    Listing,
    Position,
    Store,
    StoreUnavailableError,
)
from isek.registry.tls import TlsFiles

TlsVersion = tuple[tuple[int, int], ...]

CALL_SECONDS = 2.0
LIST_SECONDS = 10.0
CHANNEL_OPTIONS = (
    ("grpc.keepalive_time_ms", 10_000),  # etcd refuses pings more often than every 5 s
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.http2.ping_timeout_ms", 3_000),  # a minute by default, whatever the timeout above says (tried)
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", -1),  # a list of 5,000 nodes is larger than gRPC's 4 MiB
    ("grpc.use_local_subchannel_pool", 1),
)
HAS_LEADER = (("hasleader", "true"),)
FAILURES = (grpc.aio.AioRpcError, asyncio.InvalidStateError, TimeoutError)


@dataclass(frozen=True)
class _Endpoint:
    name: str
    channel: grpc.aio.Channel
    kv: Any
    lease: Any
    watch: Any


class EtcdClient(Store):
    """The keys and leases of an etcd cluster.

    It stays with one connection until a call fails there, then makes another, to the next endpoint. A member that hangs
    or has lost the others keeps its connections, and behind a Service another connection may lead to another member.

    Args:
        endpoints: ``host:port`` of each member, or of a Service in front of them.
        tls: the files of a TLS connection; None: plain text. When they change, new connections take the place of the
            old ones.
    """

    def __init__(self, endpoints: Sequence[str], tls: TlsFiles | None = None) -> None:
        self._names = tuple(endpoints)
        self._tls = tls
        self._tls_version: TlsVersion = ()
        self._credentials: grpc.ChannelCredentials | None = None
        self._endpoints: list[_Endpoint] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._current = random.randrange(len(self._names))  # noqa: S311  (spreads the load, no secret)

    @override
    async def grant(self, ttl_seconds: int) -> int:
        request = rpc.LeaseGrantRequest(TTL=ttl_seconds)
        answer = await self._call(lambda at: at.lease.LeaseGrant(request, timeout=CALL_SECONDS))
        return int(answer.ID)

    @override
    async def keep_alive(self, lease: int) -> None:
        async def once(at: _Endpoint) -> Any:
            stream = at.lease.LeaseKeepAlive(timeout=CALL_SECONDS)
            try:
                await stream.write(rpc.LeaseKeepAliveRequest(ID=lease))
                return await _read(stream)
            finally:
                stream.cancel()

        answer = await self._call(once)
        if answer.TTL <= 0:
            raise LeaseNotFoundError(f"lease {lease:x} has run out")

    @override
    async def revoke(self, lease: int) -> None:
        try:
            await self._call(lambda at: at.lease.LeaseRevoke(rpc.LeaseRevokeRequest(ID=lease), timeout=CALL_SECONDS))
        except LeaseNotFoundError:
            return

    @override
    async def put(self, key: str, value: bytes, lease: int) -> None:
        request = rpc.PutRequest(key=key.encode(), value=value, lease=lease)
        await self._call(lambda at: at.kv.Put(request, timeout=CALL_SECONDS))

    @override
    async def create(self, key: str, value: bytes, lease: int) -> bool:
        name = key.encode()
        missing = rpc.Compare(key=name, target=rpc.Compare.CREATE, result=rpc.Compare.EQUAL, create_revision=0)
        put = rpc.RequestOp(request_put=rpc.PutRequest(key=name, value=value, lease=lease))
        get = rpc.RequestOp(request_range=rpc.RangeRequest(key=name))
        request = rpc.TxnRequest(compare=[missing], success=[put], failure=[get])
        answer = await self._call(lambda at: at.kv.Txn(request, timeout=CALL_SECONDS))
        if answer.succeeded:
            return True
        # the first of two calls may have been answered to nobody
        return any(item.value == value for item in answer.responses[0].response_range.kvs)

    @override
    async def list(self, prefix: str) -> Listing:
        request = rpc.RangeRequest(key=prefix.encode(), range_end=_end(prefix))
        answer = await self._call(lambda at: at.kv.Range(request, timeout=LIST_SECONDS))
        position = Position(answer.header.cluster_id, answer.header.revision)
        return Listing(position, {_text(item.key): item.value for item in answer.kvs})

    @override
    async def watch(self, prefix: str, after: int) -> AsyncGenerator[Changes, None]:
        endpoint = self._endpoint()
        stream = endpoint.watch.Watch(metadata=HAS_LEADER)
        create = rpc.WatchCreateRequest(
            key=prefix.encode(), range_end=_end(prefix), start_revision=after + 1, progress_notify=True
        )
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await stream.write(rpc.WatchRequest(create_request=create))
                created = await _read(stream)
            # its header may be ahead of what was delivered, and behind when the history is another one
            yield Changes(Position(created.header.cluster_id, min(after, created.header.revision)))
            while True:
                yield _changes(await _read(stream), begun_at=created.header.revision)
        except FAILURES as error:
            raise self._failed(endpoint, error) from None
        except asyncio.CancelledError:
            if endpoint in self._endpoints or _is_being_cancelled():
                raise
            # gRPC says the same of a stream whose channel was closed
            raise StoreUnavailableError("the connection to etcd is made anew") from None
        finally:
            stream.cancel()

    @override
    async def close(self) -> None:
        for endpoint in self._endpoints:
            await endpoint.channel.close()
        self._endpoints.clear()
        await asyncio.gather(*self._closing)

    async def _call(self, call: Callable[[_Endpoint], Awaitable[Any]]) -> Any:
        """Call one endpoint after the other until one answers. All calls here may be done twice."""
        failure = StoreUnavailableError("etcd has no endpoints")
        for _ in self._names:
            endpoint = self._endpoint()
            try:
                return await call(endpoint)
            except FAILURES as error:
                if _code(error) == grpc.StatusCode.NOT_FOUND:  # a lease is the only thing asked for that may be missing
                    raise LeaseNotFoundError(str(error)) from None
                failure = self._failed(endpoint, error)
        raise failure

    def _endpoint(self) -> _Endpoint:
        version = self._tls.version() if self._tls else ()
        if not self._endpoints or version != self._tls_version:  # channels belong to the event loop that runs now
            self._credentials = _credentials(self._tls) if self._tls else None
            self._close_gently(self._endpoints)
            self._endpoints = [_open(name, self._credentials) for name in self._names]
            self._tls_version = version
        return self._endpoints[self._current]

    def _close_gently(self, endpoints: Sequence[_Endpoint]) -> None:
        for endpoint in endpoints:
            closing = asyncio.create_task(endpoint.channel.close(grace=LIST_SECONDS))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _failed(self, endpoint: _Endpoint, error: Exception) -> StoreUnavailableError:
        if endpoint in self._endpoints:  # else somebody else has seen to it
            index = self._endpoints.index(endpoint)
            self._close_gently([endpoint])
            self._endpoints[index] = _open(endpoint.name, self._credentials)
            if index == self._current:
                self._current = (index + 1) % len(self._names)
        reason = error.details() if isinstance(error, grpc.aio.AioRpcError) else repr(error)
        return StoreUnavailableError(f"etcd at {endpoint.name} does not answer: {reason}")


def _open(name: str, credentials: grpc.ChannelCredentials | None) -> _Endpoint:
    if credentials is None:
        channel = grpc.aio.insecure_channel(name, options=CHANNEL_OPTIONS)
    else:
        channel = grpc.aio.secure_channel(name, credentials, options=CHANNEL_OPTIONS)
    return _Endpoint(name, channel, rpc.KVStub(channel), rpc.LeaseStub(channel), rpc.WatchStub(channel))


def _credentials(tls: TlsFiles) -> grpc.ChannelCredentials:
    authorities, certificate, key = tls.read()
    return grpc.ssl_channel_credentials(authorities, key, certificate)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _read(stream: Any) -> Any:
    answer = await stream.read()
    if answer is grpc.aio.EOF:
        raise TimeoutError("etcd ended the stream")
    return answer


def _changes(answer: Any, *, begun_at: int) -> Changes:
    if answer.canceled:
        raise HistoryLostError(answer.cancel_reason or f"compacted at revision {answer.compact_revision}")
    items = tuple(
        (_text(event.kv.key), event.kv.value if event.type == rpc.Event.PUT else None) for event in answer.events
    )
    revision = answer.events[-1].kv.mod_revision if answer.events else answer.header.revision
    missed = bool(answer.events) and answer.events[0].kv.mod_revision <= begun_at
    return Changes(Position(answer.header.cluster_id, revision), items, missed)


def _code(error: Exception) -> grpc.StatusCode | None:
    return error.code() if isinstance(error, grpc.aio.AioRpcError) else None


def _text(key: bytes) -> str:
    return key.decode(errors="replace")


def _end(prefix: str) -> bytes:
    """The first key after all those with the prefix, which ends in a slash."""
    start = prefix.encode()
    return start[:-1] + bytes([start[-1] + 1])
