"""Enforces NetworkPolicies on a kind cluster whose own pod network does not: by iptables on its machines."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Network, ip_network
from typing import Any

from tests.support.kubectl import Kubectl, run
from tests.support.policies import Manifest, Network, Pod

CHAIN = "ISEK-POLICY"
SIDES = {"Ingress": ("ingress", "from", "-d", "-s"), "Egress": ("egress", "to", "-s", "-d")}
"""Direction: its rules, their peers, and how iptables calls the address of the pod and of the other."""
ALLOWED = "0x100000"
"""A bit of a packet's mark that nobody else uses."""
LOOK_SECONDS = 0.5

Rules = list[str]


class PolicyEnforcer:
    """Keeps the machines' rules up to date with the cluster's policies and pods.

    What a machine itself sends to its pods is let through, as the API wants it. IPv4 only, as the cluster is.
    """

    def __init__(self, cluster: Kubectl) -> None:
        self._cluster = cluster
        self._written: Rules = []

    @asynccontextmanager
    async def enforcing(self) -> AsyncIterator[None]:
        """Enforce from now on, also for what comes later."""
        machines = [node["metadata"]["name"] for node in await self._cluster.list("node")]
        for machine in machines:
            await _on(machine, f"iptables -N {CHAIN}; iptables -I FORWARD -j {CHAIN}")
        await self._sync(machines)
        following = asyncio.create_task(self._follow(machines))
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            for machine in machines:
                await _on(machine, f"iptables -D FORWARD -j {CHAIN}; iptables -F {CHAIN}; iptables -X {CHAIN}")

    async def _follow(self, machines: Sequence[str]) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._sync(machines)

    async def _sync(self, machines: Sequence[str]) -> None:
        wanted = ["networkpolicy,pod,namespace", "--all-namespaces", "--output=json"]
        found: list[Manifest] = json.loads(await self._cluster("get", *wanted))["items"]
        rules = list(compiled(found))
        if rules == self._written:
            return
        text = "\n".join(["*filter", f":{CHAIN} - [0:0]", *rules, "COMMIT", ""])
        for machine in machines:
            await run("docker", "exec", "-i", machine, "iptables-restore", "--noflush", stdin=text)
        self._written = rules


def compiled(objects: Iterable[Manifest]) -> Iterator[str]:
    """The rules of iptables that enforce the policies among ``objects`` for the pods among them."""
    by_kind: dict[str, list[Manifest]] = {"NetworkPolicy": [], "Pod": [], "Namespace": []}
    for each in objects:
        by_kind[each["kind"]].append(each)
    namespaces = {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in by_kind["Namespace"]}
    network = Network(by_kind["NetworkPolicy"], namespaces)
    pods = dict(sorted(_addresses(by_kind["Pod"])))
    yield f"-A {CHAIN} -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN"
    for ip, pod in pods.items():
        for direction, (_, _, own, _) in SIDES.items():
            if policies := network.selecting(pod, direction):
                # marked, and not returned: what may leave its source still has to be let in by its target
                yield f"-A {CHAIN} {own} {ip} -j MARK --set-xmark 0/{ALLOWED}"
                for allowed in _allowed(network, policies, direction, ip, pods):
                    yield f"-A {CHAIN} {allowed} -j MARK --set-xmark {ALLOWED}/{ALLOWED}"
                refused = f"-A {CHAIN} {own} {ip} -m mark --mark 0/{ALLOWED}"
                yield f"{refused} -p tcp -j REJECT --reject-with tcp-reset"
                yield f"{refused} -j REJECT"


def _allowed(
    network: Network, policies: Sequence[Manifest], direction: str, ip: str, pods: dict[str, Pod]
) -> Iterator[str]:
    rules, peers, own, other = SIDES[direction]
    for policy in policies:
        for rule in policy["spec"].get(rules) or ():
            for address, named in _others(network, policy, rule.get(peers), pods):
                target = pods[ip] if direction == "Ingress" else named
                for port in _ports(rule.get("ports"), target):
                    yield " ".join(filter(None, (f"{own} {ip}", address and f"{other} {address}", port)))


def _others(
    network: Network, policy: Manifest, peers: list[Manifest] | None, pods: dict[str, Pod]
) -> Iterator[tuple[str, Pod | None]]:
    """Address and pod of each that a rule is about; no address: everybody."""
    if not peers:
        yield "", None
    for peer in peers or ():
        if "ipBlock" not in peer:
            yield from ((ip, pod) for ip, pod in pods.items() if network.is_peer(policy, peer, pod))
        elif ":" not in peer["ipBlock"]["cidr"]:
            yield from ((str(each), None) for each in _without(peer["ipBlock"]))


def _without(block: dict[str, Any]) -> list[IPv4Network]:
    """The networks of an ipBlock that are left when its exceptions are taken out."""
    left = [IPv4Network(block["cidr"])]
    for text in block.get("except") or ():
        hole = IPv4Network(text)
        left = [
            part
            for each in left
            for part in (each.address_exclude(hole) if hole.subnet_of(each) else [each])
            if not part.subnet_of(hole)
        ]
    return sorted(left)


def _ports(ports: list[Manifest] | None, target: Pod | None) -> Iterator[str]:
    if not ports:
        yield ""
    for each in ports or ():
        number = (target.ports if target else {}).get(str(each["port"]), each["port"])
        if isinstance(number, int):
            yield f"-p {each.get('protocol', 'TCP').lower()} --dport {number}"


def _addresses(pods: Iterable[Manifest]) -> Iterator[tuple[str, Pod]]:
    """The pods that have an address of their own."""
    for pod in pods:
        ip = pod["status"].get("podIP")
        if not ip or pod["spec"].get("hostNetwork") or pod["status"]["phase"] in {"Succeeded", "Failed"}:
            continue
        assert ip_network(ip).version == 4
        containers = [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
        ports = {
            port["name"]: port["containerPort"] for c in containers for port in c.get("ports", ()) if "name" in port
        }
        yield ip, Pod(pod["metadata"]["namespace"], pod["metadata"].get("labels") or {}, ports)


async def _on(machine: str, script: str) -> None:
    await run("docker", "exec", machine, "sh", "-c", script)
