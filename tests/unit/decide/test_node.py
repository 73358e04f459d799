from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from isek.api import IsekNode
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.reasons import Reason
from isek_operator.decide.seating import seating

from tests.unit.decide.scene import WORKLOAD, Scene, finding, kinds
from tests.unit.manifests.samples import OPENAI, agent, mesh, node, team

ON_SHARED: dict[str, Any] = {"nodeRef": {"name": "shared"}}


def hosted(scene: Scene) -> list[str]:
    found = scene.resource("IsekNode", "shared")
    assert isinstance(found, IsekNode)
    return [each.name for each in seating(found, scene.store).hosted]


def hosted_file(wish: tuple[Manifest, ...] | None) -> str:
    (text,) = [each["data"]["hosted.yaml"] for each in wish or () if each["kind"] == "ConfigMap"]
    assert isinstance(text, str)
    return text


def test_a_node_hosts_the_agents_and_teams_that_name_it() -> None:
    scene = Scene(mesh(), node(), agent("writer", **ON_SHARED), agent("loner"))
    scene.put(team("newsroom", {"agent": {"name": "writer"}}, **ON_SHARED))

    outcome = scene.bring_about("IsekNode", "shared")

    assert kinds(outcome.wish) == WORKLOAD
    assert "name: writer" in hosted_file(outcome.wish)
    assert "name: newsroom" in hosted_file(outcome.wish)
    assert "loner" not in hosted_file(outcome.wish)
    assert finding(outcome, "Ready").status
    assert outcome.status == {
        "replicas": 1,
        "readyReplicas": 1,
        "selector": "isek.io/node=shared",
        "agents": 2,
        "pods": "1/1",
        "mesh": "newsroom/default",
    }


def test_a_full_node_refuses_the_newest_agent_and_says_how_full_it_is() -> None:
    scene = Scene(mesh(), node(maxAgents=2))
    scene.put(*(agent(name, created=age, **ON_SHARED) for age, name in enumerate(("old", "older", "new"))))

    refused = scene.decide("IsekAgent", "new")

    assert hosted(scene) == ["old", "older"]
    assert refused.wish is None
    assert finding(refused, "Stalled").reason is Reason.NODE_FULL
    assert finding(refused, "Ready").message == (
        "IsekNode 'shared' hosts 2 of 2 agents and teams; raise its spec.maxAgents, or name another in spec.nodeRef"
    )
    assert "node" not in refused.status
    assert finding(refused, "ResolvedRefs").status


@given(st.permutations(range(6)), st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_who_is_hosted_does_not_hang_on_the_order_of_arrival(order: list[int], ages: list[int]) -> None:
    guests = [agent(f"agent-{index}", created=age, **ON_SHARED) for index, age in enumerate(ages)]

    arrived = Scene(node(maxAgents=3), *(guests[index] for index in order))

    expected = sorted(range(6), key=lambda index: (ages[index], index))[:3]
    assert hosted(arrived) == [f"agent-{index}" for index in expected]


def test_one_that_is_refused_for_its_name_takes_up_no_room() -> None:
    scene = Scene(mesh(), node(maxAgents=1), team("writer", {"agent": {"name": "x"}}))
    scene.put(agent("writer", created=1, **ON_SHARED), agent("researcher", created=2, **ON_SHARED))

    assert hosted(scene) == ["researcher"]


def test_an_agent_without_its_secret_has_a_place_and_waits_for_it() -> None:
    scene = Scene(mesh(), node(maxAgents=1), agent("a", model=OPENAI, **ON_SHARED), agent("b", created=1, **ON_SHARED))

    assert hosted(scene) == []
    assert finding(scene.decide("IsekAgent", "a"), "Ready").reason is Reason.SECRET_NOT_FOUND
    assert finding(scene.decide("IsekAgent", "b"), "Ready").reason is Reason.NODE_FULL


def test_an_agent_that_loses_its_secret_stays_and_the_others_are_not_restarted() -> None:
    scene = Scene(
        mesh(), node(), agent("a", model=OPENAI, **ON_SHARED), agent("b", **ON_SHARED), secrets={"openai": ("api-key",)}
    )
    before = scene.bring_about("IsekNode", "shared")
    scene.settle("IsekAgent", "a")
    scene.store.put_read_secret("newsroom", "openai", None)

    assert scene.decide("IsekNode", "shared").wish == before.wish
    assert finding(scene.decide("IsekAgent", "a"), "Ready").reason is Reason.SECRET_NOT_FOUND
    assert finding(scene.decide("IsekAgent", "b"), "Ready").status


def test_a_team_in_a_circle_is_not_hosted() -> None:
    scene = Scene(mesh(), node(), team("a", {"team": {"name": "b"}}, **ON_SHARED), team("b", {"team": {"name": "a"}}))

    assert hosted(scene) == []


def test_a_node_without_its_mesh_says_so_and_its_agents_wait_for_it() -> None:
    scene = Scene(node(meshRef={"name": "press"}), agent("writer", **ON_SHARED))

    outcome, guest = scene.decide("IsekNode", "shared"), scene.decide("IsekAgent", "writer")

    assert outcome.wish is None
    assert finding(outcome, "ResolvedRefs").reason is Reason.MESH_NOT_FOUND
    assert finding(guest, "Ready").reason is Reason.NODE_NOT_READY
    assert guest.wish is None


def test_a_node_has_the_default_mesh_made() -> None:
    outcome = Scene(node()).decide("IsekNode", "shared")

    assert [each["kind"] for each in outcome.companions] == ["IsekMesh"]
    assert outcome.wish is None


def test_a_node_whose_variables_need_a_missing_secret_waits_for_it() -> None:
    env = [{"name": "PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}}]
    outcome = Scene(mesh(), node(template={"env": env})).decide("IsekNode", "shared")

    assert outcome.wish is None
    assert finding(outcome, "Ready").reason is Reason.SECRET_NOT_FOUND


def test_what_a_node_without_pods_hosts_is_scaled_to_zero_too() -> None:
    scene = Scene(mesh(), node(replicas=0), agent("writer", **ON_SHARED))
    scene.bring_about("IsekNode", "shared")

    assert finding(scene.decide("IsekNode", "shared"), "Ready").reason is Reason.SCALED_TO_ZERO
    assert finding(scene.decide("IsekAgent", "writer"), "Ready").reason is Reason.SCALED_TO_ZERO
