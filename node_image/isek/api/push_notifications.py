"""Telling callers at a URL of theirs what became of a task (A2A's push notifications)."""

from typing import Annotated

from pydantic import Field, StringConstraints

from isek.api.schema import Model

PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
HostAndPort = Annotated[
    str,
    StringConstraints(min_length=3, max_length=259, pattern=rf"^[a-z0-9]([-.a-z0-9]{{0,251}}[a-z0-9])?:{PORT}$"),
]


class PushNotifications(Model):
    """That callers may be told: over HTTPS at public addresses, and at the hosts that are allowed beside."""

    allowed_hosts: Annotated[tuple[HostAndPort, ...], Field(max_length=16)] = ()
    """Further hosts, as `<host>:<port>`: also inside the cluster, at private addresses, and over plain HTTP."""
