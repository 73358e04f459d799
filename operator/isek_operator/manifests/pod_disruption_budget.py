"""The PodDisruptionBudgets of workloads and of etcd."""

from isek.api import IsekMesh

from isek_operator.decide.workload import Workload
from isek_operator.manifests.etcd import etcd_name, etcd_selector
from isek_operator.manifests.meta import Manifest, child_meta
from isek_operator.manifests.relay import relays_name, relays_selector


def workload_disruption_budget(workload: Workload) -> Manifest:
    """Let a drain take one pod at a time.

    ``maxUnavailable``, because ``minAvailable: 1`` would block every drain of a workload with one replica.
    Pods that do not answer anyway never hold up a drain.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": child_meta(workload.owner, workload.name),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": workload.selector},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def etcd_disruption_budget(mesh: IsekMesh) -> Manifest:
    """Let a drain take one member at a time: of three, two are a quorum."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": child_meta(mesh, etcd_name(mesh)),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": etcd_selector(mesh)}},
    }


def relays_disruption_budget(mesh: IsekMesh) -> Manifest:
    """Let a drain take one relay at a time: who has reserved a place on it is on another one as well."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": child_meta(mesh, relays_name(mesh)),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": relays_selector(mesh)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
