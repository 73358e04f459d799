"""Replicas follow kubectl and a HorizontalPodAutoscaler, and GitOps does not fight them."""

from typing import Any

import pytest

from tests.e2e.conftest import ClusterScript
from tests.e2e.test_uninterrupted import asked_all_along
from tests.support.api_examples import agent
from tests.support.kubectl import Kubectl

BUSY = "busybee"


@pytest.fixture
def metrics_server(request: pytest.FixtureRequest, cluster: Kubectl, cluster_script: ClusterScript) -> None:
    """A real metrics-server in the cluster."""
    cluster_script("metrics-server", request.config.option.cluster_name, **cluster.environment)


@pytest.mark.usefixtures("metrics_server")
async def test_an_autoscaler_adds_replicas_under_load_takes_them_away_after_and_gitops_lets_it(
    namespace: Kubectl,
) -> None:
    await namespace.apply(agent(BUSY), autoscaler(BUSY))
    await namespace.until_condition("isekagent", BUSY, within=180)

    async with asked_all_along(namespace, BUSY, role="agent") as outcomes:
        await until_replicas(namespace, BUSY, at_least=2)
        await namespace.apply(agent(BUSY))  # as Argo CD does when it heals: the manifest names no replicas
        assert await namespace.diff(agent(BUSY)) == ""
        assert (await namespace.get("isekagent", BUSY))["spec"]["replicas"] >= 2

    assert set(outcomes) == {"200 hello"}
    await until_replicas(namespace, BUSY, at_most=1)


async def test_scale_to_zero_and_back_by_kubectl(namespace: Kubectl) -> None:
    await namespace.apply(agent("parrot"))
    await namespace.until_condition("isekagent", "parrot", within=180)

    await namespace("scale", "isekagent/parrot", "--replicas=0")
    await namespace.until_true("isekagent", "parrot", lambda it: it["status"]["replicas"] == 0, what="has no pod")
    await namespace("scale", "isekagent/parrot", "--replicas=2")
    await namespace.until_true(
        "isekagent", "parrot", lambda it: it["status"]["readyReplicas"] == 2, what="has two", within=90
    )


def autoscaler(agent_name: str) -> dict[str, Any]:
    """From 1 to 3 replicas, at once in both directions."""
    at_once = {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 2, "periodSeconds": 5}]}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": agent_name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "isek.io/v1alpha1", "kind": "IsekAgent", "name": agent_name},
            "minReplicas": 1,
            "maxReplicas": 3,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 100}},
                }
            ],
            "behavior": {"scaleUp": at_once, "scaleDown": at_once},
        },
    }


async def until_replicas(namespace: Kubectl, name: str, *, at_least: int = 1, at_most: int = 100) -> None:
    await namespace.until_true(
        "isekagent",
        name,
        lambda it: at_least <= it["status"]["readyReplicas"] <= at_most and it["spec"]["replicas"] <= at_most,
        what=f"has {at_least} to {at_most} replicas",
        within=180,
    )
