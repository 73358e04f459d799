"""What is referred to and missing is named in a condition, and heals when it appears."""

import pytest
from isek_operator.manifests.meta import CONFIG_HASH

from tests.integration.operator.resources import agent, mesh, node, team
from tests.support.control_plane import KubeClient
from tests.support.kube import Object

pytestmark = pytest.mark.usefixtures("operator")

KEY = {"secretKeyRef": {"name": "openai", "key": "api-key"}}
OPENAI = {"provider": "OpenAI", "name": "gpt-5-mini", "apiKey": KEY}


def code(name: str, **modules: str) -> Object:
    data = {f"{module}.py": text for module, text in modules.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def config_hash(deployment: Object) -> str:
    return str(deployment["spec"]["template"]["metadata"]["annotations"][CONFIG_HASH])


def message(told: Object, type_: str = "ResolvedRefs") -> str:
    [found] = [condition["message"] for condition in told["status"]["conditions"] if condition["type"] == type_]
    return str(found)


async def test_a_missing_mesh_is_named_and_heals(kube: KubeClient) -> None:
    await kube.apply(agent("writer", meshRef={"name": "ground"}))
    told = await kube.until_condition("IsekAgent", "writer", "ResolvedRefs", "False", reason="MeshNotFound")
    assert "'ground'" in message(told)

    await kube.apply(mesh("ground"))
    await kube.until_condition("IsekAgent", "writer", "ResolvedRefs")
    await kube.until_exists("Deployment", "writer-agent")


async def test_a_missing_node_is_named_and_heals(kube: KubeClient) -> None:
    await kube.apply(agent("writer", nodeRef={"name": "shared"}))
    told = await kube.until_condition("IsekAgent", "writer", "ResolvedRefs", "False", reason="NodeNotFound")
    assert "'shared'" in message(told)

    await kube.apply(node("shared"))
    await kube.until_condition("IsekAgent", "writer", "ResolvedRefs")


async def test_a_missing_member_is_named_and_heals(kube: KubeClient) -> None:
    await kube.apply(agent("writer"), team("newsroom", "writer", "editor"))
    told = await kube.until_condition("IsekTeam", "newsroom", "ResolvedRefs", "False", reason="AgentNotFound")
    assert "'editor'" in message(told)

    await kube.apply(agent("editor"))
    await kube.until_condition("IsekTeam", "newsroom", "ResolvedRefs")


async def test_a_missing_secret_that_says_it_is_to_be_watched_heals_at_once(kube: KubeClient) -> None:
    await kube.apply(agent("writer", model=OPENAI))
    told = await kube.until_condition("IsekAgent", "writer", "ResolvedRefs", "False", reason="SecretNotFound")
    assert "'openai'" in message(told)

    await kube.apply(secret(labels={"isek.io/watch": "true"}))
    await kube.until_condition("IsekAgent", "writer", "ResolvedRefs", within=5)


async def test_a_missing_secret_is_looked_for_and_found(kube: KubeClient) -> None:
    await kube.apply(agent("writer", model=OPENAI))
    await kube.until_condition("IsekAgent", "writer", "ResolvedRefs", "False", reason="SecretNotFound")

    await kube.apply(secret())
    await kube.until_condition("IsekAgent", "writer", "ResolvedRefs", within=40)


async def test_a_secret_that_is_there_is_found_by_its_name(kube: KubeClient) -> None:
    await kube.apply(secret(), agent("writer", model=OPENAI))
    await kube.until_condition("IsekAgent", "writer", "ResolvedRefs")


async def test_code_that_is_missing_is_looked_for_and_a_change_of_it_rolls_out(kube: KubeClient) -> None:
    poet = agent("poet")
    poet["spec"] = {"code": {"configMapRef": {"name": "poets"}, "entrypoint": "poets:poet"}}
    await kube.apply(code("poets"), poet)
    told = await kube.until_condition("IsekAgent", "poet", "ResolvedRefs", "False", reason="CodeNotFound")
    assert message(told) == "ConfigMap 'poets' has no key 'poets.py'; add the file, or fix spec.code.entrypoint"

    await kube.apply(code("poets", poets="FEET = 5"))
    await kube.until_condition("IsekAgent", "poet", "ResolvedRefs", within=40)
    before = config_hash(await kube.until_exists("Deployment", "poet-agent"))

    await kube.apply(code("poets", poets="FEET = 6"))
    await kube.until_true(
        "Deployment", "poet-agent", lambda live: config_hash(live) != before, what="is rolled out", within=40
    )


async def test_the_default_mesh_is_made_and_goes_with_its_last_user(kube: KubeClient) -> None:
    await kube.apply(agent("writer"), agent("editor"))
    made = await kube.until_exists("IsekMesh", "default")
    assert "isek.io/made-by-default" in made["metadata"]["labels"]

    await kube.delete("IsekAgent", "writer")
    await kube.until_true("IsekMesh", "default", lambda live: live["status"]["nodes"] == 1, what="has one user")
    await kube.delete("IsekAgent", "editor")
    await kube.until_gone("IsekMesh", "default")


async def test_a_default_mesh_that_a_user_takes_over_stays(kube: KubeClient) -> None:
    await kube.apply(agent("writer"))
    await kube.until_exists("IsekMesh", "default")

    await kube.apply(mesh("default", registry={"ttlSeconds": 30}))
    await kube.until_true(
        "IsekMesh",
        "default",
        lambda live: "isek.io/made-by-default" not in live["metadata"].get("labels", {}),
        what="has lost the label",
    )
    await kube.delete("IsekAgent", "writer")
    await kube.until_true("IsekMesh", "default", lambda live: live["status"]["nodes"] == 0, what="has no user")


async def test_a_mesh_with_other_volumes_gets_a_new_etcd(kube: KubeClient) -> None:
    await kube.apply(mesh("ground"))
    before = await kube.until_exists("StatefulSet", "ground-etcd")

    await kube.apply(mesh("ground", etcd={"storage": {"size": "2Gi"}}))

    await kube.until_made_anew(before, within=20)


def secret(**metadata: Object) -> Object:
    data = {"api-key": "sk-none"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "openai", **metadata}, "stringData": data}
