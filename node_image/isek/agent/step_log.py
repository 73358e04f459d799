"""Each step of an agent, in the log."""

import logging

from isek.events import Event, TextDelta

log = logging.getLogger("isek.agent")


def log_step(event: Event) -> None:
    """What ``debug_mode`` shows."""
    if not isinstance(event, TextDelta):
        log.info("%s", event)
