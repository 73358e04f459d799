"""The errors that cross a process boundary, as one tree.

- ``IsekError``: a code in CamelCase, a message for people, a hint what to do, and the HTTP status it is answered with

  - ``RunError``: a run that ended without an answer (``ModelError``, ``ModelTimeout``, ``MaxIterationsReached``, ...)
  - ``CallError``: an agent that could not be asked (``AgentNotFound``, ``AgentUnreachable``, ...);
    ``retryable`` tells that nothing has happened yet, so that another replica may be tried
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it needs pydantic, which takes a tenth of a second to import
    from isek.trace import Trace


TRANSIENT = frozenset(
    {
        "MemoryUnavailable",
        "ModelRateLimited",
        "ModelTimeout",
        "ModelUnavailable",
    }
)
"""The codes of errors of a run that may be gone when the same is asked again."""


class IsekError(Exception):
    """An error that a caller gets as ``{"error": {"code", "message", "hint"}}``.

    Args:
        code: in CamelCase, for programs.
        message: for people.
        hint: what to do.
        status: of HTTP, when it is an answer.
        trace: what had been asked until then.
    """

    def __init__(
        self, code: str, message: str, *, hint: str = "", status: int = 500, trace: "Trace | None" = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        if hint:
            self.add_note(hint)
        self.code = code
        self.message = message
        self.hint = hint
        self.status = status
        self.trace = trace
        """What had been asked until then, where it is known."""
        self.repeatable = True
        """Whether nothing has happened yet that asking again would make happen twice."""
        self.response_headers: dict[str, str] = {}
        """What an HTTP answer has to say beside it."""

    def __reduce__(self) -> tuple[Any, ...]:
        """For copies and other processes: each kind of error is made in its own way."""
        return _restored, (type(self), self.args, self.__dict__)

    @property
    def transient(self) -> bool:
        """Whether the same may be asked again, and it may be gone then."""
        return self.code in TRANSIENT and self.repeatable

    def to_json(self) -> dict[str, Any]:
        """The one shape of errors; only one that is not repeatable says so."""
        told = {"code": self.code, "message": self.message, "hint": self.hint}
        return {"error": told if self.repeatable else told | {"repeatable": False}}


class RunError(IsekError):
    """A run that ended without an answer."""


class CallError(IsekError):
    """An agent that could not be asked.

    Args:
        code: in CamelCase, for programs.
        message: for people.
        hint: what to do.
        status: of HTTP, when it is an answer.
        trace: what had been asked until then.
        retryable: nothing has happened yet: another replica may be asked.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        status: int = 502,
        trace: "Trace | None" = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(code, message, hint=hint, status=status, trace=trace)
        self.retryable = retryable

    @property
    def transient(self) -> bool:
        """Whether the same may be asked again: who may have been reached is not."""
        return self.retryable


def _restored(kind: type[IsekError], args: tuple[Any, ...], state: dict[str, Any]) -> IsekError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error
