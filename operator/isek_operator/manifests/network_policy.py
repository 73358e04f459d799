"""The NetworkPolicies of workloads and of etcd: what follows from the references, and nothing else.

They only ever allow, so whoever needs more adds a NetworkPolicy of their own for the same pods
(https://kubernetes.io/docs/concepts/services-networking/network-policies/#the-two-sorts-of-pod-isolation).
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Address
from typing import Any

from isek.api import IsekMesh

from isek_operator.decide.destinations import Address, Anywhere, Destination, Pods, Public
from isek_operator.decide.workload import Workload
from isek_operator.manifests.etcd import CLIENT_PORT, METRICS_PORT, PEER_PORT, etcd_name, etcd_selector
from isek_operator.manifests.meta import MANAGER, Manifest, child_meta, joined_labels
from isek_operator.manifests.node_container import GRPC_PORT, HTTP_PORT, HTTPS_PORT
from isek_operator.manifests.p2p_container import HEALTH_PORT, P2P_PORT
from isek_operator.manifests.relay import (
    RELAY_PORT,
    WEBSOCKET_PORT,
    endpoint_of,
    is_address,
    known_relays,
    relays_name,
    relays_selector,
)
from isek_operator.settings import OperatorSettings

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""The label that the API server gives to every namespace."""

NODE_LOCAL_DNS = "169.254.20.10"
"""Where NodeLocal DNSCache answers (https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/)."""

OPENSHIFT_DNS = ("openshift-dns", 5353)
"""Where OpenShift's DNS pods are, and the port they listen on behind port 53 of their Service."""

NOT_PUBLIC_V4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
NAT64 = IPv6Address("64:ff9b::")
"""Before an IPv4 address it leads there (RFC 6052): the 96 bits of its prefix come first."""
NOT_PUBLIC_V6 = (
    "::1/128",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
    "64:ff9b:1::/48",  # NAT64 of a site's own (RFC 8215)
    *(f"{NAT64 + int(each.network_address)}/{96 + each.prefixlen}" for each in map(IPv4Network, NOT_PUBLIC_V4)),
)
"""Private, shared, loopback, link-local, multicast and reserved (IANA, Special-Purpose Address Registries)."""

Peer = dict[str, Any]
Rule = dict[str, Any]


def workload_network_policy(workload: Workload, settings: OperatorSettings) -> Manifest:
    """What the pods of a workload may reach, and who may reach them.

    In: the mesh, and all pods of the own namespace over HTTP, or over HTTPS alone, and over gRPC. Out: the mesh, its
    etcd and relays, DNS, and where URLs lead.
    """
    mesh = workload.mesh
    peers = _members(mesh)
    etcd = _pods(etcd_selector(mesh), _namespace(mesh.namespace))
    own_relays = mesh.spec.p2p.relays.replicas
    between = [P2P_PORT] if mesh.spec.p2p.enabled else [HTTP_PORT]
    last = [HTTP_PORT] if mesh.spec.p2p.fallback == "HTTP" else []
    # whoever shows a certificate is not to be asked in plain text as well
    taken = between if workload.template.tls_secret else between + last
    return _policy(
        child_meta(workload.owner, workload.name),
        workload.selector,
        ingress=[
            _from(peers, *taken),
            _from([{"podSelector": {}}], HTTPS_PORT if workload.template.tls_secret else HTTP_PORT, GRPC_PORT),
            *([_from_anywhere_inside(HEALTH_PORT)] if mesh.spec.p2p.enabled else []),
        ],
        egress=[
            *_dns(settings),
            *([_to([etcd], CLIENT_PORT)] if mesh.spec.etcd.external is None else []),
            _to(peers, *between, *last),
            *([_to([_pods(relays_selector(mesh), _namespace(mesh.namespace))], RELAY_PORT)] if own_relays else []),
            *_beyond(workload.destinations | _relays(mesh)),
        ],
    )


def etcd_network_policy(mesh: IsekMesh, settings: OperatorSettings) -> Manifest:
    """The mesh's nodes and the operator are clients, the members are each other's peers; metrics are open inside."""
    members: Peer = {"podSelector": {"matchLabels": etcd_selector(mesh)}}
    at = settings.lease_namespace
    operator = _pods({"app.kubernetes.io/name": MANAGER}, _namespace(at) if at else {})
    return _policy(
        child_meta(mesh, etcd_name(mesh)),
        etcd_selector(mesh),
        ingress=[
            _from([*_members(mesh), operator], CLIENT_PORT),
            _from([members], CLIENT_PORT, PEER_PORT),
            _from_anywhere_inside(METRICS_PORT),
            # from outside: addresses of other clusters are not known, and each client shows a certificate
            *([_from_anywhere(CLIENT_PORT)] if mesh.spec.etcd.expose else []),
        ],
        egress=[*_dns(settings), _to([members], CLIENT_PORT, PEER_PORT)],
    )


def relays_network_policy(mesh: IsekMesh) -> Manifest:
    """Whoever holds the key of the private network comes to a relay, which itself goes to nobody."""
    return _policy(
        child_meta(mesh, relays_name(mesh)),
        relays_selector(mesh),
        ingress=[_from_anywhere(RELAY_PORT), _from_anywhere(WEBSOCKET_PORT), _from_anywhere_inside(HEALTH_PORT)],
        egress=[],
    )


def _relays(mesh: IsekMesh) -> frozenset[Destination]:
    """Where relays are dialled. One of the own cluster is behind such an address as well: that of a machine.

    A name may be that of a load balancer within the own network."""
    endpoints = filter(None, map(endpoint_of, known_relays(mesh) if mesh.spec.p2p.enabled else ()))
    return frozenset(Address(host, port) if is_address(host) else Anywhere(port) for host, port in endpoints)


def _policy(metadata: Manifest, pods: Mapping[str, str], *, ingress: list[Rule], egress: list[Rule]) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {
            "podSelector": {"matchLabels": dict(pods)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            # the API server leaves out an empty list, which then would seem to be missing for ever
            **({"egress": egress} if egress else {}),
        },
    }


def _members(mesh: IsekMesh) -> list[Peer]:
    """The pods that joined ``mesh``, in all namespaces that it lets in."""
    allowed = mesh.spec.allowed_namespaces
    own = _pods(joined_labels(mesh), _namespace(mesh.namespace))
    if allowed.from_ == "All":
        return [_pods(joined_labels(mesh), {})]
    if allowed.selector is None:
        return [own]
    return [own, _pods(joined_labels(mesh), _filled(allowed.selector.to_manifest()))]


def _dns(settings: OperatorSettings) -> list[Rule]:
    """Also the addresses that pods ask: where a cache on each machine takes them over, no pod is behind them."""
    addresses = dict.fromkeys((NODE_LOCAL_DNS, *map(str, settings.dns_servers)))
    servers = [_pods({"k8s-app": "kube-dns"}, {}), *map(_address, addresses)]
    namespace, port = OPENSHIFT_DNS
    openshift: Peer = {"namespaceSelector": dict(_namespace(namespace))}
    return [_names(servers, 53), _names([openshift], port)]


def _names(servers: list[Peer], port: int) -> Rule:
    return {"to": servers, "ports": [_port(port, "UDP"), _port(port)]}


def _beyond(destinations: Iterable[Destination]) -> list[Rule]:
    """One rule for each Service and address; public hosts are told apart by their ports alone."""
    rules = []
    public: set[int] = set()
    for each in sorted(destinations, key=repr):
        match each:
            case Pods(namespace, labels, port):
                rules.append(_to([_pods(dict(sorted(labels)), _namespace(namespace))], port))
            case Address(ip, port):
                rules.append(_to([_address(ip)], port))
            case Anywhere(port):
                rules.append({"ports": [_port(port)]})
            case Public(port):
                public.add(port)
    if public:
        everywhere = [
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(NOT_PUBLIC_V4)}},
            {"ipBlock": {"cidr": "::/0", "except": list(NOT_PUBLIC_V6)}},
        ]
        rules.append(_to(everywhere, *sorted(public)))
    return rules


def _pods(labels: Mapping[str, str], namespaces: Mapping[str, Any]) -> Peer:
    return {"podSelector": {"matchLabels": dict(labels)}, "namespaceSelector": dict(namespaces)}


def _address(ip: str) -> Peer:
    return {"ipBlock": {"cidr": f"{ip}/{128 if ':' in ip else 32}"}}


def _namespace(name: str) -> Mapping[str, Any]:
    return {"matchLabels": {NAMESPACE_NAME: name}}


def _filled(selector: dict[str, Any]) -> dict[str, Any]:
    """A selector without what is empty: the API server drops that."""
    expressions = [{name: value for name, value in each.items() if value} for each in selector["matchExpressions"]]
    return {name: value for name, value in {**selector, "matchExpressions": expressions}.items() if value}


def _from(peers: list[Peer], *ports: int | str) -> Rule:
    return {"from": peers, "ports": [_port(port) for port in ports]}


def _from_anywhere_inside(port: int) -> Rule:
    return _from([{"namespaceSelector": {}}], port)


def _from_anywhere(port: int) -> Rule:
    return {"ports": [_port(port)]}


def _to(peers: list[Peer], *ports: int | str) -> Rule:
    return {"to": peers, "ports": [_port(port) for port in ports]}


def _port(port: int | str, protocol: str = "TCP") -> dict[str, Any]:
    return {"protocol": protocol, "port": port}
