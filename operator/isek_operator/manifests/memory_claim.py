"""The volume claim of an agent that keeps its memory in SQLite."""

from typing import Any

from isek.api import IsekAgent

from isek_operator.manifests.meta import Manifest, child_labels, child_meta, workload_name
from isek_operator.manifests.quantity import canonical_quantity


def memory_claim_name(agent: IsekAgent) -> str:
    """The volume claim that is made for the agent."""
    return f"{workload_name(agent)}-memory"


def memory_claim(agent: IsekAgent, size: str, class_name: str | None, *, kept: bool) -> Manifest:
    """The volume claim, for one pod at a time.

    Args:
        agent: whose memory it is.
        size: a quantity.
        class_name: of its StorageClass; None: the cluster's default.
        kept: whether it stays when the agent goes: nothing owns it then.
    """
    name = memory_claim_name(agent)
    unowned = {"name": name, "namespace": agent.namespace, "labels": child_labels(agent)}
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": canonical_quantity(size)}},
    }
    if class_name:
        spec["storageClassName"] = class_name
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": unowned if kept else child_meta(agent, name),
        "spec": spec,
    }
