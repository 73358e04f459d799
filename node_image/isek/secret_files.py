"""Referenced Secrets as a node has them: a folder each, a file a key."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isek.api.workload import SecretKeySelector


class SecretUnreadableError(Exception):
    """A key of a Secret that is not there, or is no text. The message names it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def read_secret(reference: "SecretKeySelector", secrets_dir: Path) -> str:
    """The value under a key of a Secret, as it is now.

    Raises:
        SecretUnreadableError: it cannot be read.
    """
    path = secrets_dir / reference.name / reference.key
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise SecretUnreadableError(
            f"key {reference.key!r} of Secret {reference.name!r} cannot be read",
            hint=f"create the Secret with that key; the node reads it from {path}",
        ) from None
