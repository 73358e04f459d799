"""A mesh without libp2p."""

from tests.support.api_examples import agent, mesh, team
from tests.support.isek_cli import Isek
from tests.support.kubectl import Kubectl


async def test_a_mesh_with_p2p_off_has_no_sidecars_and_asks_over_http(namespace: Kubectl) -> None:
    await namespace.apply(
        mesh("default", p2p={"enabled": False}),
        agent("parrot"),
        team("aviary", members=[{"agent": {"name": "parrot"}}]),
    )
    await namespace.until_condition("isekteam", "aviary", within=180)

    reply = await Isek(namespace).ask("aviary", "hello")

    assert reply.text == "hello"
    assert [(trace.path, trace.peer_id) for trace in reply.trace.children] == [("http", None)]
    pods = [pod for pod in await namespace.list("pod") if "isek.io/mesh" not in pod["metadata"]["labels"]]
    assert [container["name"] for pod in pods for container in pod["spec"]["containers"]] == ["node", "node"]
    assert not any("initContainers" in pod["spec"] for pod in pods)
    assert "default-p2p" not in {secret["metadata"]["name"] for secret in await namespace.list("secret")}
