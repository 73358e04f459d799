"""What goes wrong with models, as one family; the code of an error is the name of its class.

- ``ModelError``: it will fail again: the model is not known, a parameter is wrong, the answer makes no sense

  - ``ModelAuthenticationFailed``: the key is missing or not accepted
  - ``ModelAnswerCutOff``: the answer is longer than it may be
  - ``ModelContextTooLong``: the conversation is longer than the model takes
  - ``ModelRefused``: the provider's filter, or the model itself, does not answer this
  - ``ModelRateLimited``, ``ModelTimeout``, ``ModelUnavailable``: it may work later
"""

from isek.errors import RunError


class ModelError(RunError):
    """A model that gave no answer."""

    def __init__(self, message: str, *, hint: str = "", status: int = 502) -> None:
        super().__init__(type(self).__name__, message, hint=hint, status=status)


class ModelAuthenticationFailed(ModelError):  # noqa: N818  (the code of the error)
    """The key is missing or not accepted."""


class ModelAnswerCutOff(ModelError):  # noqa: N818
    """The answer is longer than it may be."""


class ModelContextTooLong(ModelError):  # noqa: N818
    """The conversation is longer than the model takes."""


class ModelRefused(ModelError):  # noqa: N818
    """The provider's filter, or the model itself, does not answer this."""


class ModelRateLimited(ModelError):  # noqa: N818
    """The provider has had enough for now."""


class ModelTimeout(ModelError):  # noqa: N818
    """There was no answer in time."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, status=504)


class ModelUnavailable(ModelError):  # noqa: N818
    """The endpoint cannot be reached, or fails."""
