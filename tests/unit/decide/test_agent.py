from typing import Any

import pytest
from isek_operator.decide.reasons import Reason

from tests.unit.decide.scene import WORKLOAD, Scene, finding, kinds, live, progressing, types
from tests.unit.manifests.samples import OPENAI, agent, mesh, node, team

NO_MESH = {"name": "elsewhere"}

KEY = {"secretKeyRef": {"name": "keys", "key": "key"}}


def test_an_agent_gets_pods_of_its_own_though_its_mesh_is_not_ready() -> None:
    outcome = Scene(mesh(), agent()).decide("IsekAgent", "researcher")

    assert kinds(outcome.wish) == WORKLOAD
    assert finding(outcome, "ResolvedRefs").status
    assert finding(outcome, "Ready").reason is Reason.MESH_NOT_READY
    assert types(outcome) == {"Ready", "ResolvedRefs", "Reconciling"}


@pytest.mark.parametrize("owner", [agent("writer"), node("writer")], ids=lambda owner: owner["kind"])
def test_pods_wait_for_the_key_of_their_mesh_and_those_that_run_are_left_alone(owner: dict[str, Any]) -> None:
    scene = Scene(mesh(), owner)
    scene.settle(owner["kind"], "writer")

    outcome = scene.drop("Secret", "default-p2p").decide(owner["kind"], "writer")

    assert outcome.wish is None
    assert finding(outcome, "Ready").reason is Reason.MESH_NOT_READY
    assert finding(outcome, "Ready").message.endswith("see kubectl describe isekmesh -n newsroom default")
    assert types(outcome) == {"Ready", "ResolvedRefs", "Reconciling"}


def test_a_mesh_without_p2p_has_no_key_to_wait_for() -> None:
    assert kinds(Scene(mesh(p2p={"enabled": False}), agent()).decide("IsekAgent", "researcher").wish)


@pytest.mark.parametrize("owner", [agent("writer"), node("writer")], ids=lambda owner: owner["kind"])
def test_a_key_that_was_made_anew_rolls_out(owner: dict[str, Any]) -> None:
    scene = Scene(mesh(), owner)
    scene.settle("IsekMesh", "default")
    scene.settle(owner["kind"], "writer")
    anew = live(scene.secrets.held["newsroom", "default-p2p"])
    anew["metadata"]["uid"] = "another"

    outcome = scene.put(anew).decide(owner["kind"], "writer")

    assert finding(outcome, "Ready").reason is Reason.ROLLING_OUT
    assert kinds(outcome.wish)[-1] == "Deployment"


def test_an_agent_is_ready_when_its_pods_are() -> None:
    scene = Scene(mesh(), agent(replicas=2))

    outcome = scene.bring_about("IsekAgent", "researcher")

    assert finding(outcome, "Ready").reason is Reason.ALL_REPLICAS_READY
    assert finding(outcome, "Ready").status
    assert types(outcome) == {"Ready", "ResolvedRefs"}
    assert outcome.status == {
        "replicas": 2,
        "readyReplicas": 2,
        "pods": "2/2",
        "selector": "isek.io/agent=researcher",
        "node": "researcher-agent",
        "url": "http://researcher-agent.newsroom.svc:8080/agents/researcher",
        "mesh": "newsroom/default",
    }


@pytest.mark.parametrize(
    "status",
    [
        {"readyReplicas": 1},
        {"updatedReplicas": 1},
        {"observedGeneration": 0},
        {"replicas": 3},
    ],
    ids=["a pod does not answer", "a pod is old", "nobody has seen it yet", "an old pod is still there"],
)
def test_an_agent_whose_pods_are_on_their_way_is_reconciling(status: dict[str, Any]) -> None:
    scene = Scene(mesh(), agent(replicas=2))
    scene.settle("IsekMesh", "default")

    outcome = scene.bring_about("IsekAgent", "researcher", **status)

    assert finding(outcome, "Ready").reason is Reason.ROLLING_OUT
    assert not finding(outcome, "Ready").status
    assert finding(outcome, "Reconciling").status


def test_a_change_makes_an_agent_unready_before_anybody_has_acted_on_it() -> None:
    scene = Scene(mesh(), agent())
    scene.settle("IsekMesh", "default")
    scene.bring_about("IsekAgent", "researcher")

    outcome = scene.put(agent(instructions="Be brief.")).decide("IsekAgent", "researcher")

    assert finding(outcome, "Ready").reason is Reason.ROLLING_OUT


def test_pods_that_answered_and_do_so_no_more_are_named() -> None:
    scene = Scene(mesh(), agent(replicas=2))

    outcome = scene.bring_about("IsekAgent", "researcher", readyReplicas=1, **progressing("NewReplicaSetAvailable"))

    ready = finding(outcome, "Ready")
    assert ready.reason is Reason.REPLICAS_NOT_READY
    assert ready.message == "1 of 2 pods answer; see kubectl describe pods -l isek.io/agent=researcher"


def test_a_rollout_without_progress_is_stalled() -> None:
    scene = Scene(mesh(), agent())

    outcome = scene.bring_about("IsekAgent", "researcher", readyReplicas=0, **progressing("ProgressDeadlineExceeded"))

    assert finding(outcome, "Stalled").reason is Reason.REPLICAS_NOT_READY


def test_pods_that_cannot_be_made_are_explained_in_the_words_of_the_cluster() -> None:
    scene = Scene(mesh(), agent())
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods"}

    outcome = scene.bring_about("IsekAgent", "researcher", readyReplicas=0, conditions=[failure])

    assert finding(outcome, "Ready").message == "0 of 1 pods answer: exceeded quota: pods"


def test_an_agent_scaled_to_zero_is_as_it_should_be() -> None:
    outcome = Scene(mesh(), agent(replicas=0)).bring_about("IsekAgent", "researcher")

    assert finding(outcome, "Ready").status
    assert finding(outcome, "Ready").reason is Reason.SCALED_TO_ZERO


def test_a_missing_mesh_is_named_and_leaves_children_alone() -> None:
    outcome = Scene(agent(meshRef=NO_MESH)).decide("IsekAgent", "researcher")

    message = "IsekMesh 'elsewhere' does not exist in namespace 'newsroom'; create it, or fix spec.meshRef"
    assert outcome.wish is None
    assert outcome.companions == ()
    for kind in ("Ready", "ResolvedRefs", "Stalled"):
        assert (finding(outcome, kind).reason, finding(outcome, kind).message) == (Reason.MESH_NOT_FOUND, message)


@pytest.mark.parametrize("spec", [{}, {"meshRef": {"name": "default"}}], ids=["not named", "named"])
def test_the_default_mesh_is_made_where_it_is_missing(spec: dict[str, Any]) -> None:
    outcome = Scene(agent(**spec)).decide("IsekAgent", "researcher")

    assert [each["metadata"]["name"] for each in outcome.companions] == ["default"]
    assert outcome.wish is None, "what the pods mount hangs on which mesh it is"
    assert finding(outcome, "ResolvedRefs").status
    assert finding(outcome, "Reconciling").reason is Reason.MESH_NOT_READY


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ({}, "Secret 'openai' does not exist in namespace 'newsroom'; create it"),
        ({"openai": ("key",)}, "Secret 'openai' has no key 'api-key'; add it"),
    ],
)
def test_a_missing_secret_is_named_and_holds_up_the_first_roll_out(
    secrets: dict[str, tuple[str, ...]], message: str
) -> None:
    outcome = Scene(mesh(), agent(model=OPENAI), secrets=secrets).decide("IsekAgent", "researcher")

    assert outcome.wish is None
    assert finding(outcome, "ResolvedRefs").reason is Reason.SECRET_NOT_FOUND
    assert finding(outcome, "Ready").message == f"{message}, or fix spec.model.apiKey.secretKeyRef"


def test_the_secret_with_the_url_of_a_memory_is_looked_for_too() -> None:
    memory = {"provider": "PostgreSQL", "url": {"secretKeyRef": {"name": "db", "key": "uri"}}}
    outcome = Scene(mesh(), agent(memory=memory)).decide("IsekAgent", "researcher")

    assert finding(outcome, "ResolvedRefs").reason is Reason.SECRET_NOT_FOUND
    assert "or fix spec.memory.url.secretKeyRef" in finding(outcome, "Ready").message


def test_a_secret_that_a_variable_needs_is_looked_for_too() -> None:
    def env(**more: Any) -> dict[str, Any]:
        reference = {"secretKeyRef": {"name": "proxy", "key": "password", **more}}
        return {"env": [{"name": "PROXY_PASSWORD", "valueFrom": reference}]}

    needed = Scene(mesh(), agent(template=env())).decide("IsekAgent", "researcher")
    optional = Scene(mesh(), agent(template=env(optional=True))).decide("IsekAgent", "researcher")

    assert finding(needed, "Ready").message.endswith("or fix spec.template.env[0].valueFrom.secretKeyRef")
    assert finding(optional, "ResolvedRefs").status


@pytest.mark.parametrize(
    ("tool", "field"),
    [
        ({"sql": {"url": KEY}}, "sql.url"),
        ({"webSearch": {"url": "http://search/", "apiKey": KEY}}, "webSearch.apiKey"),
        (
            {"http": {"name": "a", "url": "http://a/", "headers": [{"name": "X-Key", "valueFrom": KEY}]}},
            "http.headers[0].valueFrom",
        ),
        (
            {"mcp": {"url": "http://a/", "headers": [{"name": "A", "value": "a"}, {"name": "B", "valueFrom": KEY}]}},
            "mcp.headers[1].valueFrom",
        ),
    ],
)
def test_a_secret_that_a_tool_needs_is_looked_for_too(tool: dict[str, Any], field: str) -> None:
    outcome = Scene(mesh(), agent(tools=[{"builtin": "datetime"}, tool])).decide("IsekAgent", "researcher")

    assert finding(outcome, "Ready").reason is Reason.SECRET_NOT_FOUND
    assert finding(outcome, "Ready").message.endswith(f"or fix spec.tools[1].{field}.secretKeyRef")


def test_an_agent_heals_when_its_secret_appears() -> None:
    outcome = Scene(mesh(), agent(model=OPENAI), secrets={"openai": ("api-key",)}).decide("IsekAgent", "researcher")

    assert finding(outcome, "ResolvedRefs").status
    assert "Deployment" in kinds(outcome.wish)


def test_an_agent_that_answers_keeps_doing_so_when_its_secret_goes() -> None:
    scene = Scene(mesh(), agent(model=OPENAI), secrets={"openai": ("api-key",)})
    scene.settle("IsekAgent", "researcher")
    scene.store.put_read_secret("newsroom", "openai", None)

    outcome = scene.decide("IsekAgent", "researcher")

    assert outcome.wish is None
    assert finding(outcome, "Ready").reason is Reason.SECRET_NOT_FOUND
    assert outcome.status["readyReplicas"] == 1
    assert outcome.status["url"] == "http://researcher-agent.newsroom.svc:8080/agents/researcher"


def test_a_missing_tool_is_named_and_holds_up_no_pods() -> None:
    tools = [{"builtin": "calculator"}, {"agent": {"name": "writer"}}]
    outcome = Scene(mesh(), agent(tools=tools)).bring_about("IsekAgent", "researcher")

    assert "Deployment" in kinds(outcome.wish)
    assert finding(outcome, "ResolvedRefs").reason is Reason.AGENT_NOT_FOUND
    assert not finding(outcome, "Ready").status
    assert finding(outcome, "Ready").message == (
        "IsekAgent or IsekTeam 'writer' does not exist in namespace 'newsroom'; create it, or fix spec.tools[1].agent"
    )


def test_a_team_can_be_a_tool_and_need_not_be_ready() -> None:
    editors = team("editors", {"agent": {"name": "researcher"}})
    outcome = Scene(mesh(), editors, agent(tools=[{"agent": {"name": "editors"}}])).bring_about(
        "IsekAgent", "researcher"
    )

    assert finding(outcome, "Ready").status


def test_a_tool_in_another_mesh_is_a_mismatch() -> None:
    tools = [{"agent": {"name": "writer"}}]
    outcome = Scene(mesh(), mesh("press"), agent(tools=tools), agent("writer", meshRef={"name": "press"})).decide(
        "IsekAgent", "researcher"
    )

    assert finding(outcome, "ResolvedRefs").reason is Reason.MESH_MISMATCH
    assert finding(outcome, "ResolvedRefs").message == (
        "IsekAgent 'writer' (spec.tools[0].agent) is in mesh 'newsroom/press', not in 'newsroom/default'; "
        "set the same meshRef on both"
    )


def test_the_younger_of_two_with_one_name_is_refused() -> None:
    rivals = [agent("news", created=2), team("news", {"agent": {"name": "writer"}}, created=1)]
    scene = Scene(mesh(), agent("writer"), *rivals)

    younger, older = scene.decide("IsekAgent", "news"), scene.decide("IsekTeam", "news")

    assert younger.wish == ()
    assert "url" not in younger.status
    assert finding(younger, "Stalled").reason is Reason.NAME_CONFLICT
    assert "IsekTeam 'news' has the address news.newsroom already" in finding(younger, "Ready").message
    assert kinds(older.wish)


def test_of_two_equally_old_ones_exactly_one_is_refused() -> None:
    scene = Scene(mesh(), agent("news"), team("news", {"agent": {"name": "x"}}))

    refused = [kind for kind in ("IsekAgent", "IsekTeam") if scene.decide(kind, "news").wish == ()]

    assert refused == ["IsekTeam"]


def test_an_agent_on_a_node_that_is_missing_says_so() -> None:
    outcome = Scene(mesh(), agent(nodeRef={"name": "shared"})).decide("IsekAgent", "researcher")

    assert outcome.wish is None
    assert finding(outcome, "ResolvedRefs").reason is Reason.NODE_NOT_FOUND
    assert finding(outcome, "Ready").message == (
        "IsekNode 'shared' does not exist in namespace 'newsroom'; create it, or fix spec.nodeRef"
    )
    assert outcome.status["selector"] == "isek.io/agent=researcher"


def test_an_agent_is_ready_when_the_node_that_hosts_it_is() -> None:
    scene = Scene(mesh(), node(replicas=2), agent(nodeRef={"name": "shared"}))
    scene.bring_about("IsekNode", "shared")

    outcome = scene.decide("IsekAgent", "researcher")

    assert finding(outcome, "Ready").reason is Reason.HOSTED
    assert outcome.status == {
        "replicas": 2,
        "readyReplicas": 2,
        "pods": "2/2",
        "selector": "isek.io/node=shared",
        "node": "shared",
        "url": "http://shared-node.newsroom.svc:8080/agents/researcher",
        "mesh": "newsroom/default",
    }


def test_an_agent_is_not_ready_while_the_node_runs_without_it() -> None:
    scene = Scene(mesh(), node())
    scene.bring_about("IsekNode", "shared")

    outcome = scene.put(agent(nodeRef={"name": "shared"})).decide("IsekAgent", "researcher")

    assert finding(outcome, "Ready").reason is Reason.NODE_NOT_READY
    assert finding(outcome, "Reconciling").status


def test_an_agent_that_moves_to_a_node_keeps_its_pods_until_the_node_answers_for_it() -> None:
    scene = Scene(mesh(), node(), agent())
    scene.bring_about("IsekNode", "shared")
    scene.bring_about("IsekAgent", "researcher")

    scene.put(agent(nodeRef={"name": "shared"}))
    before = scene.decide("IsekAgent", "researcher")
    (deployment,) = [each for each in scene.decide("IsekNode", "shared").wish or () if each["kind"] == "Deployment"]
    during = scene.put(live(deployment, readyReplicas=0)).decide("IsekAgent", "researcher")
    after = scene.put(live(deployment)).decide("IsekAgent", "researcher")

    assert (before.wish, during.wish, after.wish) == (None, None, ())
