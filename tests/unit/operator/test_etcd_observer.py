"""How often the etcd of a mesh is asked, and what is done to one again."""

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest
from isek_operator.cluster.client import Client
from isek_operator.cluster.events import Recorder
from isek_operator.decide.etcd.steps import Action, Compact, Defragment, EtcdStep, Promote
from isek_operator.decide.etcd.view import BrokenAgent, EtcdAccess, EtcdView
from isek_operator.decide.outcome import Outcome
from isek_operator.decide.reasons import Reason
from isek_operator.keys import Key
from isek_operator.metrics import Metrics
from isek_operator.reconcile import etcd_observer
from isek_operator.reconcile.etcd_observer import IDLE_SECONDS, QUIET_SECONDS, EtcdObserver, next_pause
from isek_operator.reconcile.etcd_steps import REFUSED_SECONDS, UPKEEP_SECONDS, EtcdSteps
from isek_operator.store import Store

from tests.support.waiting import until
from tests.unit.manifests.samples import a_mesh

MESH = Key("IsekMesh", "newsroom", "default")
NOBODY = EtcdAccess(endpoints=(), secret="default-etcd-root")
SOMEBODY = EtcdAccess(endpoints=(("default-etcd-0", "127.0.0.1:1"),), secret="default-etcd-root")


class NoSecrets:
    """An API server without the operator's certificate: no step with etcd can be taken."""

    async def get(self, *_: Any) -> None:
        return None


class Followed:
    """An observer, and how often it has asked an etcd that has no members yet."""

    def __init__(self) -> None:
        self.asked = 0
        self.store = Store()
        client = cast(Client, NoSecrets())
        self.observer = EtcdObserver(client, self.store, Metrics(), due=lambda _: None, now=self._now)
        self.steps = EtcdSteps(client, self.store, Recorder(client, Metrics()), self.observer)

    def _now(self) -> float:
        self.asked += 1
        return float(self.asked)


@pytest.fixture
async def followed() -> AsyncIterator[Followed]:
    made = Followed()
    yield made
    await made.observer.stop()


def pauses(*, news: Iterator[bool]) -> list[float]:
    last = 1.0
    return [last := next_pause(last, is_news=each, settled=False) for each in news]


def test_an_etcd_that_comes_to_nothing_is_asked_less_and_less_and_after_news_often_again() -> None:
    nothing = itertools.repeat(False, 6)

    assert pauses(news=itertools.chain(nothing, [True, False])) == [2, 4, 8, IDLE_SECONDS, IDLE_SECONDS, 15, 1, 2]


def test_one_with_nothing_on_its_way_is_asked_now_and_then_and_often_once_there_is() -> None:
    assert next_pause(1, is_news=True, settled=True) == QUIET_SECONDS
    assert next_pause(QUIET_SECONDS, is_news=False, settled=False) == 1


async def test_whatever_happens_around_an_etcd_has_it_asked_soon(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(etcd_observer, "next_pause", lambda *_, **__: 3600.0)
    followed.observer.follow(MESH, NOBODY)
    await until(lambda: followed.asked == 1, what="it is asked")

    followed.observer.follow(MESH, NOBODY)

    await until(lambda: followed.asked == 2, what="it is asked again")


@pytest.mark.parametrize("action", [Defragment(1), Compact()])
async def test_upkeep_that_failed_is_left_alone_for_a_minute_whatever_happens_meanwhile(
    followed: Followed, action: Action
) -> None:
    outcome = to_do(action)

    first = await followed.steps.tend(a_mesh(), outcome, lambda: outcome)
    asked = followed.asked
    second = await followed.steps.tend(a_mesh(), outcome, lambda: outcome)

    for tended in (first, second):
        assert tended.look_again_after is not None
        assert UPKEEP_SECONDS - 30 < tended.look_again_after <= UPKEEP_SECONDS
    assert followed.asked == asked, "the second time nobody was asked whether it is still to be done"


async def test_the_upkeep_of_the_next_member_does_not_wait_for_that_of_the_one_before(followed: Followed) -> None:
    first, second = to_do(Defragment(1)), to_do(Defragment(2))
    await followed.steps.tend(a_mesh(), first, lambda: first)
    asked = followed.asked

    await followed.steps.tend(a_mesh(), second, lambda: second)

    assert followed.asked > asked


async def test_another_step_that_failed_is_tried_again_soon(followed: Followed) -> None:
    outcome = to_do(Promote(1))

    assert (await followed.steps.tend(a_mesh(), outcome, lambda: outcome)).look_again_after == REFUSED_SECONDS


async def test_what_nodes_cannot_run_stays_known_while_the_etcd_is_not_read(followed: Followed) -> None:
    broken = frozenset({BrokenAgent("IsekAgent", "newsroom", "poet", "abc", "no module")})
    followed.store.put_etcd(MESH.namespace, MESH.name, EtcdView(0.0, quorum=True, broken=broken))
    followed.observer.follow(MESH, NOBODY)

    await followed.observer.ask(MESH)

    view = followed.store.etcd(MESH.namespace, MESH.name)
    assert view is not None
    assert (view.quorum, view.broken) == (False, broken)


def to_do(action: Action) -> Outcome:
    return Outcome(findings=(), etcd=SOMEBODY, etcd_step=EtcdStep(action, Reason.DEFRAGMENTING, "in a test"))
