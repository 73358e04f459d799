"""The Deployment of a relay.

One for each: an address of libp2p names the peer that is to answer, so each has an identity, a Service and announced
addresses that are its own, and sees no other's key.
"""

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any

from isek.api import IsekMesh

from isek_operator.manifests import probes
from isek_operator.manifests.meta import CONFIG_HASH, Manifest, child_meta
from isek_operator.manifests.p2p_container import HEALTH_PORT
from isek_operator.manifests.quantity import canonical_resources
from isek_operator.manifests.relay import (
    RELAY_PORT,
    relay_labels,
    relay_name,
    relay_selector,
    relays_name,
    relays_selector,
)
from isek_operator.manifests.secret import (
    PEER_KEY,
    PRIVATE_NETWORK_KEY,
    private_network_data_key,
    private_network_secret_name,
)
from isek_operator.manifests.security import container_security_context, pod_security_context
from isek_operator.manifests.volumes import P2P_KEY
from isek_operator.settings import OperatorSettings

IDENTITY = PurePosixPath("/etc/isek/identity")

# what the limits of p2p/src/relay-limits.ts are made for
DEFAULT_RESOURCES = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "768Mi"}}


def relay_deployment(
    mesh: IsekMesh, number: int, addresses: tuple[str, ...], keys: tuple[str, ...], settings: OperatorSettings
) -> Manifest:
    """One pod, which ends before its successor begins: two of one identity would take each other's peers.

    Args:
        number: of the relay.
        addresses: what it announces, so that peers elsewhere tell each other how to come to it.
        keys: stands for the Secrets that it reads once, at its start.
    """
    template = _template(mesh, number, addresses, settings)
    digest = hashlib.sha256(json.dumps([template, keys], sort_keys=True).encode()).hexdigest()[:16]
    template["metadata"]["annotations"] = {CONFIG_HASH: digest}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": child_meta(mesh, relay_name(mesh, number)),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": relay_selector(mesh, number)},
            "strategy": {"type": "Recreate"},
            "revisionHistoryLimit": 2,
            "template": template,
        },
    }


def _template(mesh: IsekMesh, number: int, addresses: tuple[str, ...], settings: OperatorSettings) -> dict[str, Any]:
    return {
        "metadata": {"labels": relay_labels(mesh, number)},
        "spec": {
            "serviceAccountName": relays_name(mesh),
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": pod_security_context(),
            "terminationGracePeriodSeconds": 30,
            # preferred only: two relays on one machine are better than one
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": relays_selector(mesh)},
                }
            ],
            "containers": [_container(mesh, addresses, settings)],
            "volumes": [
                _secret("identity", relay_name(mesh, number), PEER_KEY, PEER_KEY),
                _secret(
                    "p2p-key", private_network_secret_name(mesh), private_network_data_key(mesh), PRIVATE_NETWORK_KEY
                ),
            ],
        },
    }


def _container(mesh: IsekMesh, addresses: tuple[str, ...], settings: OperatorSettings) -> dict[str, Any]:
    environment = {
        "ISEK_P2P_ANNOUNCE": ",".join(addresses),
        "ISEK_P2P_IDENTITY_FILE": str(IDENTITY / PEER_KEY),
        "ISEK_P2P_PRIVATE_NETWORK_KEY_FILE": str(P2P_KEY / PRIVATE_NETWORK_KEY),
    }
    return {
        "name": "relay",
        "image": settings.p2p_image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["relay"],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "ports": [
            {"name": "p2p", "containerPort": RELAY_PORT, "protocol": "TCP"},
            {"name": "p2p-health", "containerPort": HEALTH_PORT, "protocol": "TCP"},
        ],
        "startupProbe": probes.started("/readyz", "p2p-health", within_seconds=60),
        "readinessProbe": probes.ready("/readyz", "p2p-health"),
        "livenessProbe": probes.alive("/healthz", "p2p-health"),
        "resources": canonical_resources(mesh.spec.p2p.relays.resources or DEFAULT_RESOURCES),
        "securityContext": container_security_context(),
        "volumeMounts": [
            {"name": "identity", "mountPath": str(IDENTITY), "readOnly": True},
            {"name": "p2p-key", "mountPath": str(P2P_KEY), "readOnly": True},
        ],
    }


def _secret(volume: str, name: str, key: str, file: str) -> dict[str, Any]:
    return {
        "name": volume,
        "secret": {"secretName": name, "defaultMode": 0o440, "items": [{"key": key, "path": file}]},
    }
