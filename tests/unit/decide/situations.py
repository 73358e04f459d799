"""The situations that a resource can be in, each with the status that the operator writes in it.

Every reason is shown by one at least, for each kind and each condition that may give it (``test_reasons``).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from isek_operator.cluster.status import next_status, overridden, waiting
from isek_operator.decide.etcd.view import BrokenAgent, EtcdView, MemberView
from isek_operator.decide.outcome import Finding, Manifest
from isek_operator.decide.reasons import Reason
from isek_operator.decide.upgrade import config_hash

from tests.support.kstatus import Status
from tests.unit.decide.running_etcd import FIRST_ID
from tests.unit.decide.scene import Scene, live, progressing
from tests.unit.manifests.samples import NAMESPACE, OPENAI, agent, coded, elsewhere, mesh, node, team

NAMES = {"IsekAgent": "researcher", "IsekTeam": "newsroom", "IsekNode": "shared", "IsekMesh": "default"}
WITH_PODS = ("IsekAgent", "IsekTeam", "IsekNode")
AGENTS_AND_TEAMS = ("IsekAgent", "IsekTeam")
WRITER = {"agent": {"name": "writer"}}
ON_SHARED = {"nodeRef": {"name": "shared"}}
ELSEWHERE = {"meshRef": {"name": "elsewhere"}}
GUARDED = {"access": {"agents": {"from": "Namespace"}}}
NO_SECRET = {"template": {"env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "none", "key": "key"}}}]}}


@dataclass(frozen=True)
class Situation:
    """A resource with its status, and what kstatus makes of it."""

    name: str
    resource: Manifest
    kstatus: Status

    @property
    def kind(self) -> str:
        return str(self.resource["kind"])

    @property
    def conditions(self) -> list[dict[str, Any]]:
        conditions: list[dict[str, Any]] = self.resource["status"]["conditions"]
        return conditions

    @property
    def suspended(self) -> bool:
        """Whether it is as it should be, and nothing runs."""
        return any(each["type"] == "Ready" and each["reason"] == Reason.SCALED_TO_ZERO for each in self.conditions)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@cache
def situations() -> tuple[Situation, ...]:
    """All of them."""
    return (*_of_every_kind(), *_with_pods(), *_agents_and_teams(), *_agents(), *_teams(), *_meshes())


def settled_world() -> Scene:
    """A mesh whose etcd answers, and an agent that a team can ask."""
    scene = Scene(mesh(), agent("writer"))
    scene.settle("IsekMesh", "default")
    scene.settle("IsekAgent", "writer")
    return scene


def one_of(kind: str, **spec: Any) -> Manifest:
    """A resource of the kind, under the name that it has in all situations."""
    if kind == "IsekTeam":
        return team(NAMES[kind], WRITER, created=9, **spec)
    if kind == "IsekAgent":
        return agent(NAMES[kind], created=9, **spec)
    return {"IsekNode": node, "IsekMesh": mesh}[kind](NAMES[kind], **spec)


def now(name: str, scene: Scene, kind: str, expected: Status, findings: tuple[Finding, ...] | None = None) -> Situation:
    """The resource of that kind as it is judged in the scene."""
    manifest, outcome = scene.manifest(kind, NAMES[kind]), scene.decide(kind, NAMES[kind])
    said = outcome.findings if findings is None else findings
    status = next_status({}, said, outcome.status, generation=1, now=datetime(2026, 1, 1, tzinfo=UTC))
    metadata = {**manifest["metadata"], "generation": 1}
    return Situation(name, {**manifest, "metadata": metadata, "status": status}, expected)


def with_pods(kind: str, *, spec: dict[str, Any] | None = None, **status: Any) -> Scene:
    """The settled world with a resource of that kind, its pods in the state that ``status`` says."""
    scene = settled_world().put(one_of(kind, **(spec or {})))
    scene.bring_about(kind, NAMES[kind], **status)
    return scene


def unbuildable(kind: str) -> Scene:
    """A resource that its pods, of its latest specification, cannot build."""
    return complained_of(with_pods(kind, updatedReplicas=0), kind, "spec.model.class: no such module")


def complained_of(scene: Scene, kind: str, message: str, *, only_tools: bool = False) -> Scene:
    """The scene once the node of its pods has said something of the resource."""
    deployment = next(each for each in scene.decide(kind, NAMES[kind]).wish or () if each["kind"] == "Deployment")
    said = BrokenAgent(kind, NAMESPACE, NAMES[kind], config_hash(deployment) or "", message, only_tools)
    view = scene.store.etcd(NAMESPACE, "default")
    assert view is not None
    scene.store.put_etcd(NAMESPACE, "default", replace(view, broken=frozenset({said})))
    return scene


def _of_every_kind() -> Iterator[Situation]:
    for kind, name in NAMES.items():
        ready = with_pods(kind)
        yield now("whose pods answer", ready, kind, "Current")
        yield now("whose pods are on their way", with_pods(kind, updatedReplicas=0), kind, "InProgress")
        lost = with_pods(kind, readyReplicas=0, **progressing("NewReplicaSetAvailable"))
        yield now("that lost a pod", lost, kind, "InProgress")
        findings = ready.decide(kind, name).findings
        refused = overridden(
            findings, Reason.CHILD_REJECTED, "Service 'x' was refused by the API server: exceeded quota"
        )
        yield now("of which a child is refused", ready, kind, "Failed", refused)
        foreign = overridden(findings, Reason.NAME_CONFLICT, "Service 'x' was not made by Isek and is left alone")
        yield now("of which a child's name is taken", ready, kind, "Failed", foreign)
        leftover = waiting(findings, "Service 'x' belongs to a deleted resource of this name and is being removed")
        yield now("that waits for its predecessor to go", ready, kind, "InProgress", leftover)
        unreadable = overridden(
            (), Reason.INVALID_SPEC, "spec.colour: unknown; are the CRDs of the operator's version?"
        )
        yield now("that does not parse", ready, kind, "Failed", unreadable)


def _with_pods() -> Iterator[Situation]:
    for kind in WITH_PODS:
        stuck = with_pods(kind, readyReplicas=0, **progressing("ProgressDeadlineExceeded"))
        yield now("without progress", stuck, kind, "Failed")
        yield now("that is scaled to zero", with_pods(kind, spec={"replicas": 0}), kind, "Current")
        yield now("without its mesh", settled_world().put(one_of(kind, **ELSEWHERE)), kind, "Failed")
        closed = settled_world().put(elsewhere(mesh("ground"), "press"))
        closed.put(one_of(kind, meshRef={"name": "ground", "namespace": "press"}))
        yield now("that its mesh does not let in", closed, kind, "Failed")
        yield now("without the default mesh", Scene(agent("writer"), one_of(kind)), kind, "InProgress")
        yield now("without a Secret", settled_world().put(one_of(kind, **NO_SECRET)), kind, "Failed")


def _agents_and_teams() -> Iterator[Situation]:
    yield now("without its code", settled_world().put(coded("researcher")), "IsekAgent", "Failed")
    for kind in AGENTS_AND_TEAMS:
        yield now("that its node cannot build", unbuildable(kind), kind, "Failed")
        unguarded = settled_world().put(mesh("open", p2p={"enabled": False}))
        unguarded.put(one_of(kind, meshRef={"name": "open"}, **GUARDED))
        yield now("whose callers nobody can tell", unguarded, kind, "Failed")
        guest = one_of(kind, **ON_SHARED)
        yield now("without its node", settled_world().put(guest), kind, "Failed")
        hosted = settled_world().put(node(), guest)
        yield now("whose node is on its way", hosted, kind, "InProgress")
        hosted.bring_about("IsekNode", "shared")
        yield now("whose node is ready", hosted, kind, "Current")
        full = settled_world().put(node(maxAgents=1), agent("first", nodeRef={"name": "shared"}), guest)
        yield now("on a full node", full, kind, "Failed")
        rival = {"IsekAgent": team(NAMES[kind], WRITER), "IsekTeam": agent(NAMES[kind])}[kind]
        yield now("whose address is taken", settled_world().put(rival, one_of(kind)), kind, "Failed")
    tool = {"tools": [WRITER]}
    for kind, asks in (("IsekAgent", tool), ("IsekTeam", {})):
        alone = Scene(mesh(), one_of(kind, **asks))
        yield now("that asks somebody who is not there", alone, kind, "Failed")
        apart = settled_world().put(mesh("press"), one_of(kind, meshRef={"name": "press"}, **asks))
        yield now("that asks somebody of another mesh", apart, kind, "Failed")
    keyless = settled_world().put(agent(NAMES["IsekAgent"], model=OPENAI))
    yield now("without the key of its model", keyless, "IsekAgent", "Failed")
    unclaimed = settled_world().put(agent(NAMES["IsekAgent"], memory={"provider": "SQLite", "claim": {"name": "none"}}))
    yield now("without the volume claim that it names", unclaimed, "IsekAgent", "Failed")
    larger = {"memory": {"provider": "SQLite", "storage": {"size": "2Gi"}}}
    shrinking = with_pods("IsekAgent", spec=larger).put(one_of("IsekAgent", memory={"provider": "SQLite"}))
    shrinking.bring_about("IsekAgent", NAMES["IsekAgent"])
    yield now("whose memory is to have less room", shrinking, "IsekAgent", "Failed")


def _agents() -> Iterator[Situation]:
    changed = "the MCP server http://tools/mcp has changed tool 'search', now not used"
    scene = complained_of(with_pods("IsekAgent"), "IsekAgent", changed, only_tools=True)
    yield now("of which a tool has changed", scene, "IsekAgent", "Current")


def _teams() -> Iterator[Situation]:
    scene = with_pods("IsekTeam")
    scene.drop("Deployment", "writer-agent")
    writer = scene.manifest("IsekAgent", "writer")
    scene.put({**writer, "status": {}})
    yield now("with a member that is not ready", scene, "IsekTeam", "InProgress")
    circle = settled_world().put(
        team("desk", {"team": {"name": "newsroom"}}), team("newsroom", {"team": {"name": "desk"}})
    )
    yield now("that is a member of itself", circle, "IsekTeam", "Failed")


def _meshes() -> Iterator[Situation]:
    for size, answering, name in ((3, 2, "with a quorum"), (3, 1, "without a quorum")):
        scene = Scene(mesh(etcd={"replicas": size}))
        scene.bring_about("IsekMesh", "default", readyReplicas=answering)
        yield now(name, scene, "IsekMesh", "InProgress")
    yield now("that grows", of_size(1).put(mesh(etcd={"replicas": 3})), "IsekMesh", "InProgress")
    yield now("that shrinks", of_size(3).put(mesh(etcd={"replicas": 1})), "IsekMesh", "InProgress")
    yield now("that anybody may write to", with_view(of_size(1), auth_enabled=False), "IsekMesh", "InProgress")
    yield now("that is full", with_view(of_size(1), no_space=frozenset({FIRST_ID})), "IsekMesh", "InProgress")
    kept = Scene(mesh(etcd={"storage": {"whenDeleted": "Retain"}}))
    kept.bring_about("IsekMesh", "default")
    kept.put(mesh(etcd={"storage": {"whenDeleted": "Retain", "size": "2Gi"}}))
    yield now("whose volumes are kept and are to be others", kept, "IsekMesh", "Failed")
    stranger = MemberView(7, "x", "http://10.0.0.9:2380", learner=False, reachable=False)
    yield now("with a member of somebody else", with_view(of_size(1), stranger), "IsekMesh", "Failed")
    unseen = with_view(of_size(1), quorum=False, error="default-etcd-0: connection refused")
    yield now("whose etcd the operator cannot read", unseen, "IsekMesh", "InProgress")
    scene = of_size(3)
    scene.store.put_etcd(NAMESPACE, "default", without_last(scene))
    yield now("that lost a member", scene, "IsekMesh", "InProgress")
    refused = of_size(1).put(mesh(etcd={"image": "registry.k8s.io/etcd:3.4.0-0"}))
    yield now("whose image goes back", refused, "IsekMesh", "Failed")
    yield now("with other volumes", of_size(1).put(mesh(etcd={"storage": {"size": "2Gi"}})), "IsekMesh", "InProgress")
    yield now("whose private network key is replaced", rotating(), "IsekMesh", "Current")
    keyless = of_size(1)
    keyless.put(live({**keyless.secrets.held[NAMESPACE, "default-p2p"], "data": {}}))
    yield now("whose private network key somebody removed", keyless, "IsekMesh", "Failed")
    external = Scene(mesh(etcd=EXTERNAL), secrets={"etcd-tls": ("ca.crt", "tls.crt", "tls.key")})
    yield now("whose external etcd does not answer", external, "IsekMesh", "InProgress")
    yield now("whose external etcd has no certificate", Scene(mesh(etcd=EXTERNAL)), "IsekMesh", "Failed")
    yield now("whose relays answer", relayed(), "IsekMesh", "Current")
    yield now("that has lost a relay", relayed(readyReplicas=0), "IsekMesh", "InProgress")
    homeless = of_size(1).put(mesh(p2p={"relays": {"replicas": 1, "service": {"type": "LoadBalancer"}}}))
    yield now("whose relay has no address", homeless, "IsekMesh", "InProgress")
    own_authority = mesh(etcd={"tls": {"caSecret": {"name": "own"}}})
    yield now("without its authority", Scene(own_authority), "IsekMesh", "Failed")
    unusable = Scene(secrets={"own": ("tls.crt", "tls.key")}).put(own_authority)
    yield now("with an authority that cannot issue", unusable, "IsekMesh", "Failed")


def rotating() -> Scene:
    """A mesh whose private network key is about to be replaced."""
    return of_size(1).put(mesh(p2p={"privateNetworkKey": {"rotation": 1}}))


EXTERNAL = {"external": {"endpoints": ["https://etcd.example:2379"], "tlsSecret": {"name": "etcd-tls"}}}


def of_size(members: int) -> Scene:
    """A mesh whose etcd has come to its size."""
    scene = Scene(mesh(etcd={"replicas": members}))
    scene.settle("IsekMesh", "default")
    return scene


def relayed(**status: Any) -> Scene:
    """A mesh with a relay in the state that ``status`` says."""
    scene = of_size(1).put(mesh(p2p={"relays": {"replicas": 1}}))
    for _ in ("the Service, which has an address", "the Deployment, which needs one"):
        for manifest in scene.decide("IsekMesh", "default").wish or ():
            if manifest["metadata"]["name"] == "default-relay-0":
                scene.put(live(manifest, **status))
    return scene


def with_view(scene: Scene, *more: MemberView, **changes: Any) -> Scene:
    """The scene, with another word of its etcd."""
    view = scene.store.etcd(NAMESPACE, "default")
    assert view is not None
    scene.store.put_etcd(NAMESPACE, "default", replace(view, members=(*view.members, *more), **changes))
    return scene


def without_last(scene: Scene) -> EtcdView:
    """What an etcd says that has lost its last member."""
    view = scene.store.etcd(NAMESPACE, "default")
    assert view is not None
    return replace(view, members=view.members[:-1])
