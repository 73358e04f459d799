"""What runs does not need the operator; what changes waits for it."""

from collections.abc import AsyncIterator

import pytest

from tests.support.api_examples import agent, team
from tests.support.isek_cli import Isek
from tests.support.kubectl import Kubectl

DEPLOYMENT = "deployment/isek-operator"


@pytest.fixture
async def operator_back_afterwards(operator_installed: Kubectl) -> AsyncIterator[Kubectl]:
    """Kubectl in the namespace of the operator, which runs again when the test is over."""
    yield operator_installed
    await operator_installed("scale", DEPLOYMENT, "--replicas=2")
    await operator_installed("rollout", "status", DEPLOYMENT, "--timeout=60s")


async def test_agents_answer_while_the_operator_is_away_and_it_catches_up_untouching(
    namespace: Kubectl, operator_back_afterwards: Kubectl
) -> None:
    operator = operator_back_afterwards
    await namespace.apply(agent("parrot"), team("aviary", members=[{"agent": {"name": "parrot"}}]))
    await namespace.until_condition("isekteam", "aviary", within=180)
    before = await pods(namespace)

    await operator("scale", DEPLOYMENT, "--replicas=0")
    await operator("wait", "--for=delete", "pod", "--selector=app.kubernetes.io/name=isek-operator", "--timeout=60s")
    assert (await Isek(namespace).ask("aviary", "hello")).text == "hello"
    await namespace.apply(agent("finch"))
    await namespace("delete", "service/parrot-agent")
    await operator("scale", DEPLOYMENT, "--replicas=2")

    await namespace.until_condition("isekagent", "finch", within=90)
    await namespace("wait", "--for=create", "service/parrot-agent", "--timeout=30s")
    assert before.items() <= (await pods(namespace)).items()
    assert (await Isek(namespace).ask("aviary", "and now?")).text == "and now?"


async def pods(namespace: Kubectl) -> dict[str, int]:
    """Name all pods, with the restarts of their containers."""
    return {
        pod["metadata"]["uid"]: sum(status["restartCount"] for status in pod["status"]["containerStatuses"])
        for pod in await namespace.list("pod")
    }
