"""The etcd of a mesh in a ``Scene``: it does what the decisions ask for, at once."""

from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from isek.api import IsekMesh
from isek_operator.decide.etcd.gathering import MOST_MEMBERS, REVISION_LABEL
from isek_operator.decide.etcd.steps import (
    Action,
    AddLearner,
    Defragment,
    DeletePod,
    MoveLeader,
    Promote,
    RemoveMember,
    RestrictNodes,
)
from isek_operator.decide.etcd.view import EtcdView, MemberView
from isek_operator.decide.outcome import Manifest, Outcome
from isek_operator.manifests.etcd import etcd_peer_url, etcd_pod_name, etcd_selector
from isek_operator.manifests.stateful_set import CLUSTER_ANNOTATION, USER_PART

if TYPE_CHECKING:
    from tests.unit.decide.scene import Scene

FIRST_ID = 100
REVISION = "latest"


class Rolling(Enum):
    """Who has changed the template of the pods."""

    USER = "User"
    OPERATOR = "Operator"


class RunningEtcd:
    """Members by the ordinals of their pods."""

    def __init__(self, scene: "Scene", mesh: IsekMesh) -> None:
        self._scene, self._mesh = scene, mesh
        self._urls = [etcd_peer_url(mesh, ordinal) for ordinal in range(MOST_MEMBERS)]
        self._ids = FIRST_ID
        self.view = EtcdView(0.0, quorum=False)
        self.rolling: Rolling | None = None
        """Who has changed the template, so that no pod is of it yet."""

    def run(self, *, ready: int | None = None, rolling: Rolling | None = None) -> Outcome:
        """Let it come to its size, then have ``ready`` members answer; all of them: None."""
        self.rolling = None
        self._answer(MOST_MEMBERS)
        for _ in range(40):
            wished = self._decide().wish
            outcome = self._bring_about()
            if outcome.etcd_step is not None:
                self._take(outcome.etcd_step.action)
            elif outcome.wish == wished:
                break
        self.rolling = rolling
        if ready is not None:
            self._answer(ready)
        return self._bring_about(ready=ready)

    def _decide(self) -> Outcome:
        return self._scene.decide("IsekMesh", self._mesh.name, self._mesh.namespace)

    def _bring_about(self, ready: int | None = None) -> Outcome:
        for manifest in self._decide().wish or ():
            replicas = manifest["spec"].get("replicas", 0) if manifest["kind"] == "StatefulSet" else 0
            self._scene.put(self._live(manifest, replicas if ready is None else ready))
            for ordinal in range(replicas):
                self._scene.put(self._pod(ordinal, manifest, is_ready=ready is None or ordinal < ready))
                if not self.view.members:
                    self._add(0, learner=False)
            if manifest["kind"] == "StatefulSet":
                for ordinal in range(replicas, MOST_MEMBERS):
                    self._scene.drop("Pod", etcd_pod_name(self._mesh, ordinal))
        self._scene.store.put_etcd(self._mesh.namespace, self._mesh.name, self.view)
        return self._decide()

    def _live(self, manifest: Manifest, ready: int) -> Manifest:
        from tests.unit.decide.scene import live  # noqa: PLC0415

        if manifest["kind"] != "StatefulSet":
            return live(manifest)
        updated = {"updateRevision": "next", "updatedReplicas": 0} if self.rolling else {"updateRevision": REVISION}
        return live(manifest, readyReplicas=ready, **updated)

    def _pod(self, ordinal: int, stateful_set: Manifest, *, is_ready: bool) -> Manifest:
        name = etcd_pod_name(self._mesh, ordinal)
        changed = {USER_PART: "former"} if self.rolling is Rolling.USER else {}
        metadata: dict[str, Any] = {
            "name": name,
            "uid": f"uid-of-{name}",
            "labels": {**etcd_selector(self._mesh), REVISION_LABEL: REVISION},
            "annotations": stateful_set["spec"]["template"]["metadata"]["annotations"] | changed,
            "ownerReferences": [{"kind": "StatefulSet", "name": stateful_set["metadata"]["name"]}],
        }
        assert CLUSTER_ANNOTATION in metadata["annotations"]
        conditions = [{"type": "Ready", "status": str(is_ready)}]
        status = {"podIP": f"10.0.0.{ordinal + 1}", "conditions": conditions}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}

    def _answer(self, answering: int) -> None:
        members = tuple(
            replace(each, reachable=index < answering, leader=FIRST_ID if index < answering else 0)
            for index, each in enumerate(self.view.members)
        )
        self.view = replace(self.view, members=members, quorum=min(answering, len(members)) > len(members) // 2)

    def _add(self, ordinal: int, *, learner: bool) -> None:
        name = etcd_pod_name(self._mesh, ordinal)
        added = MemberView(self._ids, name, self._urls[ordinal], learner, True, "3.6.8", FIRST_ID)
        self.view = replace(self.view, quorum=True, members=(*self.view.members, added))
        self._ids += 1

    def _take(self, action: Action) -> None:
        match action:
            case RestrictNodes(prefix):
                self.view = replace(self.view, auth_enabled=True, granted=frozenset({prefix}))
            case AddLearner(peer_url):
                self._add(self._urls.index(peer_url), learner=True)
            case Promote(id_):
                members = tuple(replace(each, learner=each.learner and each.id != id_) for each in self.view.members)
                self.view = replace(self.view, members=members)
            case RemoveMember(id_):
                self.view = replace(self.view, members=tuple(each for each in self.view.members if each.id != id_))
            case DeletePod(name):
                self._scene.drop("Pod", name)
            case MoveLeader() | Defragment():
                raise AssertionError(f"the first member leads, and nothing is to be given back: {action}")
