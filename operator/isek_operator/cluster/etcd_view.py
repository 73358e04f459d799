"""Asks an etcd how it is. It brings gRPC in, as ``isek_operator.cluster.etcd`` does."""

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from typing import TypeVar

from isek.registry.broken import BrokenRecord
from isek.registry.record import NodeRecord, RecordError

from isek_operator.cluster.etcd import EtcdAdmin, EtcdError, EtcdUnavailableError, ListedMember, MemberStatus
from isek_operator.decide.etcd.view import (
    AgentElsewhere,
    BrokenAgent,
    EtcdAccess,
    EtcdView,
    MemberView,
    NodeKeys,
)

T = TypeVar("T")
logger = logging.getLogger(__name__)

STAGE_SECONDS = 5.0
"""For each thing that any member may answer. Those that hang are asked one after the other, and each takes a while."""


async def look(admin: EtcdAdmin, access: EtcdAccess, now: float) -> EtcdView:
    """What the members say, each of itself and all together.

    Never raises, and takes three stages at most after the members themselves: a view may say that nobody answers.
    """
    names = [name for name, _ in access.endpoints]
    said = await asyncio.gather(*(admin.status(name) for name in names), return_exceptions=True)
    statuses = {name: each for name, each in zip(names, said, strict=True) if isinstance(each, MemberStatus)}
    admin.prefer(statuses)
    by_id = {each.id: each for each in statuses.values()}
    try:
        listed = await _in_time(_through_the_quorum(admin, access))
    except EtcdError as error:
        return EtcdView(now, quorum=False, members=_views(await _known(admin), by_id), error=str(error))
    view = EtcdView(now, quorum=True, members=_views(listed, by_id))
    try:
        view = await _in_time(_with_rights(admin, access, view))
    except EtcdError as error:
        view = replace(view, quorum=not access.role, error=str(error))
    if not view.quorum:
        return view
    broken, node_keys, elsewhere = await asyncio.gather(
        _broken(admin, access.broken_prefix), _node_keys(admin, access.nodes_prefix), _elsewhere(admin, access)
    )
    return replace(view, broken=broken, node_keys=node_keys, elsewhere=elsewhere)


async def _through_the_quorum(admin: EtcdAdmin, access: EtcdAccess) -> tuple[ListedMember, ...]:
    if not access.role:
        await admin.read(access.key)  # by whoever may do no more than nodes do
    return await admin.members()


async def _with_rights(admin: EtcdAdmin, access: EtcdAccess, view: EtcdView) -> EtcdView:
    return replace(
        view,
        no_space=await admin.space_alarms(),
        auth_enabled=await admin.auth_enabled(),
        granted=await admin.granted(access.role) if access.role else frozenset(),
    )


async def _broken(admin: EtcdAdmin, prefix: str) -> frozenset[BrokenAgent] | None:
    """What nodes say. They may write what cannot be read, and that says nothing of the etcd."""
    if not prefix:
        return frozenset()
    try:
        said = await _in_time(admin.values(prefix))
    except EtcdError as error:
        logger.warning("cannot read what nodes say below %s: %s", prefix, error)
        return None
    found: set[BrokenAgent] = set()
    for key, value in said.items():
        try:
            record = BrokenRecord.decode(key, value)
        except RecordError as error:
            logger.debug("passed over: %s", error)
            continue
        of, config_hash = record.namespace, record.config_hash
        for agents, only_tools in ((record.agents, False), (record.changed, True)):
            found.update(
                BrokenAgent(each.kind, of, each.name, config_hash, each.message, only_tools) for each in agents
            )
    return frozenset(found)


async def _elsewhere(admin: EtcdAdmin, access: EtcdAccess) -> frozenset[AgentElsewhere] | None:
    """Whom nodes of other clusters host."""
    if not access.others_prefix:
        return frozenset()
    try:
        said = await _in_time(admin.all_values(access.others_prefix))
    except EtcdError as error:
        logger.warning("cannot read who lives below %s: %s", access.others_prefix, error)
        return None
    found: set[AgentElsewhere] = set()
    for key, value in said.items():
        try:
            record = NodeRecord.decode(key, value)
        except RecordError as error:
            logger.debug("passed over: %s", error)
            continue
        if record.cluster != access.cluster:
            found.update(AgentElsewhere(f"Isek{each.kind}", record.namespace, each.name) for each in record.agents)
    return frozenset(found)


async def _known(admin: EtcdAdmin) -> Iterable[ListedMember]:
    try:
        return await _in_time(admin.members(linearizable=False))
    except EtcdError:
        return ()


async def _node_keys(admin: EtcdAdmin, prefix: str) -> frozenset[NodeKeys] | None:
    """Of every node: one whose record cannot be read has taken up nothing."""
    if not prefix:
        return None
    try:
        said = await _in_time(admin.all_values(prefix))
    except EtcdError as error:
        logger.warning("cannot read what nodes say below %s: %s", prefix, error)
        return None
    return frozenset(NodeKeys(key.removeprefix(prefix), _keys_of(key, value)) for key, value in said.items())


def _keys_of(key: str, value: bytes) -> tuple[str, ...]:
    try:
        return NodeRecord.decode(key, value).network_keys
    except RecordError as error:
        logger.debug("passed over: %s", error)
        return ()


async def _in_time(answer: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(STAGE_SECONDS):
            return await answer
    except TimeoutError:
        raise EtcdUnavailableError(f"no member answered within {STAGE_SECONDS:.0f} s") from None


def _views(listed: Iterable[ListedMember], statuses: dict[int, MemberStatus]) -> tuple[MemberView, ...]:
    return tuple(_view(each, statuses.get(each.id)) for each in listed)


def _view(member: ListedMember, status: MemberStatus | None) -> MemberView:
    if status is None:
        return MemberView(member.id, member.name, member.peer_url, member.learner, reachable=False)
    return MemberView(
        id=member.id,
        name=member.name,
        peer_url=member.peer_url,
        learner=member.learner,
        reachable=True,
        version=status.version,
        leader=status.leader,
        raft_index=status.raft_index,
        db_bytes=status.db_bytes,
        db_bytes_in_use=status.db_bytes_in_use,
    )
