"""One HTTP call to a node, over whatever leads there."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

import click

from isek.cli.output import harmless
from isek.cli.token import ENVIRONMENT, token

REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
"""Nothing has happened, and another node may let the caller in."""
ERROR_FIELDS = ("code", "message", "hint")
TOKEN_HINT = f"give the token of a caller that it knows by {ENVIRONMENT} or --token-file"


class RefusedError(click.ClickException):
    """A node does not let this caller in."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Reply:
    """What the node said."""

    status: int
    content: Any
    """The JSON value; None when it is no JSON."""


@dataclass(frozen=True)
class NodeConnection:
    """A connection to a node."""

    where: str
    """The node, for people."""
    connection: HTTPConnection
    why_broken: Callable[[], str | None] = lambda: None
    """Asked when the connection breaks: what the side between says about it."""

    def call(self, method: str, path: str, body: Any = None, *, timeout: float) -> Reply:
        """One request; ``timeout`` in seconds is for the whole of it.

        Raises:
            click.ClickException: no answer comes; says why.
        """
        from isek.cli.answers import parsed  # noqa: PLC0415

        with self._open(method, path, body, timeout) as response:
            text = response.read()
        return Reply(response.status, parsed(text))

    def stream(self, method: str, path: str, body: Any, *, timeout: float) -> Iterator[dict[str, Any]]:
        """The server-sent events that answer a request, as JSON, each as it comes.

        Raises:
            click.ClickException: the node refuses, or breaks off; says why.
        """
        from isek.cli.answers import parsed  # noqa: PLC0415

        with self._open(method, path, body, timeout) as response:
            if response.status >= 400:
                raise_for_error(Reply(response.status, parsed(response.read())), self.where)
            for line in response:
                event = parsed(line.removeprefix(b"data:"))
                if isinstance(event, dict):
                    yield event

    @contextmanager
    def _open(self, method: str, path: str, body: Any, timeout: float) -> Iterator[HTTPResponse]:
        headers = {"Content-Type": "application/json", "Isek-Timeout-Ms": str(int(timeout * 1000))}
        if (shown := token()) is not None:
            headers["Authorization"] = f"Bearer {shown}"
        if self.connection.sock is None:
            self.connection.timeout = timeout + 1  # the node says better what took long
        try:
            self.connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
            if self.connection.sock is not None:
                self.connection.sock.settimeout(timeout + 1)
            yield self.connection.getresponse()
        except TimeoutError:
            raise click.ClickException(f"{self.where} did not answer within {timeout:g} s; see --timeout") from None
        except (OSError, HTTPException) as error:
            reason = self.why_broken() or str(error) or type(error).__name__
            raise click.ClickException(f"{self.where} does not answer: {' '.join(reason.split())}; try again") from None
        finally:
            self.connection.close()


@dataclass
class AnyNode:
    """Whichever node of some lets this caller in: each says for itself whom it lets in from outside."""

    nodes: Callable[[], Iterable[NodeConnection]]
    """In the order in which they are asked."""
    where: str = ""
    """The node that was asked last, for people."""

    def call(self, method: str, path: str, body: Any = None, *, timeout: float) -> Reply:
        """As :meth:`NodeConnection.call`; a refusal where all refuse."""
        refused: tuple[Reply, str] | None = None
        for node in self.nodes():
            reply, self.where = node.call(method, path, body, timeout=timeout), node.where
            if reply.status not in REFUSED:
                return reply
            if refused is None or refused[0].status > reply.status:  # whoever would take a token tells more
                refused = reply, node.where
        assert refused is not None  # noqa: S101  (or there are no nodes, which ``nodes`` says)
        reply, self.where = refused
        return reply

    def stream(self, method: str, path: str, body: Any, *, timeout: float) -> Iterator[dict[str, Any]]:
        """As :meth:`NodeConnection.stream`; a refusal where all refuse."""
        refused: RefusedError | None = None
        for node in self.nodes():
            self.where = node.where
            try:
                yield from node.stream(method, path, body, timeout=timeout)
            except RefusedError as error:  # before the first event
                if refused is None or refused.status > error.status:
                    refused = error
            else:
                return
        if refused is not None:
            raise refused


def raise_for_error(reply: Reply, where: str) -> None:
    """Nothing, when the node answered well.

    Raises:
        click.ClickException: the node's own words, in one line.
        RefusedError: the same, where the node does not let this caller in.
    """
    if reply.status < 400:
        return
    problem = error_of(reply.content)
    if problem and reply.status in REFUSED:
        raise RefusedError(f"{where}: {problem}", reply.status)
    raise click.ClickException(problem or f"{where} answered with HTTP status {reply.status}; see its log")


def error_of(content: Any) -> str | None:
    """The error that a node's JSON tells of, in one line; what it says of headers is none of a terminal's business."""
    from isek.protocol.headers import SHOW_TOKEN  # noqa: PLC0415

    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict):
        return None
    code, message, hint = (said if isinstance(said := error.get(name), str) else "" for name in ERROR_FIELDS)
    if not (code or message):
        return None
    told = "; ".join(filter(None, (": ".join(filter(None, (code, message))), hint)))
    return harmless(told.replace(SHOW_TOKEN, TOKEN_HINT))
