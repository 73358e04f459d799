"""The ServiceAccounts of workloads and of etcd."""

from isek.api import IsekMesh, Resource

from isek_operator.decide.workload import Workload
from isek_operator.manifests.etcd import etcd_name
from isek_operator.manifests.meta import Manifest, child_meta
from isek_operator.manifests.relay import relays_name


def workload_service_account(workload: Workload) -> Manifest:
    """Of the pods that host agents."""
    return _powerless(workload.owner, workload.name)


def etcd_service_account(mesh: IsekMesh) -> Manifest:
    """Of etcd's members."""
    return _powerless(mesh, etcd_name(mesh))


def relays_service_account(mesh: IsekMesh) -> Manifest:
    """Of the relays."""
    return _powerless(mesh, relays_name(mesh))


def _powerless(owner: Resource, name: str) -> Manifest:
    """An identity that may do nothing, so that rights given to ``default`` do not reach these pods."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": child_meta(owner, name),
        "automountServiceAccountToken": False,
    }
