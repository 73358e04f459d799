"""The administrator's calls of an etcd, over TLS, on the gRPC stubs that aetcd generates.

Each call names the member that is to answer it, or lets any. This module brings gRPC in (some 20 MB): import it where
an etcd is about to be called. https://etcd.io/docs/v3.6/learning/api/
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
from aetcd import rpc

CALL_SECONDS = 3.0
CHANGE_SECONDS = 10.0
"""etcd itself waits up to 7 s for a change of its members to be agreed on."""
DEFRAGMENT_SECONDS = 120.0
COMPACT_SECONDS = 60.0
ALREADY = "already"
"""How etcd's refusals of what is so already are told (``etcdserver: user name already exists``)."""
SAID_BY_ETCD = "etcdserver:"
NOT_OF_A_LEARNER = "rpc not supported for learner"
MOST_VALUES = 1000
LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes: more than the records of so many nodes take. Nodes write what they like, and the operator outlives it."""
REVISION_ASKED = b"\0"
"""A key that nobody has: it is read for the revision in the answer's header."""


class EtcdError(Exception):
    """A call failed. ``str()`` is one line for people."""


class EtcdUnavailableError(EtcdError):
    """Nobody answered in time, or there is no quorum."""


class EtcdRefusedError(EtcdError):
    """etcd understood and refuses, often for a moment only: a member has just started, a learner is behind."""


@dataclass(frozen=True)
class Tls:
    """What the administrator shows and trusts, as PEM."""

    certificate: bytes
    key: bytes
    authorities: bytes
    server_name: str = ""
    """The name that each member's certificate has to be for; empty: that of its endpoint."""


@dataclass(frozen=True)
class ListedMember:
    """A member as the cluster lists it."""

    id: int
    name: str
    """Empty: it has never started."""
    peer_url: str
    learner: bool


@dataclass(frozen=True)
class MemberStatus:
    """A member as it answers itself."""

    id: int
    version: str
    leader: int
    """The id of the leader that it follows; 0: none."""
    raft_index: int
    db_bytes: int
    db_bytes_in_use: int


class EtcdAdmin:
    """An administrator's connections to the members of one etcd. ``async with`` closes them.

    Args:
        endpoints: ``host:port`` of each member by whatever name the caller has for it; ``[address]:port`` for IPv6.
        tls: certificates of the user ``root``.
    """

    def __init__(self, endpoints: Mapping[str, str], tls: Tls) -> None:
        self._endpoints, self._tls = dict(endpoints), tls
        self._channels: dict[str, grpc.aio.Channel] = {}

    def prefer(self, names: Iterable[str]) -> None:
        """Have these members asked first: they are known to answer."""
        first = {name: self._endpoints[name] for name in names if name in self._endpoints}
        self._endpoints = {**first, **self._endpoints}

    # --- what is asked ----------------------------------------------------------------------------------------------

    async def members(self, *, linearizable: bool = True) -> tuple[ListedMember, ...]:
        """The members. ``linearizable``: only a cluster with a quorum answers; else what one of them knows."""
        request = rpc.MemberListRequest(linearizable=linearizable)
        answer = await self._any(lambda channel: rpc.ClusterStub(channel).MemberList(request, timeout=CALL_SECONDS))
        return tuple(
            ListedMember(each.ID, each.name, (*each.peerURLs, "")[0], each.isLearner) for each in answer.members
        )

    async def status(self, at: str) -> MemberStatus:
        """What a member says of itself; a learner answers too."""
        stub = rpc.MaintenanceStub(self._channel(at))
        answer = await self._said(at, stub.Status(rpc.StatusRequest(), timeout=CALL_SECONDS))
        return MemberStatus(
            answer.header.member_id,
            answer.version,
            answer.leader,
            answer.raftIndex,
            answer.dbSize,
            answer.dbSizeInUse,
        )

    async def read(self, key: str) -> None:
        """Read a key through the quorum."""
        request = rpc.RangeRequest(key=key.encode(), keys_only=True)
        await self._any(lambda channel: rpc.KVStub(channel).Range(request, timeout=CALL_SECONDS))

    async def values(self, prefix: str) -> dict[str, bytes]:
        """The keys below a prefix, which ends in a slash, with their values: the first thousand."""
        return _by_key(await self._range(prefix.encode(), prefix))

    async def all_values(self, prefix: str) -> dict[str, bytes]:
        """All keys below a prefix, which ends in a slash, with their values, however many they are."""
        answer = await self._range(prefix.encode(), prefix)
        found = _by_key(answer)
        while answer.more:
            answer = await self._range(answer.kvs[-1].key + b"\0", prefix)
            found |= _by_key(answer)
        return found

    async def _range(self, start: bytes, prefix: str) -> Any:
        request = rpc.RangeRequest(key=start, range_end=_end(prefix), limit=MOST_VALUES)
        return await self._any(lambda channel: rpc.KVStub(channel).Range(request, timeout=CALL_SECONDS))

    async def space_alarms(self) -> frozenset[int]:
        """The members that have reached their quota; as long as there is one, etcd refuses writes."""
        request = rpc.AlarmRequest(action=rpc.AlarmRequest.GET, alarm=rpc.NOSPACE)
        answer = await self._any(lambda channel: rpc.MaintenanceStub(channel).Alarm(request, timeout=CALL_SECONDS))
        return frozenset(each.memberID for each in answer.alarms if each.alarm == rpc.NOSPACE)

    async def auth_enabled(self) -> bool:
        """Whether etcd asks who somebody is."""
        answer = await self._any(
            lambda channel: rpc.AuthStub(channel).AuthStatus(rpc.AuthStatusRequest(), timeout=CALL_SECONDS)
        )
        return bool(answer.enabled)

    async def granted(self, role: str) -> frozenset[str]:
        """The prefixes that a role may read and write; empty also where there is no such role."""
        try:
            return frozenset(_prefix(each) for each in await self._permissions(role))
        except EtcdRefusedError:
            return frozenset()

    # --- members ----------------------------------------------------------------------------------------------------

    async def add_learner(self, peer_url: str) -> int:
        """Add a member without a vote; returns its id."""
        request = rpc.MemberAddRequest(peerURLs=[peer_url], isLearner=True)
        answer = await self._any(lambda channel: rpc.ClusterStub(channel).MemberAdd(request, timeout=CHANGE_SECONDS))
        return int(answer.member.ID)

    async def promote(self, member: int) -> None:
        """Give a learner that has caught up its vote."""
        request = rpc.MemberPromoteRequest(ID=member)
        await self._any(lambda channel: rpc.ClusterStub(channel).MemberPromote(request, timeout=CHANGE_SECONDS))

    async def remove(self, member: int) -> None:
        """Take a member out of the cluster."""
        request = rpc.MemberRemoveRequest(ID=member)
        await self._any(lambda channel: rpc.ClusterStub(channel).MemberRemove(request, timeout=CHANGE_SECONDS))

    async def move_leader(self, leader: str, to: int) -> None:
        """Have the leader, asked by its name, hand over to another member."""
        stub = rpc.MaintenanceStub(self._channel(leader))
        await self._said(leader, stub.MoveLeader(rpc.MoveLeaderRequest(targetID=to), timeout=CHANGE_SECONDS))

    # --- space ------------------------------------------------------------------------------------------------------

    async def compact(self) -> None:
        """Forget the history of keys up to now."""
        asked = rpc.RangeRequest(key=REVISION_ASKED)
        answer = await self._any(lambda channel: rpc.KVStub(channel).Range(asked, timeout=CALL_SECONDS))
        request = rpc.CompactionRequest(revision=answer.header.revision, physical=True)
        await self._unless_already(
            "has been compacted", lambda channel: rpc.KVStub(channel).Compact(request, timeout=COMPACT_SECONDS)
        )

    async def defragment(self, at: str) -> None:
        """Have a member give back the free room of its database file. It answers nobody meanwhile."""
        stub = rpc.MaintenanceStub(self._channel(at))
        await self._said(at, stub.Defragment(rpc.DefragmentRequest(), timeout=DEFRAGMENT_SECONDS))

    async def disarm_space(self, member: int) -> None:
        """Take back the space alarm of a member."""
        request = rpc.AlarmRequest(action=rpc.AlarmRequest.DEACTIVATE, memberID=member, alarm=rpc.NOSPACE)
        await self._any(lambda channel: rpc.MaintenanceStub(channel).Alarm(request, timeout=CALL_SECONDS))

    # --- who may do what --------------------------------------------------------------------------------------------

    async def restrict(self, role: str, prefix: str) -> None:
        """Let ``root`` do all, and the user ``role`` read and write below ``prefix`` alone; then ask for names.

        Users have no passwords: they are known by the names in their certificates. May be done again.
        """
        for name in ("root", role):
            await self._auth("UserAdd", rpc.AuthUserAddRequest(name=name, options=rpc.UserAddOptions(no_password=True)))
            await self._auth("RoleAdd", rpc.AuthRoleAddRequest(name=name))
            await self._auth("UserGrantRole", rpc.AuthUserGrantRoleRequest(user=name, role=name))
        start, end = prefix.encode(), _end(prefix)
        permission = rpc.Permission(permType=rpc.Permission.READWRITE, key=start, range_end=end)
        await self._auth("RoleGrantPermission", rpc.AuthRoleGrantPermissionRequest(name=role, perm=permission))
        for other in await self._permissions(role):
            if (other.key, other.range_end) != (start, end):
                revoked = rpc.AuthRoleRevokePermissionRequest(role=role, key=other.key, range_end=other.range_end)
                await self._auth("RoleRevokePermission", revoked)
        await self._auth("AuthEnable", rpc.AuthEnableRequest())

    async def _permissions(self, role: str) -> Sequence[Any]:
        request = rpc.AuthRoleGetRequest(role=role)
        answer = await self._any(lambda channel: rpc.AuthStub(channel).RoleGet(request, timeout=CALL_SECONDS))
        return tuple(answer.perm)

    async def _auth(self, method: str, request: Any) -> None:
        await self._unless_already(
            ALREADY, lambda channel: getattr(rpc.AuthStub(channel), method)(request, timeout=CALL_SECONDS)
        )

    # --- calling ----------------------------------------------------------------------------------------------------

    async def _unless_already(self, said: str, call: Callable[[grpc.aio.Channel], Awaitable[Any]]) -> None:
        try:
            await self._any(call)
        except EtcdRefusedError as refused:
            if said not in str(refused):
                raise

    async def _any(self, call: Callable[[grpc.aio.Channel], Awaitable[Any]]) -> Any:
        """Ask one member after the other until one answers. What etcd says goes before that one does not answer."""
        failure: EtcdError = EtcdUnavailableError("etcd has no members to ask")
        for name in self._endpoints:
            try:
                return await self._said(name, call(self._channel(name)))
            except EtcdUnavailableError as error:
                if SAID_BY_ETCD not in str(failure):
                    failure = error
            except EtcdRefusedError as error:
                if NOT_OF_A_LEARNER not in str(error):
                    raise
        raise failure

    async def _said(self, name: str, call: Awaitable[Any]) -> Any:
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            said = " ".join((error.details() or error.code().name).split())
            endpoint = self._endpoints[name]
            message = f"{name if name == endpoint else f'{name} at {endpoint}'}: {said}"
            if error.code() in UNAVAILABLE:
                raise EtcdUnavailableError(message) from None
            raise EtcdRefusedError(message) from None

    def _channel(self, name: str) -> grpc.aio.Channel:
        if name not in self._channels:
            tls = self._tls
            credentials = grpc.ssl_channel_credentials(tls.authorities, tls.key, tls.certificate)
            options: list[tuple[str, str | int]] = [
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.max_receive_message_length", LARGEST_ANSWER),
            ]
            if tls.server_name:
                # members are called by the addresses of their pods, which no certificate is for
                options.append(("grpc.ssl_target_name_override", tls.server_name))
            self._channels[name] = grpc.aio.secure_channel(self._endpoints[name], credentials, options=options)
        return self._channels[name]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))


UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def _prefix(permission: Any) -> str:
    start = permission.key.decode(errors="replace")  # somebody else's grant may be of any bytes
    whole = permission.permType == rpc.Permission.READWRITE and permission.range_end == _end(start)
    return start if whole else f"{permission.key!r} to {permission.range_end!r}"


def _by_key(answer: Any) -> dict[str, bytes]:
    return {each.key.decode(errors="replace"): each.value for each in answer.kvs}


def _end(prefix: str) -> bytes:
    """The first key after all those with the prefix, which ends in a slash."""
    start = prefix.encode()
    return start[:-1] + bytes([start[-1] + 1])
