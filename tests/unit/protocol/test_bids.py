from isek.protocol.bids import Bid, Offered, best_first
from isek.registry.record import NodeRecord

HERE = NodeRecord(node_id="n", host="h", port=1)


def offered(agent: str, *, load: float = 0, seconds: float = 1, tokens: float = 100, latency: float = 0) -> Offered:
    return Offered(Bid(agent=agent, load=load, seconds=seconds, tokens=tokens), HERE, latency)


def best(*bids: Offered) -> str:
    return best_first(bids)[0].bid.agent


def test_of_two_that_are_else_the_same_the_idler_the_quicker_the_cheaper_and_the_nearer_wins() -> None:
    assert best(offered("busy", load=0.9), offered("idle", load=0.1)) == "idle"
    assert best(offered("slow", seconds=9), offered("quick", seconds=2)) == "quick"
    assert best(offered("dear", tokens=900), offered("cheap", tokens=20)) == "cheap"
    assert best(offered("far", latency=0.5), offered("near", latency=0.001)) == "near"


def test_an_agent_that_has_done_nothing_yet_gets_its_chance() -> None:
    assert best(offered("known", seconds=2, tokens=50), offered("new", seconds=0, tokens=0)) == "new"


def test_among_equals_chance_decides() -> None:
    assert {best(offered("a"), offered("b")) for _ in range(100)} == {"a", "b"}


def test_where_nobody_bids_nobody_is_best() -> None:
    assert best_first([]) == []
