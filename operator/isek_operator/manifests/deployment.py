"""The Deployment of a workload."""

import hashlib
import json
from typing import Any

from isek_operator.decide.workload import Workload
from isek_operator.manifests.config_map import hosted_documents
from isek_operator.manifests.meta import CONFIG_HASH, Manifest, child_meta
from isek_operator.manifests.pod import pod_template
from isek_operator.settings import OperatorSettings

USER_PART = "isek.io/user-part"
"""On the Deployment: a hash of what users have a say in. A change of the pods that leaves it as it is comes from the
operator, and is rolled out a few workloads at a time."""

_ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
_RECREATE = {"type": "Recreate", "rollingUpdate": None}
"""One after the other has ended: a file of SQLite has one writer. The null takes back what an earlier wish has said."""


def deployment(workload: Workload, settings: OperatorSettings) -> Manifest:
    """The pods, replaced one after the other, and each only once its successor answers."""
    template = pod_template(workload, settings)
    digest = _digest([template, hosted_documents(workload), workload.network_key, *workload.code])
    metadata = template["metadata"]
    metadata["annotations"] = {**metadata.get("annotations", {}), CONFIG_HASH: digest}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**child_meta(workload.owner, workload.name), "annotations": {USER_PART: _user_part(workload)}},
        "spec": {
            "replicas": workload.replicas,
            "selector": {"matchLabels": workload.selector},
            "strategy": _RECREATE if workload.memory_claim else _ROLLING,
            "revisionHistoryLimit": 2,  # the custom resource is what one goes back to
            "template": template,
        },
    }


def _user_part(workload: Workload) -> str:
    # generations, which only users move on: a new version of the operator may bring fields that nobody has set
    said = sorted(
        (each.kind, each.metadata.uid, each.metadata.generation) for each in (workload.owner, *workload.hosted)
    )
    mesh = workload.mesh
    joined = [mesh.mesh_id, mesh.spec.p2p.enabled, mesh.spec.registry.ttl_seconds, workload.network_key]
    default = [mesh.spec.access.to_manifest()] if mesh.spec.access else []
    return _digest([said, *joined, *workload.code, *default])


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
