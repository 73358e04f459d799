"""The forms in which a leader decides; only its own members can be named in them."""

from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model


class Decisions:
    """The decisions of a leader with these members."""

    def __init__(self, members: tuple[str, ...]) -> None:
        member: Any = Literal[members]
        self.choice: type[BaseModel] = create_model("Choice", member=(member, ...))
        assignment = create_model("Assignment", member=(member, ...), request=(str, ...))
        self.plan: type[BaseModel] = create_model(
            "Plan",
            assignments=(list[assignment], Field(min_length=1, max_length=4 * len(members))),
        )
        self.step: type[BaseModel] = create_model(
            "Step", finished=(bool, False), member=(member | None, None), request=(str, "")
        )


@lru_cache(maxsize=64)
def decisions(members: tuple[str, ...]) -> Decisions:
    """Those of a leader with these members."""
    return Decisions(members)
