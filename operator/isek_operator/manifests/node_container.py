"""The container that hosts agents and teams."""

from typing import Any

from isek.node.settings import NodeSettings

from isek_operator.decide.workload import Workload
from isek_operator.manifests import probes
from isek_operator.manifests.etcd import etcd_endpoints
from isek_operator.manifests.meta import CONFIG_HASH
from isek_operator.manifests.quantity import canonical_resources
from isek_operator.manifests.security import container_security_context
from isek_operator.manifests.volumes import node_mounts
from isek_operator.settings import OperatorSettings

HTTP_PORT = 8080
GRPC_PORT = 8082
HTTPS_PORT = 8443
PRE_STOP_SECONDS = 3
DRAIN_MARGIN_SECONDS = 20
LINGER_SECONDS = 6
"""Longer than the node keeps an idle connection: a Service sends no new ones to a pod that ends, and keeps the old."""
GRACE_MARGIN_SECONDS = 30
"""Beyond the longest run: for the pre-stop pause, for leaving the registry, and for the sidecar, which stops last."""

DEFAULT_RESOURCES = {
    # no limit of CPU: throttling would only make answers late
    "requests": {"cpu": "50m", "memory": "128Mi"},
    # several times what an idle node takes; one that leaks is restarted before it harms its machine
    "limits": {"memory": "512Mi"},
}

# model_construct: the settings are the pod's, and not to be read from the operator's environment
_DEFAULTS = NodeSettings.model_construct()


def grace_period_seconds(workload: Workload) -> int:
    """How long a pod may take to end: a run that has just begun can finish."""
    return workload.longest_run_seconds + GRACE_MARGIN_SECONDS


def node_container(workload: Workload, settings: OperatorSettings) -> dict[str, Any]:
    """The node container; the user's resources replace the default ones as a whole."""
    template = workload.template
    return {
        "name": "node",
        "image": template.image or settings.node_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["isek-node"],
        "env": [*_downward_api(workload), *_settings(workload, settings), *_users(workload)],
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "grpc", "containerPort": GRPC_PORT, "protocol": "TCP"},
            *([{"name": "https", "containerPort": HTTPS_PORT, "protocol": "TCP"}] if template.tls_secret else []),
        ],
        # not /readyz: that waits for etcd, and no restart of the node brings etcd back
        "startupProbe": probes.started("/healthz", "http", within_seconds=120),
        "readinessProbe": probes.ready("/readyz", "http"),
        "livenessProbe": probes.alive("/healthz", "http"),
        # callers that still have the address are served until they have seen it go
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
        "resources": canonical_resources(template.resources or DEFAULT_RESOURCES),
        "securityContext": container_security_context(),
        "volumeMounts": node_mounts(workload),
    }


def _downward_api(workload: Workload) -> list[dict[str, Any]]:
    """Begins all names with ISEK_, which a user's variable cannot: the two never clash."""
    fields = {
        "ISEK_POD_NAME": "metadata.name",
        "ISEK_ADVERTISE_HOST": "status.podIP",
        "ISEK_CONFIG_HASH": f"metadata.annotations['{CONFIG_HASH}']",
        # set by the API server where the machine has such labels (Kubernetes 1.35), else empty
        "ISEK_REGION": "metadata.labels['topology.kubernetes.io/region']",
        "ISEK_ZONE": "metadata.labels['topology.kubernetes.io/zone']",
    }
    return [
        *(
            {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
            for name, path in fields.items()
        ),
        {"name": "ISEK_NODE_ID", "value": f"$(ISEK_POD_NAME).{workload.namespace}"},
    ]


def _settings(workload: Workload, settings: OperatorSettings) -> list[dict[str, Any]]:
    mesh = workload.mesh
    told = _DEFAULTS.model_copy(
        update={
            "namespace": workload.namespace,
            "cluster": settings.cluster_name,
            "mesh_id": mesh.mesh_id,
            "port": HTTP_PORT,
            "grpc_port": GRPC_PORT,
            "tls_port": HTTPS_PORT if workload.template.tls_secret else None,
            "registry_url": f"etcds://{','.join(etcd_endpoints(mesh))}",
            "registry_ttl_seconds": mesh.spec.registry.ttl_seconds,
            "p2p_enabled": mesh.spec.p2p.enabled,
            "p2p_fallback": mesh.spec.p2p.fallback,
            "outside": "Anyone" if mesh.spec.access is None or mesh.spec.access.anyone else "Nobody",
            "drain_seconds": workload.longest_run_seconds + DRAIN_MARGIN_SECONDS,
            "linger_seconds": LINGER_SECONDS,
        }
    )
    return [{"name": name, "value": value} for name, value in told.to_environment().items()]


def _users(workload: Workload) -> list[dict[str, Any]]:
    # the API server drops an empty value, so one that is written would look changed for ever
    return [
        {key: value for key, value in variable.to_manifest().items() if value != ""}
        for variable in workload.template.env or ()
    ]
