"""One HTTP call to a node, over whatever leads there."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

import click


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
        headers = {"Content-Type": "application/json", "Isek-Timeout-Ms": str(int(timeout * 1000))}
        if self.connection.sock is None:
            self.connection.timeout = timeout + 1  # the node says better what took long
        try:
            self.connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
            if self.connection.sock is not None:
                self.connection.sock.settimeout(timeout + 1)
            response = self.connection.getresponse()
            text = response.read()
        except TimeoutError:
            raise click.ClickException(f"{self.where} did not answer within {timeout:g} s; see --timeout") from None
        except (OSError, HTTPException) as error:
            reason = self.why_broken() or str(error) or type(error).__name__
            raise click.ClickException(f"{self.where} does not answer: {' '.join(reason.split())}; try again") from None
        finally:
            self.connection.close()
        content = None
        with suppress(ValueError):
            content = json.loads(text)
        return Reply(response.status, content)


def raise_for_error(reply: Reply, where: str) -> None:
    """Nothing, when the node answered well.

    Raises:
        click.ClickException: the node's own words, in one line.
    """
    if reply.status < 400:
        return
    error = reply.content.get("error") if isinstance(reply.content, dict) else None
    if not isinstance(error, dict):
        raise click.ClickException(f"{where} answered with HTTP status {reply.status}; see its log")
    message = f"{error.get('code')}: {error.get('message')}"
    raise click.ClickException("; ".join(filter(None, (message, error.get("hint")))))
