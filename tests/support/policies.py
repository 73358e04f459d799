"""What NetworkPolicies allow, by the rules of the API (networking.k8s.io/v1), for clusters that do not enforce them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod, as far as a policy sees it."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    """Named ports."""


@dataclass(frozen=True)
class Network:
    """The policies of a cluster, and the labels of its namespaces beside their names."""

    policies: Sequence[Manifest]
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def allows(self, source: Pod | str, target: Pod | str, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection is let through; what is no pod is an address."""
        named = {} if isinstance(target, str) else target.ports

        def at(ports: list[Manifest] | None) -> bool:
            return not ports or any(
                each.get("protocol", "TCP") == protocol and named.get(str(each["port"]), each["port"]) == port
                for each in ports
            )

        return (isinstance(target, str) or self._lets(target, "Ingress", source, at)) and (
            isinstance(source, str) or self._lets(source, "Egress", target, at)
        )

    def selecting(self, pod: Pod, direction: str) -> list[Manifest]:
        """The policies that say who may reach the pod (``Ingress``) or what it may reach (``Egress``)."""
        return [
            policy
            for policy in self.policies
            if policy["metadata"]["namespace"] == pod.namespace
            and direction in policy["spec"]["policyTypes"]
            and selects(policy["spec"]["podSelector"], pod.labels)
        ]

    def _lets(self, pod: Pod, direction: str, other: Pod | str, at: Callable[[list[Manifest] | None], bool]) -> bool:
        key, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
        selecting = self.selecting(pod, direction)
        if not selecting:
            return True  # isolated are pods that a policy selects
        return any(
            self._matches(policy, rule.get(peers), other) and at(rule.get("ports"))
            for policy in selecting
            for rule in policy["spec"].get(key) or ()
        )

    def _matches(self, policy: Manifest, peers: list[Manifest] | None, other: Pod | str) -> bool:
        return not peers or any(self.is_peer(policy, peer, other) for peer in peers)

    def is_peer(self, policy: Manifest, peer: Manifest, other: Pod | str) -> bool:
        """Whether a peer of one of the policy's rules is about ``other``."""
        if "ipBlock" in peer:
            return isinstance(other, str) and _within(other, peer["ipBlock"])
        if isinstance(other, str):
            return False
        if "namespaceSelector" in peer:
            labels = {"kubernetes.io/metadata.name": other.namespace, **self.namespaces.get(other.namespace, {})}
            if not selects(peer["namespaceSelector"], labels):
                return False
        elif other.namespace != policy["metadata"]["namespace"]:
            return False
        return selects(peer.get("podSelector") or {}, other.labels)


def selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """metav1.LabelSelector."""
    return (selector.get("matchLabels") or {}).items() <= labels.items() and all(
        _holds(each["operator"], labels.get(each["key"]), each.get("values") or ())
        for each in selector.get("matchExpressions") or ()
    )


def _holds(operator: str, value: str | None, values: Sequence[str]) -> bool:
    match operator:
        case "In" | "NotIn":
            return (value in values) is (operator == "In")
        case "Exists" | "DoesNotExist":
            return (value is not None) is (operator == "Exists")
        case _:
            raise ValueError(operator)


def _within(address: str, block: Manifest) -> bool:
    ip = ip_address(address)

    def inside(cidr: str) -> bool:
        network = ip_network(cidr)
        return ip.version == network.version and ip in network

    return inside(block["cidr"]) and not any(inside(each) for each in block.get("except") or ())
