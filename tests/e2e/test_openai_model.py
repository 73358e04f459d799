"""Agents on a model behind the OpenAI API, with a key from a Secret. The model is a pod that follows a script."""

import inspect
from pathlib import Path
from typing import Any

import pytest
from isek import __version__

from tests.support import openai_forms, openai_server
from tests.support.api_examples import agent
from tests.support.isek_cli import Isek
from tests.support.kubectl import CommandFailedError, Kubectl, Object

KEY = "sk-e2e-right-and-secret"
PORT = 8000


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


def on_model(*, secret: str) -> dict[str, Any]:
    return {
        "provider": "OpenAI",
        "name": "echo",
        "baseURL": f"http://models:{PORT}/v1",
        "apiKey": {"secretKeyRef": {"name": secret, "key": "api-key"}},
    }


def secret(name: str, key: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"api-key": key}}


def model_server() -> tuple[Object, ...]:
    """Make ``tests/support/openai_server.py`` a pod, on the node's image: it has all that the server needs."""
    sources = [Path(inspect.getfile(module)) for module in (openai_server, openai_forms)]
    items = [{"key": source.name, "path": f"tests/support/{source.name}"} for source in sources]
    container = {
        "name": "server",
        "image": f"isek/node:{__version__}",
        "command": ["python", "-m", openai_server.__name__, "--host=0.0.0.0", f"--port={PORT}", "--key=$(KEY)"],
        "workingDir": "/server",
        "env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "models", "key": "api-key"}}}],
        "readinessProbe": {"httpGet": {"path": "/v1/models", "port": PORT}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "server", "mountPath": "/server"}],
    }
    return (
        secret("models", KEY),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "models"},
            "data": {source.name: source.read_text() for source in sources},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "models"},
            "spec": {"selector": {"app": "models"}, "ports": [{"port": PORT}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "models", "labels": {"app": "models"}},
            "spec": {
                "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [container],
                "volumes": [{"name": "server", "configMap": {"name": "models", "items": items}}],
            },
        },
    )
