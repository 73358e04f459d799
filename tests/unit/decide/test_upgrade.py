"""A new version of the operator replaces the pods of a few workloads at a time; a user's change does not wait."""

from isek.api import IsekMesh
from isek_operator.decide.outcome import Manifest, Outcome, Upgrade
from isek_operator.decide.upgrade import DONE, UPGRADE, revision, upgrading_to
from isek_operator.settings import OperatorSettings

from tests.unit.decide.running_etcd import Rolling
from tests.unit.decide.scene import Scene, finding, live, progressing
from tests.unit.manifests.samples import NAMESPACE, SETTINGS, agent, mesh, node

NEXT = SETTINGS.model_copy(update={"node_image": "isek/node:next", "max_concurrent_upgrades": 2})
UNFINISHED = {"updatedReplicas": 0, "readyReplicas": 1}


def world(*manifests: Manifest, size: int = 3) -> Scene:
    """Agents that run, made by the operator's present version."""
    scene = Scene(mesh(), *(agent(f"agent-{number}") for number in range(size)), *manifests)
    scene.settle("IsekMesh", "default")
    for number in range(size):
        scene.settle("IsekAgent", f"agent-{number}")
    return scene


def edited(manifest: Manifest) -> Manifest:
    """The same resource, as the API server has it after its specification was changed."""
    return {**manifest, "metadata": {**manifest["metadata"], "generation": 2}}


def deployment(outcome: Outcome) -> Manifest:
    assert outcome.wish is not None
    (found,) = [manifest for manifest in outcome.wish if manifest["kind"] == "Deployment"]
    return found


def roll_out(scene: Scene, name: str, settings: OperatorSettings, **status: int) -> Outcome:
    """Apply the wish, and see the pods in that state."""
    outcome = scene.decide("IsekAgent", name, settings=settings)
    for manifest in outcome.wish or ():
        scene.put(live(manifest, **status))
    return outcome


def test_the_first_few_begin_and_the_next_waits_with_its_children_as_they_are() -> None:
    scene = world()

    assert roll_out(scene, "agent-0", NEXT, **UNFINISHED).upgrade is Upgrade.BEGINS
    assert roll_out(scene, "agent-1", NEXT, **UNFINISHED).upgrade is Upgrade.BEGINS
    waiting = scene.decide("IsekAgent", "agent-2", settings=NEXT)

    assert (waiting.upgrade, waiting.wish) == (Upgrade.WAITS, None)


def test_one_that_waits_is_ready_and_says_what_it_waits_for() -> None:
    scene = world()
    for name in ("agent-0", "agent-1"):
        roll_out(scene, name, NEXT, **UNFINISHED)

    ready = finding(scene.decide("IsekAgent", "agent-2", settings=NEXT), "Ready")

    assert ready.status
    assert ready.message == (
        "1 of 1 pods answer; they are of an earlier version of the operator and are replaced when others are done"
    )


def test_once_one_is_done_the_next_begins() -> None:
    scene = world()
    for name in ("agent-0", "agent-1"):
        roll_out(scene, name, NEXT, **UNFINISHED)
    scene.put(live(deployment(scene.decide("IsekAgent", "agent-0", settings=NEXT))))

    assert scene.decide("IsekAgent", "agent-2", settings=NEXT).upgrade is Upgrade.BEGINS


def test_what_a_user_changes_is_rolled_out_at_once_with_the_new_image() -> None:
    scene = world()
    for name in ("agent-0", "agent-1"):
        roll_out(scene, name, NEXT, **UNFINISHED)

    for change in ({"instructions": "Be brief."}, {"replicas": 3}, {"template": {"nodeSelector": {"disk": "ssd"}}}):
        scene.put(edited(agent("agent-2", **change)))
        changed = scene.decide("IsekAgent", "agent-2", settings=NEXT)
        assert changed.upgrade is Upgrade.NONE
        (container,) = deployment(changed)["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "isek/node:next"


def test_a_user_s_change_that_fails_does_not_count_among_the_few() -> None:
    scene = world()
    for number in range(2):
        scene.put(edited(agent(f"agent-{number}", template={"image": "nowhere/none:1"})))
    for name in ("agent-0", "agent-1"):
        roll_out(scene, name, NEXT, **UNFINISHED)

    assert scene.decide("IsekAgent", "agent-2", settings=NEXT).upgrade is Upgrade.BEGINS


def test_one_that_did_not_work_before_holds_up_nobody() -> None:
    scene = world()
    for name in ("agent-0", "agent-1"):
        roll_out(scene, name, SETTINGS, readyReplicas=0)
        assert roll_out(scene, name, NEXT, readyReplicas=0).upgrade is Upgrade.BEGINS

    assert scene.decide("IsekAgent", "agent-2", settings=NEXT).upgrade is Upgrade.BEGINS


def test_a_version_that_does_not_start_stops_at_the_few_and_a_mended_one_goes_on_with_them() -> None:
    scene = world()
    for name in ("agent-0", "agent-1"):
        roll_out(scene, name, NEXT, **UNFINISHED)
    assert scene.decide("IsekAgent", "agent-2", settings=NEXT).upgrade is Upgrade.WAITS
    mended = NEXT.model_copy(update={"node_image": "isek/node:mended"})

    for name in ("agent-0", "agent-1"):
        assert roll_out(scene, name, mended).upgrade is Upgrade.BEGINS

    assert scene.decide("IsekAgent", "agent-2", settings=mended).upgrade is Upgrade.BEGINS


def test_one_that_is_on_its_way_is_not_held_up_by_itself() -> None:
    scene = world()
    one_at_a_time = NEXT.model_copy(update={"max_concurrent_upgrades": 1})
    roll_out(scene, "agent-0", one_at_a_time, **UNFINISHED)
    scene.put(mesh(labels={}, etcd={"replicas": 3}))

    assert scene.decide("IsekAgent", "agent-0", settings=one_at_a_time).wish is not None


def test_a_new_workload_is_made_at_once() -> None:
    scene = world(agent("late"))
    for name in ("agent-0", "agent-1"):
        roll_out(scene, name, NEXT, **UNFINISHED)

    outcome = scene.decide("IsekAgent", "late", settings=NEXT)

    assert outcome.upgrade is Upgrade.NONE
    assert UPGRADE not in deployment(outcome)["metadata"]["annotations"]


def test_agents_on_a_node_that_waits_are_hosted_meanwhile() -> None:
    scene = Scene(
        mesh(), *(agent(f"agent-{number}") for number in range(2)), node(), agent("guest", nodeRef={"name": "shared"})
    )
    scene.settle("IsekMesh", "default")
    for name in ("agent-0", "agent-1", "guest"):
        scene.settle("IsekAgent", name)
    scene.settle("IsekNode", "shared")
    for name in ("agent-0", "agent-1"):
        roll_out(scene, name, NEXT, **UNFINISHED)

    assert scene.decide("IsekNode", "shared", settings=NEXT).upgrade is Upgrade.WAITS
    guest = scene.decide("IsekAgent", "guest", settings=NEXT)
    assert finding(guest, "Ready").status
    assert guest.upgrade is Upgrade.NONE


def test_a_workload_that_was_rolled_out_and_fails_later_is_not_on_its_way_any_more() -> None:
    scene = world()
    wished = deployment(roll_out(scene, "agent-0", NEXT))
    assert upgrading_to(live(wished, **UNFINISHED)) == revision(NEXT)
    rolling = live(wished, **progressing("NewReplicaSetAvailable"))
    rolling["metadata"]["generation"] = 2
    assert upgrading_to(rolling) == revision(NEXT), "the condition is about the specification before"

    scene.put(live(wished, readyReplicas=0, **progressing("NewReplicaSetAvailable")))

    assert not any(scene.store.upgrades().values())
    assert deployment(scene.decide("IsekAgent", "agent-0", settings=NEXT)) == wished, "and is not written again"


def etcds(*names: str, rolling: Rolling = Rolling.OPERATOR) -> Scene:
    """Meshes of which another version of the operator, or a user, has changed the template of the members."""
    scene = Scene(*(mesh(name, etcd={"replicas": 3}) for name in names))
    for name in names:
        found = scene.resource("IsekMesh", name)
        assert isinstance(found, IsekMesh)
        scene.etcd(found).run(rolling=rolling)
    return scene


def begin(scene: Scene, name: str, settings: OperatorSettings) -> Outcome:
    """Apply the StatefulSet of a mesh, and decide again."""
    wished = scene.decide("IsekMesh", name, settings=settings).wish or ()
    (stateful_set,) = [each for each in wished if each["kind"] == "StatefulSet"]
    scene.put(live(stateful_set, updateRevision="next", updatedReplicas=0))
    return scene.decide("IsekMesh", name, settings=settings)


def test_members_of_an_etcd_are_replaced_when_its_turn_has_come_and_was_written_down() -> None:
    scene = etcds("default")

    first = scene.decide("IsekMesh", "default", settings=NEXT)
    assert (first.upgrade, first.etcd_step) == (Upgrade.BEGINS, None)

    step = begin(scene, "default", NEXT).etcd_step
    assert step is not None
    assert step.note == "pod default-etcd-2 is replaced by one of the latest specification"
    assert scene.store.upgrades() == {revision(NEXT): 1}


def test_an_etcd_that_is_done_and_fails_later_is_not_on_its_way_any_more() -> None:
    scene = etcds("default")
    begin(scene, "default", NEXT)
    found = scene.resource("IsekMesh", "default")
    assert isinstance(found, IsekMesh)
    scene.etcd(found).run()
    wish = scene.decide("IsekMesh", "default", settings=NEXT).wish or ()
    assert wish[-1]["metadata"]["annotations"][UPGRADE] == DONE

    scene.put(live(wish[-1], readyReplicas=0))

    assert not any(scene.store.upgrades().values())


def test_an_etcd_waits_for_its_turn_ready_and_says_so() -> None:
    scene = etcds("a", "b", "c")
    begin(scene, "a", NEXT)
    begin(scene, "b", NEXT)

    waiting = scene.decide("IsekMesh", "c", settings=NEXT)

    assert (waiting.upgrade, waiting.etcd_step) == (Upgrade.WAITS, None)
    ready = finding(waiting, "Ready")
    assert ready.status
    assert ready.message.endswith("are of an earlier version of the operator and are replaced when others are done")
    assert waiting.etcd is not None
    assert waiting.etcd.settled


def test_what_a_user_changes_about_an_etcd_waits_for_nobody() -> None:
    scene = etcds("a", "b", "c", rolling=Rolling.USER)
    one_at_a_time = NEXT.model_copy(update={"max_concurrent_upgrades": 1})

    for name in ("a", "b", "c"):
        outcome = scene.decide("IsekMesh", name, settings=one_at_a_time)
        assert outcome.upgrade is Upgrade.NONE
        assert outcome.etcd_step is not None


def test_an_etcd_whose_members_do_not_answer_holds_up_nobody() -> None:
    scene = etcds("a", "b", "c")
    for name in ("a", "b"):
        found = scene.resource("IsekMesh", name)
        assert isinstance(found, IsekMesh)
        scene.etcd(found).run(ready=2, rolling=Rolling.OPERATOR)
        assert scene.decide("IsekMesh", name, settings=NEXT).upgrade is Upgrade.BEGINS

    assert scene.decide("IsekMesh", "c", settings=NEXT).upgrade is Upgrade.BEGINS


def test_etcds_and_other_workloads_are_counted_together() -> None:
    scene = world()
    for name in ("agent-0", "agent-1"):
        roll_out(scene, name, NEXT, **UNFINISHED)
    found = scene.resource("IsekMesh", "default")
    assert isinstance(found, IsekMesh)
    scene.etcd(found).run(rolling=Rolling.OPERATOR)

    assert scene.decide("IsekMesh", "default", settings=NEXT).upgrade is Upgrade.WAITS


def test_those_that_are_being_written_count_already() -> None:
    scene = world()
    keys = list(scene.store.keys("IsekAgent"))
    assert keys[0].namespace == NAMESPACE

    with scene.store.beginning_upgrade(keys[0], revision(NEXT)), scene.store.beginning_upgrade(keys[1], revision(NEXT)):
        assert scene.decide("IsekAgent", "agent-2", settings=NEXT).upgrade is Upgrade.WAITS

    assert scene.decide("IsekAgent", "agent-2", settings=NEXT).upgrade is Upgrade.BEGINS
