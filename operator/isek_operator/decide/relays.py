"""The relays of a mesh: which there are to be, and how they stand.

Each is a Deployment of one pod. A relay that is to be another is replaced only while all others answer, so that whoever
is reached through relays stays within reach.
"""

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, replace

from isek.api import IsekMesh

from isek_operator.decide.conditions import Verdict
from isek_operator.decide.network_key import made_network_key, network_key_source
from isek_operator.decide.outcome import Finding, GeneratedSecret, Manifest
from isek_operator.decide.reasons import Reason
from isek_operator.decide.rollout import child
from isek_operator.decide.upgrade import config_hash, is_complete
from isek_operator.decide.world import World
from isek_operator.manifests.network_policy import relays_network_policy
from isek_operator.manifests.pod_disruption_budget import relays_disruption_budget
from isek_operator.manifests.relay import relay_addresses, relay_name
from isek_operator.manifests.relay_deployment import relay_deployment
from isek_operator.manifests.secret import PEER_ID, relay_secret
from isek_operator.manifests.service import relay_service
from isek_operator.manifests.service_account import relays_service_account
from isek_operator.settings import OperatorSettings


@dataclass(frozen=True)
class Relay:
    """A relay that there is to be."""

    number: int
    addresses: tuple[str, ...]
    """Its multiaddrs; none: they are not known yet."""
    live: Manifest | None
    """Its Deployment; None: it is not there."""
    wished: Manifest | None
    """What that is to be; None: it is not known yet."""

    @property
    def ready(self) -> bool:
        """Whether it answers, in whatever form."""
        return bool(((self.live or {}).get("status") or {}).get("readyReplicas"))

    @property
    def settled(self) -> bool:
        """Whether it answers, and is as it is to be."""
        return self.live is not None and is_complete(self.live) and not self.outdated

    @property
    def outdated(self) -> bool:
        """Whether it is another than it is to be."""
        return bool(self.live and self.wished) and config_hash(self.live or {}) != config_hash(self.wished or {})


@dataclass(frozen=True)
class Relays:
    """What follows."""

    mesh: IsekMesh
    relays: tuple[Relay, ...] = ()

    @property
    def secrets(self) -> tuple[GeneratedSecret, ...]:
        """Their identities."""
        return tuple(relay_secret(self.mesh, relay.number) for relay in self.relays)

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of their multiaddrs."""
        return tuple(address for relay in self.relays for address in relay.addresses)

    @property
    def wish(self) -> Iterator[Manifest]:
        """Their objects, those left out that are ``kept``."""
        if not self.relays:
            return
        yield relays_service_account(self.mesh)
        yield from (relays_disruption_budget(self.mesh), relays_network_policy(self.mesh))
        # all of them first: an address may take a while
        yield from (relay_service(self.mesh, relay.number) for relay in self.relays)
        yield from (relay.wished for relay in self.relays if relay.wished and not self._stays(relay))

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        """Deployments that stay as they are for now."""
        return tuple(
            ("Deployment", relay_name(self.mesh, relay.number))
            for relay in self.relays
            if relay.live and (relay.wished is None or self._stays(relay))
        )

    @property
    def status(self) -> dict[str, list[str]]:
        """Fields of the status: a list, also an empty one, since the API server fills that in where it is missing."""
        return {"relays": list(self.addresses)}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """RelaysAvailable, where relays are asked for."""
        if not self.relays:
            return ()
        ready = sum(relay.ready for relay in self.relays)
        reason, message = self._trouble or (Reason.ALL_RELAYS_READY, f"{ready} of {len(self.relays)} relays answer")
        return (Finding("RelaysAvailable", ready > 0, reason, message),)

    def judge(self, verdict: Verdict) -> Verdict:
        """The verdict about all else, or what is missing of the relays."""
        return Verdict.moving(*self._trouble) if verdict.ready and self._trouble else verdict

    @property
    def _trouble(self) -> tuple[Reason, str] | None:
        answering = f"{sum(relay.ready for relay in self.relays)} of {len(self.relays)} relays answer"
        if homeless := [relay for relay in self.relays if not relay.addresses]:
            name = relay_name(self.mesh, homeless[0].number)
            message = f"{answering}; Service {name!r} has no address yet, without which nobody could dial the relay"
            return Reason.RELAY_WITHOUT_ADDRESS, f"{message}; see kubectl describe service {name}"
        if moving := [relay for relay in self.relays if not relay.settled]:
            name = relay_name(self.mesh, moving[0].number)
            return Reason.RELAYS_NOT_READY, f"{answering}; see kubectl describe deployment {name}"
        return None

    def _stays(self, relay: Relay) -> bool:
        """Whether an outdated relay answers, and another one does not or is to be replaced before it."""
        if not (relay.outdated and relay.ready):
            return False
        others = (other for other in self.relays if other != relay and (other.live or other.wished))
        return any(
            other.number < relay.number if other.outdated and other.ready else not other.settled for other in others
        )


def gather_relays(mesh: IsekMesh, world: World, settings: OperatorSettings) -> Relays:
    """Look up all that the relays of ``mesh`` depend on."""
    children = tuple(world.children(mesh.metadata.uid))
    network_key, made = network_key_source(mesh, world), made_network_key(mesh, world)

    def relay(number: int) -> Relay:
        name = relay_name(mesh, number)
        identity, service = child(children, "Secret", name), child(children, "Service", name)
        peer_id = b64decode((identity or {"data": {}})["data"].get(PEER_ID) or "").decode()
        addresses = relay_addresses(mesh, service, peer_id) if service and peer_id else ()
        found = Relay(number, addresses, child(children, "Deployment", name), None)
        if not (addresses and identity and network_key):
            return found
        keys = tuple(str(secret["metadata"]["uid"]) for secret in (identity, made) if secret)
        return replace(found, wished=relay_deployment(mesh, number, addresses, keys, settings))

    return Relays(mesh, tuple(map(relay, range(mesh.spec.p2p.relays.replicas))))
