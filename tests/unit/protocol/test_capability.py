"""Offers, bids and claims among many nodes, in one process."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest
from isek.asking import Answer, CallContext
from isek.errors import CallError, RunError
from isek.protocol.bids import Bid, BidRequest, Bids
from isek.protocol.capability import ASKED_AT_ONCE, MAX_LOSSES, Offers
from isek.protocol.http_client import HttpAnswer
from isek.registry import AgentRecord, NodeRecord
from isek.registry.default import DefaultRegistry
from isek.topics.wire import read, written

from tests.support.waiting import until

LIMIT = 2


class Market:
    """Nodes with one translator each, and what they do."""

    def __init__(self, registry: DefaultRegistry) -> None:
        self.registry = registry
        self.running: Counter[str] = Counter()
        self.working_on: Counter[str] = Counter()
        self.most_at_once = 0
        self.done: Counter[str] = Counter()
        self.asked_for_bids = 0
        self.fails: dict[str, CallError | RunError] = {}
        self.silent: set[str] = set()
        self.dies: set[str] = set()
        self.lost: Counter[str] = Counter()
        self.on_ask: Callable[[str], None] = lambda node_id: None
        self.offers = Offers(registry, "asker.desk", bids_here=lambda _: (), post=self._post, ask_at=self._ask_at)

    async def open(self, *names: str, capability: str = "translation") -> None:
        for name in names:
            agent = AgentRecord(name=name, capabilities=(capability,))
            await self.registry.register(
                NodeRecord(node_id=f"{name}.hall", namespace="hall", host="h", port=1, agents=(agent,))
            )

    async def _post(self, node: NodeRecord, path: str, body: bytes, within: float) -> HttpAnswer:
        assert path == "/isek/bids"
        self.asked_for_bids += 1
        await asyncio.sleep(0)
        if node.node_id in self.silent:
            raise CallError("AgentUnreachable", "it is gone", retryable=True)
        read(BidRequest, body)
        running = self.running[node.node_id]
        bids = [Bid(agent=f"{each.name}.hall", load=running / LIMIT, seconds=1, tokens=1) for each in node.agents]
        return HttpAnswer(200, {}, written(Bids(bids=tuple(bids) if running < LIMIT else ())))

    async def _ask_at(self, node: NodeRecord, address: str, message: str, context: CallContext) -> Answer:
        assert context.claim is not None
        self.on_ask(node.node_id)
        if node.node_id in self.fails:
            raise self.fails[node.node_id]
        if self.running[node.node_id] >= LIMIT:
            raise CallError("TooManyTasks", "it took another meanwhile", retryable=True)
        self.running[node.node_id] += 1
        try:
            holding = asyncio.create_task(self.registry.claims.hold(context.claim, self._work(message)))
            if node.node_id in self.dies and self.lost[message] < MAX_LOSSES - 1:
                self.dies.discard(node.node_id)
                self.lost[message] += 1
                await asyncio.sleep(0.01)
                raise CallError("AgentUnreachable", "it broke off before it answered")  # it works on
            await holding
        finally:
            self.running[node.node_id] -= 1
        return Answer(f"{address}: {message}")

    async def _work(self, message: str) -> None:
        self.working_on[message] += 1
        self.most_at_once = max(self.most_at_once, self.working_on[message])
        try:
            await asyncio.sleep(0.02)
            self.done[message] += 1
        finally:
            self.working_on[message] -= 1


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    async with DefaultRegistry() as registry:
        yield Market(registry)


def a_call(seconds: float = 20, caller: str | None = None) -> CallContext:
    return CallContext(deadline=time.monotonic() + seconds, caller=caller)


async def test_two_hundred_nodes_do_each_task_once_and_few_are_asked_for_a_bid(market: Market) -> None:
    await market.open(*(f"t{number}" for number in range(200)))
    tasks = [f"task {number}" for number in range(300)]

    answers = await asyncio.gather(*(market.offers.ask("translation", task, a_call()) for task in tasks))

    assert [answer.text.partition(": ")[2] for answer in answers] == tasks
    assert market.done == Counter(tasks)
    assert market.most_at_once == 1
    assert market.asked_for_bids < 3 * ASKED_AT_ONCE * len(tasks)


async def test_a_task_whose_claimer_is_lost_goes_to_another_and_never_to_two_at_once(market: Market) -> None:
    names = [f"t{number}" for number in range(20)]
    await market.open(*names)
    market.dies = {f"{name}.hall" for name in names[:15]}
    tasks = [f"task {number}" for number in range(20)]

    answers = await asyncio.gather(*(market.offers.ask("translation", task, a_call()) for task in tasks))

    assert [answer.text.partition(": ")[2] for answer in answers] == tasks
    assert market.most_at_once == 1
    assert len(market.dies) < 15


async def test_who_does_not_answer_or_refuses_is_passed_over(market: Market) -> None:
    await market.open("silent", "full", "strict", "willing")
    market.silent = {"silent.hall"}
    market.running["full.hall"] = LIMIT
    market.fails["strict.hall"] = CallError("Forbidden", "you may not", status=403)

    for _ in range(10):
        assert (await market.offers.ask("translation", "x", a_call())).text == "willing.hall: x"


async def test_a_task_that_failed_is_not_given_to_another(market: Market) -> None:
    await market.open("one")
    market.fails["one.hall"] = RunError("ModelError", "no idea")

    with pytest.raises(RunError, match="no idea"):
        await market.offers.ask("translation", "x", a_call())


async def test_a_task_waits_for_somebody_to_have_room(market: Market) -> None:
    await market.open("only")
    market.running["only.hall"] = LIMIT
    asked = asyncio.create_task(market.offers.ask("translation", "x", a_call()))
    await until(lambda: market.asked_for_bids == 2, what="it was offered twice")

    market.running["only.hall"] = 0

    assert (await asked).text == "only.hall: x"


async def test_an_offer_ends_with_its_time(market: Market) -> None:
    await market.open("only")
    market.running["only.hall"] = LIMIT

    with pytest.raises(CallError, match="had room for the task in time"):
        await market.offers.ask("translation", "x", a_call(seconds=0.3))


async def test_that_nobody_could_be_reached_is_told_apart_from_having_no_room(market: Market) -> None:
    await market.open("silent")
    market.silent = {"silent.hall"}

    with pytest.raises(CallError, match="could be reached in time; of 1: it is gone") as lonely:
        await market.offers.ask("translation", "x", a_call(seconds=0.3))
    assert lonely.value.code == "NoBids"
    assert "private network key" in lonely.value.hint

    await market.open("full")
    market.running["full.hall"] = LIMIT
    with pytest.raises(CallError, match="had room for the task in time; 1 could not be reached: it is gone"):
        await market.offers.ask("translation", "x", a_call(seconds=0.3))


async def test_what_nobody_offers_is_named_with_what_is_offered(market: Market) -> None:
    await market.open("one")

    with pytest.raises(CallError) as missing:
        await market.offers.ask("translations", "x", a_call())

    assert (missing.value.code, missing.value.hint) == ("CapabilityNotFound", "offered are translation")


async def test_who_asks_does_not_get_its_own_task(market: Market) -> None:
    await market.open("one")

    with pytest.raises(CallError) as missing:
        await market.offers.ask("translation", "x", a_call(caller="one.hall"))

    assert missing.value.code == "CapabilityNotFound"


async def test_a_task_that_takes_three_claimers_along_is_given_up(market: Market) -> None:
    names = [f"t{number}" for number in range(10)]
    await market.open(*names)
    for name in names:
        market.fails[f"{name}.hall"] = CallError("NodeStopped", "it went away")
    asked: list[str] = []
    market.on_ask = asked.append

    with pytest.raises(CallError, match="it went away"):
        await market.offers.ask("translation", "poison", a_call())

    assert len(asked) == len(set(asked)) == 3
