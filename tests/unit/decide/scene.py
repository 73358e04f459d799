"""A cluster as the operator's store knows it, put together object by object."""

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from isek.api import IsekMesh, Resource
from isek_operator.decide.outcome import Finding, Manifest, Outcome
from isek_operator.keys import Key
from isek_operator.reconcile.decisions import decisions
from isek_operator.settings import OperatorSettings
from isek_operator.store import Store

from tests.unit.decide.running_etcd import Rolling, RunningEtcd
from tests.unit.decide.secrets import Secrets
from tests.unit.manifests.samples import NAMESPACE, SETTINGS

NOW = datetime(2026, 1, 1, tzinfo=UTC)

WORKLOAD = ["ConfigMap", "ServiceAccount", "Service", "PodDisruptionBudget", "NetworkPolicy", "Deployment"]
"""What is made around the pods of an agent, a team or a node, in its order."""


class Scene:
    """The store with these objects in it, and what is decided when it looks like that."""

    def __init__(self, *manifests: Manifest, secrets: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self.now = NOW
        self.store = Store(clock=lambda: self.now)
        self.secrets = Secrets(lambda: self.now)
        self._versions = itertools.count(1)
        self._etcds: dict[tuple[str, str], RunningEtcd] = {}
        self.put(*manifests)
        for name, keys in (secrets or {}).items():
            self.store.put_read_secret(NAMESPACE, name, dict.fromkeys(keys))

    def put(self, *manifests: Manifest) -> "Scene":
        """Add, or replace, objects. A mesh comes with its Secrets."""
        for manifest in manifests:
            metadata = {"namespace": NAMESPACE, **manifest["metadata"], "resourceVersion": str(next(self._versions))}
            self.store.put({**manifest, "metadata": metadata})
            if manifest["kind"] == "IsekMesh":
                self.make_secrets(metadata["namespace"], metadata["name"])
        return self

    def make_secrets(self, namespace: str, mesh: str) -> bool:
        """Make and renew the Secrets of a mesh as it is decided now; whether there was anything to do."""
        found = self.store.resource("IsekMesh", namespace, mesh)
        assert found is not None
        written = [live(each) for each in self.secrets.write(decisions(SETTINGS)(found, self.store).secrets)]
        self.put(*written)
        return bool(written)

    def put_code(self, name: str, **files: str) -> "Scene":
        """Add, or replace, a ConfigMap with the Python files of these modules."""
        data = {f"{module}.py": text for module, text in files.items()}
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        self.store.put_read(Key("ConfigMap", NAMESPACE, name), manifest)
        return self

    def drop(self, kind: str, name: str) -> "Scene":
        """Take an object away."""
        self.store.drop(Key(kind, NAMESPACE, name), version=next(self._versions))
        return self

    def label_namespace(self, name: str, **labels: str) -> "Scene":
        """Add, or replace, a namespace."""
        self.store.put(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": labels, "resourceVersion": str(next(self._versions))},
            }
        )
        return self

    def resource(self, kind: str, name: str, namespace: str = NAMESPACE) -> Resource:
        found = self.store.resource(kind, namespace, name)
        assert found is not None, f"there is no {kind} {name}"
        return found

    def decide(
        self, kind: str, name: str, namespace: str = NAMESPACE, *, settings: OperatorSettings = SETTINGS
    ) -> Outcome:
        """What is decided about it."""
        return decisions(settings)(self.resource(kind, name, namespace), self.store)

    def bring_about(self, kind: str, name: str, **status: Any) -> Outcome:
        """Make the wish come true, with its pods in the state that ``status`` says, and decide again."""
        found = self.resource(kind, name)
        if isinstance(found, IsekMesh) and found.spec.etcd.external is None:
            rolling = Rolling.USER if status.get("updatedReplicas") == 0 else None
            return self.etcd(found).run(ready=status.get("readyReplicas"), rolling=rolling)
        for manifest in self.decide(kind, name).wish or ():
            self.put(live(manifest, **status))
        return self.decide(kind, name)

    def etcd(self, mesh: IsekMesh) -> RunningEtcd:
        """The etcd of a mesh."""
        return self._etcds.setdefault((mesh.namespace, mesh.name), RunningEtcd(self, mesh))

    def settle(self, kind: str, name: str) -> Outcome:
        """Make the wish come true with all pods ready, and write the status."""
        outcome = self.bring_about(kind, name)
        self.put(with_status(self.manifest(kind, name), outcome))
        return outcome

    def manifest(self, kind: str, name: str) -> Manifest:
        """The custom resource as the store holds it."""
        return {"apiVersion": "isek.io/v1alpha1", "kind": kind, **self.resource(kind, name).to_manifest()}


def live(manifest: Manifest, **status: Any) -> Manifest:
    """A wish as the API server holds it, by default with all of its pods ready."""
    name, kind = manifest["metadata"]["name"], manifest["kind"]
    metadata = {**manifest["metadata"], "uid": f"uid-of-{kind}-{name}", "generation": 1}
    if kind not in {"Deployment", "StatefulSet"}:
        return {**manifest, "metadata": metadata}
    pods = manifest["spec"]["replicas"]
    ready = {"observedGeneration": 1, "replicas": pods, "updatedReplicas": pods, "readyReplicas": pods}
    return {**manifest, "metadata": metadata, "status": ready | status}


def progressing(reason: str) -> dict[str, Any]:
    """The status of a Deployment whose condition Progressing has that reason."""
    return {"conditions": [{"type": "Progressing", "status": "True", "reason": reason}]}


def with_status(manifest: Manifest, outcome: Outcome) -> Manifest:
    """The custom resource after the outcome was written to it."""
    conditions = [condition(finding, manifest) for finding in outcome.findings]
    return {**manifest, "status": {**outcome.status, "conditions": conditions}}


def condition(finding: Finding, manifest: Manifest) -> dict[str, Any]:
    return {
        "type": finding.type,
        "status": str(finding.status),
        "reason": finding.reason.value,
        "message": finding.message,
        "observedGeneration": manifest["metadata"]["generation"],
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def finding(outcome: Outcome, kind: str) -> Finding:
    """The outcome's condition of that type, which stands there once."""
    (found,) = [each for each in outcome.findings if each.type == kind]
    return found


def types(outcome: Outcome) -> set[str]:
    """Which conditions there are."""
    return {each.type for each in outcome.findings}


def kinds(wish: tuple[Manifest, ...] | None) -> list[str]:
    assert wish is not None, "the children are left as they are"
    return [manifest["kind"] for manifest in wish]
