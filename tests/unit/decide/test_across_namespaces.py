"""Meshes, members and tools of other namespaces."""

from typing import Any

import pytest
from isek_operator.decide.dependents import dependents
from isek_operator.decide.outcome import Copied, Manifest, Outcome
from isek_operator.decide.reasons import Reason

from tests.unit.decide.scene import Scene, finding, kinds, live
from tests.unit.manifests.samples import NAMESPACE, agent, elsewhere, mesh, node, team

GROUND = {"name": "ground", "namespace": "infra"}
ALL = {"from": "All"}
PRESS = {"from": "Selector", "selector": {"matchLabels": {"team": "press"}}}


def ground(allowed: dict[str, Any] | None = None, **spec: Any) -> Manifest:
    if allowed:
        spec["allowedNamespaces"] = allowed
    return elsewhere(mesh("ground", **spec), "infra")


def user(kind: str = "IsekAgent") -> Manifest:
    return agent("writer", meshRef=GROUND) if kind == "IsekAgent" else node("writer", meshRef=GROUND)


def concerned(scene: Scene, kind: str, namespace: str, name: str) -> set[str]:
    found = dependents(kind, namespace, name, None, scene.store)
    return {"/".join(each) for each in found}


def deployment(outcome: Outcome) -> Manifest:
    (found,) = [manifest for manifest in outcome.wish or () if manifest["kind"] == "Deployment"]
    return found


def copy_of(outcome: Outcome) -> Manifest:
    """The copied Secret as the API server holds it."""
    (secret,) = outcome.secrets
    assert isinstance(secret.content, Copied)
    data = dict.fromkeys(key for _, _, key in secret.content.sources)
    return {**live(secret.manifest), "data": data}


@pytest.mark.parametrize("kind", ["IsekAgent", "IsekNode"])
@pytest.mark.parametrize(
    ("allowed", "fix"),
    [
        (None, "lets in resources of its own namespace only; set its spec.allowedNamespaces"),
        ({"from": "Same"}, "lets in resources of its own namespace only; set its spec.allowedNamespaces"),
        (PRESS, "does not select namespace 'newsroom'; label the namespace, or change the mesh's"),
    ],
    ids=["by default", "Same", "Selector"],
)
def test_a_mesh_that_does_not_let_somebody_in_is_named_with_the_fix(
    kind: str, allowed: dict[str, Any] | None, fix: str
) -> None:
    scene = Scene(ground(allowed), user(kind)).label_namespace(NAMESPACE, team="lab")

    outcome = scene.decide(kind, "writer")

    for condition in ("Ready", "ResolvedRefs"):
        assert not finding(outcome, condition).status
        assert finding(outcome, condition).reason is Reason.MESH_NOT_ALLOWED
    assert finding(outcome, "Ready").message.startswith(f"IsekMesh 'ground' of namespace 'infra' {fix}")
    assert finding(outcome, "Stalled").status


@pytest.mark.parametrize("kind", ["IsekAgent", "IsekNode"])
@pytest.mark.parametrize("allowed", [ALL, PRESS], ids=["All", "Selector"])
def test_a_mesh_that_lets_somebody_in_is_reached_with_a_copy_of_its_key(kind: str, allowed: dict[str, Any]) -> None:
    scene = Scene(ground(allowed), user(kind)).label_namespace(NAMESPACE, team="press")

    outcome = scene.decide(kind, "writer")

    name = {"IsekAgent": "writer-agent", "IsekNode": "writer-node"}[kind]
    (secret,) = outcome.secrets
    assert (secret.manifest["metadata"]["namespace"], secret.manifest["metadata"]["name"]) == (
        NAMESPACE,
        f"{name}-mesh",
    )
    assert secret.manifest["metadata"]["ownerReferences"][0]["name"] == "writer"
    assert secret.content == Copied(
        (
            ("infra", "ground-p2p", "private-network.key"),
            *(("infra", "ground-etcd-client", key) for key in ("ca.crt", "tls.crt", "tls.key")),
        )
    )
    assert "data" not in secret.manifest
    pod = deployment(outcome)["spec"]["template"]["spec"]
    assert [each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each] == [f"{name}-mesh"] * 2
    variables = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    assert variables["ISEK_REGISTRY_URL"] == "etcds://ground-etcd.infra.svc:2379"
    assert outcome.status["mesh"] == "infra/ground"


def test_a_mesh_of_the_own_namespace_needs_no_grant_and_no_copy() -> None:
    scene = Scene(mesh("ground"), agent("writer", meshRef={"name": "ground", "namespace": NAMESPACE}))

    outcome = scene.decide("IsekAgent", "writer")

    assert outcome.secrets == ()
    assert kinds(outcome.wish)


def test_where_labels_of_namespaces_cannot_be_seen_the_condition_says_so() -> None:
    outcome = Scene(ground(PRESS), user()).decide("IsekAgent", "writer")

    assert finding(outcome, "Ready").reason is Reason.MESH_NOT_ALLOWED
    assert "those of 'newsroom' are not known" in finding(outcome, "Ready").message


@pytest.mark.parametrize("kind", ["IsekAgent", "IsekNode"])
def test_a_grant_that_is_withdrawn_takes_all_away(kind: str) -> None:
    scene = Scene(ground(ALL), user(kind))
    scene.settle(kind, "writer")

    outcome = scene.put(ground()).decide(kind, "writer")

    assert outcome.wish == ()
    assert outcome.secrets == ()
    assert finding(outcome, "Ready").reason is Reason.MESH_NOT_ALLOWED


def test_a_copy_is_written_again_when_its_source_changes_and_not_before() -> None:
    scene = Scene(ground(ALL), user())
    copy = copy_of(scene.decide("IsekAgent", "writer"))
    scene.put(copy)
    assert [secret.renew for secret in scene.decide("IsekAgent", "writer").secrets] == [False]

    scene.put(live(scene.secrets.held["infra", "ground-etcd-client"]))  # at another version

    assert [secret.renew for secret in scene.decide("IsekAgent", "writer").secrets] == [True]


def test_a_copy_that_misses_a_key_is_written_again() -> None:
    scene = Scene(ground(ALL), user())
    copy = copy_of(scene.decide("IsekAgent", "writer"))

    scene.put({**copy, "data": {}})

    assert [secret.renew for secret in scene.decide("IsekAgent", "writer").secrets] == [True]


def test_the_default_mesh_is_made_in_the_own_namespace_only() -> None:
    scene = Scene(agent("writer", meshRef={"name": "default", "namespace": "infra"}))

    outcome = scene.decide("IsekAgent", "writer")

    assert outcome.companions == ()
    assert finding(outcome, "Ready").reason is Reason.MESH_NOT_FOUND
    assert "does not exist in namespace 'infra'" in finding(outcome, "Ready").message


def test_a_mesh_counts_those_whom_it_lets_in() -> None:
    scene = Scene(ground(PRESS), user(), elsewhere(user(), "press"), elsewhere(agent("own", meshRef=GROUND), "infra"))
    scene.label_namespace(NAMESPACE, team="lab").label_namespace("press", team="press")

    assert scene.decide("IsekMesh", "ground", "infra").status["nodes"] == 2


def test_an_agent_on_a_node_that_is_refused_says_what_the_node_waits_for() -> None:
    scene = Scene(ground(), node("shared", meshRef=GROUND), agent("writer", nodeRef={"name": "shared"}))

    outcome = scene.decide("IsekAgent", "writer")

    assert finding(outcome, "Ready").reason is Reason.NODE_NOT_READY
    assert "IsekNode 'shared': IsekMesh 'ground' of namespace 'infra' lets in" in finding(outcome, "Ready").message


def test_a_member_of_another_namespace_is_found_there() -> None:
    scene = Scene(ground(ALL), team("news", {"agent": {"name": "writer", "namespace": "press"}}, meshRef=GROUND))
    missing = scene.decide("IsekTeam", "news")

    found = scene.put(elsewhere(user(), "press")).decide("IsekTeam", "news")

    assert finding(missing, "ResolvedRefs").reason is Reason.AGENT_NOT_FOUND
    assert "IsekAgent 'writer' does not exist in namespace 'press'" in finding(missing, "ResolvedRefs").message
    assert finding(found, "ResolvedRefs").status
    assert (
        "namespace: press"
        in next(each for each in found.wish or () if each["kind"] == "ConfigMap")["data"]["hosted.yaml"]
    )


def test_a_tool_of_another_namespace_has_to_be_in_the_same_mesh() -> None:
    scene = Scene(mesh(), agent("asker", tools=[{"agent": {"name": "writer", "namespace": "press"}}]))
    scene.put(elsewhere(mesh(), "press"), elsewhere(agent("writer"), "press"))

    outcome = scene.decide("IsekAgent", "asker")

    assert finding(outcome, "ResolvedRefs").reason is Reason.MESH_MISMATCH
    assert "is in mesh 'press/default', not in 'newsroom/default'" in finding(outcome, "ResolvedRefs").message


def test_a_cycle_of_teams_is_found_across_namespaces() -> None:
    there = elsewhere(team("desk", {"team": {"name": "news", "namespace": NAMESPACE}}, meshRef=GROUND), "press")
    scene = Scene(ground(ALL), team("news", {"team": {"name": "desk", "namespace": "press"}}, meshRef=GROUND), there)

    outcome = scene.decide("IsekTeam", "news")

    assert finding(outcome, "Ready").reason is Reason.MEMBER_CYCLE
    assert "news -> desk.press -> news" in finding(outcome, "Ready").message


def test_a_team_of_the_same_name_in_another_namespace_is_another() -> None:
    there = elsewhere(team("news", {"agent": {"name": "writer"}}, meshRef=GROUND), "press")
    scene = Scene(ground(ALL), team("news", {"team": {"name": "news", "namespace": "press"}}, meshRef=GROUND), there)

    assert finding(scene.decide("IsekTeam", "news"), "ResolvedRefs").status


def test_a_mesh_and_its_key_concern_their_users_everywhere() -> None:
    scene = Scene(
        ground(ALL), user(), elsewhere(user(), "press"), mesh("ground"), agent("near", meshRef={"name": "ground"})
    )
    users = {f"IsekAgent/{NAMESPACE}/writer", "IsekAgent/press/writer"}

    assert concerned(scene, "IsekMesh", "infra", "ground") == users
    assert concerned(scene, "Secret", "infra", "ground-p2p") == users
    assert concerned(scene, "IsekMesh", NAMESPACE, "ground") == {f"IsekAgent/{NAMESPACE}/near"}


def test_a_user_concerns_its_mesh_elsewhere_and_who_asks_it_from_there() -> None:
    asker = agent("asker", tools=[{"agent": {"name": "writer", "namespace": "press"}}])
    scene = Scene(ground(ALL), asker, agent("other", tools=[{"agent": {"name": "writer"}}]), elsewhere(user(), "press"))

    assert concerned(scene, "IsekAgent", "press", "writer") == {"IsekMesh/infra/ground", f"IsekAgent/{NAMESPACE}/asker"}


def test_the_labels_of_a_namespace_concern_those_in_it_who_use_meshes_elsewhere() -> None:
    scene = Scene(ground(PRESS), user(), mesh(), agent("near"), elsewhere(user(), "press"))

    assert concerned(scene, "Namespace", "", NAMESPACE) == {f"IsekAgent/{NAMESPACE}/writer", "IsekMesh/infra/ground"}
