"""What agents say when a task is offered to whoever has a capability, and who of them is to have it."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from isek.registry.record import NodeRecord

BIDS_PATH = "/isek/bids"


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class BidRequest(_Wire):
    """A task is on offer."""

    capability: str = Field(min_length=1, max_length=63)


class Bid(_Wire):
    """What an agent says that has room for one more task."""

    agent: str
    """Its address."""
    load: float = Field(ge=0, allow_inf_nan=False)
    """Tasks it works on, of those it takes at once."""
    seconds: float = Field(ge=0, allow_inf_nan=False)
    """That its last runs took, the latest counting most; 0: it had none."""
    tokens: float = Field(ge=0, allow_inf_nan=False)
    """That its last runs took, the same."""


class Bids(_Wire):
    """All of one node."""

    bids: Annotated[tuple[Bid, ...], Field(fail_fast=True)] = ()


@dataclass(frozen=True)
class Offered:
    """A bid, where it came from, and how long that took."""

    bid: Bid
    node: NodeRecord
    latency_seconds: float

    @property
    def expected_seconds(self) -> float:
        """Until the answer: a busy agent takes longer."""
        return self.bid.seconds * (1 + self.bid.load) + self.latency_seconds


def best_first(offered: Iterable[Offered]) -> list[Offered]:
    """The bids by load, time and cost, of which each weighs the same; among equals by chance."""
    shuffled = list(offered)
    random.shuffle(shuffled)
    longest = max((each.expected_seconds for each in shuffled), default=0) or 1
    dearest = max((each.bid.tokens for each in shuffled), default=0) or 1
    return sorted(
        shuffled, key=lambda each: each.bid.load + each.expected_seconds / longest + each.bid.tokens / dearest
    )
