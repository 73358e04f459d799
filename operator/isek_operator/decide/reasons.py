"""Every reason that a condition or an event may give: what it means, and what to do.

``docs/reference/conditions.md`` is written from it. To add a reason: add an ``Entry`` with a meaning and a cure, give
it in a decision, show it by a situation in ``tests/unit/decide/situations.py``, and ``make generate``.
"""

from enum import StrEnum
from typing import Literal, NamedTuple

ConditionType = Literal[
    "Ready", "Reconciling", "Stalled", "ResolvedRefs", "EtcdAvailable", "RelaysAvailable", "NetworkKeyCurrent"
]

AGENT, TEAM, NODE, MESH = "IsekAgent", "IsekTeam", "IsekNode", "IsekMesh"
AGENTS_AND_TEAMS = (AGENT, TEAM)
WITH_PODS = (AGENT, TEAM, NODE)
ALL = (AGENT, TEAM, NODE, MESH)

FINE: tuple[ConditionType, ...] = ("Ready",)
ON_ITS_WAY: tuple[ConditionType, ...] = ("Ready", "Reconciling")
STUCK: tuple[ConditionType, ...] = ("Ready", "Stalled")
UNRESOLVED: tuple[ConditionType, ...] = ("Ready", "Stalled", "ResolvedRefs")
ONLY_EVENT: tuple[ConditionType, ...] = ()

NOTHING = "Nothing."
WAIT = "Nothing; it goes on by itself."


class Entry(NamedTuple):
    """What is known about a reason."""

    word: str
    """As it stands in a condition: CamelCase (Kubernetes API conventions, Conditions)."""
    meaning: str
    """One or two sentences."""
    cure: str
    """What to do about it."""
    kinds: tuple[str, ...]
    """The kinds that may have it."""
    conditions: tuple[ConditionType, ...]
    """The conditions that may give it; none: events alone do."""


class Reason(StrEnum):
    """The reasons. Each is the word that stands in the condition, and knows what its ``Entry`` says."""

    _value_: str
    meaning: str
    cure: str
    kinds: tuple[str, ...]
    conditions: tuple[ConditionType, ...]

    def __new__(
        cls, word: str, meaning: str, cure: str, kinds: tuple[str, ...], conditions: tuple[ConditionType, ...]
    ) -> "Reason":
        """A member is made of the fields of an ``Entry``."""
        reason = str.__new__(cls, word)
        reason._value_ = word
        reason.meaning, reason.cure, reason.kinds, reason.conditions = meaning, cure, kinds, conditions
        return reason

    ALL_REPLICAS_READY = Entry(
        "AllReplicasReady", "All pods answer, with the latest specification.", NOTHING, ALL, FINE
    )
    SCALED_TO_ZERO = Entry(
        "ScaledToZero",
        "No pod is asked for, so nothing answers.",
        "Set `spec.replicas`, on the IsekNode where one hosts it, to get answers.",
        WITH_PODS,
        FINE,
    )
    HOSTED = Entry(
        "Hosted",
        "The IsekNode that hosts it is ready and has its latest specification.",
        NOTHING,
        AGENTS_AND_TEAMS,
        FINE,
    )
    ROLLING_OUT = Entry(
        "RollingOut",
        "Pods with the latest specification are on their way, or something of a deleted resource of the same name "
        "has to be gone first.",
        WAIT,
        ALL,
        ON_ITS_WAY,
    )
    REPLICAS_NOT_READY = Entry(
        "ReplicasNotReady",
        "Some pods do not answer. `Stalled` where there was no progress for minutes.",
        "See the events and logs of the pods that the message selects: an image that cannot be pulled, a machine that "
        "is full, a container that ends.",
        ALL,
        (*ON_ITS_WAY, "Stalled"),
    )
    REFERENCES_RESOLVED = Entry(
        "ReferencesResolved", "All that is referred to exists.", NOTHING, ALL, ("ResolvedRefs",)
    )
    MESH_NOT_FOUND = Entry(
        "MeshNotFound",
        "The mesh that `spec.meshRef` names does not exist.",
        "Create the IsekMesh, or fix `spec.meshRef`.",
        WITH_PODS,
        UNRESOLVED,
    )
    MESH_NOT_ALLOWED = Entry(
        "MeshNotAllowed",
        "The mesh lives in another namespace, and its `spec.allowedNamespaces` leave this one out. Pods of before are "
        "removed, with their copy of the mesh's keys.",
        "Set `spec.allowedNamespaces` of the IsekMesh, label the namespace so that it is selected, or name another "
        "mesh in `spec.meshRef`.",
        WITH_PODS,
        UNRESOLVED,
    )
    MESH_NOT_READY = Entry(
        "MeshNotReady",
        "The mesh has no etcd to register with yet, or the key of its private network is not there yet.",
        "Wait; if it lasts, see the conditions of the IsekMesh.",
        WITH_PODS,
        ON_ITS_WAY,
    )
    AGENT_INVALID = Entry(
        "AgentInvalid",
        "Its specification is accepted, and its node cannot build it: code that cannot be imported, a class or a "
        "schema that does not work out. Others on the node answer; pods of before go on where it has pods of its own.",
        "Mend what the message says: it names the file and the line, or the field. It is looked at every 30 seconds.",
        AGENTS_AND_TEAMS,
        STUCK,
    )
    CALLERS_UNKNOWN = Entry(
        "CallersUnknown",
        "It says in `spec.access` who may call it, and its mesh has `p2p.enabled: false`: nobody can tell there who "
        "calls.",
        "Set `spec.p2p.enabled` of the IsekMesh, name another mesh, or remove `spec.access`.",
        AGENTS_AND_TEAMS,
        STUCK,
    )
    TOOLS_CHANGED = Entry(
        "ToolsChanged",
        "A tool of an MCP server is not what it was when it was first seen, or not what `pins` say. The agent answers, "
        "without it.",
        "Look at what the server says of the tool now. To accept it, set its digest in `pins` of the tool, or, where "
        "there are no `pins`, let the pods begin anew.",
        (AGENT,),
        ("ResolvedRefs",),
    )
    NODE_NOT_FOUND = Entry(
        "NodeNotFound",
        "The IsekNode that `spec.nodeRef` names does not exist.",
        "Create the IsekNode, or fix `spec.nodeRef`.",
        AGENTS_AND_TEAMS,
        UNRESOLVED,
    )
    NODE_NOT_READY = Entry(
        "NodeNotReady",
        "The IsekNode that hosts it is not ready, or does not have its latest specification yet.",
        "Wait; if it lasts, see the conditions of the IsekNode.",
        AGENTS_AND_TEAMS,
        ON_ITS_WAY,
    )
    NODE_FULL = Entry(
        "NodeFull",
        "The IsekNode hosts as many as its `spec.maxAgents` allows; the newest are refused.",
        "Raise `spec.maxAgents` of the IsekNode, or name another in `spec.nodeRef`.",
        AGENTS_AND_TEAMS,
        STUCK,
    )
    SECRET_NOT_FOUND = Entry(
        "SecretNotFound",
        "A Secret, or a key in it, that is referred to does not exist.",
        "Create it, or fix the reference; it is looked for again every 30 seconds. One with the label "
        '`isek.io/watch: "true"` is found at once.',
        ALL,
        UNRESOLVED,
    )
    CLAIM_NOT_FOUND = Entry(
        "ClaimNotFound",
        "The PersistentVolumeClaim that `spec.memory.claim` names does not exist.",
        "Create it, fix `spec.memory.claim`, or leave that out to have one made; it is looked for again every 30 "
        "seconds.",
        (AGENT,),
        UNRESOLVED,
    )
    CODE_NOT_FOUND = Entry(
        "CodeNotFound",
        "The ConfigMap that `spec.code` names, or the file of the entrypoint in it, does not exist.",
        "Create it, or fix the reference; it is looked for again every 30 seconds.",
        (AGENT,),
        UNRESOLVED,
    )
    SECRET_INVALID = Entry(
        "SecretInvalid",
        "A Secret that is referred to does not hold what it is referred to for: a certificate authority that can issue "
        "certificates, or the key of a private network. An etcd that runs goes on with the authority it has, sidecars "
        "with their keys.",
        "Mend what the message says: the certificate of an authority, not expired, and the key that belongs to it; "
        "or a file in the swarm key format, which the message tells how to make.",
        (MESH,),
        (*UNRESOLVED, "NetworkKeyCurrent"),
    )
    AGENT_NOT_FOUND = Entry(
        "AgentNotFound",
        "An agent or team that is a member or a tool does not exist.",
        "Create it, or fix the reference that the message names.",
        AGENTS_AND_TEAMS,
        UNRESOLVED,
    )
    MEMBER_NOT_READY = Entry(
        "MemberNotReady",
        "A member of the team is not ready, and the team answers through its members only.",
        "Wait; if it lasts, see the conditions of the members that the message names.",
        (TEAM,),
        ON_ITS_WAY,
    )
    MEMBER_CYCLE = Entry(
        "MemberCycle",
        "The team is a member of itself, through other teams.",
        "Take one of the teams that the message names out of `spec.members`.",
        (TEAM,),
        UNRESOLVED,
    )
    MESH_MISMATCH = Entry(
        "MeshMismatch",
        "A member or a tool is in another mesh than whoever asks it.",
        "Set the same `spec.meshRef` on both.",
        AGENTS_AND_TEAMS,
        UNRESOLVED,
    )
    NAME_CONFLICT = Entry(
        "NameConflict",
        "Something else has the name already: an agent or team of the same address, or an object that Isek did not "
        "make and leaves alone.",
        "Delete or rename what the message names, or create this under another name.",
        ALL,
        STUCK,
    )
    CHILD_REJECTED = Entry(
        "ChildRejected",
        "The API server, or an admission webhook or a quota behind it, refuses an object that the resource needs.",
        "Mend what the message says, most often in `spec.template`; it is tried again every 30 seconds.",
        ALL,
        STUCK,
    )
    INVALID_SPEC = Entry(
        "InvalidSpec",
        "The specification does not parse: the CRD and the operator are of different versions.",
        "Upgrade the chart with its CRDs, or remove the fields that the message names.",
        ALL,
        STUCK,
    )
    QUORUM_AVAILABLE = Entry("QuorumAvailable", "Enough etcd members answer.", NOTHING, (MESH,), ("EtcdAvailable",))
    QUORUM_MISSING = Entry(
        "QuorumMissing",
        "Too few etcd members answer. Nodes that run go on with the peers they know; new ones wait. An etcd of the "
        "operator's own that stays so for five minutes is replaced by an empty one.",
        "See the pods that the message selects.",
        (MESH,),
        (*ON_ITS_WAY, "EtcdAvailable"),
    )
    ETCD_UNREACHABLE = Entry(
        "EtcdUnreachable",
        "The operator cannot read the etcd, though its members may well answer others.",
        "See what the message says of the connection: a NetworkPolicy that keeps the operator out, a Secret with "
        "certificates of another authority, an address that nobody listens at.",
        (MESH,),
        (*ON_ITS_WAY, "EtcdAvailable"),
    )
    ALL_RELAYS_READY = Entry(
        "AllRelaysReady",
        "All relays of the mesh answer, and are as the specification has them.",
        NOTHING,
        (MESH,),
        ("RelaysAvailable",),
    )
    RELAYS_NOT_READY = Entry(
        "RelaysNotReady",
        "Some relays of the mesh do not answer, or are replaced one after the other. Peers use those that answer.",
        "If it lasts, see the events and logs of the Deployment that the message names.",
        (MESH,),
        (*ON_ITS_WAY, "RelaysAvailable"),
    )
    RELAY_WITHOUT_ADDRESS = Entry(
        "RelayWithoutAddress",
        "The Service of a relay has no address yet, so that nobody could dial the relay, and it is not started.",
        "If it lasts, the cluster has nobody who makes load balancers: set `spec.p2p.relays.service.type: NodePort`, "
        "and name machines in its `hosts`.",
        (MESH,),
        (*ON_ITS_WAY, "RelaysAvailable"),
    )
    RECREATING = Entry(
        "Recreating",
        "The etcd is being replaced by an empty one: its volumes are to be others, or its quorum was lost for good. "
        "Nodes register again by themselves.",
        WAIT,
        (MESH,),
        (*ON_ITS_WAY, "EtcdAvailable"),
    )
    ACCESS_PENDING = Entry(
        "AccessPending",
        "The etcd has just started and does not restrict yet what nodes may touch.",
        WAIT,
        (MESH,),
        ON_ITS_WAY,
    )
    MEMBER_JOINING = Entry(
        "MemberJoining",
        "A member is added to the etcd: first as a learner, which gets all data, then with a vote.",
        "Wait; if it lasts, see the events of the pod that the message names.",
        (MESH,),
        ON_ITS_WAY,
    )
    MEMBER_LEAVING = Entry(
        "MemberLeaving",
        "A member that is not wanted any more is taken out of the etcd; leadership moves away from it first.",
        WAIT,
        (MESH,),
        ON_ITS_WAY,
    )
    MEMBER_REPLACED = Entry(
        "MemberReplaced",
        "A member has lost its volume: it is taken out of the etcd and added again, empty.",
        "Wait; if other members do not answer either, see their pods.",
        (MESH,),
        ON_ITS_WAY,
    )
    FOREIGN_MEMBER = Entry(
        "ForeignMember",
        "The etcd has a member that Isek did not add, and is left alone while it has.",
        "Remove the member that the message names with `etcdctl member remove`.",
        (MESH,),
        STUCK,
    )
    UPGRADE_REFUSED = Entry(
        "UpgradeRefused",
        "The image is of an etcd that the running one cannot become: it goes back, or skips a minor version. The "
        "running image stays.",
        "Set `spec.etcd.image` to what the message says.",
        (MESH,),
        STUCK,
    )
    VOLUMES_KEPT = Entry(
        "VolumesKept",
        "Other volumes are asked for than there are, and those stay in use. Of an etcd, because "
        "`spec.etcd.storage.whenDeleted` keeps them and a new etcd would take them over as they are; of an agent's "
        "memory, because a volume never shrinks, nor does it change its class.",
        "Set the storage back. Or, for an etcd, set `spec.etcd.storage.whenDeleted` to `Delete` to have it made anew; "
        "for a memory, copy it to a claim of your own and name that in `spec.memory.claim`.",
        (AGENT, MESH),
        STUCK,
    )
    SPACE_EXHAUSTED = Entry(
        "SpaceExhausted",
        "The database of the etcd has reached its quota, and nodes cannot register. Room is made: history is "
        "forgotten, members are defragmented one by one, the alarm is taken back.",
        "Wait; if it lasts, the mesh has more nodes than its etcd can hold: use several meshes.",
        (MESH,),
        ON_ITS_WAY,
    )
    NETWORK_KEY_IN_USE = Entry(
        "NetworkKeyInUse",
        "Sidecars dial with the key of the private network that was asked for, and accept no other.",
        NOTHING,
        (MESH,),
        ("NetworkKeyCurrent",),
    )
    NETWORK_KEY_ROTATING = Entry(
        "NetworkKeyRotating",
        "The key of the private network is being replaced, in three steps; calls go on. Each step waits until all "
        "nodes of the mesh have taken up the one before, and for some minutes.",
        "Wait; if it lasts, see the pods that the message names: a sidecar of an older version, or one whose Secret is "
        "not renewed.",
        (MESH,),
        ("NetworkKeyCurrent",),
    )
    DEFRAGMENTING = Entry(
        "Defragmenting",
        "More than half of a member's database file is free and is given back.",
        NOTHING,
        (MESH,),
        ONLY_EVENT,
    )
    DEFAULT_MESH_MADE = Entry(
        "DefaultMeshMade",
        "The namespace had no mesh called `default`, and the resource names no other, so one was made.",
        "Nothing. It goes with its last user; apply a specification to it, and it is yours and stays.",
        WITH_PODS,
        ONLY_EVENT,
    )
    CHILD_PUT_BACK = Entry(
        "ChildPutBack",
        "An object that Isek made for the resource was changed or deleted by somebody else, and is as it was again.",
        "Change the specification of the resource instead, or find out who writes to the object that the message "
        "names; its `metadata.managedFields` tells.",
        ALL,
        ONLY_EVENT,
    )
