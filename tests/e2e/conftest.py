"""Fixtures of the end-to-end tests: the chart and the images of this checkout on a real cluster of their own.

Run them with ``make e2e`` or ``pytest tests/e2e``. They use the kind cluster ``isek-e2e`` (``--cluster-name``), which
is deleted at the end unless ``--keep-cluster`` is given; a kept one is used again.
"""

import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from tests.support.binaries import CLUSTER_SCRIPT
from tests.support.kubectl import CommandFailedError, Kubectl, run

TOP = Path(__file__).parents[2]
CHART = TOP / "charts" / "isek-operator"
RELEASE, OPERATOR_NAMESPACE = "isek", "isek-system"
WORKERS = 2

FAILED = pytest.StashKey[bool]()
StoryIfFailed = Callable[[Kubectl], Awaitable[None]]
Figure = Callable[[str], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the first test the time that cluster and images take."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(1800))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember for the ``namespace`` fixture whether the test failed."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


class ClusterScript:
    """Runs ``hack/cluster/cluster`` with its progress on the terminal; a first run takes minutes."""

    def __init__(self, config: pytest.Config) -> None:
        self._capture = config.pluginmanager.getplugin("capturemanager")

    def __call__(self, *arguments: str, **environment: str) -> str:
        with self._capture.global_and_fixture_disabled():
            finished = subprocess.run(
                [CLUSTER_SCRIPT, *arguments],
                stdout=subprocess.PIPE,
                text=True,
                check=False,
                env={**os.environ, **environment},
            )
        if finished.returncode:
            pytest.exit(f"`hack/cluster/cluster {' '.join(arguments)}` failed, see above", returncode=1)
        return finished.stdout.strip()


@pytest.fixture(scope="session")
def cluster_script(pytestconfig: pytest.Config) -> ClusterScript:
    return ClusterScript(pytestconfig)


@pytest.fixture(scope="session")
def tools(cluster_script: ClusterScript) -> Path:
    """The folder of kind, kubectl and helm."""
    return Path(cluster_script("tools"))


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, cluster_script: ClusterScript, tools: Path) -> Kubectl:
    """The tests' own cluster, of three nodes."""
    options = request.config.option
    if options.cluster_name == "pytest-kind":  # pytest-kind's default
        options.cluster_name = "isek-e2e"
    name = options.cluster_name
    if not name.startswith("isek-"):
        raise pytest.UsageError(f"cluster {name!r} may be somebody else's; --cluster-name has to start with isek-")
    options.kubeconfig = own_kubeconfig(options.kubeconfig, name)
    options.kind_bin, options.kind_kubectl_bin = tools / "kind", tools / "kubectl"
    cluster_script("up", name, "--workers", str(WORKERS), KUBECONFIG=str(options.kubeconfig))
    refuse_unknown_context(options.kubeconfig, name)
    # finds the cluster in place, and deletes it at the end
    kind_cluster = request.getfixturevalue("kind_cluster")
    return Kubectl(kind_cluster.kubectl_path, kind_cluster.kubeconfig_path)


@pytest.fixture(scope="session")
async def operator_installed(
    request: pytest.FixtureRequest, cluster: Kubectl, cluster_script: ClusterScript, tools: Path
) -> Kubectl:
    """Install the operator from the chart with the images of this checkout; return kubectl in its namespace."""
    images = [line.split()[0] for line in cluster_script("images", "operator", "node", "p2p").splitlines()]
    cluster_script("load", request.config.option.cluster_name, *images)
    await cluster.apply(namespace_manifest(OPERATOR_NAMESPACE))
    helm = (tools / "helm", "upgrade", "--install", RELEASE, CHART, "--namespace", OPERATOR_NAMESPACE)
    operator = cluster.in_namespace(OPERATOR_NAMESPACE)
    try:
        await run(*helm, "--reset-values", "--wait", "--timeout", "120s", env=cluster.environment)
    except CommandFailedError as error:
        error.add_note(await operator.story())
        raise
    # in a kept cluster an image of the same tag may run from before
    await operator("rollout", "restart", "deployment")
    for deployment in await operator.list("deployment"):
        await operator("rollout", "status", f"deployment/{deployment['metadata']['name']}", "--timeout=120s")
    return operator


@pytest.fixture
def story_if_failed(request: pytest.FixtureRequest, operator_installed: Kubectl) -> StoryIfFailed:
    """Tells what happened in a namespace, once the test is over and has failed."""

    async def tell(kubectl: Kubectl) -> None:
        if request.node.stash.get(FAILED, False):
            print(await kubectl.story())  # noqa: T201 - pytest shows it beside the failure
            print(await operator_installed("logs", "--selector=!none", "--prefix", "--tail=200"))  # noqa: T201

    return tell


@pytest.fixture
async def namespace(cluster: Kubectl, story_if_failed: StoryIfFailed) -> AsyncIterator[Kubectl]:
    """Kubectl in a new namespace under Pod Security "restricted"."""
    async with new_namespace(cluster) as mine:
        yield mine
        await story_if_failed(mine)


@pytest.fixture
async def neighbours(namespace: Kubectl, cluster: Kubectl, story_if_failed: StoryIfFailed) -> AsyncIterator[Kubectl]:
    """Another namespace beside ``namespace``."""
    async with new_namespace(cluster) as other:
        yield other
        await story_if_failed(other)


@pytest.fixture(scope="module")
async def module_namespace(cluster: Kubectl, operator_installed: Kubectl) -> AsyncIterator[Kubectl]:
    """One for all tests of a file, each of which goes on where the one before ended."""
    async with new_namespace(cluster) as mine:
        yield mine


@pytest.fixture
def figure(capsys: pytest.CaptureFixture[str]) -> Figure:
    """Shows a measured figure, also of a test that passes."""

    def show(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}")  # noqa: T201

    return show


@asynccontextmanager
async def new_namespace(cluster: Kubectl) -> AsyncIterator[Kubectl]:
    """Make a namespace under Pod Security "restricted", and delete it at the end."""
    mine = cluster.in_namespace(f"e2e-{secrets.token_hex(3)}")
    await cluster.apply(namespace_manifest(mine.namespace))
    yield mine
    await cluster("delete", "namespace", mine.namespace, "--wait=false")


def own_kubeconfig(given: str | None, cluster_name: str) -> Path:
    """Say which kubeconfig file the tests use: never the user's."""
    if given is not None:
        raise pytest.UsageError("these tests keep a kubeconfig file of their own: leave out --kubeconfig")
    path = TOP / ".pytest-kind" / cluster_name / "kubeconfig"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def refuse_unknown_context(kubeconfig: Path, cluster_name: str) -> None:
    """Stop unless the file leads to that kind cluster on this machine and nowhere else."""
    config = yaml.safe_load(kubeconfig.read_text())
    servers = [cluster["cluster"]["server"] for cluster in config["clusters"]]
    if config["current-context"] != f"kind-{cluster_name}" or not all("//127.0.0.1:" in server for server in servers):
        pytest.exit(f"{kubeconfig} leads to {config['current-context']} at {servers}: refused; delete it", returncode=1)


def namespace_manifest(name: str) -> dict[str, object]:
    """Return a namespace whose pods have to be "restricted" (Pod Security Standards)."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
