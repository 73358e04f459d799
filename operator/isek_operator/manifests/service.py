"""The Services of workloads and of etcd."""

from typing import Any

from isek.api import IsekMesh
from isek.api.mesh import EtcdExposure, RelayService

from isek_operator.decide.workload import Workload
from isek_operator.manifests.etcd import (
    CLIENT_PORT,
    PEER_PORT,
    etcd_name,
    etcd_outside_name,
    etcd_peers_name,
    etcd_selector,
)
from isek_operator.manifests.meta import Manifest, child_meta
from isek_operator.manifests.node_container import GRPC_PORT, HTTP_PORT, HTTPS_PORT
from isek_operator.manifests.relay import RELAY_PORT, WEBSOCKET_PORT, relay_name, relay_selector


def workload_service(workload: Workload) -> Manifest:
    """One address for all pods of a workload; with a certificate, nothing goes there in plain text."""
    plain = [
        _port("http", HTTP_PORT, appProtocol="http"),
        # HTTP/2 in the clear: what a Gateway's GRPCRoute needs to know (KEP-3726)
        _port("grpc", GRPC_PORT, appProtocol="kubernetes.io/h2c"),
    ]
    # said of gRPC, too: by the port's name alone a service mesh would take it for plain text
    secure = [_port("https", HTTPS_PORT, appProtocol="https"), _port("grpc", GRPC_PORT, appProtocol="https")]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child_meta(workload.owner, workload.name),
        "spec": {
            "selector": workload.selector,
            "ports": secure if workload.template.tls_secret else plain,
        },
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


def etcd_outside_service(mesh: IsekMesh, exposure: EtcdExposure) -> Manifest:
    """Where nodes of other clusters come to the members that answer."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _annotated(mesh, etcd_outside_name(mesh), exposure),
        "spec": {
            "type": exposure.type,
            "selector": etcd_selector(mesh),
            "ports": [_port("client", CLIENT_PORT)],
        },
    }


def relay_service(mesh: IsekMesh, number: int) -> Manifest:
    """The address of one relay."""
    wanted = mesh.spec.p2p.relays.service
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _annotated(mesh, relay_name(mesh, number), wanted),
        "spec": {
            "type": wanted.type,
            "selector": relay_selector(mesh, number),
            # the second for what ends TLS before it, as an Ingress does
            "ports": [_port("p2p", RELAY_PORT), _port("websocket", WEBSOCKET_PORT, targetPort=WEBSOCKET_PORT)],
        },
    }


def _annotated(mesh: IsekMesh, name: str, wanted: EtcdExposure | RelayService) -> Manifest:
    metadata = child_meta(mesh, name)
    return {**metadata, "annotations": dict(wanted.annotations)} if wanted.annotations else metadata


def _port(name: str, number: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": number, "targetPort": name, "protocol": "TCP", **more}
