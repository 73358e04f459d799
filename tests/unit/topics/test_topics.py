"""Publishing and listening, over nodes of one process."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from isek.errors import CallError
from isek.topics import topics as topics_module
from isek.topics.message import EVERYBODY, MAX_DEPTH, MAX_PAYLOAD_BYTES, Priority, TopicMessage, encode
from isek.topics.outbox import Delivery
from isek.topics.subscription import ROOM, Subscription
from isek.topics.topics import Topics
from isek.topics.wire import HandedOver, HandOver, WireMessage, read, written

from tests.support.waiting import until
from tests.unit.topics.wire import Fault, Wire

SOON = 5.0


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = Wire()
    yield wire
    await wire.close()


async def heard(subscription: Subscription, count: int = 1) -> list[Any]:
    async with asyncio.timeout(SOON):
        return [(await anext(subscription)).payload for _ in range(count)]


def waiting(subscription: Subscription) -> int:
    return len(subscription.line)


def nested(depth: int) -> Any:
    return json.loads("[" * depth + "]" * depth)


async def publish_until_full(topics: Topics) -> int:
    """How many it took."""

    taken: list[int] = []

    async def more_than_there_is_room_for() -> None:
        for number in range(3 * ROOM):
            await topics.publish("news", number, within=0.05)
            taken.append(number)

    with pytest.raises(CallError, match="QueueFull"):
        await more_than_there_is_room_for()
    return len(taken)


async def test_all_programs_that_listen_hear_a_message_wherever_they_are(wire: Wire) -> None:
    here, there = wire.join("here"), wire.join("there")
    near, also_near, far, deaf = (
        here.listen(["news"]),
        here.listen(["news"]),
        there.listen(["news"]),
        there.listen(["x"]),
    )

    published = await here.publish("news", {"headline": "rain"})

    assert await published.settled() == published.listeners == 2 + 1
    for each in (near, also_near, far):
        assert await heard(each) == [{"headline": "rain"}]
    assert waiting(deaf) == 0


async def test_a_message_to_everybody_reaches_all_who_listen_to_anything(wire: Wire) -> None:
    here, there = wire.join("here"), wire.join("there")
    listening = [here.listen(["news"]), there.listen(["weather"]), there.listen(["sports"], agent="fan")]

    await (await here.publish(EVERYBODY, "fire")).settled()

    assert [await heard(each) for each in listening] == [["fire"]] * 3


async def test_one_replica_of_an_agent_hears_a_message_and_all_get_their_share(wire: Wire) -> None:
    replicas = [wire.join(name).listen(["news"], agent="editor") for name in ("first", "second", "third")]
    publisher = wire.join("publisher")

    published = [await publisher.publish("news", number) for number in range(60)]
    assert [await each.settled() for each in published] == [1] * 60

    shares = [await heard(each, waiting(each)) for each in replicas]
    assert sorted(number for share in shares for number in share) == list(range(60))
    assert all(shares)


async def test_agents_of_one_name_in_two_namespaces_are_two(wire: Wire) -> None:
    ours = wire.join("ours").listen(["news"], agent="editor")
    theirs = wire.join("theirs", namespace="elsewhere").listen(["news"], agent="editor")

    assert await (await wire.join("publisher").publish("news", "rain")).settled() == 2

    assert await heard(ours) == await heard(theirs) == ["rain"]


async def test_who_publishes_keeps_an_order_and_what_is_urgent_overtakes(wire: Wire) -> None:
    here, there = wire.join("here"), wire.join("there")
    near, far = here.listen(["news"]), there.listen(["news"])

    for number in range(3):
        await here.publish("news", f"low {number}", priority=Priority.LOW)
        await here.publish("news", number)
    await (await here.publish("news", "urgent", priority=Priority.URGENT)).settled()

    expected = ["urgent", 0, 1, 2, "low 0", "low 1", "low 2"]
    assert await heard(near, 7) == expected
    assert await heard(far, 7) == expected


async def test_a_message_that_was_lost_on_its_way_comes_again_and_one_whose_receipt_was_lost_comes_once(
    wire: Wire,
) -> None:
    here, there = wire.join("here"), wire.join("there")
    far = there.listen(["news"])
    faults = ["before", "after", "before"]

    def losing(when: str) -> Fault:
        def lose(_: str, __: Sequence[Delivery]) -> None:
            if faults and faults[0] == when:
                del faults[0]
                raise CallError("AgentUnreachable", "the line broke")

        return lose

    wire.before, wire.after = losing("before"), losing("after")

    published = [await here.publish("news", number) for number in range(3)]

    assert [await asyncio.wait_for(each.settled(), SOON) for each in published] == [1, 1, 1]
    assert not faults
    assert await heard(far, 3) == [0, 1, 2]
    assert waiting(far) == 0


async def test_a_node_that_leaves_is_waited_for_no_more(wire: Wire) -> None:
    here, there = wire.join("here"), wire.join("there")
    there.listen(["news"])
    near = here.listen(["news"])

    published = await here.publish("news", "rain")
    wire.leave("there")

    assert await asyncio.wait_for(published.settled(), SOON) == 1
    assert await heard(near) == ["rain"]


async def test_what_was_for_a_replica_that_leaves_goes_to_another(wire: Wire) -> None:
    first, second = wire.join("first"), wire.join("second")
    first.listen(["news"], agent="editor")
    left = second.listen(["news"], agent="editor")
    publisher = wire.join("publisher")

    published = [await publisher.publish("news", number) for number in range(20)]
    wire.leave("first")

    assert [await asyncio.wait_for(each.settled(), SOON) for each in published] == [1] * 20
    assert sorted(await heard(left, 20)) == list(range(20))


async def test_what_was_for_a_replica_that_stops_listening_goes_to_another_even_to_the_publishers_own_node(
    wire: Wire,
) -> None:
    here, there = wire.join("here"), wire.join("there")
    near, far = here.listen(["news"], agent="editor"), there.listen(["news"], agent="editor")

    published = [await here.publish("news", number) for number in range(20)]
    far.close()

    assert [await asyncio.wait_for(each.settled(), SOON) for each in published] == [1] * 20
    assert sorted(await heard(near, waiting(near))) == list(range(20))


@pytest.mark.parametrize("listener", ["here", "there"])
async def test_a_publisher_waits_for_who_listens_too_slowly_and_is_told_when_it_waits_in_vain(
    wire: Wire, listener: str
) -> None:
    here, there = wire.join("here"), wire.join("there")
    slow = {"here": here, "there": there}[listener].listen(["news"])
    published = await publish_until_full(here)

    urgent = await here.publish("news", "urgent", priority=Priority.URGENT, within=0.05)
    assert await asyncio.wait_for(urgent.settled(), SOON) == 1
    assert await heard(slow) == ["urgent"]

    waits = asyncio.create_task(here.publish("news", "at last", within=SOON))
    assert await heard(slow, published) == list(range(published))
    await waits
    assert await heard(slow) == ["at last"]


async def test_a_topic_that_is_not_taken_holds_up_no_other(wire: Wire) -> None:
    here, there = wire.join("here"), wire.join("there")
    there.listen(["work"], agent="slow")
    far = there.listen(["news"])
    for number in range(ROOM + 600):  # the line there is full, and more than one batch waits for it
        await here.publish("work", number)
    await until(lambda: here.handing_over, what="the rest waits")

    published = await here.publish("news", "rain")

    assert await asyncio.wait_for(published.settled(), SOON) == 1
    assert await heard(far) == ["rain"]


async def test_a_program_that_reads_nothing_any_more_is_left_out(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics_module, "STUCK_SECONDS", 0.1)
    here, there = wire.join("here"), wire.join("there")
    stuck, reads = there.listen(["news"]), there.listen(["news"])
    for number in range(ROOM):
        await (await here.publish("news", number)).settled()
    assert await heard(reads, ROOM) == list(range(ROOM))

    published = await here.publish("news", "late")

    assert await asyncio.wait_for(published.settled(), SOON) == 1
    assert stuck.closed
    assert await heard(reads) == ["late"]


async def test_who_listens_no_more_keeps_nobody_waiting(wire: Wire) -> None:
    here = wire.join("here")
    async with here.listen(["news"]) as slow:
        for number in range(ROOM):
            await here.publish("news", number)
        assert waiting(slow) == ROOM
        waits = asyncio.create_task(here.publish("news", "late", within=SOON))
        await asyncio.sleep(0)
    assert (await waits).listeners == 0


async def test_programs_from_outside_leave_room_for_those_on_the_node_and_for_each_other(wire: Wire) -> None:
    topics = wire.join("here")

    def listen(*numbers: int, outsider: str | None = None) -> Subscription:
        return topics.listen([f"topic-{number}" for number in numbers], outsider=outsider)

    listen(*range(8), outsider="10.0.0.1")
    listen(3, outsider="10.0.0.1")
    with pytest.raises(CallError, match=r"TooManyTopics: 10\.0\.0\.1 listens to 8 of 8 topics"):
        listen(8, outsider="10.0.0.1")
    second = listen(*range(8, 16), outsider="10.0.0.2")
    with pytest.raises(CallError, match="programs that came over HTTP listen to 16 of 16 topics"):
        listen(16, outsider="token:ci")

    listen(*range(16, 24))
    with pytest.raises(CallError, match="programs on this node listen to 24 of 24 topics"):
        listen(24)

    second.close()
    listen(24, outsider="token:ci")


async def test_the_newest_of_a_topic_can_be_asked_for(wire: Wire) -> None:
    here = wire.join("here")
    for number in range(5):
        await here.publish("news", number)
    await here.publish("weather", "rain")
    await here.publish(EVERYBODY, "fire")

    assert [each.payload for each in here.history("news", 3)] == [3, 4, "fire"]
    assert [each.payload for each in here.history("weather", 10)] == ["rain", "fire"]
    assert here.history("sports", 10)[0].payload == "fire"


@pytest.mark.parametrize(
    ("topic", "payload", "code"),
    [
        ("", 1, "InvalidRequest"),
        ("-x", 1, "InvalidRequest"),
        ("a b", 1, "InvalidRequest"),
        ("x" * 64, 1, "InvalidRequest"),
        ("news", object(), "InvalidRequest"),
        ("news", float("nan"), "InvalidRequest"),
        ("news", {"text": "\ud800"}, "InvalidRequest"),
        ("news", nested(MAX_DEPTH + 2), "InvalidRequest"),
        ("news", "x" * MAX_PAYLOAD_BYTES, "BodyTooLarge"),
    ],
)
async def test_what_cannot_be_published_is_refused(wire: Wire, topic: str, payload: Any, code: str) -> None:
    here = wire.join("here")
    listening = here.listen(["news"])

    with pytest.raises(CallError) as refused:
        await here.publish(topic, payload)

    assert refused.value.code == code
    assert waiting(listening) == 0
    assert here.history("news", 1) == []


def test_the_deepest_payload_that_is_taken_can_be_handed_over() -> None:
    message = TopicMessage("news", encode(nested(MAX_DEPTH)), "reporter.default")
    handed_over = HandedOver(**WireMessage.of(message).model_dump(), to=("*",))

    (read_again,) = read(HandOver, written(HandOver(messages=(handed_over,)))).messages

    assert read_again.message().body == message.body


async def test_a_message_that_a_node_refuses_holds_up_no_other(wire: Wire) -> None:
    here, there = wire.join("here"), wire.join("there")
    far = there.listen(["news"])

    def refuse(to: str, batch: Sequence[Delivery]) -> None:
        if any(each.message.payload == "bad" for each in batch):
            raise CallError("AgentUnreachable", f"{to} answered HTTP 400", status=400)

    wire.before = refuse
    published = [await here.publish("news", said) for said in ("one", "bad", "two", "three")]

    assert [await asyncio.wait_for(each.settled(), SOON) for each in published] == [1, 0, 1, 1]
    assert await heard(far, 3) == ["one", "two", "three"]


async def test_a_payload_is_everybodys_own(wire: Wire) -> None:
    here = wire.join("here")
    first, second = here.listen(["news"]), here.listen(["news"])
    await here.publish("news", {"tags": []})

    (await anext(first)).payload["tags"].append("mine")

    assert await heard(second) == [{"tags": []}]


async def test_an_agent_that_takes_nothing_from_a_sender_neither_hears_nor_counts(wire: Wire) -> None:
    here, there, elsewhere = wire.join("here"), wire.join("there"), wire.join("elsewhere")
    vaults = [
        each.listen(["news"], agent="vault", hears=lambda sender: sender != "outside:anybody")
        for each in (here, there, elsewhere)
    ]
    editor = there.listen(["news"], agent="editor")

    for _ in range(12):  # its replicas take turns
        published = await here.publish("news", "gold", sender="outside:anybody")
        async with asyncio.timeout(SOON):
            assert await published.settled() == 1
        assert (published.listeners, published.refused) == (1, 1)

    assert [waiting(each) for each in vaults] == [0, 0, 0]
    assert await heard(editor, 12) == ["gold"] * 12
    published = await here.publish("news", "rain", sender="reporter.newsroom")
    async with asyncio.timeout(SOON):
        assert await published.settled() == 2
    assert (published.listeners, published.refused) == (2, 0)
