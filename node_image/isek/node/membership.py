"""The node's place in its mesh: coming in, being ready, leaving."""

import asyncio
from typing import Any

from isek import __version__
from isek.cancelling import cancel
from isek.errors import CallError
from isek.log import log
from isek.node.host import Host
from isek.node.hosted import Hosted
from isek.node.metrics import Metrics
from isek.node.settings import NodeSettings
from isek.protocol.p2p import P2PContext, Sidecar
from isek.registry import AgentRecord, BrokenAgent, BrokenRecord, NodeRecord, Registration, Registry
from isek.registry.broken import sayable
from isek.registry.record import MAX_DESCRIPTION, RecordError

SIDECAR_SECONDS = 2.0
"""Between two looks at what the sidecar says of itself."""
TOOLS_SECONDS = 2.0
"""Between two looks at what the agents say of their tools."""


class Membership:
    """Registers the node once all it needs is there, and takes it out again.

    Args:
        sidecar: None, where the node has none.
        card_key: the public key with which the cards of its agents are signed.
    """

    def __init__(
        self,
        settings: NodeSettings,
        registry: Registry,
        host: Host,
        sidecar: Sidecar | None,
        metrics: Metrics,
        *,
        card_key: str,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._host = host
        self._sidecar = sidecar
        self._card_key = card_key
        self._registration: Registration | None = None
        self._following: asyncio.Task[None] | None = None
        self._watching_tools: asyncio.Task[None] | None = None
        self._record = NodeRecord(
            node_id=settings.node_id,
            namespace=settings.namespace,
            cluster=settings.cluster,
            region=settings.region,
            zone=settings.zone,
            version=__version__,
            host=settings.advertise_host,
            port=settings.port,
            card_key=card_key,
            agents=tuple(_agent_record(hosted) for hosted in host.hosted),
        )
        self._waiting_for: str | None = "the start"
        metrics.registered.set_function(lambda: float(self._registration is not None and self._registration.registered))
        metrics.peers.set_function(lambda: float(sum(record.node_id != settings.node_id for record in self.nodes)))

    @property
    def waiting_for(self) -> str | None:
        """What keeps the node from being ready. Once it is, a lost registry does not change that."""
        return self._waiting_for

    @property
    def joined(self) -> bool:
        """Whether it has been in its mesh, and may be on its way out again."""
        return self._registration is not None

    @property
    def nodes(self) -> tuple[NodeRecord, ...]:
        """The nodes of the mesh, as far as is known, this one among them."""
        return self._registry.peers()

    def of_peer(self, peer_id: str) -> tuple[NodeRecord, ...]:
        """The nodes of the mesh that have this libp2p peer id."""
        return self._registry.of_peer(peer_id)

    async def knows_peer(self, peer_id: str) -> bool:
        """Whether a libp2p peer belongs to a node of the mesh; waits up to 1 s for the registry to tell."""
        return await self._registry.knows_peer(peer_id)

    def card_keys(self) -> set[str]:
        """The public keys that sign cards of what this node hosts: its own, and those of the other replicas, also of
        some that are gone since a few minutes."""
        addresses = [hosted.address for hosted in self._host.hosted]
        hosting = [each for name in addresses for each in (*self._registry.find(name), *self._registry.lately(name))]
        return {self._card_key} | {record.card_key for record in hosting if record.card_key}

    def update(self, **said: Any) -> None:
        """Tell the mesh something new about this node: fields of its record.

        Raises:
            RecordError: the record gets too large; the peers know what they knew before.
        """
        record = self._record.model_copy(update=said)
        if self._registration is not None:
            self._registration.update(record)
        self._record = record

    async def join(self) -> None:
        """Wait for the sidecar and the registry, however long they take, and register.

        A node that can run nothing of what it is to host never does: those that could before go on in its place.

        Raises:
            RecordError: the node hosts more than a record can say.
        """
        if self._host.broken:
            await self._registry.report(self._complaints())
        self._watching_tools = asyncio.create_task(self._watch_tools(), name="watching the tools")
        if self._host.broken and not self._host.hosted:
            self._wait_for("what it hosts to be mended")
            return
        await self._registry.start()
        context = None
        if self._sidecar is not None:
            self._wait_for("the p2p sidecar")
            context = await self._sidecar.until_up()
        self._wait_for("the registry")
        self._tell_of_sidecar(context)
        self._registration = await self._registry.register(self._record)
        self._registration.update(self._record)  # what was said meanwhile
        self._waiting_for = None
        log().info("joined", mesh=self._settings.mesh_id, node=self._record.node_id, peerId=self._record.peer_id)
        if self._sidecar is not None and context is not None:
            self._following = asyncio.create_task(self._follow(self._sidecar, context), name="following the sidecar")

    def _tell_of_sidecar(self, context: P2PContext | None) -> None:
        if context is not None:
            self._host.peer_id = context.peer_id
            self.update(
                peer_id=context.peer_id,
                p2p_address=context.p2p_address,
                p2p_addresses=context.relayed_addresses,
                network_keys=context.network_keys,
            )

    async def _follow(self, sidecar: Sidecar, known: P2PContext) -> None:
        """Tell the mesh what changes about the sidecar."""
        while True:
            await asyncio.sleep(SIDECAR_SECONDS)
            try:
                context = await sidecar.p2p_context()
                if context != known:
                    self._tell_of_sidecar(context)
                    known = context
            except CallError as error:
                log().debug("the sidecar does not say how it is: {}", error)
            except RecordError as error:
                log().warning("what changed about the sidecar stays untold: {}", error)

    def _complaints(self) -> BrokenRecord:
        return BrokenRecord(
            node_id=self._settings.node_id,
            namespace=self._settings.namespace,
            config_hash=self._settings.config_hash,
            agents=tuple(
                BrokenAgent(kind=each.kind, name=each.name, message=sayable(each.message)) for each in self._host.broken
            ),
            changed=tuple(
                BrokenAgent(kind="IsekAgent", name=each.name, message=sayable("; ".join(each.changed_tools)))
                for each in self._host.hosted
                if each.changed_tools
            ),
        )

    async def _watch_tools(self) -> None:
        """Tell the mesh which agents go without tools that have changed, whenever that changes."""
        told = self._complaints().changed
        while True:
            await asyncio.sleep(TOOLS_SECONDS)
            complaints = self._complaints()
            if complaints.changed != told:
                await self._registry.report(complaints)
                told = complaints.changed

    def _wait_for(self, what: str) -> None:
        self._waiting_for = what
        log().info("waiting for {}", what)

    async def leave(self) -> None:
        """Be forgotten by the peers, at once if the registry answers."""
        self._waiting_for = "its end"
        for task in (self._following, self._watching_tools):
            if task is not None:
                await cancel(task)
        if self._registration is not None:
            await self._registration.leave()

    async def withdraw(self, *, stays: bool) -> None:
        """Be asked by no peer any more. Where it ``stays`` for what runs, the node is known as one that asks others."""
        if not (stays and self._record.peer_id):
            await self.leave()
            return
        self._waiting_for = "its end"
        names = tuple(agent.name for agent in self._record.agents)
        self.update(agents=(), topics=(), finishing=names)


def _agent_record(hosted: Hosted) -> AgentRecord:
    return AgentRecord(
        name=hosted.name,
        kind=hosted.kind,
        capabilities=hosted.capabilities,
        card_hash=hosted.card_hash,
        description=hosted.description[:MAX_DESCRIPTION],
        topics=hosted.topics,
    )
