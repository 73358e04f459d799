"""What `isek up` makes of files."""

import textwrap
from pathlib import Path

import pytest
import yaml
from isek.api.documents import DocumentError
from isek_operator.local.plan import Plan, plan
from isek_operator.local.python_files import PythonFiles

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def planned(folder: Path, *documents: str) -> Plan:
    file = folder / "all.yaml"
    file.write_text("\n---\n".join(textwrap.dedent(document) for document in documents))
    return plan([file], PythonFiles())


def agent(name: str = "a", spec: str = "model: {provider: Echo}") -> str:
    return f"apiVersion: isek.io/v1alpha1\nkind: IsekAgent\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"


def openai_agent(extra: str = "") -> str:
    return agent(
        spec="model: {provider: OpenAI, name: m, apiKey: {secretKeyRef: {name: openai, key: api-key}}}" + extra
    )


def test_each_replica_is_a_pod_and_the_team_is_whom_to_ask() -> None:
    quickstart = plan([EXAMPLES / "quickstart"], PythonFiles())

    assert [(pod.node_id, pod.agents, pod.p2p) for pod in quickstart.pods] == [
        ("newsroom-team-0.default", ("newsroom.default",), True),
        ("researcher-agent-0.default", ("researcher.default",), True),
        ("writer-agent-0.default", ("writer.default",), True),
    ]
    assert quickstart.entry == "newsroom.default"
    assert {(pod.mesh, pod.mesh_id) for pod in quickstart.pods} == {("default/default", "default.default")}
    assert quickstart.notes == ()


def test_replicas_are_pods_of_their_own(tmp_path: Path) -> None:
    pods = planned(tmp_path, agent(spec="model: {provider: Echo}, replicas: 2")).pods

    assert [pod.name for pod in pods] == ["a-agent-0", "a-agent-1"]


def test_the_process_of_a_pod_waits_for_no_service_when_it_ends(tmp_path: Path) -> None:
    (pod,) = planned(tmp_path, agent()).pods

    assert "ISEK_DRAIN_SECONDS" in pod.environment
    assert "ISEK_LINGER_SECONDS" not in pod.environment


def test_a_shared_node_hosts_who_names_it() -> None:
    pods = plan([EXAMPLES / "shared-node"], PythonFiles()).pods

    desk = next(pod for pod in pods if pod.name == "desk-node-0")
    assert set(desk.agents) == {"archivist.default", "statistician.default"}
    assert [document["metadata"]["name"] for document in yaml.safe_load_all(desk.hosted)] == [
        "archivist",
        "statistician",
    ]


def test_a_mesh_without_p2p_needs_no_sidecars_and_says_what_stands_in_for_etcd(tmp_path: Path) -> None:
    mesh = "apiVersion: isek.io/v1alpha1\nkind: IsekMesh\nmetadata: {name: default}\nspec: {p2p: {enabled: false}}\n"
    result = planned(tmp_path, agent(), mesh)

    assert [pod.p2p for pod in result.pods] == [False]
    assert result.notes == ("IsekMesh default: a registry process stands in for its etcd, which needs a cluster",)


def of_press(spec: str = "model: {provider: Echo}") -> str:
    return agent("writer", spec).replace("name: writer", "name: writer, namespace: press")


def shared_mesh(allowed: str) -> str:
    return (
        "apiVersion: isek.io/v1alpha1\nkind: IsekMesh\nmetadata: {name: ground}\n"
        f"spec: {{allowedNamespaces: {allowed}}}\n"
    )


PRESS = "apiVersion: v1\nkind: Namespace\nmetadata: {name: press, labels: {team: press}}\n"
ON_GROUND = "model: {provider: Echo}, meshRef: {name: ground, namespace: default}"
BY_LABEL = "{from: Selector, selector: {matchLabels: {team: press}}}"


@pytest.mark.parametrize("allowed", ["{from: All}", BY_LABEL])
def test_agents_of_two_namespaces_share_a_mesh_that_lets_them(tmp_path: Path, allowed: str) -> None:
    asker = agent(spec=f"{ON_GROUND}, tools: [{{agent: {{name: writer, namespace: press}}}}]")

    result = planned(tmp_path, shared_mesh(allowed), PRESS, asker, of_press(ON_GROUND))

    assert {(pod.node_id, pod.mesh) for pod in result.pods} == {
        ("a-agent-0.default", "default/ground"),
        ("writer-agent-0.press", "default/ground"),
    }


def test_a_secret_of_the_folder_is_for_files_and_for_the_environment(tmp_path: Path) -> None:
    secret = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: openai}\ndata: {api-key: czNjcmV0}\nstringData: {b: plain}\n"
    )
    env = ", template: {env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: openai, key: b}}}, {name: A, value: x}]}"
    result = planned(tmp_path, secret, openai_agent(env))

    assert result.secrets == {("default", "openai"): {"api-key": b"s3cret", "b": b"plain"}}
    assert result.pods[0].environment["TOKEN"] == "plain"
    assert result.pods[0].environment["A"] == "x"
    assert "s3cret" not in repr(result)
    assert "plain" not in repr(result)


def test_the_environment_s_key_stands_in_for_a_missing_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")

    result = planned(tmp_path, openai_agent())

    assert result.secrets == {("default", "openai"): {"api-key": b"sk-x"}}
    assert result.notes == ("Secret openai: there is none here, so OPENAI_API_KEY of the environment is used",)


def test_the_key_may_be_in_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-x\n")
    monkeypatch.chdir(tmp_path)

    result = planned(tmp_path, openai_agent())

    assert result.secrets == {("default", "openai"): {"api-key": b"sk-x"}}
    assert result.notes == ("Secret openai: there is none here, so OPENAI_API_KEY of .env is used",)


SEARCH = 'tools: [{webSearch: {url: "http://search/", apiKey: {secretKeyRef: {name: search, key: key}}}}]'
OTHER_KEYS = [
    f"model: {{provider: Echo}}, {SEARCH}",
    "model: {provider: LiteLLM, name: x/y, apiKey: {secretKeyRef: {name: search, key: key}}}",
]


@pytest.mark.parametrize("spec", OTHER_KEYS)
def test_the_key_of_openai_stands_in_for_no_other_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")

    with pytest.raises(DocumentError, match="Secret 'search' does not exist") as failed:
        planned(tmp_path, agent(spec=spec))

    assert "OPENAI_API_KEY" not in str(failed.value)


def test_what_needs_a_cluster_is_named_and_passed_over(tmp_path: Path) -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: front}\n"
    env = "env: [{name: X, valueFrom: {configMapKeyRef: {name: c, key: k}}}]"
    template = f"model: {{provider: Echo}}, template: {{image: mine, nodeSelector: {{disk: ssd}}, {env}}}"

    notes = planned(tmp_path, agent(spec=template), service).notes

    assert notes == (
        "Service front: skipped, it needs a cluster",
        "IsekAgent a: template.env X: configMapKeyRef needs a cluster",
        "IsekAgent a: template.image, template.nodeSelector passed over: processes have none of it",
    )


TEAM = "apiVersion: isek.io/v1alpha1\nkind: IsekTeam\nmetadata: {name: t}\nspec: {members: [{agent: {name: gone}}]}\n"


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ((openai_agent(),), "IsekAgent a: Secret 'openai' does not exist in namespace 'default'; create it, or fix"),
        ((TEAM,), "IsekTeam t: IsekAgent 'gone' does not exist in namespace 'default'; create it"),
        ((agent(spec="model: {provider: Echo}, nodeRef: {name: n}"),), "IsekAgent a: IsekNode 'n' does not exist"),
        ((agent(spec="model: {provider: Echo}, meshRef: {name: m}"),), "IsekAgent a: IsekMesh 'm' does not exist"),
        (
            (shared_mesh("{from: Same}"), of_press(ON_GROUND)),
            "IsekAgent writer: IsekMesh 'ground' of namespace 'default' lets in resources of its own namespace only",
        ),
        (
            (shared_mesh(BY_LABEL), of_press(ON_GROUND)),
            "IsekAgent writer: IsekMesh 'ground' of namespace 'default' does not select namespace 'press'",
        ),
        (("apiVersion: v1\nkind: Namespace\nmetadata: {labels: [a]}\n", agent()), "Namespace: metadata: needs a valid"),
        ((agent(), agent()), "IsekAgent a: stands twice in namespace 'default'"),
        ((agent(spec="model: {provider: Echo}, replicas: 0"),), "nothing to run"),
        (
            ("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {k: '*'}\n", agent()),
            "Secret s: data.k: is not base64",
        ),
        (("apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: ../up}\n", agent()), "Secret: metadata: needs"),
        (("apiVersion: v1\nkind: Secret\nmetadata: {name: ../up}\n", agent()), "Secret: metadata: needs a valid name"),
        (
            ("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {../k: x}\n", agent()),
            "Secret s: data: keys are",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_mend(tmp_path: Path, documents: tuple[str, ...], said: str) -> None:
    with pytest.raises(DocumentError) as refused:
        planned(tmp_path, *documents)

    assert said in str(refused.value)


def test_a_pod_whose_agent_keeps_its_memory_in_sqlite_is_told_apart(tmp_path: Path) -> None:
    sqlite = "model: {provider: Echo}, memory: {provider: SQLite, claim: {name: friend}}"

    pods = planned(tmp_path, agent("friend", sqlite), agent("stranger")).pods

    assert {pod.name: pod.remembers for pod in pods} == {"friend-agent-0": True, "stranger-agent-0": False}
