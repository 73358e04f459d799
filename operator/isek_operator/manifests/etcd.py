"""How the parts of a mesh's etcd are called and reached."""

from isek.api import IsekMesh

from isek_operator.manifests.meta import role_label
from isek_operator.manifests.quantity import canonical_quantity

CLIENT_PORT = 2379
PEER_PORT = 2380
METRICS_PORT = 2381
TLS = "tls"
"""In the shape of an etcd: it speaks TLS."""


def etcd_name(mesh: IsekMesh) -> str:
    """The StatefulSet, the client Service, the ConfigMap and the PodDisruptionBudget."""
    return f"{mesh.name}-etcd"


def etcd_peers_name(mesh: IsekMesh) -> str:
    """The headless Service that gives each member a name."""
    return f"{mesh.name}-etcd-peers"


def etcd_outside_name(mesh: IsekMesh) -> str:
    """The Service through which other clusters reach it."""
    return f"{etcd_name(mesh)}-outside"


def etcd_pod_name(mesh: IsekMesh, ordinal: int) -> str:
    """The pod of a member, and the member."""
    return f"{etcd_name(mesh)}-{ordinal}"


def etcd_selector(mesh: IsekMesh) -> dict[str, str]:
    """The labels that select the members' pods, and their volume claims."""
    return {role_label(mesh): mesh.name}


def etcd_peers_domain(mesh: IsekMesh) -> str:
    """Below which each member has a name."""
    return f"{etcd_peers_name(mesh)}.{mesh.namespace}.svc"


def etcd_peer_url(mesh: IsekMesh, ordinal: int) -> str:
    """Where other members reach a member."""
    return f"https://{etcd_pod_name(mesh, ordinal)}.{etcd_peers_domain(mesh)}:{PEER_PORT}"


def etcd_client_url(mesh: IsekMesh, ordinal: int) -> str:
    """Where a member answers clients."""
    return f"https://{etcd_pod_name(mesh, ordinal)}.{etcd_peers_domain(mesh)}:{CLIENT_PORT}"


def etcd_service_host(mesh: IsekMesh) -> str:
    """The Service in front of the members."""
    return f"{etcd_name(mesh)}.{mesh.namespace}.svc"


def etcd_endpoints(mesh: IsekMesh) -> tuple[str, ...]:
    """Where etcd answers nodes, ``host:port`` each."""
    external = mesh.spec.etcd.external
    if external:
        return tuple(endpoint.removeprefix("https://") for endpoint in external.endpoints)
    return (f"{etcd_service_host(mesh)}:{CLIENT_PORT}",)


def etcd_shape(mesh: IsekMesh) -> str:
    """What cannot change about a running etcd: its members' volumes, and that they speak TLS."""
    storage = mesh.spec.etcd.storage
    return "/".join(filter(None, (TLS, canonical_quantity(storage.size), storage.class_name)))
