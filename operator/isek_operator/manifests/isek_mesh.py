"""The mesh that is made where none is named and none is there."""

from isek.api import API_VERSION
from isek.api.workload import DEFAULT_MESH

from isek_operator.manifests.meta import Manifest
from isek_operator.settings import OperatorSettings

MADE_BY_DEFAULT = "isek.io/made-by-default"


def default_mesh(namespace: str, settings: OperatorSettings) -> Manifest:
    """The IsekMesh ``default``. Nobody owns it: it goes when the last one that uses it has gone."""
    return {
        "apiVersion": API_VERSION,
        "kind": "IsekMesh",
        "metadata": {"name": DEFAULT_MESH, "namespace": namespace, "labels": {MADE_BY_DEFAULT: "true"}},
        "spec": {"etcd": {"replicas": 1, "image": settings.etcd_image}},
    }
