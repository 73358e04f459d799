"""Discovery: who is in the mesh, and being in it oneself."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Self, TypeVar

from isek.cancelling import cancel
from isek.log import log
from isek.registry.backoff import Backoff, one_line
from isek.registry.broken import BrokenRecord
from isek.registry.claims import Claims
from isek.registry.record import NodeRecord, RecordError, nodes_prefix
from isek.registry.registration import Registration
from isek.registry.store import HistoryLostError, Listing, Position, Store, StoreUnavailableError
from isek.registry.view import View

T = TypeVar("T")


class Registry:
    """The nodes of one mesh, as its store tells: listed once, then watched.

    A store that does not answer takes nothing away: the last known peers stay.
    Use it as an async context manager, or call ``start`` and ``close``.
    """

    url: str | None = None
    """Where it is asked; None: at no one address."""

    def __init__(self, store: Store, *, mesh_id: str, ttl_seconds: int) -> None:
        self._store = store
        self._mesh_id = mesh_id
        self._ttl_seconds = ttl_seconds
        self._prefix = nodes_prefix(mesh_id)
        self._view = View()
        self._position: Position | None = None
        """Where the watch goes on; None: list first."""
        self._doubtful: dict[str, asyncio.TimerHandle] = {}
        """Gone while the store did not answer here: perhaps only for as long as it did not answer there either."""
        self._following: asyncio.Task[None] | None = None
        self._registrations: list[Registration] = []
        self._reports: dict[str, Registration] = {}
        self._lost = False
        """Whether the store does not answer: said once."""

    async def start(self) -> None:
        """Begin to watch; does not wait for the store."""
        self._following = asyncio.create_task(self._follow(), name=f"watch of {self._mesh_id}")

    async def close(self) -> None:
        """Leave, and stop to watch."""
        for registration in (*self._registrations, *self._reports.values()):
            await registration.leave()
        self._registrations.clear()
        self._reports.clear()
        if self._following is not None:
            await cancel(self._following)
        for forgetting in self._doubtful.values():
            forgetting.cancel()
        await self._store.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def register(self, record: NodeRecord) -> Registration:
        """Make a node known until it leaves, and keep it known.

        Returns once the watch has shown the record, and with it all that came before, however long the store takes
        to answer; cancelled before that, it leaves again.

        Raises:
            RecordError: the record is too large.
        """
        registration = Registration(self._store, self._mesh_id, record, self._ttl_seconds, self._list_again)
        self._registrations.append(registration)
        try:
            await registration.established()
            while registration.key not in self._view:
                await self._view.changed()
        except BaseException:
            self._registrations.remove(registration)
            await registration.leave()
            raise
        return registration

    async def report(self, record: BrokenRecord) -> None:
        """Say what a node cannot run, for as long as it lives or until it says something else; does not wait for the
        store."""
        key = record.key(self._mesh_id)
        if key in self._reports:
            self._reports[key].update(record)
        else:
            self._reports[key] = Registration(self._store, self._mesh_id, record, self._ttl_seconds, lambda: None)

    @property
    def mesh_id(self) -> str:
        """The mesh's name in its registry."""
        return self._mesh_id

    def peers(self) -> tuple[NodeRecord, ...]:
        """All known nodes, the own one among them."""
        return self._view.records()

    def find(self, address: str) -> tuple[NodeRecord, ...]:
        """The nodes that host ``<agent>.<namespace>``."""
        return self._view.at(address)

    def listeners(self, topic: str) -> tuple[NodeRecord, ...]:
        """The nodes where somebody listens to a topic; ``*``: to any."""
        return self._view.listeners(topic)

    def offering(self, capability: str) -> tuple[NodeRecord, ...]:
        """The nodes of the agents that offer a capability."""
        return self._view.offering(capability)

    def capabilities(self) -> list[str]:
        """All that agents of the mesh offer, sorted."""
        return self._view.capabilities()

    @property
    def claims(self) -> Claims:
        """Who works on which task."""
        return Claims(self._store, self._mesh_id, self._ttl_seconds)

    def node(self, node_id: str) -> NodeRecord | None:
        """The node of that id; None: it is not in the mesh."""
        return self._view.node(node_id)

    def lately(self, address: str) -> list[NodeRecord]:
        """Nodes that hosted ``<agent>.<namespace>`` until a few minutes ago; the last few hundred only."""
        return self._view.lately_at(address)

    def of_peer(self, peer_id: str) -> tuple[NodeRecord, ...]:
        """The nodes that have this libp2p peer id."""
        return self._view.of_peer(peer_id)

    def addresses(self) -> list[str]:
        """The addresses of all agents in the mesh, sorted."""
        return self._view.addresses()

    async def changed(self) -> None:
        """Wait until the peers change."""
        await self._view.changed()

    async def wait_for(self, condition: Callable[[], T], within: float) -> T:
        """Wait until what ``condition`` returns is true, ``within`` seconds at most; its last value is returned."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not condition():
                    await self._view.changed()
        return condition()

    async def knows_peer(self, peer_id: str, within: float = 1.0) -> bool:
        """Whether a node of this libp2p peer id is in the mesh, giving the watch some seconds to tell."""
        return await self.wait_for(lambda: self._view.has_peer(peer_id), within)

    def _list_again(self) -> None:
        """A lease was lost: the store may be another one, with a history that only looks like the one known."""
        self._position = None
        if self._following is not None:
            self._following.cancel()
        self._following = asyncio.create_task(self._follow(), name=f"watch of {self._mesh_id}")

    async def _follow(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._list_and_watch(backoff)
            except HistoryLostError as error:
                log().info("registry: listing the nodes again: {}", error)
                self._position = None
            except StoreUnavailableError as error:
                if not self._lost:
                    log().warning("registry: {}; the last known {} nodes stay known", error, len(self.peers()))
                self._lost = True
            except Exception as error:
                log().error("registry: the watch failed unexpectedly and starts anew: {}", one_line(error))
                self._position = None
            await backoff.wait()

    async def _list_and_watch(self, backoff: Backoff) -> None:
        before = self._position
        if before is None:
            listing = await self._store.list(self._prefix)
            self._take(listing)
            before = self._position = listing.position
        async with aclosing(self._store.watch(self._prefix, before.revision)) as watch:
            async for changes in watch:
                if not changes.position.continues(before):
                    raise HistoryLostError(f"{changes.position} does not continue {before}")
                self._lost = False
                backoff.reset()
                for key, value in changes.items:
                    self._apply(key, value, missed=changes.missed)
                if changes.items:
                    self._view.notify()
                before = self._position = changes.position

    def _take(self, listing: Listing) -> None:
        for key in self._view.keys() - set(listing.items):
            self._doubt(key)
        for key, value in listing.items.items():
            self._apply(key, value)
        for registration in self._registrations:
            if registration.key not in listing.items:
                registration.missing()
        self._view.notify()

    def _apply(self, key: str, value: bytes | None, *, missed: bool = False) -> None:
        if value is None:
            if missed:
                self._doubt(key)
            else:
                self._forget(key)
            for registration in self._registrations:
                if registration.key == key:
                    registration.missing()
            return
        self._trust(key)
        try:
            self._view.put(key, NodeRecord.decode(key, value))
        except RecordError as error:
            log().warning("registry: passed over: {}", error)
            self._view.remove(key)

    def _doubt(self, key: str) -> None:
        """Whoever is gone since an outage has time to register again, as this node has, and is a peer until then."""
        if key in self._view and key not in self._doubtful:  # has its time still, however often is listed meanwhile
            loop = asyncio.get_running_loop()
            self._doubtful[key] = loop.call_later(self._ttl_seconds, self._forget_doubtful, key)

    def _trust(self, key: str) -> None:
        if (forgetting := self._doubtful.pop(key, None)) is not None:
            forgetting.cancel()

    def _forget(self, key: str) -> None:
        self._trust(key)
        self._view.remove(key)

    def _forget_doubtful(self, key: str) -> None:
        self._forget(key)
        self._view.notify()
