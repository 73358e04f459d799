"""How the relays of a mesh are called, known and reached."""

from collections.abc import Iterable
from ipaddress import ip_address

from isek.api import GROUP, IsekMesh

from isek_operator.decide.outcome import Manifest
from isek_operator.manifests.meta import MANAGER

RELAY_PORT, WEBSOCKET_PORT = 9000, 9003
MAX_HOSTS = 8
"""Under which one relay is reached; as many as ``spec.p2p.relays.service.hosts`` takes."""

_RELAYS_OF, _NUMBER = f"{GROUP}/relays-of", f"{GROUP}/relay"


def relays_name(mesh: IsekMesh) -> str:
    """What all relays of a mesh share: ServiceAccount, PodDisruptionBudget, NetworkPolicy."""
    return f"{mesh.name}-relays"


def relay_name(mesh: IsekMesh, number: int) -> str:
    """The Deployment, the Service and the Secret of a relay."""
    return f"{mesh.name}-relay-{number}"


def relays_selector(mesh: IsekMesh) -> dict[str, str]:
    """The labels that select the pods of all relays; never those of the etcd."""
    return {_RELAYS_OF: mesh.name}


def relay_selector(mesh: IsekMesh, number: int) -> dict[str, str]:
    """The labels that select the pod of a relay."""
    return {**relays_selector(mesh), _NUMBER: str(number)}


def relay_labels(mesh: IsekMesh, number: int) -> dict[str, str]:
    """The labels of its pod."""
    return {
        "app.kubernetes.io/managed-by": MANAGER,
        "app.kubernetes.io/name": "isek-relay",
        **relay_selector(mesh, number),
    }


def relay_addresses(mesh: IsekMesh, service: Manifest, peer_id: str) -> tuple[str, ...]:
    """The multiaddrs under which a relay is reached through its live Service; none: it has no address yet.

    A name or address alone does not say who is to answer there, so each ends with the peer id. Over TCP alone: whoever
    reaches the Service for WebSockets reaches it for TCP, and each address more takes room in every node's record.
    """
    wanted, port = mesh.spec.p2p.relays.service, RELAY_PORT
    metadata, spec = service["metadata"], service["spec"]
    hosts: Iterable[str] = wanted.hosts
    if wanted.type == "ClusterIP":
        hosts = (f"{metadata['name']}.{metadata['namespace']}.svc",)
    elif wanted.type == "NodePort":
        port = next((each.get("nodePort") or 0 for each in spec["ports"] if each["port"] == RELAY_PORT), 0)
    elif not hosts:
        ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        known = {str(each.get("ip") or each.get("hostname") or "") for each in ingress} - {""}
        hosts = sorted(known)[:MAX_HOSTS]  # some load balancers name every machine of the cluster
    return tuple(f"/{_protocol(host)}/{host}/tcp/{port}/p2p/{peer_id}" for host in hosts) if port else ()


def _protocol(host: str) -> str:
    return f"ip{ip_address(host).version}" if is_address(host) else "dns"


def is_address(host: str) -> bool:
    """Whether it is an IP address, and not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def endpoint_of(multiaddr: str) -> tuple[str, int] | None:
    """Host and port of ``/<protocol>/<host>/tcp/<port>/…``; None: no port has that number."""
    _, _, host, _, port, *_ = multiaddr.split("/")
    return (host, int(port)) if 0 < int(port) < 65536 else None


def known_relays(mesh: IsekMesh) -> tuple[str, ...]:
    """All relays that sidecars of the mesh may use: the own ones that have addresses, and those elsewhere."""
    return tuple(dict.fromkeys((*mesh.status.relays, *mesh.spec.p2p.relays.addresses)))
