"""Changes of pods that come from the operator itself: its new version brings new images to all workloads at once.

They are rolled out a few workloads at a time, so that what is wrong with a version stops at those few. What a user
changes is rolled out at once.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

from isek_operator.decide.outcome import Manifest, Upgrade
from isek_operator.manifests.deployment import CONFIG_HASH, USER_PART
from isek_operator.settings import OperatorSettings

UPGRADE = "isek.io/upgrade"
"""On the Deployment: for which version of the operator it was rolled out. It counts among the few until it is done."""


@dataclass(frozen=True)
class Turn:
    """Whether a Deployment is brought to its wish now."""

    upgrade: Upgrade
    mark: str | None = None
    """For the wish: the version that the Deployment was rolled out for."""


NO_UPGRADE = Turn(Upgrade.NONE)


def turn(live: Manifest | None, wished: Manifest, under_way: Mapping[str, int], settings: OperatorSettings) -> Turn:
    """When the Deployment goes from ``live`` to ``wished``.

    Args:
        live: the Deployment as it is; None: it is not there.
        wished: as it is to be.
        under_way: how many Deployments are on their way to each version.
        settings: the operator's, which say how many may be.
    """
    if live is None or _mark(live, USER_PART) not in {None, _mark(wished, USER_PART)}:
        return NO_UPGRADE
    if config_hash(live) == config_hash(wished):
        return Turn(Upgrade.NONE, _mark(live, UPGRADE))
    ours = revision(settings)
    if upgrading_to(live) == ours:
        return Turn(Upgrade.BEGINS, ours)  # it counts already
    if under_way.get(ours, 0) >= settings.max_concurrent_upgrades:
        return Turn(Upgrade.WAITS)
    # one that did not work before may never be done: it must not hold up the others
    return Turn(Upgrade.BEGINS, ours if is_complete(live) else None)


def marked(deployment: Manifest, mark: str | None) -> Manifest:
    """The wish, with the version that the Deployment is rolled out for."""
    if mark is None:
        return deployment
    metadata = deployment["metadata"]
    return {**deployment, "metadata": {**metadata, "annotations": {**metadata["annotations"], UPGRADE: mark}}}


def upgrading_to(deployment: Manifest) -> str | None:
    """The version of the operator that a Deployment is on its way to; None: it is there, or was never sent."""
    mark = _mark(deployment, UPGRADE)
    return None if mark is None or is_complete(deployment) else mark


def is_complete(deployment: Manifest) -> bool:
    """Whether all pods are of the Deployment's own specification, and answer."""
    wanted: int = deployment["spec"].get("replicas", 1)
    status: dict[str, int] = deployment.get("status") or {}
    return (
        (status.get("observedGeneration") or 0) >= deployment["metadata"].get("generation", 0)
        and (status.get("updatedReplicas") or 0) == (status.get("replicas") or 0) == wanted
        and (status.get("readyReplicas") or 0) >= wanted
    )


def config_hash(deployment: Manifest) -> str | None:
    """The hash of all that its pods are made from."""
    annotations = deployment["spec"]["template"].get("metadata", {}).get("annotations") or {}
    return annotations.get(CONFIG_HASH)


@cache
def revision(settings: OperatorSettings) -> str:
    """What tells one version of the operator, with its images, from another."""
    parts = (version("isek-operator"), settings.node_image, settings.p2p_image)
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _mark(deployment: Manifest, name: str) -> str | None:
    return (deployment["metadata"].get("annotations") or {}).get(name)
