import json

import pytest
from isek.registry import AgentRecord, NodeRecord
from isek.registry.record import MAX_RECORD_BYTES, RecordError

RECORD = NodeRecord(
    node_id="writer-1.newsroom",
    namespace="newsroom",
    host="10.0.0.7",
    port=8080,
    peer_id="12D3KooWa",
    p2p_address="/ip4/10.0.0.7/tcp/9000/p2p/12D3KooWa",
    agents=(AgentRecord(name="writer", capabilities=("writing",), card_hash="abc"),),
)
KEY = "/isek/newsroom.default/nodes/newsroom/writer-1"


def test_a_record_is_written_in_the_names_that_all_nodes_agree_on() -> None:
    assert json.loads(RECORD.encode()) == {
        "nodeId": "writer-1.newsroom",
        "namespace": "newsroom",
        "host": "10.0.0.7",
        "port": 8080,
        "peerId": "12D3KooWa",
        "p2pAddress": "/ip4/10.0.0.7/tcp/9000/p2p/12D3KooWa",
        "agents": [{"name": "writer", "capabilities": ["writing"], "cardHash": "abc"}],
    }


def test_the_ways_through_relays_are_told_as_far_as_they_fit() -> None:
    ways = tuple(f"/ip4/10.0.0.{n}/tcp/9000/p2p/{'r' * 52}/p2p-circuit/p2p/12D3KooWa" for n in range(40))
    agent = AgentRecord(name="writer", description="d" * 160)

    few = NodeRecord.decode(KEY, RECORD.model_copy(update={"p2p_addresses": ways[:2]}).encode())
    many = NodeRecord.decode(KEY, RECORD.model_copy(update={"p2p_addresses": ways, "agents": (agent,)}).encode())

    assert few.all_p2p_addresses == ("/ip4/10.0.0.7/tcp/9000/p2p/12D3KooWa", *ways[:2])
    assert 2 < len(many.p2p_addresses) < 40
    assert many.p2p_addresses == ways[: len(many.p2p_addresses)]
    assert [each.name for each in many.agents] == ["writer"]


def test_a_way_through_a_relay_is_worth_more_than_descriptions_and_capabilities() -> None:
    way = f"/ip4/10.0.0.1/tcp/9000/p2p/{'r' * 52}/p2p-circuit/p2p/12D3KooWa"
    described = tuple(
        AgentRecord(name=f"writer-{number}", description="d" * 160, capabilities=("writing",)) for number in range(16)
    )
    capable = tuple(
        AgentRecord(name=f"writer-{number}", capabilities=tuple(f"capability-{n}" for n in range(20)))
        for number in range(16)
    )

    for agents, capabilities in ((described, ("writing",)), (capable, ())):
        record = RECORD.model_copy(update={"p2p_addresses": (way,), "agents": agents})
        told = NodeRecord.decode(KEY, record.encode())

        assert told.p2p_addresses == (way,)
        assert {each.capabilities for each in told.agents} == {capabilities}


def test_a_record_stands_below_its_mesh_and_namespace_and_reads_back() -> None:
    assert RECORD.key("newsroom.default") == KEY
    assert NodeRecord.decode(KEY, RECORD.encode()) == RECORD


def test_fields_of_a_newer_version_are_passed_over() -> None:
    newer = {**json.loads(RECORD.encode()), "mood": "sunny"}

    assert NodeRecord.decode(KEY, json.dumps(newer).encode()) == RECORD


@pytest.mark.parametrize(
    "key", ["/isek/newsroom.default/nodes/elsewhere/writer-1", "/isek/newsroom.default/nodes/newsroom/writer-2"]
)
def test_a_record_that_names_another_place_than_its_key_is_not_believed(key: str) -> None:
    with pytest.raises(RecordError, match=r"claims to be writer-1\.newsroom"):
        NodeRecord.decode(key, RECORD.encode())


@pytest.mark.parametrize("value", [b"", b"\xff", b"[]", b'{"nodeId": "writer-1.newsroom"}'])
def test_what_is_no_record_is_not_believed(value: bytes) -> None:
    with pytest.raises(RecordError, match="does not parse"):
        NodeRecord.decode(KEY, value)


def test_an_ipv6_host_is_bracketed_in_its_url() -> None:
    assert RECORD.model_copy(update={"host": "fd00::7"}).url == "http://[fd00::7]:8080"


def agents(count: int, capabilities: tuple[str, ...] = ()) -> tuple[AgentRecord, ...]:
    return tuple(
        AgentRecord(name=f"{number:040}", kind="Team", capabilities=capabilities, card_hash="a" * 16)
        for number in range(count)
    )


def test_as_many_agents_as_a_node_may_host_fit() -> None:
    record = RECORD.model_copy(update={"agents": agents(30), "node_id": "n" * 63 + ".newsroom", "zone": "z" * 63})

    assert len(record.encode()) <= MAX_RECORD_BYTES


def test_capabilities_that_do_not_fit_are_left_away() -> None:
    record = RECORD.model_copy(update={"agents": agents(20, ("c" * 63,) * 32)})

    assert NodeRecord.decode(KEY, record.encode()).agents == agents(20)


def test_descriptions_make_room_first() -> None:
    described = tuple(each.model_copy(update={"description": "d" * 160}) for each in agents(20, ("c" * 8,)))

    assert NodeRecord.decode(KEY, RECORD.model_copy(update={"agents": described[:2]}).encode()).agents == described[:2]
    assert NodeRecord.decode(KEY, RECORD.model_copy(update={"agents": described}).encode()).agents == (
        agents(20, ("c" * 8,))
    )


def test_too_many_agents_are_refused() -> None:
    with pytest.raises(RecordError, match="host fewer agents"):
        RECORD.model_copy(update={"agents": agents(100)}).encode()
