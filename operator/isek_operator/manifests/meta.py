"""Names, labels and owner references of what the operator makes."""

from typing import Any

from isek.api import API_VERSION, Resource
from isek.api.resource import GROUP

from isek_operator.decide.outcome import Manifest

__all__ = [
    "CONFIG_HASH",
    "MANAGER",
    "Manifest",
    "child_labels",
    "child_meta",
    "joined_labels",
    "role",
    "role_label",
    "selector_text",
    "workload_name",
]

MANAGER = "isek-operator"
"""Who makes the objects: label value and field manager."""

JOINED_MESH = f"{GROUP}/joined-mesh"
JOINED_MESH_NAMESPACE = f"{GROUP}/joined-mesh-namespace"
"""A namespace and a name are too long for one value."""

CONFIG_HASH = f"{GROUP}/config-hash"
"""On the pod template: a hash of all that the pods are made from, so that each change of it rolls out.

Beside the template itself these are ``hosted.yaml``, the code of agents, and which Secret holds the private network's
key: a sidecar reads it once, and those with different keys do not speak to each other.
"""

_ROLES = {"IsekMesh": "mesh", "IsekNode": "node", "IsekAgent": "agent", "IsekTeam": "team"}


def role(owner: Resource) -> str:
    """mesh, node, agent or team."""
    return _ROLES[owner.kind]


def role_label(owner: Resource) -> str:
    """The label that holds the name of the custom resource."""
    return f"{GROUP}/{role(owner)}"


def workload_name(owner: Resource) -> str:
    """The name that the objects around the pods of an agent, a team or a node share."""
    return f"{owner.name}-{role(owner)}"


def joined_labels(mesh: Resource) -> dict[str, str]:
    """On the pods of all that joined ``mesh``: what NetworkPolicies know them by."""
    return {JOINED_MESH: mesh.name, JOINED_MESH_NAMESPACE: mesh.namespace}


def selector_text(owner: Resource) -> str:
    """The label selector of the owner's pods, as kubectl takes it."""
    return f"{role_label(owner)}={owner.name}"


def child_labels(owner: Resource) -> dict[str, str]:
    """The labels of what ``owner`` owns; its own labels are not copied (Argo CD's would come along)."""
    return {
        "app.kubernetes.io/managed-by": MANAGER,
        "app.kubernetes.io/name": f"isek-{role(owner)}",
        role_label(owner): owner.name,
    }


def child_meta(owner: Resource, name: str) -> dict[str, Any]:
    """The metadata of an object that ``owner`` owns and that goes with it by garbage collection."""
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": child_labels(owner),
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": owner.kind,
                "name": owner.name,
                "uid": owner.metadata.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
