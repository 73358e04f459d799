from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from isek.node.hosted import read_hosted
from isek_operator.manifests.config_map import config_map

from tests.unit.manifests.samples import NAMESPACE, OPENAI, agent, dedicated, node, shared, team, valid

AGENTS = [agent("writer"), agent("researcher", model=OPENAI), team("newsroom", {"agent": {"name": "writer"}})]


def test_the_node_reads_back_what_it_is_to_host(tmp_path: Path) -> None:
    built = valid(config_map(shared(node(), *AGENTS)))
    (tmp_path / "hosted.yaml").write_text(built["data"]["hosted.yaml"])

    hosted = read_hosted(tmp_path / "hosted.yaml", NAMESPACE)

    assert [(each.kind, each.name) for each in hosted] == [
        ("IsekAgent", "researcher"),
        ("IsekAgent", "writer"),
        ("IsekTeam", "newsroom"),
    ]


def test_a_node_that_hosts_nobody_reads_an_empty_list(tmp_path: Path) -> None:
    (tmp_path / "hosted.yaml").write_text(config_map(shared(node()))["data"]["hosted.yaml"])

    assert read_hosted(tmp_path / "hosted.yaml", NAMESPACE) == []


def test_a_secret_stands_in_it_by_reference_only() -> None:
    text = config_map(dedicated(agent(model=OPENAI)))["data"]["hosted.yaml"]

    assert "secretKeyRef:\n        key: api-key\n        name: openai" in text


def test_where_an_agent_runs_does_not_matter_to_the_node() -> None:
    plain = config_map(dedicated(agent()))
    placed = config_map(dedicated(agent(replicas=3, template={"image": "mine:1"}, meshRef={"name": "other"})))

    assert placed == plain


@given(st.permutations(AGENTS))
def test_the_order_of_arrival_does_not_matter(arrived: list[dict[str, object]]) -> None:
    assert config_map(shared(node(), *arrived)) == config_map(shared(node(), *AGENTS))
