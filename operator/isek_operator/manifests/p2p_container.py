"""The libp2p sidecar."""

from typing import Any

from isek.node.settings import NodeSettings

from isek_operator.manifests import probes
from isek_operator.manifests.config_map import RELAYS_FILE
from isek_operator.manifests.secret import PRIVATE_NETWORK_KEY
from isek_operator.manifests.security import container_security_context
from isek_operator.manifests.volumes import P2P_KEY, P2P_RELAYS, p2p_mounts
from isek_operator.settings import OperatorSettings

P2P_PORT = 9000
HEALTH_PORT = 9002


def p2p_container(settings: OperatorSettings) -> dict[str, Any]:
    """A native sidecar (an init container that goes on): it starts before the node and stops after it.

    Source: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
    """
    return {
        "name": "p2p",
        "image": settings.p2p_image,
        "imagePullPolicy": "IfNotPresent",
        "restartPolicy": "Always",
        "env": [
            {
                "name": "ISEK_P2P_ANNOUNCE_HOST",
                "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}},
            },
            {"name": "ISEK_P2P_PRIVATE_NETWORK_KEY_FILE", "value": str(P2P_KEY / PRIVATE_NETWORK_KEY)},
            {"name": "ISEK_P2P_RELAYS_FILE", "value": str(P2P_RELAYS / RELAYS_FILE)},
            # the node's own, by default
            {"name": "ISEK_P2P_MAX_BODY_BYTES", "value": str(NodeSettings.model_construct().max_body_bytes)},
        ],
        "ports": [
            {"name": "p2p", "containerPort": P2P_PORT, "protocol": "TCP"},
            {"name": "p2p-health", "containerPort": HEALTH_PORT, "protocol": "TCP"},
        ],
        # the node starts once this holds: the token and the identity are there
        "startupProbe": probes.started("/readyz", "p2p-health", within_seconds=60),
        "readinessProbe": probes.ready("/readyz", "p2p-health"),
        "livenessProbe": probes.alive("/healthz", "p2p-health"),
        # 0.3 MB for each of the connections that it keeps, 2,000 at most (p2p/src/libp2p.ts)
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "768Mi"}},
        "securityContext": container_security_context(),
        "volumeMounts": p2p_mounts(),
    }
