"""The Services of workloads and of etcd."""

from typing import Any

from isek.api import IsekMesh

from isek_operator.decide.workload import Workload
from isek_operator.manifests.etcd import CLIENT_PORT, PEER_PORT, etcd_name, etcd_peers_name, etcd_selector
from isek_operator.manifests.meta import Manifest, child_meta
from isek_operator.manifests.node_container import HTTP_PORT


def workload_service(workload: Workload) -> Manifest:
    """One address for all pods of a workload."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child_meta(workload.owner, workload.name),
        "spec": {"selector": workload.selector, "ports": [_port("http", HTTP_PORT, appProtocol="http")]},
    }


def etcd_client_service(mesh: IsekMesh) -> Manifest:
    """One address for the members that answer; it outlives every change of their number."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child_meta(mesh, etcd_name(mesh)),
        "spec": {"selector": etcd_selector(mesh), "ports": [_port("client", CLIENT_PORT)]},
    }


def etcd_peer_service(mesh: IsekMesh) -> Manifest:
    """A name for each member, also before it is ready: members need each other to become ready."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child_meta(mesh, etcd_peers_name(mesh)),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": etcd_selector(mesh),
            "ports": [_port("client", CLIENT_PORT), _port("peer", PEER_PORT)],
        },
    }


def _port(name: str, number: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": number, "targetPort": name, "protocol": "TCP", **more}
