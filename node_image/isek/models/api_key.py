"""The key of a model: where it comes from, and that it can be sent."""

import inspect
from collections.abc import Awaitable, Callable, Sequence

from isek.environment import API_KEY, variable
from isek.models.errors import ModelAuthenticationFailed

NONE = "none"
"""Endpoints of one's own often take no key, but clients do."""

GivenKey = str | Callable[[], str | Awaitable[str]]
"""A key, or what reads it."""


async def read_key(given: GivenKey) -> str:
    """The key, without the line end that files and shells leave at it.

    Raises:
        ModelAuthenticationFailed: it cannot be sent. The message does not hold it, as that of a client would.
    """
    read = given() if callable(given) else given
    key = (await read if inspect.isawaitable(read) else read).strip()
    if not (key and key.isascii() and key.isprintable()):
        raise ModelAuthenticationFailed(
            "the API key is empty, or holds what cannot be sent", hint="a key is one line of plain ASCII: copy it anew"
        )
    return key


def key_of_environment(
    instead: str, *, needed: bool, names: Sequence[str] = (API_KEY,)
) -> Callable[[], Awaitable[str]]:
    """What reads the first of ``names`` that is set in the environment or in ``.env``.

    Args:
        instead: what else its user can do, for the error.
        needed: whether there has to be one.
    """

    async def read() -> str:
        key = next(filter(None, (variable(name).strip() for name in names)), "")
        if not key and needed:
            raise ModelAuthenticationFailed(
                "there is no API key", hint=f"{instead}, or set {' or '.join(names)} in the environment or in .env"
            )
        return key or NONE

    return read
