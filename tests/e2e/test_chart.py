"""The chart as it is installed."""

from pathlib import Path

from tests.e2e.conftest import OPERATOR_NAMESPACE, RELEASE
from tests.support.kubectl import Kubectl, run

OF_THE_CLUSTER = {"default", "kube-node-lease", "kube-public", "kube-system", "local-path-storage"}


async def test_the_install_passes_the_test_of_the_chart(operator_installed: Kubectl, tools: Path) -> None:
    told = await run(
        *(tools / "helm", "test", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--timeout", "120s"),
        env=operator_installed.environment,
    )

    assert "Phase:          Succeeded" in told


async def test_every_namespace_that_we_use_takes_restricted_pods_only(
    operator_installed: Kubectl, namespace: Kubectl
) -> None:
    enforced = {
        found["metadata"]["name"]: found["metadata"]["labels"].get("pod-security.kubernetes.io/enforce")
        for found in await operator_installed.list("namespace")
    }

    ours = {name: level for name, level in enforced.items() if name not in OF_THE_CLUSTER}
    assert {operator_installed.namespace, namespace.namespace} <= set(ours)
    assert set(ours.values()) == {"restricted"}
