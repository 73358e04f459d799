"""What an etcd cluster says about itself."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class MemberView:
    """A member, as the cluster lists it and as it answers itself."""

    id: int
    name: str
    """Empty: it was added and has never started (etcd API, Member)."""
    peer_url: str
    learner: bool
    reachable: bool
    """Whether it answered by itself; what follows is known of those that did."""
    version: str = ""
    """Of the etcd that runs, such as 3.6.8."""
    leader: int = 0
    """The id of the leader that it follows; 0: none."""
    raft_index: int = 0
    db_bytes: int = 0
    """Size of its database file."""
    db_bytes_in_use: int = 0
    """What is left after a defragmentation."""


@dataclass(frozen=True)
class EtcdView:
    """An etcd cluster at one moment."""

    observed_at: float
    """Seconds since the epoch."""
    quorum: bool
    """Whether it answered a linearizable read."""
    members: tuple[MemberView, ...] = ()
    """As listed by the cluster; empty: nobody answered."""
    no_space: frozenset[int] = field(default_factory=frozenset)
    """The members that have raised a space alarm."""
    auth_enabled: bool = False
    """Whether it asks who somebody is."""
    error: str = ""
    """Why nobody answered."""
