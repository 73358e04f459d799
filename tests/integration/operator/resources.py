"""Custom resources for the tests, as small as they may be."""

from typing import Any

Object = dict[str, Any]

CHILD_KINDS = (
    "Deployment",
    "StatefulSet",
    "ConfigMap",
    "Service",
    "ServiceAccount",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "Secret",
)
OURS = "app.kubernetes.io/managed-by=isek-operator"


def resource(kind: str, name: str, **spec: Any) -> Object:
    return {"apiVersion": "isek.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def agent(name: str = "writer", **spec: Any) -> Object:
    return resource("IsekAgent", name, **{"model": {"provider": "Echo"}, **spec})


def team(name: str = "newsroom", *members: str, **spec: Any) -> Object:
    return resource("IsekTeam", name, members=[{"agent": {"name": member}} for member in members], **spec)


def node(name: str = "shared", **spec: Any) -> Object:
    return resource("IsekNode", name, **spec)


def mesh(name: str = "default", **spec: Any) -> Object:
    return resource("IsekMesh", name, **spec)
