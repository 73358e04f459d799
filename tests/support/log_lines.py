"""What Isek logs while a test looks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from isek.log import NAME, log

if TYPE_CHECKING:
    from loguru import Message


@dataclass(frozen=True)
class LogLines:
    """What was logged, in order."""

    sentences: list[str] = field(default_factory=list)
    values: list[dict[str, Any]] = field(default_factory=list)
    """Of each sentence: what belongs to it."""

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(f"{line} {values}" for line, values in zip(self.sentences, self.values, strict=True))


@contextmanager
def log_lines() -> Iterator[LogLines]:
    """What is logged within."""
    lines = LogLines()

    def take(message: "Message") -> None:
        lines.sentences.append(message.record["message"])
        lines.values.append(message.record["extra"])

    sink = log().add(take, level="DEBUG")
    log().enable(NAME)
    try:
        yield lines
    finally:
        log().disable(NAME)
        log().remove(sink)
