"""The story of the README on a cluster: three files become agents that answer. One newsroom serves all its chapters."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.support.isek_cli import Isek
from tests.support.kubectl import Kubectl
from tests.support.leftovers import leftovers
from tests.support.machines import kill_for_good, resident_kilobytes
from tests.support.waiting import until

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"
QUESTION = "Why is the sky blue?"
REGISTRY_TTL_SECONDS = 15
FORGOTTEN_WITHIN = REGISTRY_TTL_SECONDS + 3
"""Seconds: etcd looks for leases that have run out twice a second, and tells those who watch."""

StoryIfFailed = Callable[[Kubectl], Awaitable[None]]
Figure = Callable[[str], None]


@pytest.fixture
async def newsroom(module_namespace: Kubectl, story_if_failed: StoryIfFailed) -> AsyncIterator[Kubectl]:
    """Kubectl in the namespace of all chapters; the first one applies the quickstart."""
    yield module_namespace
    await story_if_failed(module_namespace)


async def test_three_files_become_agents_that_answer_over_libp2p(newsroom: Kubectl, figure: Figure) -> None:
    start = time.monotonic()
    await newsroom("apply", "-f", QUICKSTART)
    await newsroom.until_condition("isekteam", "newsroom", within=180)
    ready = time.monotonic()
    reply = await Isek(newsroom).ask("newsroom", QUESTION)
    answered = time.monotonic()
    figure(f"from kubectl apply to Ready {ready - start:.1f} s, to the first answer {answered - start:.1f} s")

    assert f"You asked: {QUESTION}" in reply.text  # the researcher got the question,
    assert "Written by the writer" in reply.text  # and the writer what the researcher made of it
    asked = reply.trace.children
    assert [trace.agent for trace in asked] == [f"researcher.{newsroom.namespace}", f"writer.{newsroom.namespace}"]
    assert {trace.path for trace in asked} == {"libp2p"}
    # each part of the trace is told by another pod, under the peer id that this pod has in the registry
    parts = [reply.trace, *asked]
    registered = await Isek(newsroom).nodes()
    assert len({trace.node for trace in parts}) == 3
    assert [trace.peer_id for trace in parts] == [registered[trace.node]["peerId"] for trace in parts]
    assert len({trace.peer_id for trace in parts}) == 3


async def test_the_sidecars_counted_the_calls_that_crossed(newsroom: Kubectl) -> None:
    carried = await calls_carried(newsroom, "newsroom-team")

    await Isek(newsroom).ask("newsroom", QUESTION)

    assert await calls_carried(newsroom, "newsroom-team") == carried + 2  # one to each member


async def test_kubectl_get_isek_shows_readiness_and_why_pods_node_mesh_and_age(newsroom: Kubectl) -> None:
    table = await newsroom("get", "isek")

    agents = table.split("\n\n")[0].splitlines()
    assert agents[0].split() == ["NAME", "READY", "REASON", "PODS", "NODE", "MESH", "AGE"]
    name, ready, reason, pods, node, mesh, _age = agents[1].split()
    assert (name, ready, reason, pods) == ("isekagent.isek.io/researcher", "True", "AllReplicasReady", "1/1")
    assert (node, mesh) == ("researcher-agent", f"{newsroom.namespace}/default")
    assert "isekteam.isek.io/newsroom" in table
    assert "isekmesh.isek.io/default" in table


async def test_applying_the_same_files_again_changes_nothing(newsroom: Kubectl) -> None:
    before = await versions(newsroom)

    said = await newsroom("apply", "-f", QUICKSTART)
    difference = await newsroom("diff", "-f", QUICKSTART)  # it exits with 1 when there is one

    assert all(line.endswith(" unchanged") for line in said.splitlines()), said
    assert difference == ""
    assert await versions(newsroom) == before


async def test_as_many_nodes_register_as_the_agent_is_scaled_to(newsroom: Kubectl) -> None:
    for replicas in (3, 1):
        await newsroom("scale", "isekagent/researcher", f"--replicas={replicas}")
        await until_registered(newsroom, "researcher", replicas, within=90)

    reply = await Isek(newsroom).ask("newsroom", QUESTION)
    assert reply.trace.children[0].node in await Isek(newsroom).nodes_of("researcher")


async def test_a_killed_pod_leaves_the_registry_within_the_ttl_and_comes_back(
    newsroom: Kubectl, figure: Figure
) -> None:
    (killed,) = await Isek(newsroom).nodes_of("researcher")

    async with newsroom.port_forward("deployment/newsroom-team", 8080) as port:
        await kill_for_good(newsroom, killed.partition(".")[0])
        start = time.monotonic()
        assert killed in await known_to_node(port)  # it could not say good-bye: its lease has to run out

        async def forgotten() -> bool:
            return killed not in await known_to_node(port)

        await until(forgotten, what="the killed node is forgotten", within=FORGOTTEN_WITHIN)
    figure(f"a killed node was forgotten after {time.monotonic() - start:.1f} s (TTL {REGISTRY_TTL_SECONDS} s)")
    await until_registered(newsroom, "researcher", 1, within=60)
    await newsroom.until_condition("isekteam", "newsroom")
    assert QUESTION in (await Isek(newsroom).ask("newsroom", QUESTION)).text


async def test_a_deployment_edited_by_hand_is_put_back(newsroom: Kubectl) -> None:
    image = "{.spec.template.spec.containers[0].image}"
    wanted = await newsroom("get", "deployment/writer-agent", "-o", f"jsonpath={image}")

    await newsroom("set", "image", "deployment/writer-agent", "node=isek/node:by-hand")

    await newsroom("wait", f"--for=jsonpath={image}={wanted}", "deployment/writer-agent", "--timeout=30s")


async def test_a_deployment_deleted_by_hand_is_made_again(newsroom: Kubectl) -> None:
    deleted = (await newsroom.get("deployment", "writer-agent"))["metadata"]["uid"]

    await newsroom("delete", "deployment/writer-agent", "--wait=false")

    await newsroom.until_true(
        "deployment", "writer-agent", lambda found: found["metadata"]["uid"] != deleted, what="is a new one"
    )
    await newsroom("rollout", "status", "deployment/writer-agent", "--timeout=90s")
    await newsroom.until_condition("isekteam", "newsroom")
    assert QUESTION in (await Isek(newsroom).ask("newsroom", QUESTION)).text


async def test_what_the_processes_take_is_printed(
    newsroom: Kubectl, operator_installed: Kubectl, figure: Figure
) -> None:
    lease = await operator_installed.get("lease", "isek-operator")
    active = lease["spec"]["holderIdentity"].partition("_")[0]
    pods = await newsroom.list("pod", labels="isek.io/agent=writer")
    writer = next(pod for pod in pods if "deletionTimestamp" not in pod["metadata"])  # its forerunner may still drain
    sizes = {
        "operator": await resident_kilobytes(operator_installed, active, "operator"),
        "node": await resident_kilobytes(newsroom, writer["metadata"]["name"], "node"),
        "sidecar": await resident_kilobytes(newsroom, writer["metadata"]["name"], "p2p"),
    }
    figure("resident: " + ", ".join(f"{name} {size / 1024:.0f} MiB" for name, size in sizes.items()))

    assert all(size > 1024 for size in sizes.values()), sizes


async def test_deleting_the_files_leaves_nothing_behind(newsroom: Kubectl) -> None:
    await newsroom("delete", "-f", QUICKSTART, "--timeout=60s")

    async def empty() -> bool:
        left = await leftovers(newsroom)
        assert not left, left
        return True

    await until(empty, what="nothing is left in the namespace", within=120)


async def until_registered(newsroom: Kubectl, agent: str, count: int, *, within: float) -> None:
    """Wait until the registry holds so many nodes of an agent, each of them a pod that exists."""

    async def registered() -> bool:
        nodes = await Isek(newsroom).nodes_of(agent)
        pods = await newsroom.list("pod", labels=f"isek.io/agent={agent}")
        assert len(nodes) == count, nodes
        assert nodes <= {f"{pod['metadata']['name']}.{newsroom.namespace}" for pod in pods}
        return True

    await until(registered, what=f"{count} nodes of {agent} are registered", within=within)


async def known_to_node(port: int) -> set[str]:
    """Ask a node itself which nodes it knows of: that takes milliseconds, the command seconds."""
    async with aiohttp.request("GET", f"http://127.0.0.1:{port}/isek/nodes") as answer:
        return {node["nodeId"] for node in (await answer.json())["nodes"]}


async def versions(newsroom: Kubectl) -> dict[str, str]:
    """Tell the versions of all that the quickstart makes: they move with every write."""
    kinds = "isek,deployment,statefulset,service,configmap,secret,poddisruptionbudget,serviceaccount"
    line = "{range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{'\\n'}{end}"
    told = await newsroom("get", kinds, "-o", f"jsonpath={line}")
    return dict(line.split() for line in told.splitlines())


async def calls_carried(newsroom: Kubectl, deployment: str) -> int:
    """Count the calls to peers that a sidecar got an answer for."""
    async with (
        newsroom.port_forward(f"deployment/{deployment}", 9002) as port,
        aiohttp.request("GET", f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        lines = (await answer.text()).splitlines()
    answered = [line for line in lines if line.startswith("isek_p2p_calls_total{") and '"Answered"' in line]
    return sum(int(line.rpartition(" ")[2]) for line in answered if 'direction="outbound"' in line)
