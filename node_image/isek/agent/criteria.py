"""Whether an answer is what was asked for, as the model itself judges."""

import json
from dataclasses import dataclass

from isek.agent.output import Output
from isek.models.base import Message


@dataclass(frozen=True)
class Verdict:
    """What the model says of an answer."""

    satisfied: bool
    reason: str = ""


def question(criteria: str, asked: str, answer: str) -> list[Message]:
    """What the model is asked about an answer."""
    return [
        Message(
            "system",
            "You judge whether an answer meets its criteria. Judge by the criteria alone. "
            'Answer with JSON alone: {"satisfied": true or false, "reason": "what is missing, in one sentence"}',
        ),
        Message("user", json.dumps({"criteria": criteria, "asked": asked, "answer": answer}, ensure_ascii=False)),
    ]


def verdict(text: str) -> Verdict:
    """What the model said. One that says it in no form that can be read does not hold up an answer."""
    try:
        said: Verdict = Output(Verdict).read(text)
    except ValueError:
        return Verdict(satisfied=True)
    return said
