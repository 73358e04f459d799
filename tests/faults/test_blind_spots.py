"""What a watch does not tell, and answers that are not what they seem."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.faults.run import Ground, Run
from tests.integration.operator.resources import agent, node
from tests.support.fault_proxy import PASSED_ON, Answer, Call, Delivery, Fault, NoFaults


@dataclass
class Deaf(NoFaults):
    """The deletion of one object is not told, and the watch that should have told it ends with 410."""

    path: str
    missed: asyncio.Event = field(default_factory=asyncio.Event)

    def delivery(self, call: Call, event: str, path: str) -> Delivery:
        if event != "DELETED" or not path.endswith(self.path):
            return PASSED_ON
        self.missed.set()
        return Delivery(copies=0, then="gone")


@dataclass
class Once(NoFaults):
    """The first call of each path that is meant gets an answer."""

    meant: Callable[[Call], bool]
    answer: Answer
    page: int | None = None
    given: asyncio.Event = field(default_factory=asyncio.Event)
    paths: set[str] = field(default_factory=set)

    def fault(self, call: Call) -> Fault | None:
        if not self.meant(call) or call.path in self.paths:
            return None
        self.paths.add(call.path)
        self.given.set()
        return self.answer


@pytest.mark.parametrize("agents", [1, 2], ids=["the-only-one", "one-of-two"])
async def test_a_deletion_that_no_watch_tells_of_is_found_after_the_next_list(ground: Ground, agents: int) -> None:
    async with Run(ground, "deaf").running() as run:
        await run.kube.apply(*(agent(name) for name in ("writer", "editor")[:agents]))
        await run.settled()
        before = await run.kube.get("Deployment", "writer-agent")

        run.proxy.schedule = deaf = Deaf("/deployments/writer-agent")
        await run.kube.delete("Deployment", "writer-agent")
        await deaf.missed.wait()

        await run.kube.until_made_anew(before, within=30)
        await run.settled()
        await run.rests()


async def test_a_list_whose_pages_expire_is_begun_anew(ground: Ground) -> None:
    async with Run(ground, "expired").running() as run:
        await run.kube.apply(*(agent(f"agent-{number}") for number in range(3)))
        await run.settled()

        run.proxy.schedule = expired = Once(lambda call: call.continued, Answer(410), page=1)
        await run.restart()

        assert expired.given.is_set()
        await run.operator.until_reconciled(4)  # the mesh too
        await run.rests()


@pytest.mark.parametrize("status", [409, 410, 500])
async def test_a_list_that_is_refused_as_a_watch_begins_anew_is_asked_for_again(ground: Ground, status: int) -> None:
    async with Run(ground, "refused").running() as run:
        await run.kube.apply(node("shared"))
        await run.settled()

        deaf = Deaf("/iseknodes/shared")
        refused = Once(lambda call: call.verb == "list" and call.path.endswith("/iseknodes"), Answer(status))
        run.proxy.schedule = Both(deaf, refused)
        await run.kube.delete("IsekNode", "shared")
        await refused.given.wait()
        await run.kube.apply(node("shared", replicas=2))

        await run.kube.until_true("Deployment", "shared-node", lambda live: live["spec"]["replicas"] == 2, what="has 2")
        await run.settled()
        await run.rests()


@pytest.mark.parametrize("status", [404, 410])
async def test_an_operator_that_is_not_told_what_is_served_asks_again(ground: Ground, status: int) -> None:
    async with Run(ground, "discovery").running() as run:
        await run.kube.apply(node("shared"))
        await run.settled()

        discovery = Once(lambda call: call.verb == "list" and "/namespaces/" not in call.path, Answer(status))
        run.proxy.schedule = discovery
        await run.restart()

        assert "/apis" in discovery.paths
        await run.operator.until_reconciled(2)
        await run.rests()


@pytest.mark.parametrize("verb", ["create", "delete"])
async def test_a_conflict_is_not_believed_before_it_is_looked_up(ground: Ground, verb: str) -> None:
    """``create``: of the default mesh, which nobody else has made. ``delete``: of a child, which has no successor."""
    async with Run(ground, "conflict").running() as run:
        run.proxy.schedule = conflict = Once(lambda call: call.verb == verb and call.write > 0, Answer(409))
        await run.kube.apply(agent("writer"))
        await run.settled()
        await run.kube.apply(node("shared"), agent("writer", nodeRef={"name": "shared"}))
        await run.settled()

        assert conflict.given.is_set()
        assert await run.kube.find("Service", "writer-agent") is None
        await run.rests()


@dataclass
class Both(NoFaults):
    """The events of one schedule, the calls of the other."""

    events: NoFaults
    calls: NoFaults

    def fault(self, call: Call) -> Fault | None:
        return self.calls.fault(call)

    def delivery(self, call: Call, event: str, path: str) -> Delivery:
        return self.events.delivery(call, event, path)
