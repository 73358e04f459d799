"""Asking whoever in the mesh has a capability: an offer, bids, one claim."""

import asyncio
import difflib
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import NoReturn

from pydantic_core import from_json

from isek.asking import Answer, CallContext
from isek.errors import CallError
from isek.log import log
from isek.protocol.bids import BIDS_PATH, Bid, BidRequest, Bids, Offered, best_first
from isek.protocol.http_client import HttpAnswer, deadline_exceeded
from isek.registry import NodeRecord, Registry
from isek.registry.backoff import Backoff
from isek.registry.store import StoreUnavailableError
from isek.together import together
from isek.topics.wire import read, written

CAPABILITY = "capability:"
"""How an address begins that names no agent, but what it is to be able to do."""
ASKED_AT_ONCE = 8
"""Nodes that are asked for bids; more only where these have no room. To ask 200 would find hardly better ones."""
BID_SECONDS = 1.0
OFFER_SECONDS = 30.0
"""A task stays on offer for so long, unless its caller has less time."""
LOOK_SECONDS = 0.5
MAX_REASONS = 3
MAX_LOSSES = 3
"""Claimers that one task may take along: it may be the task that kills them."""

_PASSED_OVER = frozenset({"ClaimsUnavailable", "Forbidden", "RateLimited", "Unauthorized"})
"""Nothing has happened, and another may take it."""
_LOST = frozenset({"AgentUnreachable", "CallCancelled", "ClaimLost", "DeliveryUnknown", "NodeStopped", "TaskClaimed"})
"""Who took it may work on it still, or not any more: the claim says which."""

Post = Callable[[NodeRecord, str, bytes, float], Awaitable[HttpAnswer]]
AskAt = Callable[[NodeRecord, str, str, CallContext], Awaitable[Answer]]


class Offers:
    """Finds somebody for a task.

    The task is done by one at a time: whoever takes it holds a claim in the registry as long as it works on it. Where
    the claimer is lost, the task is on offer again once its claim is gone, and then may be done a second time.

    Args:
        registry: who has which capability, and who works on what.
        own_id: this node.
        bids_here: what agents of this node say.
        post: the way to other nodes.
        ask_at: asks an agent on the node that its bid came from.
    """

    def __init__(
        self,
        registry: Registry,
        own_id: str,
        *,
        bids_here: Callable[[str], tuple[Bid, ...]],
        post: Post,
        ask_at: AskAt,
    ) -> None:
        self._registry = registry
        self._own_id = own_id
        self._bids_here = bids_here
        self._post = post
        self._ask_at = ask_at

    async def ask(self, capability: str, message: str, context: CallContext) -> Answer:
        """The answer of whoever took the task.

        Args:
            capability: what they have to be able to do.
            message: the task.
            context: of the call; the caller itself is not asked.

        Raises:
            CallError: ``CapabilityNotFound``: nobody in the mesh has it. ``NoBids``: nobody had room in time, or
                nobody could be reached.
                ``DeadlineExceeded``. The third claimer was lost. As :class:`isek.asking.Asks` has it.
            RunError: it was done, and failed.
        """
        task_id = uuid.uuid4().hex
        offered_until = time.monotonic() + min(OFFER_SECONDS, context.remaining_seconds())
        backoff, passed_over, losses = Backoff(first=0.2, longest=2.0), set[str](), 0
        while True:
            collected = await self._collect(capability, context, passed_over)
            for offered in best_first(collected.offered):
                try:
                    return await self._ask_at(offered.node, offered.bid.agent, message, replace(context, claim=task_id))
                except CallError as error:
                    if error.retryable or error.code in _PASSED_OVER:
                        continue
                    losses += 1
                    if error.code not in _LOST or losses == MAX_LOSSES:
                        raise
                    log().info("task {} was lost by {}: {}", task_id, offered.bid.agent, error)
                    passed_over.add(offered.node.node_id)
                    await self._until_free(task_id, capability, context)
                    offered_until = time.monotonic() + min(OFFER_SECONDS, context.remaining_seconds())
                    break
            else:
                if time.monotonic() >= offered_until:
                    raise _no_bids(capability, collected)
                passed_over.clear()
                await backoff.wait()

    async def _collect(self, capability: str, context: CallContext, passed_over: set[str]) -> "_Collected":
        """Bids of some nodes, of more where these have none; none: nobody has room now."""
        records = list(self._registry.offering(capability))
        if not any(_offers(record, capability, context) for record in records):
            self._not_found(capability)
        left = [record for record in records if record.node_id not in passed_over]
        random.shuffle(left)
        left.sort(key=lambda record: record.node_id != self._own_id)  # that costs nothing
        collected = _Collected()
        while left and not collected.offered:
            some, left = left[:ASKED_AT_ONCE], left[ASKED_AT_ONCE:]
            await together(self._bids_of(record, capability, context, collected) for record in some)
        return collected

    async def _bids_of(self, node: NodeRecord, capability: str, context: CallContext, collected: "_Collected") -> None:
        begun = time.monotonic()
        try:
            bids = self._bids_here(capability) if node.node_id == self._own_id else await self._far(node, capability)
        except CallError as error:
            log().debug("no bids of {}: {}", node.node_id, error)
            collected.unreachable[node.node_id] = error.message
            return
        took = time.monotonic() - begun
        collected.answered = True
        collected.offered += [Offered(bid, node, took) for bid in bids if bid.agent != context.caller]

    async def _far(self, node: NodeRecord, capability: str) -> tuple[Bid, ...]:
        answer = await self._post(node, BIDS_PATH, written(BidRequest(capability=capability)), BID_SECONDS)
        if answer.status != 200:
            raise CallError("AgentUnreachable", f"{node.node_id} answered {_refusal(answer)}")
        mine = {f"{agent.name}.{node.namespace}" for agent in node.agents}
        return tuple(bid for bid in read(Bids, answer.body).bids if bid.agent in mine)

    async def _until_free(self, task_id: str, capability: str, context: CallContext) -> None:
        """Wait until nobody works on the task any more."""
        while True:
            try:
                if not await self._registry.claims.taken(task_id):
                    return
            except StoreUnavailableError as error:
                log().debug("whether task {} is claimed cannot be known: {}", task_id, error)
            if context.remaining_seconds() < LOOK_SECONDS:
                raise deadline_exceeded(CAPABILITY + capability)
            await asyncio.sleep(LOOK_SECONDS)

    def _not_found(self, capability: str) -> NoReturn:
        known = self._registry.capabilities()
        near = difflib.get_close_matches(capability, known, n=3) or known[:10]
        raise CallError(
            "CapabilityNotFound",
            f"nobody else in mesh {self._registry.mesh_id} offers {capability!r}",
            hint=f"offered are {', '.join(near)}" if near else "list it in spec.capabilities of an agent",
            status=404,
        )


@dataclass
class _Collected:
    """What nodes said of an offer."""

    offered: list[Offered] = field(default_factory=list)
    answered: bool = False
    """Whether any said anything."""
    unreachable: dict[str, str] = field(default_factory=dict)
    """Why others said nothing, by node."""


def _no_bids(capability: str, last: _Collected) -> CallError:
    away = len(last.unreachable)
    if away and not last.answered:
        why = "; ".join(list(last.unreachable.values())[:MAX_REASONS])
        return CallError(
            "NoBids",
            f"nobody who offers {capability!r} could be reached in time; of {away}: {why}",
            hint="check that they run, and that this node is in their libp2p network: has a sidecar, and the same "
            "private network key",
            status=503,
        )
    return CallError(
        "NoBids",
        f"nobody who offers {capability!r} had room for the task in time"
        + (f"; {away} could not be reached: {next(iter(last.unreachable.values()))}" if away else ""),
        hint="add replicas, raise limits.maxConcurrentTasks, or give it more time",
        status=503,
    )


def _refusal(answer: HttpAnswer) -> str:
    """An error that a node answered with."""
    try:
        error = from_json(answer.body)["error"]
        return f"{error['code']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status}"


def _offers(node: NodeRecord, capability: str, context: CallContext) -> bool:
    return any(
        capability in agent.capabilities and f"{agent.name}.{node.namespace}" != context.caller for agent in node.agents
    )
