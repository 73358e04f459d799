import asyncio

from isek.registry import AgentRecord, NodeRecord
from isek.registry.view import View


def record(*agents: str, peer_id: str | None = None) -> NodeRecord:
    return NodeRecord(
        node_id="n.x",
        namespace="x",
        host="h",
        port=1,
        peer_id=peer_id,
        agents=tuple(AgentRecord(name=a) for a in agents),
    )


def test_what_replaces_a_record_replaces_it_in_every_index() -> None:
    view = View()
    view.put("k", record("old", peer_id="P"))
    view.put("k", record("new", peer_id="Q"))

    assert view.at("old.x") == ()
    assert view.at("new.x") == (record("new", peer_id="Q"),)
    assert (view.has_peer("P"), view.has_peer("Q")) == (False, True)
    assert view.addresses() == ["new.x"]


def test_a_peer_id_that_two_nodes_show_is_known_until_both_are_gone() -> None:
    view = View()
    view.put("k1", record(peer_id="P"))
    view.put("k2", record(peer_id="P"))

    view.remove("k1")
    assert view.has_peer("P")
    view.remove("k2")
    assert not view.has_peer("P")
    view.remove("k2")


def test_an_agent_named_twice_in_a_record_is_found_once() -> None:
    view = View()
    view.put("k", record("twin", "twin"))

    assert len(view.at("twin.x")) == 1
    view.remove("k")
    assert view.records() == ()


def test_who_listens_is_found_by_topic_and_by_listening_at_all() -> None:
    view = View()
    view.put("k1", NodeRecord(node_id="programs.x", namespace="x", host="h", port=1, topics=("news",)))
    listening = AgentRecord(name="editor", topics=("news", "alerts"))
    view.put("k2", NodeRecord(node_id="agents.x", namespace="x", host="h", port=1, agents=(listening,)))
    view.put("k3", record("deaf"))

    assert [each.node_id for each in view.listeners("news")] == ["programs.x", "agents.x"]
    assert [each.node_id for each in view.listeners("alerts")] == ["agents.x"]
    assert [each.node_id for each in view.listeners("*")] == ["programs.x", "agents.x"]
    assert view.listeners("weather") == ()
    view.remove("k2")
    assert view.listeners("alerts") == ()


def test_a_node_is_found_by_its_id_until_it_leaves() -> None:
    view = View()
    view.put("k", record("writer"))

    assert view.node("n.x") == record("writer")
    view.remove("k")
    assert view.node("n.x") is None


async def test_all_who_wait_are_told_of_a_change() -> None:
    view = View()
    waiting = [asyncio.create_task(view.changed()) for _ in range(3)]
    await asyncio.sleep(0)

    view.notify()

    await asyncio.wait_for(asyncio.gather(*waiting), 1)


def test_who_left_is_remembered_for_a_while_at_its_addresses() -> None:
    view = View()
    view.put("k", record("writer"))
    view.put("k", record("writer"))
    assert view.lately_at("writer.x") == []

    view.remove("k")

    assert view.lately_at("writer.x") == [record("writer")]
    assert view.lately_at("reader.x") == []


def test_a_node_that_came_back_with_another_key_left_as_well() -> None:
    view = View()
    before = record("writer").model_copy(update={"card_key": "before"})
    view.put("k", before)
    view.put("k", before.model_copy(update={"card_key": "now"}))

    assert view.lately_at("writer.x") == [before]
