"""What isek says of a cluster: a real API server, on which no pods run."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.control_plane import ControlPlane
from tests.support.isek_local import Finished, Home
from tests.support.kube import KubeClient

CONTEXT = "isek-integration"


def agent(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "isek.io/v1alpha1",
        "kind": "IsekAgent",
        "metadata": {"name": name},
        "spec": {"model": {"provider": "Echo"}},
    }


def not_ready(reason: str, message: str) -> dict[str, Any]:
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return {"status": {"conditions": [condition], "mesh": "ns/default", "selector": "isek.io/agent=writer"}}


@pytest.fixture
def home(tmp_path: Path, control_plane: ControlPlane) -> Home:
    return Home(tmp_path, (("KUBECONFIG", str(control_plane.admin.kubeconfig)),))


def refused(finished: Finished) -> str:
    assert finished.code == 1
    assert finished.out == ""
    assert finished.err.startswith("Error: ")
    assert finished.err.count("\n") == 1, finished.err
    return finished.err


async def test_the_doctor_finds_the_cluster_and_its_resources(home: Home) -> None:
    found = await home.isek("doctor", "-o", "yaml")

    [cluster] = [each for each in yaml.safe_load(found.out) if each["name"] == "cluster"]
    assert cluster["state"] == "ok"
    assert cluster["said"].startswith(f"cluster '{CONTEXT}', Kubernetes v1.")
    assert cluster["said"].endswith(", isek.io/v1alpha1")


async def test_an_agent_that_does_not_exist_is_named_with_one_that_does(home: Home, kube: KubeClient) -> None:
    await kube.apply(agent("writer"))

    said = refused(await home.isek("ask", "writr", "hi", "-n", kube.namespace))

    assert f"no agent or team 'writr' in namespace '{kube.namespace}' of cluster '{CONTEXT}'; did you mean" in said
    assert said.rstrip().endswith("did you mean writer?")


async def test_an_agent_that_is_not_ready_says_why_in_its_condition_s_words(home: Home, kube: KubeClient) -> None:
    await kube.apply(agent("writer"))
    message = "Secret 'openai' does not exist; create it"
    await kube.patch("IsekAgent", "writer", not_ready("SecretNotFound", message), subresource="status")

    said = refused(await home.isek("ask", f"writer.{kube.namespace}", "hi"))

    assert f"IsekAgent writer is not ready: SecretNotFound: {message}" in said


async def test_a_mesh_whose_nodes_are_not_ready_says_why(home: Home, kube: KubeClient) -> None:
    await kube.apply(agent("writer"))
    status = not_ready("RollingOut", "0 of 1 replicas answer")
    status["status"]["mesh"] = f"{kube.namespace}/default"
    await kube.patch("IsekAgent", "writer", status, subresource="status")

    no_node = refused(await home.isek("nodes", "-n", kube.namespace))
    no_mesh = refused(await home.isek("nodes", "-n", kube.namespace, "--mesh", "other"))

    assert "no node of mesh" in no_node
    assert "writer: RollingOut: 0 of 1 replicas answer" in no_node
    assert f"uses mesh {kube.namespace}/other; in use: {kube.namespace}/default" in no_mesh


async def test_the_meshes_of_all_namespaces_are_looked_at_and_each_that_has_no_node_says_why(
    home: Home, kube: KubeClient
) -> None:
    name = f"ground-of-{kube.namespace}"  # other tests have meshes too
    mesh = f"{kube.namespace}/{name}"
    status = not_ready("RollingOut", "0 of 1 replicas answer")
    status["status"]["mesh"] = mesh
    press = kube.in_namespace("default")
    await press.apply(agent("writer"))
    await press.patch("IsekAgent", "writer", status, subresource="status")

    everywhere = refused(await home.isek("nodes", "-A", "--mesh", name))
    from_its_own = refused(await home.isek("nodes", "-n", kube.namespace, "--mesh", name))
    elsewhere = refused(await home.isek("nodes", "-A", "--mesh", "nowhere"))

    for said in (everywhere, from_its_own):
        assert f"no node of mesh {mesh} is ready: writer: RollingOut: 0 of 1 replicas answer" in said
    assert "nothing uses such a mesh in any namespace" in elsewhere
    await press.delete("IsekAgent", "writer")


async def test_who_may_not_read_the_resources_is_told_so(tmp_path: Path, control_plane: ControlPlane) -> None:
    user = await control_plane.restricted_user("nobody", [])

    said = refused(await Home(tmp_path, (("KUBECONFIG", str(user.kubeconfig)),)).isek("ask", "writer", "hi"))

    assert f"cluster '{CONTEXT}' refuses: 403 Forbidden; see `kubectl auth can-i --list`" in said


async def test_a_cluster_that_does_not_answer_is_named(home: Home, control_plane: ControlPlane) -> None:
    async with control_plane.unreachable():
        said = refused(await home.isek("ask", "writer", "hi", "--context", CONTEXT))

    assert f"cluster '{CONTEXT}' does not answer: " in said
    assert "kubectl cluster-info" in said


async def test_a_context_that_does_not_exist_is_named_with_those_that_do(home: Home) -> None:
    said = refused(await home.isek("nodes", "--context", "elsewhere"))

    assert f"the kubeconfig has no context 'elsewhere'; it has {CONTEXT}" in said


@pytest.fixture(params=["", "not: [yaml", "apiVersion: v1\nkind: Config\n", "current-context: c\ncontexts: []\n"])
def odd_kubeconfig(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "odd.kubeconfig"
    path.write_text(request.param)
    return path


async def test_a_kubeconfig_that_leads_nowhere_is_no_traceback(tmp_path: Path, odd_kubeconfig: Path) -> None:
    home = Home(tmp_path, (("KUBECONFIG", str(odd_kubeconfig)),))

    said = refused(await home.isek("ask", "writer", "hi"))

    assert "the kubeconfig leads to no cluster" in said
    assert "isek up" in said


async def test_with_nothing_at_all_it_says_how_to_begin(tmp_path: Path) -> None:
    said = refused(await Home(tmp_path).isek("ask", "writer", "hi"))

    assert "no local mesh is running, and the kubeconfig leads to no cluster" in said
    assert "start one with `isek up -f FOLDER`, or set KUBECONFIG" in said


async def test_a_server_that_is_not_there_is_named(tmp_path: Path, control_plane: ControlPlane) -> None:
    config = yaml.safe_load(control_plane.admin.kubeconfig.read_text())
    config["clusters"][0]["cluster"] = {"server": "https://127.0.0.1:1"}
    path = tmp_path / "gone.kubeconfig"
    path.write_text(yaml.safe_dump(config))

    said = refused(await Home(tmp_path, (("KUBECONFIG", str(path)),)).isek("nodes"))

    assert "does not answer" in said
    assert "Connection refused" in said


async def test_the_tree_of_a_namespace_shows_who_asks_whom_and_why_somebody_is_not_ready(
    home: Home, kube: KubeClient
) -> None:
    asking = agent("editor")
    asking["spec"]["tools"] = [{"agent": {"name": "writer"}}]
    for each in (agent("writer"), asking):
        await kube.apply(each)
    await kube.patch("IsekAgent", "writer", not_ready("SecretNotFound", "create it"), subresource="status")

    drawn = await home.isek("tree", "-n", kube.namespace)

    assert drawn.code == 0, drawn.err
    _, editor, writer = drawn.out.splitlines()
    assert editor.startswith(f"editor.{kube.namespace}")
    assert writer.startswith(f"└─ writer.{kube.namespace}")
    assert writer.endswith("0/0  SecretNotFound: create it")
