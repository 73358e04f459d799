"""``isek topic``."""

import json
import sys
from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from typing import Any
from urllib.parse import quote

import click

from isek.cli.http_call import AnyNode
from isek.cli.meshes import TIMEOUT, Place, open_meshes, place_options
from isek.cli.output import OUTPUT, show

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
    from isek.cli.http_call import raise_for_error  # noqa: PLC0415

    text = sys.stdin.read() if message == "-" else message
    body = {"payload": _parsed(text) if is_json else text, "priority": priority.capitalize()}
    reply = node.call("POST", _path(name_of_topic), body, timeout=timeout)
    raise_for_error(reply, node.where)
    if output != "text":
        show(reply.content, output)
        return
    listeners, heard = reply.content["listeners"], reply.content["heard"]
    refused = reply.content.get("refused", 0)
    if not (listeners or refused):
        click.echo(f"published; {_nobody(node, name_of_topic)}")
        return
    said = f"heard by {heard} of {listeners}" if listeners else "published; nobody listens"
    click.echo(f"{said}; {refused} take nothing from you: see their spec.access" if refused else said)


@topic.command
@click.argument("name_of_topic", metavar="TOPIC")
@OUTPUT
@_at_a_node
def listen(node: AnyNode, *, name_of_topic: str, output: str) -> None:
    """Print what is published to TOPIC, until Ctrl-C."""
    for message in node.stream("GET", f"{_path(name_of_topic)}/messages", None, timeout=LISTEN_SECONDS):
        _print(message, output)
    raise click.ClickException(f"{node.where} ended; listen again, to another")


@topic.command
@click.argument("name_of_topic", metavar="TOPIC")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The newest so many.")
@OUTPUT
@_at_a_node
def history(node: AnyNode, *, name_of_topic: str, limit: int, output: str) -> None:
    """Print what was published to TOPIC within the last hour, by nodes that still run."""
    from isek.cli.http_call import raise_for_error  # noqa: PLC0415

    reply = node.call("GET", f"{_path(name_of_topic)}?limit={limit}", timeout=LISTEN_SECONDS)
    raise_for_error(reply, node.where)
    if output != "text":
        show(reply.content, output)
    else:
        for message in reply.content["messages"]:
            _print(message, output)
    if reply.content["missing"]:
        click.echo(f"did not answer: {', '.join(reply.content['missing'])}", err=True)


def _nobody(node: AnyNode, name_of_topic: str) -> str:
    """That nobody listens to a topic, and to what they do."""
    reply = node.call("GET", "/isek/nodes", timeout=NODES_SECONDS)
    records = reply.content["nodes"] if reply.status < 400 else []
    who = (each for record in records for each in (record, *record.get("agents", ())))
    topics = sorted({topic for each in who for topic in each.get("topics", ())})
    if not topics:
        return "nobody listens"
    alike = get_close_matches(name_of_topic, topics, n=1)
    known = f"did you mean {alike[0]}?" if alike else f"there are listeners to {', '.join(topics[:MAX_TOPICS])}"
    return f"nobody listens to {name_of_topic!r}; {known}"


def _path(name_of_topic: str) -> str:
    return f"/topics/{quote(name_of_topic, safe='')}"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.ClickException(f"the message is no JSON: {error}") from None


def _print(message: dict[str, Any], output: str) -> None:
    if output != "text":
        show(message, output)
        return
    payload = message["payload"]
    click.secho(f"{message['publishedAt']} {message['sender']}: ", dim=True, nl=False)
    click.echo(payload if isinstance(payload, str) else json.dumps(payload))
