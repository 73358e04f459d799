"""Exceptions that nobody expected, and what callers get to know of them."""

import secrets

from isek.errors import RunError
from isek.log import log_fault


def unexpected_error(what: str) -> RunError:
    """What the caller of a node gets to know of the exception that is being handled; the log has the rest."""
    return RunError("InternalError", _logged(what), hint="the node's log has the details under this id")


def said_of(error: Exception, what: str, *, node_id: str | None) -> str:
    """What ``what`` failed with, which is being handled: all of it in a script, where whoever asks is whoever wrote it.

    On a node callers get an id instead: the exception may hold what is not for them, such as a key.
    """
    if node_id is not None:
        return f"{what}: {_logged(what)}"
    log_fault(f"{what} failed")
    return f"{what} failed: {type(error).__name__}: {error}"


def _logged(what: str) -> str:
    reference = secrets.token_hex(4)
    log_fault(f"unexpected error in {what}", id=reference)
    return f"something unexpected happened (id {reference})"
