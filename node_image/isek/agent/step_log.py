"""Each step of an agent, in the log."""

from isek.events import Event, TextDelta
from isek.log import log


def log_step(event: Event) -> None:
    """What ``debug_mode`` shows."""
    if not isinstance(event, TextDelta):
        log().info("{}", event)
