import random
from collections import Counter

import pytest
from isek.protocol.balance import ELSEWHERE, Loads, nearest, of_session
from isek.registry import NodeRecord

REPLICAS = [NodeRecord(node_id=f"n{number}.x", host="h", port=1) for number in range(5)]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_calls_under_way_count_until_they_end_however_they_end() -> None:
    loads = Loads()

    with loads.calling("a"), loads.calling("a"):
        assert loads.of("a") == 2
    with pytest.raises(ZeroDivisionError), loads.calling("a"):
        _ = 1 / 0

    assert loads.of("a") == 0


def test_what_a_node_said_counts_less_and_less() -> None:
    clock = Clock()
    loads = Loads(clock)
    loads.report("a", 8)

    assert loads.of("a") == 8
    clock.now += 1
    assert loads.of("a") == 4
    clock.now += 60
    assert loads.of("a") < 0.001


def test_nodes_that_are_long_gone_are_forgotten() -> None:
    clock = Clock()
    loads = Loads(clock)
    for number in range(1_000):
        loads.report(f"old-{number}", 1)
    clock.now += 61

    loads.report("new", 1)

    assert len(loads._reports) == 1


def test_the_busiest_of_all_is_never_chosen() -> None:
    loads = Loads()
    loads.report("n3.x", 50)

    chosen = Counter(nearest(REPLICAS, REPLICAS[0], loads).node_id for _ in range(500))

    assert chosen["n3.x"] == 0
    assert len(chosen) == 4


def at(cluster: str, region: str = "", zone: str = "", number: int = 0) -> NodeRecord:
    node_id = f"{cluster}-{region}-{zone}-{number}.x"
    return NodeRecord(node_id=node_id, cluster=cluster, region=region, zone=zone, host="h", port=1)


HERE = at("north", "r1", "a")
BY_DISTANCE = [at("north", "r1", "a", 1), at("north", "r1", "b"), at("north", "r2", "a"), at("south", "r1", "a")]


@pytest.mark.parametrize("left", range(4))
def test_the_nearest_that_is_there_is_asked(left: int) -> None:
    replicas = BY_DISTANCE[left:]

    chosen = {nearest(random.sample(replicas, len(replicas)), HERE, Loads()).node_id for _ in range(100)}

    assert chosen == {replicas[0].node_id}


def test_the_nearest_share_the_work() -> None:
    near = [at("north", "r1", "a", number) for number in range(3)]

    chosen = Counter(nearest([*near, *BY_DISTANCE[1:]], HERE, Loads()).node_id for _ in range(600))

    assert chosen.keys() == {each.node_id for each in near}
    assert min(chosen.values()) > 100


def test_one_further_away_is_asked_where_the_nearest_are_busier_by_more_than_the_way() -> None:
    near, far = BY_DISTANCE[0], BY_DISTANCE[-1]
    loads = Loads(Clock())

    loads.report(near.node_id, ELSEWHERE - 1)
    assert nearest([near, far], HERE, loads) is near
    loads.report(near.node_id, ELSEWHERE + 1)
    assert nearest([near, far], HERE, loads) is far


def test_one_that_cannot_be_reached_is_passed_over_for_one_of_another_cluster() -> None:
    near, far = BY_DISTANCE[0], BY_DISTANCE[-1]
    loads = Loads()
    loads.unreachable(near.node_id)

    assert nearest([near, far], HERE, loads) is far


def test_a_replica_that_goes_moves_only_its_own_sessions() -> None:
    sessions = [f"session-{number}" for number in range(500)]
    before = {session: of_session(REPLICAS, session) for session in sessions}
    after = {session: of_session(REPLICAS[1:], session) for session in sessions}

    moved = [session for session in sessions if before[session] is not after[session]]
    assert moved == [session for session in sessions if before[session] is REPLICAS[0]]
    assert all(60 < count < 140 for count in Counter(record.node_id for record in before.values()).values())


def test_what_is_asked_on_behalf_of_a_session_goes_where_the_session_is() -> None:
    for number in range(100):
        assert of_session(REPLICAS, f"s{number}>newsroom.x>writer.x") is of_session(REPLICAS, f"s{number}")
