"""Agents of two namespaces in one mesh."""

from tests.support.api_examples import agent, mesh, team
from tests.support.isek_cli import Isek
from tests.support.kubectl import Kubectl, Object
from tests.support.leftovers import leftovers
from tests.support.waiting import until


async def test_agents_of_two_namespaces_ask_each_other_until_the_grant_is_withdrawn(
    namespace: Kubectl, neighbours: Kubectl
) -> None:
    ground = {"name": "ground", "namespace": namespace.namespace}
    asks_back = {"provider": "Scripted", "script": [call("parrot", namespace), {"text": "the parrot was asked"}]}
    await namespace.apply(
        mesh("ground", allowedNamespaces={"from": "All"}),
        agent("parrot", meshRef=ground),
        team("aviary", meshRef=ground, members=[{"agent": {"name": "writer", "namespace": neighbours.namespace}}]),
    )
    parrot = {"agent": {"name": "parrot", "namespace": namespace.namespace}}
    await neighbours.apply(agent("writer", meshRef=ground, model=asks_back, tools=[parrot]))
    await neighbours.until_condition("isekagent", "writer", within=240)
    await namespace.until_condition("isekteam", "aviary", within=180)

    reply = await Isek(namespace).ask("aviary", "hello")

    assert reply.text == "the parrot was asked"
    [writer] = reply.trace.children
    assert (writer.agent, writer.path) == (f"writer.{neighbours.namespace}", "libp2p")
    assert [(each.agent, each.path) for each in writer.children] == [(f"parrot.{namespace.namespace}", "libp2p")]

    await namespace.apply(mesh("ground", allowedNamespaces={"from": "Same"}))
    await neighbours.until_true("isekagent", "writer", refused, what="is refused")

    async def nothing_left() -> bool:
        return await leftovers(neighbours) == {"isekagent.isek.io/writer"}

    await until(nothing_left, within=90, what="neither pods nor a copy of the key are left")


def call(name: str, where: Kubectl) -> Object:
    """A turn in which a model asks an agent of another namespace."""
    return {"toolCalls": [{"name": f"{name}_{where.namespace}", "arguments": {"message": "hello"}}]}


def refused(live: Object) -> bool:
    return any(each["type"] == "Ready" and each["reason"] == "MeshNotAllowed" for each in live["status"]["conditions"])
