"""Agents and teams on an IsekNode."""

from tests.support.api_examples import agent, node, team
from tests.support.isek_cli import Isek
from tests.support.kubectl import Kubectl

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
    (pod,) = await namespace.list("pod", labels="isek.io/node=shared")
    assert reply.trace.node == f"{pod['metadata']['name']}.{namespace.namespace}"
    assert await namespace.list("deployment", labels="isek.io/agent") == []
