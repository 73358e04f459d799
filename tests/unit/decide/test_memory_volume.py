"""The volume of an agent's memory: made, grown, never lost by what is said elsewhere."""

from typing import Any

import pytest
from isek_operator.decide.outcome import Manifest, Outcome
from isek_operator.decide.reasons import Reason
from isek_operator.keys import Key

from tests.unit.decide.scene import WORKLOAD, Scene, finding, kinds, live, progressing
from tests.unit.manifests.samples import NAMESPACE, agent, mesh, team

CLAIM = "researcher-agent-memory"


def remembering(**storage: Any) -> Manifest:
    return agent(memory={"provider": "SQLite", "storage": storage})


def claimed(outcome: Outcome) -> Manifest:
    """The one volume claim of the wish."""
    (found,) = [each for each in outcome.wish or () if each["kind"] == "PersistentVolumeClaim"]
    return found


def with_claim(wanted: Manifest, *, phase: str = "Bound", class_name: str | None = None, **status: Any) -> Scene:
    """A world in which that agent runs on its volume."""
    scene = Scene(mesh(), wanted)
    scene.settle("IsekMesh", "default")
    scene.bring_about("IsekAgent", "researcher", **status)
    claim = live(claimed(scene.decide("IsekAgent", "researcher")))
    claim["spec"] |= {"storageClassName": class_name} if class_name else {}
    return scene.put({**claim, "status": {"phase": phase}})


def decided(scene: Scene, *changed: Manifest) -> Outcome:
    return scene.put(*changed).decide("IsekAgent", "researcher")


def test_an_agent_that_names_no_claim_gets_one() -> None:
    outcome = Scene(mesh(), agent(memory={"provider": "SQLite"})).decide("IsekAgent", "researcher")

    assert kinds(outcome.wish) == ["PersistentVolumeClaim", *WORKLOAD], "no pod mounts it before it is the agent's own"
    assert claimed(outcome)["spec"]["resources"]["requests"] == {"storage": "1Gi"}


def test_one_that_is_there_holds_up_nothing_else() -> None:
    outcome = with_claim(remembering()).decide("IsekAgent", "researcher")

    assert kinds(outcome.wish) == [*WORKLOAD, "PersistentVolumeClaim"]


def test_the_claim_of_a_former_agent_of_the_name_is_nothing_to_go_on_with() -> None:
    scene = with_claim(remembering(size="5Gi"))
    former = claimed(scene.decide("IsekAgent", "researcher"))
    former["metadata"]["ownerReferences"][0]["uid"] = "another"

    outcome = decided(scene, live(former))

    assert kinds(outcome.wish) == ["PersistentVolumeClaim", *WORKLOAD]


@pytest.mark.parametrize(
    "memory", [{}, {"provider": "PostgreSQL", "url": {"secretKeyRef": {"name": "db", "key": "u"}}}]
)
def test_other_memories_have_no_volume(memory: dict[str, Any]) -> None:
    outcome = Scene(mesh(), agent(memory=memory), secrets={"db": ("u",)}).decide("IsekAgent", "researcher")

    assert kinds(outcome.wish) == WORKLOAD


def test_a_claim_of_ones_own_has_to_be_there() -> None:
    scene = Scene(mesh(), agent(memory={"provider": "SQLite", "claim": {"name": "mine"}}))
    missing = scene.decide("IsekAgent", "researcher")

    assert finding(missing, "ResolvedRefs").reason is Reason.CLAIM_NOT_FOUND
    assert finding(missing, "Ready").message.startswith(
        "PersistentVolumeClaim 'mine' does not exist in namespace 'newsroom'; create it, or fix spec.memory.claim"
    )
    assert missing.wish is None

    metadata = {"name": "mine", "namespace": NAMESPACE}
    scene.store.put_read(
        Key("PersistentVolumeClaim", NAMESPACE, "mine"),
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata},
    )
    assert kinds(scene.decide("IsekAgent", "researcher").wish) == WORKLOAD


def test_a_bound_claim_grows_and_one_without_a_volume_waits_for_that() -> None:
    more = remembering(size="5Gi")

    assert claimed(decided(with_claim(remembering()), more))["spec"]["resources"]["requests"] == {"storage": "5Gi"}
    pending = claimed(decided(with_claim(remembering(), phase="Pending"), more))
    assert pending["spec"]["resources"]["requests"] == {"storage": "1Gi"}


@pytest.mark.parametrize(
    ("has", "asked", "what"),
    [
        ({"size": "5Gi"}, {"size": "1Gi"}, "size 1Gi, and PersistentVolumeClaim 'researcher-agent-memory' has 5Gi"),
        ({}, {"className": "slow"}, "className 'slow', and PersistentVolumeClaim 'researcher-agent-memory' has 'fast'"),
    ],
)
def test_what_a_volume_cannot_become_is_said_and_it_stays(
    has: dict[str, str], asked: dict[str, str], what: str
) -> None:
    scene = with_claim(remembering(**has), class_name="fast")
    before = claimed(scene.decide("IsekAgent", "researcher"))
    scene.put(remembering(**asked)).bring_about("IsekAgent", "researcher")
    scene.put(live({**before, "status": {"phase": "Bound"}}))

    outcome = scene.decide("IsekAgent", "researcher")

    assert finding(outcome, "Stalled").reason is Reason.VOLUMES_KEPT
    assert finding(outcome, "Ready").message.startswith(f"spec.memory.storage asks for {what}")
    assert claimed(outcome) == before


def test_a_class_that_the_cluster_chose_is_kept_in_the_wish() -> None:
    outcome = with_claim(remembering(), class_name="standard").decide("IsekAgent", "researcher")

    assert claimed(outcome)["spec"]["storageClassName"] == "standard"
    assert finding(outcome, "Ready").status


def test_a_volume_that_the_pods_wait_for_is_named() -> None:
    starting = {"readyReplicas": 0, **progressing("ReplicaSetUpdated")}
    outcome = with_claim(remembering(), phase="Pending", **starting).decide("IsekAgent", "researcher")

    assert finding(outcome, "Ready").message.endswith(
        "; PersistentVolumeClaim 'researcher-agent-memory' is Pending, see kubectl describe pvc researcher-agent-memory"
    )


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ([team("researcher", {"agent": {"name": "writer"}})], Reason.NAME_CONFLICT),
        ([], Reason.MESH_NOT_ALLOWED),
    ],
    ids=["whose name is taken", "that its mesh lets in no more"],
)
def test_an_agent_that_has_to_go_keeps_its_memory(others: list[Manifest], reason: Reason) -> None:
    scene = with_claim(remembering())
    if reason is Reason.MESH_NOT_ALLOWED:
        closed = mesh("closed")
        closed["metadata"]["namespace"] = "press"
        others = [closed, {**agent(memory={"provider": "SQLite"}, meshRef={"name": "closed", "namespace": "press"})}]
    else:
        others = [{**agent(created=9, memory={"provider": "SQLite"})}, *others]

    outcome = decided(scene, *others)

    assert finding(outcome, "Ready").reason is reason
    assert kinds(outcome.wish) == ["PersistentVolumeClaim"]


def test_one_that_never_ran_gets_no_volume_while_its_name_is_taken() -> None:
    scene = Scene(mesh(), team("researcher", {"agent": {"name": "writer"}}))

    assert decided(scene, agent(created=9, memory={"provider": "SQLite"})).wish == ()


def test_an_agent_that_keeps_its_memory_elsewhere_has_no_claim_any_more() -> None:
    assert kinds(decided(with_claim(remembering()), agent()).wish) == WORKLOAD
