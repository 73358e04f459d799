"""What a user gets wrong is named, and heals when it is mended."""

import json

import pytest

from tests.support.api_examples import agent, manifest, mesh, node, team
from tests.support.isek_cli import Isek
from tests.support.kubectl import CommandFailedError, Kubectl, Object


async def test_a_member_that_is_not_there_is_named_and_heals_when_it_appears(namespace: Kubectl) -> None:
    await namespace.apply(team("aviary", members=[{"agent": {"name": "parrot"}}]))
    await namespace("wait", "--for=create", "isekteam/aviary", "--timeout=10s")
    await namespace("wait", "--for=condition=ResolvedRefs=False", "isekteam/aviary", "--timeout=30s")
    found = condition(await namespace.get("isekteam", "aviary"), "ResolvedRefs")
    assert found["reason"] == "AgentNotFound"
    assert "parrot" in found["message"]

    await namespace.apply(agent("parrot"))

    await namespace("wait", "--for=condition=ResolvedRefs", "isekteam/aviary", "--timeout=30s")
    await namespace.until_condition("isekteam", "aviary", within=180)
    assert (await Isek(namespace).ask("aviary", "hello")).text == "hello"
    pods = await namespace.list("pod")
    assert [status["restartCount"] for pod in pods for status in pod["status"]["containerStatuses"]] == [0] * len(pods)


@pytest.mark.parametrize(
    ("refused", "named"),
    [
        (agent("parrot", instructionz="Talk."), 'unknown field "spec.instructionz"'),
        (agent("parrot", model={"provider": "Ekko"}), 'spec.model.provider: Unsupported value: "Ekko"'),
        (manifest("IsekAgent", {}, "parrot"), "set exactly one of model, code"),
        (agent("parrot", nodeRef={"name": "shared"}, replicas=2), "replicas must be 1 beside nodeRef"),
        (team("aviary", members=[]), "spec.members"),
        (mesh("default", etcd={"replicas": 2}), "spec.etcd.replicas: Unsupported value: 2"),
        (node("Shared"), "metadata.name"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else value.partition(":")[0],
)
async def test_what_breaks_the_schema_is_refused_with_the_field_and_the_fix(
    namespace: Kubectl, refused: Object, named: str
) -> None:
    with pytest.raises(CommandFailedError) as failure:
        await namespace("apply", "-f", "-", stdin=json.dumps(refused))

    assert named in failure.value.output


async def test_a_model_that_fails_is_an_answer_with_a_code_and_the_node_stays_ready(namespace: Kubectl) -> None:
    await namespace.apply(agent("mute", model={"provider": "Scripted", "script": [{"error": "no voice today"}]}))
    await namespace.until_condition("isekagent", "mute", within=180)

    with pytest.raises(CommandFailedError) as failure:
        await Isek(namespace).ask("mute", "hello")

    assert "ModelError" in failure.value.output
    assert "no voice today" in failure.value.output
    assert "Traceback" not in failure.value.output
    (pod,) = await namespace.list("pod", labels="isek.io/agent=mute")
    assert {status["ready"] for status in pod["status"]["containerStatuses"]} == {True}


async def test_the_namespace_refuses_what_is_not_restricted_and_agents_are_welcome_there(namespace: Kubectl) -> None:
    with pytest.raises(CommandFailedError, match='violates PodSecurity "restricted'):
        await namespace("run", "careless", "--image=registry.k8s.io/pause:3.10", "--restart=Never")

    await namespace.apply(agent("parrot"))

    await namespace.until_condition("isekagent", "parrot", within=180)


def condition(found: Object, type_: str) -> Object:
    return next(each for each in found["status"]["conditions"] if each["type"] == type_)
