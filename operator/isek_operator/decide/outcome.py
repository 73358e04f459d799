"""What a decision says is to be done, and what is to be said about it. Whoever applies it needs to know no more."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from isek_operator.decide.reasons import Reason

Manifest = dict[str, Any]
"""A Kubernetes object as JSON."""


@dataclass(frozen=True)
class Finding:
    """A condition before it has a time: whoever writes the status knows what it was before, and the clock."""

    type: Literal["Ready", "Reconciling", "Stalled", "ResolvedRefs", "EtcdAvailable"]
    status: bool
    reason: Reason
    message: str


@dataclass(frozen=True)
class GeneratedSecret:
    """A Secret with the key of a private network. It is created once and never written again."""

    manifest: Manifest
    """The Secret without data."""
    key: str
    """The key that gets the generated value."""


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
    doomed: tuple[Doomed, ...] = ()
    """Deleted before anything is applied; the wish then leaves them out."""
    fate: OwnFate = OwnFate.KEEP
    look_again_after: float | None = None
    """Seconds until the object is looked at again though nothing changed."""
