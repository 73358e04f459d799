"""One request over A2A, by whatever binding it came: who is asked, on whose behalf, and how."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from isek.asking import Answer, CallContext
from isek.errors import IsekError
from isek.models.base import Message
from isek.protocol import headers


@dataclass
class Call:
    """A request to one agent."""

    agent: str
    """Its name, without the namespace."""
    speaker: str
    """What it is called in the events of its runs."""
    ask: Callable[[Message, CallContext], Awaitable[Answer]]
    """Lets it answer; raises ``IsekError``."""
    give_up: Callable[[], None]
    """Ends the run that it began, also one that waits for the call to be told again."""
    context: CallContext
    """What travels with the request; the session is not known yet."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """A2A's service parameters: headers, or gRPC's metadata, by their names in lower case."""
    push_hosts: tuple[str, ...] | None = None
    """Where the caller may be told that a task has ended, beside public addresses; None: nowhere."""
    base_url: str = ""
    """How the caller reached the node over HTTP; empty: not so."""
    refused: IsekError | None = None
    """Why the node did not take it, once that is known."""

    on_behalf_of: str | None = None
    """Whose tasks a replica asks about that hands the request on; None: it comes from the caller."""

    @property
    def speaks_v0_3(self) -> bool:
        """Whether the caller speaks version 0.3, as does who names none."""
        return (self.parameters.get("a2a-version") or "0.3").startswith("0.3")

    @property
    def owner(self) -> str:
        """Whose the tasks are that it begins, and whose it may see; empty: nobody's whom we know."""
        if self.on_behalf_of is not None:
            return self.on_behalf_of
        return self.context.owner

    @property
    def forwarded(self) -> bool:
        """Whether a replica hands it on, which thinks that the task is here."""
        return headers.FORWARDED.lower() in self.parameters
