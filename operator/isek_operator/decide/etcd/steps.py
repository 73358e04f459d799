"""What may be done to a running etcd: one step at a time."""

from dataclasses import dataclass

from isek_operator.decide.reasons import Reason


@dataclass(frozen=True)
class RestrictNodes:
    """Have etcd ask everybody for a certificate's name: ``root`` may do all, nodes only what is below the prefix."""

    prefix: str


@dataclass(frozen=True)
class AddLearner:
    """Add a member that gets all data and has no vote yet."""

    peer_url: str


@dataclass(frozen=True)
class Promote:
    """Give a learner that has caught up its vote."""

    member: int


@dataclass(frozen=True)
class MoveLeader:
    """Have another member lead."""

    leader: int
    to: int


@dataclass(frozen=True)
class RemoveMember:
    """Take a member out of the cluster, for good."""

    member: int


@dataclass(frozen=True)
class DeletePod:
    """End a pod, which its StatefulSet makes anew."""

    name: str
    uid: str
    """The deletion's precondition."""


@dataclass(frozen=True)
class Compact:
    """Forget the history of keys up to now: readers that fall behind list anew."""


@dataclass(frozen=True)
class Defragment:
    """Have a member give back the room of what was deleted; it answers nobody meanwhile."""

    member: int


@dataclass(frozen=True)
class DisarmSpace:
    """Take back the alarms of members that have room again: as long as one stands, etcd refuses writes."""

    members: tuple[int, ...]


Action = (
    RestrictNodes | AddLearner | Promote | MoveLeader | RemoveMember | DeletePod | Compact | Defragment | DisarmSpace
)


@dataclass(frozen=True)
class EtcdStep:
    """An action, and what is told of it."""

    action: Action
    reason: Reason
    note: str
    """One sentence for people."""
