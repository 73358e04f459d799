"""Agents and teams on an IsekNode."""

from pathlib import Path

from tests.support.api_examples import agent, node, team
from tests.support.isek_cli import Isek
from tests.support.kubectl import Kubectl

EXAMPLE = Path(__file__).parents[2] / "examples" / "shared-node"
SHARED = {"nodeRef": {"name": "shared"}}


async def test_agents_of_one_node_ask_each_other_in_process(namespace: Kubectl) -> None:
    await namespace.apply(
        node("shared"),
        agent("parrot", **SHARED),
        agent("finch", **SHARED),
        team("aviary", members=[{"agent": {"name": "parrot"}}, {"agent": {"name": "finch"}}], **SHARED),
    )
    await namespace.until_condition("isekteam", "aviary", within=180)

    reply = await Isek(namespace).ask("aviary", "hello")

    assert reply.text == "hello"
    assert [(trace.agent.partition(".")[0], trace.path) for trace in reply.trace.children] == [
        ("parrot", "local"),
        ("finch", "local"),
    ]
    assert reply.trace.node in await nodes_of(namespace, "shared")
    assert await namespace.list("deployment", labels="isek.io/agent") == []


async def test_an_agent_uses_the_agents_of_another_node_as_tools(namespace: Kubectl) -> None:
    await namespace("apply", "-f", EXAMPLE)
    await namespace.until_condition("isekagent", "statistician", within=180)
    await namespace.until_condition("isekagent", "archivist")
    await namespace.until_condition("isekagent", "editor")

    reply = await Isek(namespace).ask("editor", "How far is the sun?")

    assert "8.32 minutes" in reply.text
    asked = reply.trace.children
    assert sorted(trace.agent.partition(".")[0] for trace in asked) == ["archivist", "statistician"]
    assert {trace.path for trace in asked} == {"libp2p"}
    assert {trace.node for trace in asked} <= await nodes_of(namespace, "desk")


async def nodes_of(namespace: Kubectl, name: str) -> set[str]:
    """The node ids of an IsekNode's pods. There may be one that a later agent has made obsolete, on its way out."""
    pods = await namespace.list("pod", labels=f"isek.io/node={name}")
    return {f"{pod['metadata']['name']}.{namespace.namespace}" for pod in pods}
