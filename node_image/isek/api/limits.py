"""What an agent may use and spend, and what it does not let through."""

import re
from typing import Annotated, Literal

from pydantic import Field

from isek.api.fields import ShortText
from isek.api.schema import Model, Rule
from isek.api.workload import Limits


class AgentLimits(Limits):
    """What a run of an agent may take."""

    max_tool_calls: Annotated[int, Field(ge=0, le=10000)] = 100
    """Calls of tools in one run; further ones are refused, and the model is told so."""


class Budget(Model):
    """What an agent may spend."""

    max_tokens_per_run: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """Tokens of one run; one that has used more is ended before it calls its model again. Default: no bound."""
    max_tool_calls_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Calls of tools in all runs of one replica together; further ones are refused, and the model is told so. Default:
    no bound."""


class Guardrails(Model):
    """What an agent does not let through."""

    risk_threshold: Literal["Low", "Medium", "High"] = "Medium"
    """Tools that are riskier are refused, since on a node nobody is there to confirm them."""
    blocked_patterns: Annotated[tuple[Annotated[ShortText, Field(min_length=1)], ...], Field(max_length=32)] = ()
    """Regular expressions (RE2), in any case of letters; a message or an answer in which one is found ends the run."""

    rules = (
        Rule(
            # a pattern that does not parse is an error of the expression, which refuses the object as well
            cel=(
                "!has(self.blockedPatterns) || "
                "self.blockedPatterns.all(pattern, ''.matches(pattern) || !''.matches(pattern))"
            ),
            message="blockedPatterns: must be regular expressions",
            holds=lambda guardrails: all(map(_compiles, guardrails.blocked_patterns)),
        ),
    )


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
