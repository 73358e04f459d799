"""An operator with other images replaces the pods of a few workloads at a time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.operator.conftest import assert_no_fault
from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import OURS, agent
from tests.support.control_plane import KubeClient, User
from tests.support.kube import Object
from tests.support.waiting import until

AGENTS = 20
MOST = 3
OLD, NEW = "isek/node:old", "isek/node:new"


@pytest.fixture(scope="module", autouse=True)
async def alone(operator: OperatorProcess) -> AsyncIterator[None]:
    """Nobody else looks after the cluster."""
    async with operator.away():
        yield


def process(user: User, kube: KubeClient, log: Path, node_image: str) -> OperatorProcess:
    """Return an operator of that version."""
    most = str(MOST)
    return OperatorProcess(
        user.kubeconfig, log, watch_namespaces=kube.namespace, node_image=node_image, max_concurrent_upgrades=most
    )


def image(deployment: Object) -> str:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return str(container["image"])


def is_rolling(deployment: Object) -> bool:
    return bool(deployment["status"].get("observedGeneration", 0) < deployment["metadata"]["generation"])


async def deployments(kube: KubeClient) -> list[Object]:
    return await kube.list("Deployment", labels=OURS)


async def rolling(kube: KubeClient) -> list[str]:
    return [each["metadata"]["name"] for each in await deployments(kube) if is_rolling(each)]


@pytest.fixture
async def log(kube: KubeClient, operator_user: User, tmp_path: Path) -> AsyncIterator[Path]:
    """Have the agents run, made by the old operator. No operator logged a fault in the end."""
    log = tmp_path / "operator.log"
    await asyncio.gather(*(kube.apply(agent(f"agent-{number}")) for number in range(AGENTS)))
    async with process(operator_user, kube, log, OLD):
        await kube.until_exists("StatefulSet", "default-etcd")
        await kube.mark_ready("StatefulSet", "default-etcd")
        for number in range(AGENTS):
            await kube.until_exists("Deployment", f"agent-{number}-agent")
            await kube.mark_ready("Deployment", f"agent-{number}-agent")
        for number in range(AGENTS):
            await kube.until_condition("IsekAgent", f"agent-{number}", "Ready")
    yield log
    assert_no_fault(log)


async def test_never_more_than_a_few_are_replaced_at_a_time_and_all_are_in_the_end(
    kube: KubeClient, operator_user: User, log: Path
) -> None:
    most_at_once = 0
    async with process(operator_user, kube, log, NEW) as upgraded:
        while any(image(each) == OLD for each in await deployments(kube)):
            begun = await until(lambda: rolling(kube), what="some are replaced")
            most_at_once = max(most_at_once, len(begun))
            await kube.mark_ready("Deployment", begun[0])
        await upgraded.until_reconciled(AGENTS)
        assert most_at_once == MOST
        for name in await rolling(kube):
            await kube.mark_ready("Deployment", name)
        for number in range(AGENTS):
            await kube.until_condition("IsekAgent", f"agent-{number}", "Ready")
        assert await upgraded.metric("isek_operator_workloads_outdated") == 0


async def test_a_version_that_does_not_start_stops_at_a_few_and_what_users_change_goes_on(
    kube: KubeClient, operator_user: User, log: Path
) -> None:
    async with process(operator_user, kube, log, NEW) as upgraded:

        async def stopped() -> bool:
            outdated = await upgraded.metric("isek_operator_workloads_outdated")
            return outdated == AGENTS - MOST and len(await rolling(kube)) == MOST

        await until(stopped, what="a few are replaced and all others wait")
        begun = await rolling(kube)
        [waiting, *_] = [f"agent-{number}" for number in range(AGENTS) if f"agent-{number}-agent" not in begun]
        told = await kube.until_condition("IsekAgent", waiting, "Ready", reason="AllReplicasReady")
        [message] = [c["message"] for c in told["status"]["conditions"] if c["type"] == "Ready"]
        assert "earlier version of the operator" in message

        await kube.apply(agent(waiting, instructions="Be brief."))

        await kube.until_true(
            "Deployment", f"{waiting}-agent", lambda live: image(live) == NEW, what="is replaced at once"
        )
        assert len(await rolling(kube)) == MOST + 1
        assert await upgraded.metric("isek_operator_workloads_outdated") == AGENTS - MOST - 1

    async with process(operator_user, kube, log, OLD):

        async def back() -> bool:
            return all(image(each) == OLD for each in await deployments(kube))

        await until(back, within=30, what="the few are as they were")
