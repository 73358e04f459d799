"""One HTTP call to a node, over whatever leads there."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

import click

from isek.cli.token import token


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
        with self._open(method, path, body, timeout) as response:
            text = response.read()
        return Reply(response.status, _parsed(text))

    def stream(self, method: str, path: str, body: Any, *, timeout: float) -> Iterator[dict[str, Any]]:
        """The server-sent events that answer a request, as JSON, each as it comes.

        Raises:
            click.ClickException: the node refuses, or breaks off; says why.
        """
        with self._open(method, path, body, timeout) as response:
            if response.status >= 400:
                raise_for_error(Reply(response.status, _parsed(response.read())), self.where)
            for line in response:
                event = _parsed(line.removeprefix(b"data:"))
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


def raise_for_error(reply: Reply, where: str) -> None:
    """Nothing, when the node answered well.

    Raises:
        click.ClickException: the node's own words, in one line.
    """
    if reply.status < 400:
        return
    problem = error_of(reply.content)
    raise click.ClickException(problem or f"{where} answered with HTTP status {reply.status}; see its log")


def error_of(content: Any) -> str | None:
    """The error that a node's JSON tells of, in one line."""
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict):
        return None
    message = f"{error.get('code')}: {error.get('message')}"
    return "; ".join(filter(None, (message, error.get("hint"))))


def _parsed(text: bytes) -> Any:
    with suppress(ValueError):
        return json.loads(text)
    return None
