"""However a set of files is applied, the same cluster comes of it."""

from hypothesis import given, settings
from hypothesis import strategies as st
from isek_operator.decide.dependents import dependents
from isek_operator.decide.outcome import Manifest, OwnFate

from tests.unit.decide.scene import Scene, finding, with_status
from tests.unit.manifests.samples import NAMESPACE, agent, mesh, node, team

APPLIED = [
    mesh(registry={"ttlSeconds": 30}),
    node(),
    agent("researcher", created=1),
    agent("writer", created=1, nodeRef={"name": "shared"}),
    team("newsroom", {"agent": {"name": "researcher"}}, {"agent": {"name": "writer"}}, created=1),
]


MESH_UID = APPLIED[0]["metadata"]["uid"]


def reconcile(scene: Scene, first: tuple[str, str]) -> None:
    """Work off the queue as the engine does, with every pod ready at once; it has to come to an end."""
    queue = [first]
    for _ in range(200):
        if not queue:
            return
        kind, name = queue.pop(0)
        if scene.store.resource(kind, NAMESPACE, name) is None:
            continue
        outcome = scene.decide(kind, name)
        for manifest in outcome.companions:
            companion = {**manifest, "metadata": {**manifest["metadata"], "uid": MESH_UID, "generation": 1}}
            scene.put(companion)
            queue += [("IsekMesh", "default"), *others("IsekMesh", "default", scene)]
        scene.bring_about(kind, name)
        before = scene.manifest(kind, name)
        after = with_status(before, scene.decide(kind, name))
        scene.put(after)
        if scene.manifest(kind, name)["status"] != before["status"]:
            queue += [(kind, name), *others(kind, name, scene)]
    raise AssertionError("it goes round in circles")


def others(kind: str, name: str, scene: Scene) -> list[tuple[str, str]]:
    return [(of_kind, of_name) for of_kind, _, of_name in dependents(kind, NAMESPACE, name, None, scene.store)]


@settings(max_examples=15, deadline=None)
@given(st.permutations(APPLIED))
def test_all_become_ready_in_any_order(order: list[Manifest]) -> None:
    scene = Scene()
    for manifest in order:
        scene.put(manifest)
        key = (manifest["kind"], manifest["metadata"]["name"])
        for each in (key, *others(*key, scene)):
            reconcile(scene, each)

    for manifest in APPLIED:
        outcome = scene.decide(manifest["kind"], manifest["metadata"]["name"])
        assert finding(outcome, "Ready").status, finding(outcome, "Ready").message
        assert outcome.fate is OwnFate.KEEP
