"""The StatefulSet of a mesh's etcd."""

from typing import Any

from isek.api import IsekMesh

from isek_operator.manifests import probes
from isek_operator.manifests.etcd import (
    CLIENT_PORT,
    METRICS_PORT,
    PEER_PORT,
    etcd_name,
    etcd_peers_name,
    etcd_selector,
    etcd_shape,
)
from isek_operator.manifests.meta import Manifest, child_labels, child_meta
from isek_operator.manifests.quantity import canonical_quantity
from isek_operator.manifests.security import container_security_context, pod_security_context

SHAPE_ANNOTATION = "isek.io/etcd-shape"
"""What the etcd was made as: tells a mesh that asks for another from a StatefulSet that was edited by hand."""

DATA = "/var/lib/etcd"
QUOTA_BYTES = 256 * 1024 * 1024
"""Room for some ten thousand nodes of 4 KiB with their history, and less than the memory limit: etcd maps it."""


def etcd_stateful_set(mesh: IsekMesh) -> Manifest:
    """The members of the etcd, which find each other by the names that they have from the start.

    All start at once (Parallel), since none is ready before a quorum is. A new image rolls out one member at a time,
    and goes on only when that member reads through the quorum again (its readiness), so that a quorum is kept; with
    one member there is a gap, in which nodes go on with what they know. Volumes go with the StatefulSet, and stay when
    it is scaled by hand: a member that lost its disk does not come back by itself.
    """
    etcd, selector = mesh.spec.etcd, etcd_selector(mesh)
    meta = child_meta(mesh, etcd_name(mesh))
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {**meta, "annotations": {SHAPE_ANNOTATION: etcd_shape(mesh)}},
        "spec": {
            "replicas": etcd.replicas,
            "serviceName": etcd_peers_name(mesh),
            "selector": {"matchLabels": selector},
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "RollingUpdate"},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
            "template": {"metadata": {"labels": child_labels(mesh)}, "spec": _pod_spec(mesh)},
            "volumeClaimTemplates": [_volume_claim(mesh)],
        },
    }


def _pod_spec(mesh: IsekMesh) -> dict[str, Any]:
    return {
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
        "containers": [
            {
                "name": "etcd",
                "image": mesh.spec.etcd.image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["etcd"],
                "args": _arguments(mesh),
                "env": [
                    {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}
                ],
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
                "volumeMounts": [{"name": "data", "mountPath": DATA}],
            }
        ],
    }


def _arguments(mesh: IsekMesh) -> list[str]:
    # a volume or a member of a former etcd has another name in both and is never taken for its own
    identity = f"{mesh.metadata.uid}-{mesh.spec.etcd.replicas}"
    cluster = ",".join(f"{pod}={_url(mesh, pod, PEER_PORT)}" for pod in _pods(mesh))
    flags = {
        "name": "$(POD_NAME)",
        "data-dir": f"{DATA}/{identity}",
        "initial-cluster": cluster,
        "initial-cluster-state": "new",
        "initial-cluster-token": identity,
        "initial-advertise-peer-urls": _url(mesh, "$(POD_NAME)", PEER_PORT),
        "advertise-client-urls": _url(mesh, "$(POD_NAME)", CLIENT_PORT),
        "listen-peer-urls": f"http://0.0.0.0:{PEER_PORT}",
        "listen-client-urls": f"http://0.0.0.0:{CLIENT_PORT}",
        "listen-metrics-urls": f"http://0.0.0.0:{METRICS_PORT}",
        # readers that fall behind list anew, so little history is kept
        "auto-compaction-mode": "periodic",
        "auto-compaction-retention": "5m",
        "quota-backend-bytes": str(QUOTA_BYTES),
    }
    return [f"--{name}={value}" for name, value in flags.items()]


def _pods(mesh: IsekMesh) -> list[str]:
    return [f"{etcd_name(mesh)}-{ordinal}" for ordinal in range(mesh.spec.etcd.replicas)]


def _url(mesh: IsekMesh, pod: str, port: int) -> str:
    return f"http://{pod}.{etcd_peers_name(mesh)}.{mesh.namespace}.svc:{port}"


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
        "metadata": {"name": "data", "labels": child_labels(mesh)},
        "spec": spec,
    }
