"""How the parts of a mesh's etcd are called and reached."""

from isek.api import IsekMesh

from isek_operator.manifests.meta import role_label
from isek_operator.manifests.quantity import canonical_quantity

CLIENT_PORT = 2379
PEER_PORT = 2380
METRICS_PORT = 2381


def etcd_name(mesh: IsekMesh) -> str:
    """The StatefulSet, the client Service and the PodDisruptionBudget."""
    return f"{mesh.name}-etcd"


def etcd_peers_name(mesh: IsekMesh) -> str:
    """The headless Service that gives each member a name."""
    return f"{mesh.name}-etcd-peers"


def etcd_selector(mesh: IsekMesh) -> dict[str, str]:
    """The labels that select the members' pods, and their volume claims."""
    return {role_label(mesh): mesh.name}


def etcd_endpoint(mesh: IsekMesh) -> str:
    """Where etcd answers inside the cluster, ``host:port``."""
    return f"{etcd_name(mesh)}.{mesh.namespace}.svc:{CLIENT_PORT}"


def etcd_shape(mesh: IsekMesh) -> str:
    """What cannot change about a running etcd: members and their volumes."""
    etcd = mesh.spec.etcd
    shape = f"{etcd.replicas}x{canonical_quantity(etcd.storage.size)}"
    return f"{shape}/{etcd.storage.class_name}" if etcd.storage.class_name else shape
