import pytest
from isek_operator.decide.reasons import Reason

from tests.unit.decide.scene import Scene, finding, kinds, types
from tests.unit.manifests.samples import OPENAI, agent, mesh, node, team

RESEARCHER, WRITER = {"agent": {"name": "researcher"}}, {"agent": {"name": "writer"}}


def a_team(name: str) -> dict[str, dict[str, str]]:
    return {"team": {"name": name}}


def test_a_team_is_ready_when_its_pods_and_all_its_members_are() -> None:
    scene = Scene(mesh(), agent("researcher"), agent("writer"), team("newsroom", RESEARCHER, WRITER))
    scene.settle("IsekAgent", "researcher")

    waiting = scene.bring_about("IsekTeam", "newsroom")
    scene.settle("IsekAgent", "writer")
    ready = scene.decide("IsekTeam", "newsroom")

    assert finding(waiting, "Ready").reason is Reason.MEMBER_NOT_READY
    assert finding(waiting, "Ready").message == "waiting for IsekAgent 'writer'; see kubectl describe on each"
    assert finding(waiting, "Reconciling").status
    assert finding(ready, "Ready").status
    assert types(ready) == {"Ready", "ResolvedRefs"}
    assert ready.status["url"] == "http://newsroom-team.newsroom.svc:8080/agents/newsroom"


def test_a_member_that_was_ready_for_an_older_specification_is_not() -> None:
    scene = Scene(mesh(), agent("writer"), team("newsroom", WRITER))
    scene.settle("IsekAgent", "writer")
    scene.bring_about("IsekTeam", "newsroom")
    changed = scene.manifest("IsekAgent", "writer")
    changed["metadata"]["generation"] = 2

    outcome = scene.put(changed).decide("IsekTeam", "newsroom")

    assert finding(outcome, "Ready").reason is Reason.MEMBER_NOT_READY


def test_a_missing_member_is_named_and_holds_up_no_pods() -> None:
    outcome = Scene(mesh(), team("newsroom", RESEARCHER)).bring_about("IsekTeam", "newsroom")

    assert "Deployment" in kinds(outcome.wish)
    assert finding(outcome, "ResolvedRefs").reason is Reason.AGENT_NOT_FOUND
    assert finding(outcome, "Stalled").message == (
        "IsekAgent 'researcher' does not exist in namespace 'newsroom'; create it, or fix spec.members[0]"
    )


def test_all_that_is_missing_is_said_at_once() -> None:
    outcome = Scene(mesh(), team("newsroom", RESEARCHER, WRITER)).decide("IsekTeam", "newsroom")

    assert "spec.members[0]; IsekAgent 'writer'" in finding(outcome, "ResolvedRefs").message


def test_a_team_that_is_named_as_an_agent_is_recognised() -> None:
    outcome = Scene(mesh(), team("writer", RESEARCHER), team("newsroom", WRITER)).decide("IsekTeam", "newsroom")

    assert finding(outcome, "Ready").message == (
        "IsekAgent 'writer' does not exist in namespace 'newsroom'; it is an IsekTeam: name it so in spec.members[0]"
    )


def test_members_live_in_the_mesh_of_the_team_also_on_a_node() -> None:
    scene = Scene(mesh(), mesh("press"), node("shared", meshRef={"name": "press"}))
    scene.put(agent("writer", nodeRef={"name": "shared"}), team("newsroom", WRITER))

    outcome = scene.decide("IsekTeam", "newsroom")

    assert finding(outcome, "ResolvedRefs").reason is Reason.MESH_MISMATCH
    assert "IsekAgent 'writer' (spec.members[0]) is in mesh 'newsroom/press', not in 'newsroom/default'" in (
        finding(outcome, "Ready").message
    )


@pytest.mark.parametrize(
    ("others", "path"),
    [
        ([team("editors", a_team("newsroom"))], "newsroom -> editors -> newsroom"),
        (
            [team("editors", WRITER, a_team("desk")), team("desk", a_team("newsroom"))],
            "newsroom -> editors -> desk -> newsroom",
        ),
        (
            [team("editors", a_team("desk"), a_team("newsroom")), team("desk", a_team("newsroom"))],
            "newsroom -> editors -> newsroom",
        ),
    ],
)
def test_a_team_that_is_its_own_member_through_others_is_refused_with_the_path(
    others: list[dict[str, object]], path: str
) -> None:
    outcome = Scene(mesh(), agent("writer"), team("newsroom", a_team("editors")), *others).decide(
        "IsekTeam", "newsroom"
    )

    assert outcome.wish is None
    assert finding(outcome, "Stalled").reason is finding(outcome, "ResolvedRefs").reason is Reason.MEMBER_CYCLE
    assert not finding(outcome, "ResolvedRefs").status
    assert finding(outcome, "Ready").message == (
        f"team 'newsroom' is a member of itself: {path}; take one of these out of spec.members"
    )


def test_a_team_whose_member_runs_in_a_circle_is_not_itself_in_one() -> None:
    scene = Scene(mesh(), team("a", a_team("b")), team("b", a_team("a")), team("newsroom", a_team("a")))

    outcome = scene.bring_about("IsekTeam", "newsroom")

    assert finding(outcome, "Ready").reason is Reason.MEMBER_NOT_READY


def test_the_key_of_the_leaders_model_is_looked_for_and_mounted() -> None:
    led = team("newsroom", WRITER, mode="Route", model=OPENAI)

    without = Scene(mesh(), agent("writer"), led).decide("IsekTeam", "newsroom")
    scene = Scene(mesh(), agent("writer"), led, secrets={"openai": ("api-key",)})
    scene.settle("IsekMesh", "default")
    pods = next(each for each in scene.decide("IsekTeam", "newsroom").wish or () if each["kind"] == "Deployment")

    assert finding(without, "ResolvedRefs").reason is Reason.SECRET_NOT_FOUND
    assert "spec.model.apiKey.secretKeyRef" in finding(without, "ResolvedRefs").message
    [secrets] = [each for each in pods["spec"]["template"]["spec"]["volumes"] if each["name"] == "secrets"]
    assert secrets["projected"]["sources"][0]["secret"]["items"] == [{"key": "api-key", "path": "openai/api-key"}]


def test_the_key_of_a_fallback_is_looked_for_too() -> None:
    led = team("newsroom", WRITER, mode="Route", model={"provider": "Echo", "fallbacks": [OPENAI]})

    outcome = Scene(mesh(), agent("writer"), led).decide("IsekTeam", "newsroom")

    assert "spec.model.fallbacks[0].apiKey.secretKeyRef" in finding(outcome, "ResolvedRefs").message


def test_two_teams_may_share_a_member() -> None:
    scene = Scene(mesh(), agent("writer"), team("a", WRITER), team("b", WRITER))
    scene.put(team("newsroom", a_team("a"), a_team("b")))

    assert kinds(scene.decide("IsekTeam", "newsroom").wish)
