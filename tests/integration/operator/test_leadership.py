"""Two operators on one cluster: one is active, and the other takes its place."""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.integration.operator.conftest import assert_no_fault
from tests.integration.operator.operator_process import OperatorProcess
from tests.integration.operator.resources import agent, mesh
from tests.support.chart import render
from tests.support.control_plane import ControlPlane, KubeClient, User
from tests.support.kube import Object
from tests.support.waiting import until

LEASE = "isek-operator"

Start = Callable[[str], Awaitable[OperatorProcess]]


@pytest.fixture(scope="module", autouse=True)
async def alone(operator: OperatorProcess) -> AsyncIterator[None]:
    """Nobody else looks after the cluster."""
    async with operator.away():
        yield


@pytest.fixture
async def candidate(control_plane: ControlPlane, operator_user: User, namespace: str) -> User:
    """The operator's user, with the rights on the Lease that the chart gives it beside its own namespace's."""
    [role] = [document for document in render() if document["kind"] == "Role"]
    meta = {"name": role["metadata"]["name"]}
    subject = {"kind": "ServiceAccount", "name": "isek-operator", "namespace": "default"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", **meta}
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": meta}
    await control_plane.kube.in_namespace(namespace).apply(
        {**rbac, "kind": "Role", "rules": role["rules"]},
        {**rbac, "kind": "RoleBinding", "roleRef": reference, "subjects": [subject]},
    )
    return operator_user


@pytest.fixture
async def start(candidate: User, kube: KubeClient, tmp_path: Path) -> AsyncIterator[Start]:
    """Start an operator of that name that looks after the test's namespace and takes its Lease there."""
    async with AsyncExitStack() as stack:

        async def start(name: str) -> OperatorProcess:
            log = tmp_path / f"{name}.log"
            process = OperatorProcess(
                candidate.kubeconfig, log, watch_namespaces=kube.namespace, lease_namespace=kube.namespace
            )
            await stack.enter_async_context(process)
            stack.callback(assert_no_fault, log)
            return process

        yield start


async def active(process: OperatorProcess) -> bool:
    return await process.metric("isek_operator_leader") == 1


async def until_active(process: OperatorProcess) -> None:
    await until(lambda: active(process), what=f"{process.log.stem} is active")


async def writes(process: OperatorProcess) -> float:
    return await process.metric("isek_operator_writes_total")


async def holder(kube: KubeClient) -> str:
    lease = await kube.get("Lease", LEASE)
    return str(lease["spec"]["holderIdentity"])


async def the_two(start: Start) -> tuple[OperatorProcess, OperatorProcess]:
    """Start two operators; the first is the active one."""
    first = await start("first")
    await until_active(first)
    return first, await start("second")


async def test_the_one_that_stands_by_is_ready_and_writes_nothing(kube: KubeClient, start: Start) -> None:
    first, second = await the_two(start)

    await kube.apply(agent("writer"))
    await kube.until_exists("Deployment", "writer-agent")
    await first.until_reconciled(2)

    assert (await active(first), await active(second)) == (True, False)
    assert await writes(first) > 0
    assert await writes(second) == 0
    assert await second.metric("isek_operator_reconcile_total") == 0
    assert "standing by" in second.log.read_text()


async def test_after_a_kill_the_other_makes_the_next_write_within_five_seconds(
    kube: KubeClient, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = await the_two(start)
    await kube.apply(agent("writer"))
    before = await kube.until_exists("Deployment", "writer-agent")
    await first.until_reconciled(2)

    await first.process.kill()
    killed = time.monotonic()
    await kube.delete("Deployment", "writer-agent")
    await kube.until_made_anew(before, within=30)
    with capsys.disabled():
        print(f"\nfrom kill -9 to the next write: {time.monotonic() - killed:.2f} s")  # noqa: T201

    assert await active(second)
    lease = await kube.get("Lease", LEASE)
    assert lease["spec"]["leaseTransitions"] == 1


async def test_one_that_is_told_to_end_hands_over_at_once(
    kube: KubeClient, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = await the_two(start)
    told = time.monotonic()
    await first.stop()
    ended = time.monotonic()
    await until_active(second)
    with capsys.disabled():
        print(f"\nend after SIGTERM: {ended - told:.2f} s; next one active after {time.monotonic() - told:.2f} s")  # noqa: T201

    assert re.search(r"INFO isek_operator\S*: stopped", first.log.read_text())
    lease = await kube.get("Lease", LEASE)
    assert lease["spec"]["leaseTransitions"] == 1


async def test_one_whose_lease_is_taken_by_hand_ends_with_a_reason(kube: KubeClient, start: Start) -> None:
    first = await start("first")
    await until_active(first)

    await kube.patch("Lease", LEASE, {"spec": {"holderIdentity": "thief"}})

    await until(lambda: not first.process.running, what="the operator ends")
    assert first.process.exit_code == 1
    assert f"ending: Lease {kube.namespace}/{LEASE} was taken by thief" in first.log.read_text()
    assert await holder(kube) == "thief"


async def test_one_that_cannot_reach_the_api_server_ends_and_leaves_its_lease_to_run_out(
    control_plane: ControlPlane, kube: KubeClient, start: Start
) -> None:
    first = await start("first")
    await until_active(first)

    async with control_plane.unreachable():
        await until(lambda: not first.process.running, what="the operator ends")
        left = await kube.get("Lease", LEASE)

    assert first.process.exit_code == 1
    assert "could not be renewed for 3 s" in first.log.read_text()
    assert left["spec"] == (await kube.get("Lease", LEASE))["spec"]
    assert left["spec"]["holderIdentity"]


async def test_one_that_was_frozen_for_longer_than_its_lease_writes_nothing_more(
    kube: KubeClient, start: Start
) -> None:
    first, second = await the_two(start)
    await kube.apply(agent("writer"))
    await kube.until_exists("Deployment", "writer-agent")
    await first.until_reconciled(2)
    written = await writes(first)

    first.process.pause()
    await until_active(second)
    await kube.apply(*(agent(f"writer-{number}") for number in range(5)))
    await kube.until_exists("Deployment", "writer-4-agent")
    second.process.pause()  # so that all there is to do is left to the first
    await kube.apply(*(mesh(f"ground-{number}") for number in range(5)))
    first.process.resume()

    await until(lambda: not first.process.running, what="the first operator ends")
    assert first.process.exit_code == 1
    assert written > 0
    assert [name for name in await names(kube, "StatefulSet") if name.startswith("ground")] == []
    second.process.resume()


async def names(kube: KubeClient, kind: str) -> list[str]:
    found: list[Object] = await kube.list(kind)
    return [each["metadata"]["name"] for each in found]


async def test_without_the_right_to_use_the_lease_it_ends_and_says_so(
    kube: KubeClient, operator_user: User, tmp_path: Path
) -> None:
    log = tmp_path / "operator.log"
    process = OperatorProcess(
        operator_user.kubeconfig, log, watch_namespaces=kube.namespace, lease_namespace="kube-system"
    )
    process.process.spawn()
    await until(lambda: not process.process.running, within=30, what="the operator ends")

    assert process.process.exit_code == 1
    assert "Lease kube-system/isek-operator cannot be used: " in log.read_text()
