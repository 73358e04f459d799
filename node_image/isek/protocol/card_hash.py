"""What tells whether a card is still that of the agent in the registry; made without A2A's SDK, which is large."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any


def card_hash(version: str, name: str, description: str, skills: Sequence[str]) -> str:
    """Stands for what the agent is; where it answers makes no difference."""
    return hashlib.sha256(json.dumps([version, name, description, *skills]).encode()).hexdigest()[:12]


def hash_of_card(card: dict[str, Any]) -> str:
    """The same, by the card.

    Raises:
        KeyError, TypeError: it lacks something.
    """
    return card_hash(card["version"], card["name"], card["description"], [skill["id"] for skill in card["skills"]])
