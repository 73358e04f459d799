"""Agents on a model behind the OpenAI API, with a key from a Secret. The model is a pod that follows a script."""

import pytest

from tests.support.api_examples import agent
from tests.support.isek_cli import Isek
from tests.support.kubectl import CommandFailedError, Kubectl
from tests.support.model_pod import KEY, model_server, on_model, secret


async def test_the_key_comes_from_a_secret_which_may_come_late_and_shows_up_nowhere_else(namespace: Kubectl) -> None:
    await namespace.apply(*model_server(), agent("parrot", model=on_model(secret="openai")))
    await namespace("wait", "--for=create", "isekagent/parrot", "--timeout=10s")
    await namespace("wait", "--for=condition=ResolvedRefs=False", "isekagent/parrot", "--timeout=30s")
    complaint = await namespace("get", "isekagent/parrot", "-o", "wide")
    assert "SecretNotFound" in complaint
    assert "openai" in complaint

    await namespace.apply(secret("openai", KEY))
    await namespace.until_condition("isekagent", "parrot", within=120)
    await namespace.until_condition("pod", "models")

    assert (await Isek(namespace).ask("parrot", "hello")).text == "hello"
    everything = await namespace("get", "isek,deployment,replicaset,pod,configmap,event", "-o", "yaml")
    logs = await namespace("logs", "--selector=isek.io/agent", "--all-containers", "--tail=-1")
    assert "parrot-agent" in everything
    assert KEY not in everything + logs


async def test_a_wrong_key_is_an_error_of_the_model_and_is_not_repeated_to_the_caller(namespace: Kubectl) -> None:
    wrong = "sk-e2e-wrong-and-secret"
    await namespace.apply(
        *model_server(),
        secret("mistaken", wrong),
        agent("parrot", model=on_model(secret="mistaken")),
    )
    await namespace.until_condition("isekagent", "parrot", within=120)
    await namespace.until_condition("pod", "models")

    with pytest.raises(CommandFailedError) as failure:
        await Isek(namespace).ask("parrot", "hello")

    assert "ModelAuthenticationFailed" in failure.value.output
    assert wrong not in failure.value.output
