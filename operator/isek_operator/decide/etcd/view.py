"""What an etcd cluster says about itself."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

MOST_BEHIND = 5000
"""Entries of the log that a member may lack and still count: what etcd keeps for those that catch up."""
ROUGHLY_BYTES = 16 * 1024 * 1024
"""Smaller changes of a database file are no news."""


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
class BrokenAgent:
    """An agent or a team that a node was to host and could not build, or that lacks tools, as the node says."""

    kind: str
    namespace: str
    name: str
    config_hash: str
    """Of the node's pod."""
    message: str
    only_tools: bool = False
    """Whether it answers, without tools that are not what they were when they were accepted."""


class AgentElsewhere(NamedTuple):
    """An agent or a team that a node of another cluster hosts."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class NodeKeys:
    """The private network keys that a node's sidecar accepts, as the node says."""

    node: str
    """``<namespace>/<pod>``."""
    fingerprints: tuple[str, ...]
    """The one that it dials with first; empty: it does not say."""


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
    granted: frozenset[str] = field(default_factory=frozenset)
    """The prefixes of keys that nodes may read and write."""
    broken: frozenset[BrokenAgent] | None = None
    """What nodes say they cannot run; None: that could not be read."""
    node_keys: frozenset[NodeKeys] | None = None
    """Of every node that is registered; None: that was not asked, or could not be read."""
    elsewhere: frozenset[AgentElsewhere] | None = None
    """Who lives in other clusters of the mesh; None: that could not be read."""
    error: str = ""
    """Why nobody answered."""


@dataclass(frozen=True)
class EtcdAccess:
    """Where an etcd is asked, and as whom."""

    endpoints: tuple[tuple[str, str], ...]
    """Name and ``host:port`` of each member that has an address; of one the name is that of its pod."""
    secret: str
    """The Secret, in the mesh's namespace, with ``tls.crt``, ``tls.key`` and ``ca.crt``."""
    server_name: str = ""
    """For which name the members' certificates are to be; empty: that of the endpoint."""
    key: str = "/"
    """A key that whoever asks may read."""
    broken_prefix: str = ""
    """Below which nodes say what they cannot run."""
    nodes_prefix: str = ""
    """Below which nodes say which keys they have taken up; empty: nobody wants to know."""
    others_prefix: str = ""
    """Below which nodes of other clusters, too, say whom they host; empty: there are none."""
    cluster: str = ""
    """What this cluster is called there."""
    role: str = ""
    """The role of nodes, whose rights are looked at; empty: somebody else looks after them."""
    settled: bool = False
    """Whether nothing is on its way, so that asking now and then does."""


def news(view: EtcdView | None) -> object:
    """What of a view may make a decision turn out differently: equal as long as it cannot."""
    if view is None:
        return None
    newest = max((each.raft_index for each in view.members), default=0)
    members = tuple(
        (
            replace(each, raft_index=0, db_bytes=0, db_bytes_in_use=0),
            each.raft_index + MOST_BEHIND >= newest,
            each.db_bytes // ROUGHLY_BYTES,
            each.db_bytes_in_use // ROUGHLY_BYTES,
        )
        for each in view.members
    )
    return (replace(view, observed_at=0.0, members=(), error="" if view.quorum else view.error), members)
