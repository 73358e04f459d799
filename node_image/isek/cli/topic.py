"""``isek topic``."""

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from isek.cli.http_call import AnyNode
from isek.cli.meshes import TIMEOUT, Place, open_meshes, place_options
from isek.cli.output import OUTPUT, harmless, say, show

if TYPE_CHECKING:
    from isek.topics.wire import WireMessage

NODES_SECONDS = 10.0
MAX_TOPICS = 10
LISTEN_SECONDS = 60.0
"""Without a sign of life; the node gives one every 15 s."""


@click.group
def topic() -> None:
    """Publish to all who listen, listen, and see what was published."""


def _at_a_node(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say where, and a connection to a node there."""

    @wraps(command)
    def connected(
        *, local: bool, name: str, context: str | None, namespace: str | None, mesh: str, **options: Any
    ) -> None:
        meshes = open_meshes(Place(local, name, context, namespace))
        command(meshes.connect_to_mesh(f"{meshes.namespace}/{mesh}"), **options)

    return place_options(click.option("--mesh", default="default", show_default=True, help="The IsekMesh.")(connected))


@topic.command
@click.argument("name_of_topic", metavar="TOPIC")
@click.argument("message")
@click.option("--json", "is_json", is_flag=True, help="The message is JSON, and no text.")
@click.option(
    "--priority",
    type=click.Choice(["Low", "Normal", "High", "Urgent"], case_sensitive=False),
    default="Normal",
    show_default=True,
    help="Whose turn it is where several wait.",
)
@TIMEOUT
@OUTPUT
@_at_a_node
def publish(
    node: AnyNode,
    *,
    name_of_topic: str,
    message: str,
    is_json: bool,
    priority: str,
    timeout: float,
    output: str,
) -> None:
    """Publish MESSAGE to all who listen to TOPIC; '*' is for all who listen to any. MESSAGE '-': standard input."""
    from isek.cli.answers import Published, read  # noqa: PLC0415
    from isek.cli.http_call import raise_for_error  # noqa: PLC0415

    text = sys.stdin.read() if message == "-" else message
    body = {"payload": _parsed(text) if is_json else text, "priority": priority.capitalize()}
    reply = node.call("POST", _path(name_of_topic), body, timeout=timeout)
    raise_for_error(reply, node.where)
    told = read(Published, reply.content, node.where)
    if output != "text":
        show(reply.content, output)
        return
    if not (told.listeners or told.refused):
        click.echo(f"published; {_nobody(node, name_of_topic)}")
        return
    said = f"heard by {told.heard} of {told.listeners}" if told.listeners else "published; nobody listens"
    click.echo(f"{said}; {told.refused} take nothing from you: see their spec.access" if told.refused else said)


@topic.command
@click.argument("name_of_topic", metavar="TOPIC")
@OUTPUT
@_at_a_node
def listen(node: AnyNode, *, name_of_topic: str, output: str) -> None:
    """Print what is published to TOPIC, until Ctrl-C."""
    from isek.cli.answers import read  # noqa: PLC0415
    from isek.topics.wire import WireMessage  # noqa: PLC0415

    for content in node.stream("GET", f"{_path(name_of_topic)}/messages", None, timeout=LISTEN_SECONDS):
        message = read(WireMessage, content, node.where)
        if output != "text":
            show(content, output)
        else:
            _print(message)
    raise click.ClickException(f"{node.where} ended; listen again, to another")


@topic.command
@click.argument("name_of_topic", metavar="TOPIC")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The newest so many.")
@OUTPUT
@_at_a_node
def history(node: AnyNode, *, name_of_topic: str, limit: int, output: str) -> None:
    """Print what was published to TOPIC within the last hour, by nodes that still run."""
    from isek.cli.answers import Past, read  # noqa: PLC0415
    from isek.cli.http_call import raise_for_error  # noqa: PLC0415

    reply = node.call("GET", f"{_path(name_of_topic)}?limit={limit}", timeout=LISTEN_SECONDS)
    raise_for_error(reply, node.where)
    past = read(Past, reply.content, node.where)
    if output != "text":
        show(reply.content, output)
    else:
        for message in past.messages:
            _print(message)
    if past.missing:
        click.echo(harmless(f"did not answer: {', '.join(past.missing)}"), err=True)


def _nobody(node: AnyNode, name_of_topic: str) -> str:
    """That nobody listens to a topic, and to what they do."""
    from isek.cli.answers import KnownNodes, read  # noqa: PLC0415
    from isek.cli.http_call import raise_for_error  # noqa: PLC0415

    records = []
    with suppress(click.ClickException):  # it is published, and what follows is good advice and no more
        reply = node.call("GET", "/isek/nodes", timeout=NODES_SECONDS)
        raise_for_error(reply, node.where)
        records = read(KnownNodes, reply.content, node.where).nodes
    heard = [each.topics for record in records for each in record.agents] + [record.topics for record in records]
    topics = sorted({topic for each in heard for topic in each})
    if not topics:
        return "nobody listens"
    alike = get_close_matches(name_of_topic, topics, n=1)
    known = f"did you mean {alike[0]}?" if alike else f"there are listeners to {', '.join(topics[:MAX_TOPICS])}"
    return harmless(f"nobody listens to {name_of_topic!r}; {known}")


def _path(name_of_topic: str) -> str:
    return f"/topics/{quote(name_of_topic, safe='')}"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.ClickException(f"the message is no JSON: {error}") from None


def _print(message: "WireMessage") -> None:
    payload = message.payload
    click.secho(harmless(f"{message.published_at} {message.sender}: "), dim=True, nl=False)
    say(payload if isinstance(payload, str) else json.dumps(payload))
