from typing import Any

import pytest
from isek_operator.decide.dependents import dependents
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.references import referenced_secrets
from isek_operator.keys import Key

from tests.unit.decide.scene import Scene, with_status
from tests.unit.manifests.samples import NAMESPACE, OPENAI, agent, mesh, node, parsed, team

ON_SHARED: dict[str, Any] = {"nodeRef": {"name": "shared"}}


def concerned(scene: Scene, kind: str, name: str, *, before: Manifest | None = None) -> set[str]:
    was = parsed(before) if before else None
    return {f"{kind}/{name}" for kind, _, name in dependents(kind, NAMESPACE, name, was, scene.store)}


def test_an_agent_concerns_its_mesh_and_those_who_ask_it() -> None:
    scene = Scene(mesh(), mesh("other"), node(), agent("writer"), agent("loner"))
    scene.put(agent("asker", tools=[{"agent": {"name": "writer"}}]), team("newsroom", {"agent": {"name": "writer"}}))

    assert concerned(scene, "IsekAgent", "writer") == {"IsekMesh/default", "IsekAgent/asker", "IsekTeam/newsroom"}


def test_an_agent_on_a_node_concerns_the_node() -> None:
    scene = Scene(mesh(), node(), node("other"), agent("writer", **ON_SHARED))

    assert concerned(scene, "IsekAgent", "writer") == {"IsekNode/shared"}


def test_the_key_of_a_mesh_concerns_all_that_have_pods_in_it() -> None:
    scene = Scene(mesh(), mesh("other"), node(), agent("writer", **ON_SHARED), agent("loner"))
    scene.put(agent("elsewhere", meshRef={"name": "other"}))

    assert concerned(scene, "Secret", "default-p2p") == {"IsekNode/shared", "IsekAgent/loner"}


def test_an_agent_that_moved_concerns_where_it_was() -> None:
    moved = agent("writer", nodeRef={"name": "new"})
    scene = Scene(mesh(), node("old"), node("new"), {**moved, "status": {"node": "old", "mesh": "newsroom/default"}})

    assert concerned(scene, "IsekAgent", "writer") == {"IsekNode/old", "IsekNode/new", "IsekMesh/default"}


def test_the_second_of_a_name_is_looked_at_again_when_the_first_goes() -> None:
    scene = Scene(mesh(), agent("news", created=1))

    assert "IsekAgent/news" in concerned(scene, "IsekTeam", "news")


def test_an_agent_that_is_gone_concerns_what_it_referred_to_and_who_asks_it() -> None:
    scene = Scene(mesh(), mesh("other"), node(), node("other"), team("newsroom", {"agent": {"name": "writer"}}))

    assert concerned(scene, "IsekAgent", "writer", before=agent("writer")) == {"IsekMesh/default", "IsekTeam/newsroom"}
    assert concerned(scene, "IsekAgent", "writer", before=agent("writer", **ON_SHARED)) == {
        "IsekNode/shared",
        "IsekTeam/newsroom",
    }


def test_an_agent_that_left_a_node_before_any_status_named_it_concerns_that_node() -> None:
    scene = Scene(mesh(), node(), agent("writer"))

    assert concerned(scene, "IsekAgent", "writer", before=agent("writer", **ON_SHARED)) == {
        "IsekMesh/default",
        "IsekNode/shared",
    }


def test_one_that_was_refused_is_looked_at_again_when_another_leaves_the_node() -> None:
    first, second = agent("a", **ON_SHARED), agent("b", created=1, **ON_SHARED)
    scene = Scene(mesh(), node(maxAgents=1), first, second, agent("c"))
    scene.put(with_status(scene.manifest("IsekAgent", "b"), scene.decide("IsekAgent", "b")))
    scene.store.drop(Key("IsekAgent", NAMESPACE, "a"), version=10**6)

    assert concerned(scene, "IsekAgent", "a", before=first) == {"IsekNode/shared", "IsekAgent/b"}
    assert concerned(scene, "IsekAgent", "c") == {"IsekMesh/default"}


def test_a_node_concerns_its_mesh_and_those_who_want_to_run_on_it() -> None:
    scene = Scene(mesh(), node(), agent("a", **ON_SHARED), agent("b"))
    scene.put(team("c", {"agent": {"name": "a"}}, **ON_SHARED))

    assert concerned(scene, "IsekNode", "shared") == {"IsekMesh/default", "IsekAgent/a", "IsekTeam/c"}


def test_a_mesh_concerns_those_who_have_pods_in_it() -> None:
    scene = Scene(node(), agent("a", **ON_SHARED), agent("b"), agent("c", meshRef={"name": "other"}))

    assert concerned(scene, "IsekMesh", "default") == {"IsekNode/shared", "IsekAgent/b"}


def test_a_secret_concerns_those_who_refer_to_it_and_the_nodes_that_host_them() -> None:
    scene = Scene(agent("a", model=OPENAI), agent("b", model=OPENAI, **ON_SHARED), agent("c"), node())

    assert concerned(scene, "Secret", "openai") == {"IsekAgent/a", "IsekAgent/b", "IsekNode/shared"}


@pytest.mark.parametrize("kind", ["ConfigMap", "Pod"])
def test_other_objects_concern_nobody_but_their_owner(kind: str) -> None:
    assert concerned(Scene(mesh(), agent("a")), kind, "a") == set()


def test_the_secrets_of_a_resource_are_those_of_its_model_and_of_its_variables() -> None:
    env = [
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}},
        {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "C", "value": "c"},
    ]

    assert referenced_secrets(parsed(agent(model=OPENAI, template={"env": env}))) == {
        (NAMESPACE, "openai"),
        (NAMESPACE, "proxy"),
    }
    assert referenced_secrets(parsed(mesh())) == set()
