"""What can go wrong with a call of the API server, told apart by what is to be done.

- ``ApiError``

  - ``TransientError``: it may work later: 429, 5xx

    - ``UnreachableError``: no connection, or no answer in time
    - ``UnauthorizedError``: the credentials do not count any more (401); they are read again
    - ``ConflictError``: the object is not what we thought (409); read it again
    - ``ExpiredError``: the pages of a list, or what a watch begins at, are too old (410); list it again
    - ``NotActiveError``: another operator is, or may be, the active one; nothing was sent

  - ``NotFoundError``: the object is not there
  - ``NamespaceGoneError``: the namespace is being deleted, and with it all that we would do
  - ``ForbiddenError``: RBAC does not allow it (403)
  - ``RejectedError``: the API server understood and refuses (400, 422, and others); the message says why
"""

from typing import Any

MALFORMED = ("failed to create typed patch object", "failed to convert new object")
"""How the API server, with status 500, says of an apply that it is of the wrong shape."""


class ApiError(Exception):
    """A call failed. ``str()`` is one line for people."""

    status = 0


class TransientError(ApiError):
    """It may work later; ``retry_after``: not before that many seconds."""

    def __init__(self, message: str, *, retry_after: float = 0.0, status: int = 0) -> None:
        super().__init__(message)
        self.retry_after, self.status = retry_after, status


class ConflictError(TransientError):
    """The object changed, came or went meanwhile."""


class ExpiredError(TransientError):
    """What is continued is too old."""


class UnreachableError(TransientError):
    """Nobody answered."""


class UnauthorizedError(TransientError):
    """The credentials have expired or were exchanged."""


class NotActiveError(TransientError):
    """Another operator may be the active one by now."""


class NotFoundError(ApiError):
    """The object is not there."""

    status = 404


class NamespaceGoneError(ApiError):
    """The namespace is being deleted."""


class ForbiddenError(ApiError):
    """RBAC forbids it."""

    status = 403


class RejectedError(ApiError):
    """The API server refuses what was sent."""

    status = 422


def error_from(status: int, body: dict[str, Any], *, retry_after: str | None) -> ApiError:
    """The error that an answer of the API server stands for (metav1.Status)."""
    message = " ".join(str(body.get("message") or f"HTTP {status}").split())
    details = body.get("details") or {}
    causes = details.get("causes") or ()
    if status == 404:
        return NamespaceGoneError(message) if details.get("kind") == "namespaces" else NotFoundError(message)
    if status == 403 and any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return NamespaceGoneError(message)
    if status == 401:
        return UnauthorizedError(message, status=401)
    if status == 403:
        return ForbiddenError(message)
    if status == 409 or (status == 422 and any(cause.get("field") == "metadata.uid" for cause in causes)):
        # a uid in the body is the precondition "still the same object"
        return ConflictError(message, status=409)
    if status == 500 and message.startswith(MALFORMED):
        return RejectedError(message)
    if status == 410:
        return ExpiredError(message, status=410)
    if status in {408, 429} or status >= 500:
        return TransientError(message, retry_after=_seconds(retry_after), status=status)
    return RejectedError(message)


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdigit() else 0.0
