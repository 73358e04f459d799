"""The Deployment of a workload."""

import hashlib
import json
from typing import Any

from isek_operator.decide.workload import Workload
from isek_operator.manifests.config_map import hosted_documents
from isek_operator.manifests.meta import Manifest, child_meta
from isek_operator.manifests.pod import pod_template
from isek_operator.settings import OperatorSettings

CONFIG_HASH = "isek.io/config-hash"
"""On the pod template: a hash of all that the pods are made from, so that each change of it rolls out.

Beside the template itself these are ``hosted.yaml``, and which Secret holds the private network's key: a sidecar
reads it once, and those with different keys do not speak to each other.
"""


def deployment(workload: Workload, settings: OperatorSettings) -> Manifest:
    """The pods, replaced one after the other, and each only once its successor answers."""
    template = pod_template(workload, settings)
    digest = _digest([template, hosted_documents(workload), workload.network_key])
    metadata = template["metadata"]
    metadata["annotations"] = {**metadata.get("annotations", {}), CONFIG_HASH: digest}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": child_meta(workload.owner, workload.name),
        "spec": {
            "replicas": workload.replicas,
            "selector": {"matchLabels": workload.selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "revisionHistoryLimit": 2,  # the custom resource is what one goes back to
            "template": template,
        },
    }


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
