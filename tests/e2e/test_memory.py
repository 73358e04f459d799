"""Memories outlive pods."""

from tests.support.api_examples import agent
from tests.support.isek_cli import Isek
from tests.support.kubectl import Kubectl
from tests.support.machines import kill_for_good
from tests.support.model_pod import KEY, model_server, on_model, secret
from tests.support.waiting import until


async def test_a_conversation_goes_on_after_its_pod_was_killed(namespace: Kubectl) -> None:
    friend = agent("friend", model=on_model("recall", secret="openai"), memory={"provider": "SQLite"})
    await namespace.apply(*model_server(), secret("openai", KEY), friend)
    await namespace.until_condition("isekagent", "friend", within=240)
    await namespace.until_condition("pod", "models")
    isek = Isek(namespace)
    await isek.ask("friend", "I am Ada", "--session=monday")
    killed = await ready_pods(namespace)

    await kill_for_good(namespace, *killed)
    await until(lambda: another_pod(namespace, killed), what="another pod is ready", within=120)

    assert (await isek.ask("friend", "Who am I?", "--session=monday")).text == "I am Ada | Who am I?"
    assert (await isek.ask("friend", "Who am I?", "--session=tuesday")).text == "Who am I?"

    await namespace("delete", "isekagent/friend", "--timeout=60s")
    await namespace("wait", "--for=delete", "pvc/friend-agent-memory", "--timeout=90s")


async def ready_pods(namespace: Kubectl) -> set[str]:
    return {
        pod["metadata"]["name"]
        for pod in await namespace.list("pod", labels="isek.io/agent=friend")
        if all(status["ready"] for status in pod["status"].get("containerStatuses") or [{"ready": False}])
    }


async def another_pod(namespace: Kubectl, before: set[str]) -> bool:
    return bool(await ready_pods(namespace) - before)
