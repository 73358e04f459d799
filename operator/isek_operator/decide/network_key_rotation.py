"""How the key of a mesh's private network is replaced while everybody goes on calling.

The Secret, and what nodes say in etcd of the keys that their sidecars have taken up, tell how far it is:

1. A new key is added behind the one in use: sidecars accept both and dial with the former.
2. Once all nodes accept both, the new one comes first: they dial with it.
3. Once all nodes do so, the former one goes: whoever holds no other is refused.

No step is taken before a changed Secret is surely in all pods: one that is just starting stands in no registry yet, and
may have mounted what was before. Each is one write, so that the operator may be killed between any two.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from isek.api import IsekMesh

from isek_operator.decide.etcd.view import EtcdView
from isek_operator.decide.network_key import accepted_network_keys, made_network_key, network_key_secrets
from isek_operator.decide.outcome import Finding, GeneratedSecret, Manifest, NetworkKeyStep
from isek_operator.decide.reasons import Reason
from isek_operator.decide.world import World
from isek_operator.decide.written_at import written_at
from isek_operator.manifests.secret import PRIVATE_NETWORK_KEY
from isek_operator.settings import OperatorSettings

ROTATION = "isek.io/key-rotation"
"""Annotation of the Secret: for which ``spec.p2p.privateNetworkKey.rotation`` its latest key was made."""
FORMER = "isek.io/former-key"
"""The fingerprint of the key that is being replaced."""
SINCE = "isek.io/key-step-since"
"""When the latest step was taken."""
LOOK_AGAIN_SECONDS = 2.0
NAMED = 3
"""Nodes that a message names."""


@dataclass(frozen=True)
class ObservedKey:
    """All that a step depends on."""

    mesh: IsekMesh
    secret: Manifest | None
    """The live one; None: it is not there."""
    accepted: tuple[str, ...]
    """Fingerprints of the keys in it."""
    view: EtcdView | None
    now: datetime
    spread: timedelta
    """Until a changed Secret is in all pods."""


@dataclass(frozen=True)
class Rotation:
    """What follows."""

    secrets: tuple[GeneratedSecret, ...] = ()
    findings: tuple[Finding, ...] = ()
    asks_nodes: bool = False
    """Whether what nodes say of their keys is to be read."""
    look_again_after: float | None = None


def gather_rotation(mesh: IsekMesh, world: World, settings: OperatorSettings) -> ObservedKey:
    """Look up all that a step depends on."""
    return ObservedKey(
        mesh=mesh,
        secret=made_network_key(mesh, world),
        accepted=accepted_network_keys(mesh, world),
        view=world.etcd(mesh.namespace, mesh.name),
        now=world.now(),
        spread=timedelta(seconds=settings.network_key_spread_seconds),
    )


def decide_rotation(observed: ObservedKey) -> Rotation:
    """The Secret with the key that the operator makes, and how far it is with replacing it."""
    wanted = observed.mesh.spec.p2p.private_network_key.rotation
    made = network_key_secrets(observed.mesh)
    if not made:
        return Rotation()
    if observed.secret is None:
        return Rotation(tuple(_annotated(each, {ROTATION: str(wanted)}) for each in made))
    if not observed.accepted:
        return Rotation(made, (_spoiled(observed.secret),))
    annotations = observed.secret["metadata"].get("annotations") or {}
    former = annotations.get(FORMER)
    begun_for = annotations.get(ROTATION, "0")
    if former not in observed.accepted or len(observed.accepted) == 1:
        if begun_for == str(wanted):
            return Rotation(made, (_in_use(observed),))
        begin = {ROTATION: str(wanted), FORMER: observed.accepted[0]}
        return _step(observed, made, "Add", begin, "a new key is about to be added")
    rotation = f"rotation {begun_for} of the private network key"
    if former == observed.accepted[0]:
        lacking = _lacking(observed, lambda keys: set(observed.accepted) <= set(keys))
        doing = f"{rotation}, step 1 of 3: sidecars take up the new key beside the former one"
        return _go_on(observed, made, "Prefer", doing, lacking)
    lacking = _lacking(observed, lambda keys: keys[:1] == observed.accepted[:1])
    doing = f"{rotation}, step 2 of 3: sidecars begin to dial with the new key"
    return _go_on(observed, made, "Drop", doing, lacking)


def _go_on(
    observed: ObservedKey,
    made: tuple[GeneratedSecret, ...],
    step: Literal["Prefer", "Drop"],
    doing: str,
    lacking: str | None,
) -> Rotation:
    """The next step, where nothing is lacking; else what the condition says meanwhile."""
    remaining = _remaining(observed)
    if lacking is None and remaining == 0 and _asked_since(observed):
        return _step(observed, made, step, {}, doing)
    why = lacking or "all nodes say that they have; Secrets get up to so long to reach pods that are just starting"
    finding = Finding("NetworkKeyCurrent", False, Reason.NETWORK_KEY_ROTATING, f"{doing}; {why}")
    return Rotation(made, (finding,), asks_nodes=True, look_again_after=remaining or LOOK_AGAIN_SECONDS)


def _step(
    observed: ObservedKey,
    made: tuple[GeneratedSecret, ...],
    step: Literal["Add", "Prefer", "Drop"],
    annotations: dict[str, str],
    doing: str,
) -> Rotation:
    (secret,) = made
    name = secret.manifest["metadata"]["name"]
    live = (observed.secret["metadata"].get("annotations") or {}) if observed.secret else {}
    kept = {key: value for key, value in live.items() if key in {ROTATION, FORMER}}
    annotated = _annotated(secret, {**kept, **annotations, SINCE: observed.now.isoformat()})
    renewed = replace(annotated, renew=True, renewal=NetworkKeyStep(name, PRIVATE_NETWORK_KEY, step))
    return Rotation(
        (renewed,), (Finding("NetworkKeyCurrent", False, Reason.NETWORK_KEY_ROTATING, doing),), asks_nodes=True
    )


def _lacking(observed: ObservedKey, has: Callable[[tuple[str, ...]], bool]) -> str | None:
    """Who holds up the next step, as text; None: nobody."""
    nodes = observed.view.node_keys if observed.view else None
    if nodes is None:
        return "what nodes have is not known yet: it is read from etcd"
    without = sorted(each.node for each in nodes if not has(each.fingerprints))
    if not without:
        return None
    named = ", ".join(without[:NAMED]) + (" and others" if len(without) > NAMED else "")
    return f"{len(nodes) - len(without)} of {len(nodes)} nodes have; waiting for {named}"


def _remaining(observed: ObservedKey) -> float:
    """Seconds until what was written is surely everywhere."""
    return max(0.0, (_since(observed) + observed.spread - observed.now).total_seconds())


def _asked_since(observed: ObservedKey) -> bool:
    """Whether nodes were asked after that: those that were just starting are among them."""
    due = _since(observed) + observed.spread
    return observed.view is not None and observed.view.observed_at >= due.timestamp()


def _since(observed: ObservedKey) -> datetime:
    since = written_at(observed.secret, SINCE) if observed.secret else None
    return since or observed.now  # where nobody knows, nothing is taken for old


def _in_use(observed: ObservedKey) -> Finding:
    message = f"the private network key with fingerprint {observed.accepted[0]} is in use"
    return Finding("NetworkKeyCurrent", True, Reason.NETWORK_KEY_IN_USE, message)


def _spoiled(secret: Manifest) -> Finding:
    message = (
        f"Secret {secret['metadata']['name']!r} holds no private network key at {PRIVATE_NETWORK_KEY} any more: "
        "sidecars go on with what they have, and pods that start wait for it. Delete the Secret, and a new one is made"
    )
    return Finding("NetworkKeyCurrent", False, Reason.SECRET_INVALID, message)


def _annotated(secret: GeneratedSecret, annotations: dict[str, str]) -> GeneratedSecret:
    metadata = {**secret.manifest["metadata"], "annotations": annotations}
    return replace(secret, manifest={**secret.manifest, "metadata": metadata})
