"""The same job as usual Kopf handlers, for comparison: ``python -m tests.benchmarks.kopf_handlers CHILDREN PORT``.

Handlers for what happens to an IsekAgent, Kopf's own progress and diff-base annotations, its default settings, and the
children written by the client that Kopf's documentation uses. No deletion handler: children go by garbage collection,
and a finalizer would cost writes. ``on.resume``: without it nothing is looked at after a restart.
"""

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kopf
import uvloop
from kubernetes.aio import client, config
from prometheus_client import Counter, start_http_server

APPLY = {"field_manager": "kopf-handlers", "force": True, "_content_type": "application/apply-patch+yaml"}
RECONCILES = Counter("kopf_handlers_reconcile", "Runs of a handler.")


class Children:
    """Applies the rendered children of an agent."""

    def __init__(self, rendered: str) -> None:
        self._rendered = rendered
        self._api = client.ApiClient()

    async def apply(self, body: kopf.Body) -> None:
        text = self._rendered
        for field in ("name", "namespace", "uid"):
            text = text.replace(f"{{{field}}}", body["metadata"][field])
        for child in json.loads(text):
            del child["metadata"]["ownerReferences"]
            kopf.adopt(child, owner=body)
            await self._method(child)(child["metadata"]["name"], child["metadata"]["namespace"], child, **APPLY)

    def _method(self, child: dict[str, Any]) -> Any:
        group, _, version = child["apiVersion"].rpartition("/")
        group = group.partition(".")[0] or "core"
        api = getattr(client, f"{group.capitalize()}{version.capitalize()}Api")(self._api)
        return getattr(api, "patch_namespaced" + re.sub("([A-Z])", r"_\1", child["kind"]).lower())


def conditions(generation: int) -> list[dict[str, Any]]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    common = {"observedGeneration": generation, "lastTransitionTime": now, "message": "pods are on their way"}
    return [
        {"type": "Ready", "status": "False", "reason": "RollingOut", **common},
        {"type": "ResolvedRefs", "status": "True", "reason": "ReferencesResolved", **common},
    ]


async def main(rendered: str, port: int) -> None:
    """Run until told to end."""
    start_http_server(port, addr="127.0.0.1")
    await config.load_kube_config()  # type: ignore[no-untyped-call]
    applied = Children(rendered)
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(kopf.login_with_kubeconfig)

    @kopf.on.resume("isek.io", "v1alpha1", "isekagents", registry=registry)
    @kopf.on.create("isek.io", "v1alpha1", "isekagents", registry=registry)
    @kopf.on.update("isek.io", "v1alpha1", "isekagents", registry=registry)
    async def bring(body: kopf.Body, patch: kopf.Patch, **_: Any) -> None:
        await applied.apply(body)
        if body.status.get("observedGeneration") != body.metadata["generation"]:
            patch.status["observedGeneration"] = body.metadata["generation"]
            patch.status["conditions"] = conditions(body.metadata["generation"])
        RECONCILES.inc()

    await kopf.operator(registry=registry, clusterwide=True, standalone=True)


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]).read_text(), int(sys.argv[2])))
