"""The Secret that holds the private network key of a mesh."""

from isek.api import IsekMesh

from isek_operator.decide.outcome import GeneratedSecret, NetworkKey
from isek_operator.manifests.meta import child_meta

WATCH_LABEL = "isek.io/watch"
"""On a Secret: a change of it is seen at once."""

PRIVATE_NETWORK_KEY = "private-network.key"
"""The key in the Secret, and the name of the file in the sidecar."""


def private_network_secret_name(mesh: IsekMesh) -> str:
    """The Secret that holds the key of ``mesh``."""
    return f"{mesh.name}-p2p"


def private_network_secret(mesh: IsekMesh) -> GeneratedSecret:
    """The key without which nobody speaks to the sidecars of ``mesh``.

    Not ``immutable``: a kubelet keeps such a Secret of before when it was deleted and made anew
    (https://github.com/kubernetes/kubernetes/issues/131589), and two keys would split the mesh.
    """
    metadata = child_meta(mesh, private_network_secret_name(mesh))
    metadata["labels"][WATCH_LABEL] = "true"  # else nobody tells when it is deleted
    return GeneratedSecret(
        manifest={
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": "Opaque",
        },
        content=NetworkKey(PRIVATE_NETWORK_KEY),
    )
