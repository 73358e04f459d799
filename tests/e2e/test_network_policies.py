"""The policies, enforced: all works with them, and what nobody refers to is out of reach."""

import json

from tests.support.api_examples import agent, team
from tests.support.isek_cli import Isek
from tests.support.kubectl import Kubectl, Object
from tests.support.policy_enforcer import PolicyEnforcer
from tests.support.waiting import until

TRIES = """
import json, socket, sys
for host, port in json.loads(sys.argv[1]):
    try:
        socket.create_connection((host, port), timeout=5).close()
        print("reached")
    except OSError as error:
        print(type(error).__name__)
"""


async def test_a_team_works_and_reaches_nothing_else_while_policies_are_enforced(
    cluster: Kubectl, namespace: Kubectl, neighbours: Kubectl
) -> None:
    async with PolicyEnforcer(cluster).enforcing():
        await namespace.apply(
            agent("parrot"),
            agent("asker", model={"provider": "OpenAI", "name": "m", "baseURL": "http://lab-agent:8080/v1"}),
            agent("lab"),
            team("aviary", members=[{"agent": {"name": "parrot"}}]),
        )
        await neighbours.apply(agent("stranger"))
        await namespace.until_condition("isekteam", "aviary", within=300)
        await namespace.until_condition("isekagent", "asker", within=120)
        await neighbours.until_condition("isekagent", "stranger", within=120)

        reply = await Isek(namespace).ask("aviary", "hello")
        assert reply.text == "hello"
        assert [trace.path for trace in reply.trace.children] == ["libp2p"]

        parrot = await address(namespace, "isek.io/agent=parrot")
        lab = await address(namespace, "isek.io/agent=lab")
        stranger = await address(neighbours, "isek.io/agent=stranger")
        own_etcd, their_etcd = f"default-etcd.{namespace.namespace}.svc", f"default-etcd.{neighbours.namespace}.svc"
        machine = await a_machine_elsewhere(cluster, namespace, "isek.io/agent=parrot")

        async def as_policies_say() -> bool:
            # a pod that has just come is found within a second
            assert await tried(namespace, "parrot-agent", (own_etcd, 2379), (lab, 9000)) == ["reached"] * 2
            assert await tried(namespace, "asker-agent", ("lab-agent", 8080), (parrot, 9000)) == ["reached"] * 2
            refused = [(their_etcd, 2379), (stranger, 9000), (stranger, 8080), (machine, 6443), ("lab-agent", 8080)]
            return "reached" not in await tried(namespace, "parrot-agent", *refused)

        await until(as_policies_say, within=30, what="the policies are enforced")
        refused = [(own_etcd, 2379), (own_etcd, 2380), (parrot, 9000), (parrot, 8080)]
        assert "reached" not in await tried(neighbours, "stranger-agent", *refused)
        reply = await Isek(namespace).ask("aviary", "still there?")
        assert reply.text == "still there?"


async def tried(namespace: Kubectl, deployment: str, *targets: tuple[str, int]) -> list[str]:
    """What came of a connection from a pod of a Deployment to each target."""
    program = ("python", "-c", TRIES, json.dumps(targets))
    output = await namespace("exec", f"deployment/{deployment}", "--container=node", "--", *program)
    return output.split()


async def address(namespace: Kubectl, labels: str) -> str:
    """The address of the pod with these labels."""
    [pod] = await namespace.list("pod", labels=labels)
    return str(pod["status"]["podIP"])


async def a_machine_elsewhere(cluster: Kubectl, namespace: Kubectl, labels: str) -> str:
    """A private address where something listens on 6443: the control plane's, unless the pods run on it."""
    [pod] = await namespace.list("pod", labels=labels)
    [control_plane] = await cluster.list("node", labels="node-role.kubernetes.io/control-plane")
    assert pod["spec"]["nodeName"] != control_plane["metadata"]["name"]
    addresses: list[Object] = control_plane["status"]["addresses"]
    return next(str(each["address"]) for each in addresses if each["type"] == "InternalIP")
