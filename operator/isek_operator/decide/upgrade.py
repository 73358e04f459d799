"""Changes of pods that come from the operator itself: its new version brings new images to all workloads at once.

They are rolled out a few workloads at a time, so that what is wrong with a version stops at those few. What a user
changes is rolled out at once. The etcds of meshes are workloads, too.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

from isek_operator.decide.outcome import Manifest, Upgrade
from isek_operator.manifests.deployment import USER_PART
from isek_operator.manifests.meta import CONFIG_HASH
from isek_operator.settings import OperatorSettings

UPGRADE = "isek.io/upgrade"
"""On the Deployment or StatefulSet: for which version of the operator it is rolled out. It counts among the few until
it is done once."""
DONE = "Done"
"""The mark of a StatefulSet that is done, which has no condition to tell so when it fails later."""


@dataclass(frozen=True)
class Turn:
    """Whether the pods are brought to their wish now."""

    upgrade: Upgrade
    mark: str | None = None
    """For the wish: the version that it is rolled out for."""


NO_UPGRADE = Turn(Upgrade.NONE)


def turn(live: Manifest | None, wished: Manifest, under_way: Mapping[str, int], settings: OperatorSettings) -> Turn:
    """When the Deployment goes from ``live`` to ``wished``.

    Args:
        live: the Deployment as it is; None: it is not there.
        wished: as it is to be.
        under_way: how many workloads are on their way to each version.
        settings: the operator's, which say how many may be.
    """
    if live is None or _mark(live, USER_PART) not in {None, _mark(wished, USER_PART)}:
        return NO_UPGRADE
    if config_hash(live) == config_hash(wished):
        return Turn(Upgrade.NONE, _mark(live, UPGRADE))
    if upgrading_to(live) == revision(settings):
        return Turn(Upgrade.BEGINS, revision(settings))  # it counts already
    return _next(under_way, settings, works=is_complete(live))


def etcd_turn(live: Manifest, under_way: Mapping[str, int], settings: OperatorSettings, *, outdated: bool) -> Turn:
    """When the members of an etcd are replaced.

    Their StatefulSet has the new template already: it replaces none by itself.

    Args:
        live: the StatefulSet as it is.
        under_way: how many workloads are on their way to each version.
        settings: the operator's, which say how many may be.
        outdated: whether there are pods that only the operator's version tells from the template.
    """
    if not outdated or upgrading_to(live) == revision(settings):
        return Turn(Upgrade.NONE, DONE if _mark(live, UPGRADE) and upgrading_to(live) is None else _mark(live, UPGRADE))
    return _next(under_way, settings, works=_answers(live))


def marked(workload: Manifest, mark: str | None) -> Manifest:
    """The wish, with the version that it is rolled out for."""
    if mark is None:
        return workload
    metadata = workload["metadata"]
    return {**workload, "metadata": {**metadata, "annotations": {**metadata["annotations"], UPGRADE: mark}}}


def upgrading_to(workload: Manifest) -> str | None:
    """The version of the operator that it is on its way to; None: it was there once, or was never sent."""
    mark = _mark(workload, UPGRADE)
    return None if mark in {None, DONE} or is_complete(workload) or _was_complete(workload) else mark


def is_complete(workload: Manifest) -> bool:
    """Whether all pods are of the Deployment's or StatefulSet's own specification, and answer."""
    wanted: int = workload["spec"].get("replicas", 1)
    status: dict[str, int] = workload.get("status") or {}
    return (
        _is_observed(workload)
        and (status.get("updatedReplicas") or 0) == (status.get("replicas") or 0) == wanted
        and _answers(workload)
    )


def config_hash(deployment: Manifest) -> str | None:
    """The hash of all that its pods are made from."""
    annotations = deployment["spec"]["template"].get("metadata", {}).get("annotations") or {}
    return annotations.get(CONFIG_HASH)


@cache
def revision(settings: OperatorSettings) -> str:
    """What tells one version of the operator, with its images, from another."""
    parts = (version("isek-operator"), settings.node_image, settings.p2p_image, settings.operator_image)
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _next(under_way: Mapping[str, int], settings: OperatorSettings, *, works: bool) -> Turn:
    ours = revision(settings)
    if under_way.get(ours, 0) >= settings.max_concurrent_upgrades:
        return Turn(Upgrade.WAITS)
    # one that did not work before may never be done: it must not hold up the others
    return Turn(Upgrade.BEGINS, ours if works else None)


def _is_observed(workload: Manifest) -> bool:
    observed: int = (workload.get("status") or {}).get("observedGeneration") or 0
    generation: int = workload["metadata"].get("generation", 0)
    return observed >= generation


def _was_complete(workload: Manifest) -> bool:
    """Whether all pods of a Deployment's own specification have answered once, as its condition Progressing says."""
    conditions = (workload.get("status") or {}).get("conditions") or ()
    reasons = {each.get("reason") for each in conditions if each.get("type") == "Progressing"}
    return _is_observed(workload) and "NewReplicaSetAvailable" in reasons


def _answers(workload: Manifest) -> bool:
    wanted: int = workload["spec"].get("replicas", 1)
    return ((workload.get("status") or {}).get("readyReplicas") or 0) >= wanted


def _mark(workload: Manifest, name: str) -> str | None:
    return (workload["metadata"].get("annotations") or {}).get(name)
