"""The key of a model for which none was given."""

from collections.abc import Awaitable, Callable, Sequence

from isek.environment import API_KEY, variable
from isek.models.errors import ModelAuthenticationFailed

NONE = "none"
"""Endpoints of one's own often take no key, but clients do."""


def key_of_environment(
    instead: str, *, needed: bool, names: Sequence[str] = (API_KEY,)
) -> Callable[[], Awaitable[str]]:
    """What reads the first of ``names`` that is set in the environment or in ``.env``.

    Args:
        instead: what else its user can do, for the error.
        needed: whether there has to be one.
    """

    async def read() -> str:
        key = next(filter(None, map(variable, names)), "")
        if not key and needed:
            raise ModelAuthenticationFailed(
                "there is no API key", hint=f"{instead}, or set {' or '.join(names)} in the environment or in .env"
            )
        return key or NONE

    return read
