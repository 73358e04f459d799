"""What an agent lets through."""

import re
import time
from collections import deque

from isek.agent.limits import Guardrails
from isek.errors import RunError

MINUTE = 60.0


class PatternGuard:
    """Stops texts in which a forbidden pattern is found.

    Raises:
        ValueError: a pattern is no regular expression.
    """

    def __init__(self, guardrails: Guardrails) -> None:
        try:
            self._patterns = [re.compile(pattern, re.IGNORECASE) for pattern in guardrails.blocked_patterns]
        except re.error as error:
            raise ValueError(
                f"guardrails.blockedPatterns: {error.pattern!r} is no regular expression: {error}"
            ) from None

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def check(self, text: str, what: str) -> None:
        """Nothing, when ``text`` may pass.

        Raises:
            RunError: ``GuardrailBlocked``.
        """
        for pattern in self._patterns:
            if pattern.search(text):
                raise RunError(
                    "GuardrailBlocked",
                    f"a guardrail of the agent blocks the {what}",
                    hint="it holds something that guardrails.blockedPatterns forbids",
                    status=403,
                )


class RateLimit:
    """So many in each minute."""

    def __init__(self) -> None:
        self._taken: deque[float] = deque()

    def take(self, per_minute: int | None) -> bool:
        """Whether there is room for one more, which is then taken. None: there always is."""
        if per_minute is None:
            return True
        now = time.monotonic()
        while self._taken and self._taken[0] <= now - MINUTE:
            self._taken.popleft()
        if len(self._taken) >= per_minute:
            return False
        self._taken.append(now)
        return True
