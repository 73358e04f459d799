"""What a decision says is to be done, and what is to be said about it. Whoever applies it needs to know no more."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from isek_operator.decide.etcd.steps import EtcdStep
from isek_operator.decide.etcd.view import EtcdAccess
from isek_operator.decide.reasons import ConditionType, Reason

Manifest = dict[str, Any]
"""A Kubernetes object as JSON."""


@dataclass(frozen=True)
class Finding:
    """A condition before it has a time: whoever writes the status knows what it was before, and the clock."""

    type: ConditionType
    status: bool
    reason: Reason
    message: str


@dataclass(frozen=True)
class NetworkKey:
    """A new key of a libp2p private network, under one key of the Secret."""

    key: str


@dataclass(frozen=True)
class PeerKey:
    """A new identity of a libp2p peer, under two keys of the Secret."""

    private: str
    """Of the key."""
    public: str
    """Of the peer id, which anybody may know."""


@dataclass(frozen=True)
class NetworkKeyStep:
    """The keys that a Secret holds already, changed by one step of a rotation."""

    secret: str
    """Its name; it is in the namespace of what is written."""
    key: str
    step: Literal["Add", "Prefer", "Drop"]
    """Add a new key behind the others; put the last one first; keep the first one only."""


@dataclass(frozen=True)
class Authority:
    """A certificate authority: ``tls.crt``, ``tls.key``, and ``ca.crt``, the bundle to be trusted."""

    common_name: str
    given: str | None = None
    """The Secret, in the same namespace, whose ``tls.crt`` and ``tls.key`` it is; None: it is made anew."""
    trusted: str = ""
    """The certificates, as PEM, of those that are to be trusted beside it."""


@dataclass(frozen=True)
class Certificate:
    """A certificate by an authority, for servers and clients: ``tls.crt``, ``tls.key``, and its ``ca.crt``."""

    common_name: str
    authority: str
    """The Secret, in the same namespace, with the authority's ``tls.crt`` and ``tls.key``."""
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copied:
    """The values of keys of other Secrets; they never pass through a decision."""

    sources: tuple[tuple[str, str, str], ...]
    """Namespace, Secret and key of each; the key keeps its name."""


@dataclass(frozen=True)
class Trusted:
    """The certificates, as PEM, of the authorities to be trusted: ``ca.crt`` alone. Anybody may know them."""

    certificates: str


SecretContent = NetworkKey | NetworkKeyStep | PeerKey | Authority | Certificate | Copied | Trusted


@dataclass(frozen=True)
class GeneratedSecret:
    """A Secret whose values whoever applies the outcome makes, so that no decision ever sees one.

    It is created where it is missing, and written again only while ``renew`` asks for it.
    """

    manifest: Manifest
    """The Secret without data."""
    content: SecretContent
    """What its values are made from."""
    renew: bool = False
    """Whether the values that are there have to be replaced (a certificate that runs out, a source that changed)."""
    renewal: SecretContent | None = None
    """What replaces them; None: ``content``. Keys that it does not make stay."""


@dataclass(frozen=True)
class Doomed:
    """A child that has to go before its wish can be applied."""

    kind: str
    name: str
    uid: str
    """The deletion's precondition: not a successor of the same name."""


class OwnFate(Enum):
    """What becomes of the custom resource itself."""

    KEEP = "Keep"
    DELETE = "Delete"
    """A mesh that the operator made by default and nobody uses any more."""
    ADOPT = "Adopt"
    """A mesh that the operator made by default and a user has taken over: it loses the label."""


class Upgrade(Enum):
    """How pods stand that a new version of the operator wants to be other ones."""

    NONE = "None"
    """There is no such change."""
    BEGINS = "Begins"
    """It is rolled out now, as one of the few that may be."""
    WAITS = "Waits"
    """Others are rolled out before; the children stay as they are."""


@dataclass(frozen=True)
class Outcome:
    """All that follows from one look at one custom resource."""

    findings: tuple[Finding, ...]
    status: dict[str, Any] = field(default_factory=dict)
    """The status' further fields, in camelCase."""
    wish: tuple[Manifest, ...] | None = None
    """The children that there are to be, in the order of their making; others are pruned. None: leave all as it is."""
    secrets: tuple[GeneratedSecret, ...] = ()
    """Made before the wish is applied."""
    companions: tuple[Manifest, ...] = ()
    """Custom resources that are created where they are missing and not owned: the default mesh."""
    kept: tuple[tuple[str, str], ...] = ()
    """Kind and name of children that stay as they are, whatever they are."""
    doomed: tuple[Doomed, ...] = ()
    """Deleted before anything is applied; the wish then leaves them out."""
    fate: OwnFate = OwnFate.KEEP
    upgrade: Upgrade = Upgrade.NONE
    etcd: EtcdAccess | None = None
    """Where the etcd of a mesh is to be asked how it is; None: nowhere."""
    etcd_step: EtcdStep | None = None
    """Taken once all else is applied, if etcd still says then what the decision follows from."""
    certificates: Mapping[str, float] = field(default_factory=dict)
    """When the certificate in each Secret expires, in seconds since the epoch."""
    look_again_after: float | None = None
    """Seconds until the object is looked at again though nothing changed."""
