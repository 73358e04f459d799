"""A pod that speaks the OpenAI API and follows a script, for agents on a real cluster."""

import inspect
from pathlib import Path
from typing import Any

from isek import __version__

from tests.support import openai_forms, openai_server
from tests.support.kubectl import Object

KEY = "sk-e2e-right-and-secret"
PORT = 8000


def on_model(model: str = "echo", *, secret: str) -> dict[str, Any]:
    """``spec.model`` of an agent that asks it, with the key from a Secret."""
    return {
        "provider": "OpenAI",
        "name": model,
        "baseURL": f"http://models:{PORT}/v1",
        "apiKey": {"secretKeyRef": {"name": secret, "key": "api-key"}},
    }


def secret(name: str, key: str) -> Object:
    """A Secret with an API key."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"api-key": key}}


def model_server() -> tuple[Object, ...]:
    """Make ``openai_server`` a pod, on the node's image: it has all that the server needs."""
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
