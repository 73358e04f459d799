"""The pods of a workload: the node, and its sidecar where the mesh talks over libp2p."""

from typing import Any

from isek_operator.decide.workload import Workload
from isek_operator.manifests.meta import child_labels, joined_labels
from isek_operator.manifests.node_container import grace_period_seconds, node_container
from isek_operator.manifests.p2p_container import p2p_container
from isek_operator.manifests.security import pod_security_context
from isek_operator.manifests.volumes import pod_volumes
from isek_operator.settings import OperatorSettings


def pod_template(workload: Workload, settings: OperatorSettings) -> dict[str, Any]:
    """core/v1 PodTemplateSpec; what the user says about pods is taken over, ours wins where labels clash."""
    template = workload.template
    metadata: dict[str, Any] = {
        "labels": {**(template.labels or {}), **child_labels(workload.owner), **joined_labels(workload.mesh)}
    }
    if template.annotations:
        metadata["annotations"] = dict(template.annotations)
    return {"metadata": metadata, "spec": _pod_spec(workload, settings)}


def _pod_spec(workload: Workload, settings: OperatorSettings) -> dict[str, Any]:
    template = workload.template
    spec: dict[str, Any] = {
        "serviceAccountName": template.service_account_name or workload.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security_context(),
        "terminationGracePeriodSeconds": grace_period_seconds(workload),
        "containers": [node_container(workload, settings)],
        "volumes": pod_volumes(workload),
        "topologySpreadConstraints": list(template.topology_spread_constraints or [_over_machines(workload)]),
    }
    if workload.mesh.spec.p2p.enabled:
        spec["initContainers"] = [p2p_container(settings)]
    given = {
        "imagePullSecrets": [secret.to_manifest() for secret in template.image_pull_secrets or ()],
        "nodeSelector": template.node_selector,
        "tolerations": list(template.tolerations or ()),
        "affinity": template.affinity,
    }
    return spec | {key: value for key, value in given.items() if value}


def _over_machines(workload: Workload) -> dict[str, Any]:
    """Preferred only: an agent on a crowded machine is better than none."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": workload.selector},
        "matchLabelKeys": ["pod-template-hash"],  # the pods of the last roll-out do not count
    }
