"""The StatefulSet of a mesh's etcd."""

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any

from isek.api import IsekMesh

from isek_operator.decide.etcd.membership import MEMBERSHIP, Membership
from isek_operator.manifests import probes
from isek_operator.manifests.etcd import (
    CLIENT_PORT,
    METRICS_PORT,
    PEER_PORT,
    etcd_name,
    etcd_peers_name,
    etcd_pod_name,
    etcd_selector,
    etcd_shape,
)
from isek_operator.manifests.etcd_config import DATA, TLS
from isek_operator.manifests.meta import Manifest, child_labels, child_meta
from isek_operator.manifests.quantity import canonical_quantity
from isek_operator.manifests.secret import etcd_server_secret_name
from isek_operator.manifests.security import container_security_context, pod_security_context
from isek_operator.settings import OperatorSettings

SHAPE_ANNOTATION = "isek.io/etcd-shape"
"""What the etcd was made as: tells a mesh that asks for another from a StatefulSet that was edited by hand."""

TRUST_ANNOTATION = "isek.io/etcd-trust"
"""On the pods: which authorities' certificates they started with. etcd reads its own certificate anew for each
connection, and those of the authorities only when it starts."""

CLUSTER_ANNOTATION = "isek.io/etcd-cluster"
"""On the pods: the cluster that they were made for. An empty one that takes its place has another."""

USER_PART = "isek.io/user-part"
"""On the pods: a hash of what users have a say in. A change of the template that leaves this and the two above as they
are comes from the operator, and takes turns."""

CONFIG = PurePosixPath("/etc/etcd")
VOLUME = "data"
POD_NAME = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}


def volume_claim_name(mesh: IsekMesh, ordinal: int) -> str:
    """The volume claim of a member (StatefulSet, volumeClaimTemplates)."""
    return f"{VOLUME}-{etcd_pod_name(mesh, ordinal)}"


def etcd_stateful_set(
    mesh: IsekMesh, membership: Membership, settings: OperatorSettings, image: str, trust: str
) -> Manifest:
    """The pods of the members that have a configuration.

    Nothing in their template hangs on how many they are, or on who they are. They start when they like (Parallel), and
    the operator says which one is replaced when (OnDelete).

    Args:
        image: of etcd; not always the one that the mesh asks for.
        trust: stands for the authorities' certificates.
    """
    etcd, selector = mesh.spec.etcd, etcd_selector(mesh)
    meta = child_meta(mesh, etcd_name(mesh))
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {
            **meta,
            "annotations": {SHAPE_ANNOTATION: etcd_shape(mesh), MEMBERSHIP: membership.to_annotation()},
        },
        "spec": {
            "replicas": len(membership.members),
            "serviceName": etcd_peers_name(mesh),
            "selector": {"matchLabels": selector},
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "OnDelete"},
            # a member that goes never comes back: whoever takes its place gets a volume of its own
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": etcd.storage.when_deleted, "whenScaled": "Delete"},
            "template": {
                "metadata": {
                    "labels": child_labels(mesh),
                    "annotations": {
                        TRUST_ANNOTATION: trust,
                        CLUSTER_ANNOTATION: membership.token,
                        USER_PART: _user_part(mesh, image),
                    },
                },
                "spec": _pod_spec(mesh, settings, image),
            },
            "volumeClaimTemplates": [_volume_claim(mesh)],
        },
    }


def _user_part(mesh: IsekMesh, image: str) -> str:
    return hashlib.sha256(json.dumps([image, _pull_secrets(mesh)]).encode()).hexdigest()[:16]


def _pull_secrets(mesh: IsekMesh) -> list[dict[str, Any]]:
    return [each.to_manifest() for each in mesh.spec.etcd.image_pull_secrets or ()]


def _pod_spec(mesh: IsekMesh, settings: OperatorSettings, image: str) -> dict[str, Any]:
    pull_secrets = _pull_secrets(mesh)
    return {
        **({"imagePullSecrets": pull_secrets} if pull_secrets else {}),
        "serviceAccountName": etcd_name(mesh),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security_context(),
        "terminationGracePeriodSeconds": 30,
        # hard, so that a quorum outlives any one machine; machines that take no pods do not count
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "DoNotSchedule",
                "nodeTaintsPolicy": "Honor",
                "labelSelector": {"matchLabels": etcd_selector(mesh)},
            }
        ],
        "initContainers": [_guard(settings)],
        "containers": [_etcd(image)],
        "volumes": [
            {"name": "config", "configMap": {"name": etcd_name(mesh)}},
            {"name": "tls", "secret": {"secretName": etcd_server_secret_name(mesh), "defaultMode": 0o440}},
        ],
    }


def _guard(settings: OperatorSettings) -> dict[str, Any]:
    return {
        "name": "guard",
        "image": settings.operator_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-I", "-m", "isek_operator.etcd_guard"],
        "args": [str(CONFIG / "$(POD_NAME).json"), str(CONFIG / "$(POD_NAME).admission")],
        "env": [POD_NAME],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": container_security_context(),
        "volumeMounts": [_mount("config", CONFIG), {"name": VOLUME, "mountPath": str(DATA)}],
    }


def _etcd(image: str) -> dict[str, Any]:
    return {
        "name": "etcd",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["etcd"],
        "args": [f"--config-file={CONFIG / '$(POD_NAME).json'}"],
        "env": [POD_NAME],
        "ports": [
            {"name": "client", "containerPort": CLIENT_PORT, "protocol": "TCP"},
            {"name": "peer", "containerPort": PEER_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        # /livez is about this member alone, /readyz reads through the quorum (etcd 3.6): a lost quorum takes
        # members out of the Service, and never restarts them
        "startupProbe": probes.started("/livez", "metrics", within_seconds=120),
        "readinessProbe": probes.ready("/readyz", "metrics"),
        "livenessProbe": probes.alive("/livez", "metrics"),
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": container_security_context(),
        "volumeMounts": [_mount("config", CONFIG), _mount("tls", TLS), {"name": VOLUME, "mountPath": str(DATA)}],
    }


def _mount(name: str, path: PurePosixPath) -> dict[str, Any]:
    return {"name": name, "mountPath": str(path), "readOnly": True}


def _volume_claim(mesh: IsekMesh) -> Manifest:
    storage = mesh.spec.etcd.storage
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": canonical_quantity(storage.size)}},
    }
    if storage.class_name:
        spec["storageClassName"] = storage.class_name
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": VOLUME, "labels": child_labels(mesh)},
        "spec": spec,
    }
