"""What goes wrong with memories."""

from isek.errors import RunError


class MemoryUnavailable(RunError):  # noqa: N818  (the code of the error)
    """The database of a memory cannot be used now."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(type(self).__name__, message, hint=hint, status=503)
