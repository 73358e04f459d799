"""The Secrets of a mesh whose values the operator makes."""

from isek.api import IsekMesh

from isek_operator.decide.outcome import GeneratedSecret, Manifest, NetworkKey, PeerKey
from isek_operator.manifests.meta import child_meta
from isek_operator.manifests.relay import relay_name

WATCH_LABEL = "isek.io/watch"
"""On a Secret: a change of it is seen at once."""

PRIVATE_NETWORK_KEY = "private-network.key"
"""The key in the Secret that the operator makes, and the name of the file in the sidecar."""
GIVEN_NETWORK_KEY = "swarm.key"
"""The key in a Secret that a user gives, as other programs that speak libp2p call such a file."""

PEER_KEY, PEER_ID = "identity.key", "identity.peer-id"
"""Keys of a Secret with the identity of a libp2p peer."""

CA_CERTIFICATE, CERTIFICATE, PRIVATE_KEY = "ca.crt", "tls.crt", "tls.key"
"""Keys of a Secret with a certificate, as cert-manager calls them."""
CERTIFICATE_KEYS = (CA_CERTIFICATE, CERTIFICATE, PRIVATE_KEY)


def private_network_secret_name(mesh: IsekMesh) -> str:
    """The Secret that holds the key of the private network of ``mesh``: a user's, or the operator's."""
    return mesh.spec.p2p.private_network_key.secret_name or made_network_secret_name(mesh)


def private_network_data_key(mesh: IsekMesh) -> str:
    """Under which key it stands in there."""
    return GIVEN_NETWORK_KEY if mesh.spec.p2p.private_network_key.secret_name else PRIVATE_NETWORK_KEY


def made_network_secret_name(mesh: IsekMesh) -> str:
    """The Secret with the key that the operator makes."""
    return f"{mesh.name}-p2p"


def etcd_authority_secret_name(mesh: IsekMesh) -> str:
    """The Secret with the authority of the mesh's etcd. No pod mounts it."""
    return f"{mesh.name}-etcd-ca"


def etcd_server_secret_name(mesh: IsekMesh) -> str:
    """The Secret with the certificate of all members."""
    return f"{mesh.name}-etcd-server"


def etcd_client_secret_name(mesh: IsekMesh) -> str:
    """The Secret with the certificate that nodes show."""
    external = mesh.spec.etcd.external
    return external.tls_secret.name if external else f"{mesh.name}-etcd-client"


def etcd_root_secret_name(mesh: IsekMesh) -> str:
    """The Secret with the certificate that the operator shows."""
    return f"{mesh.name}-etcd-root"


def private_network_secret(mesh: IsekMesh) -> GeneratedSecret:
    """The key without which nobody speaks to the sidecars of ``mesh``.

    Not ``immutable``: a kubelet keeps such a Secret of before when it was deleted and made anew
    (https://github.com/kubernetes/kubernetes/issues/131589), and two keys would split the mesh.
    """
    return GeneratedSecret(
        manifest=_secret(mesh, made_network_secret_name(mesh), "Opaque"),
        content=NetworkKey(PRIVATE_NETWORK_KEY),
    )


def relay_secret(mesh: IsekMesh, number: int) -> GeneratedSecret:
    """The identity of a relay, which stays as long as there is to be one of that number."""
    return GeneratedSecret(
        manifest=_secret(mesh, relay_name(mesh, number), "Opaque"), content=PeerKey(private=PEER_KEY, public=PEER_ID)
    )


def certificate_secret(mesh: IsekMesh, name: str, annotations: dict[str, str] | None = None) -> Manifest:
    """A Secret with a certificate, its key and the bundle that others are checked against, without its data."""
    manifest = _secret(mesh, name, "kubernetes.io/tls")
    if annotations:
        manifest["metadata"]["annotations"] = annotations
    return manifest


def _secret(mesh: IsekMesh, name: str, kind: str) -> Manifest:
    metadata = child_meta(mesh, name)
    metadata["labels"][WATCH_LABEL] = "true"  # else nobody tells when it is changed or deleted
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind}
