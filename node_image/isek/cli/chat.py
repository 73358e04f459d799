"""``isek chat``."""

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from isek.cli.meshes import TIMEOUT, Place, open_meshes, place_options
from isek.cli.output import harmless, say

if TYPE_CHECKING:
    from isek.cli.answers import Chunk

STEPS = {"ToolStarted": "tool", "AskStarted": "agent"}
"""The steps that are worth a line, by what of them is named."""


@click.command
@click.argument("target", required=False)
@place_options
@click.option("--session", help="Id of a conversation to go on with; default: a new one.")
@click.option("--user", help="Whose memories the agent may use.")
@click.option("--web", is_flag=True, help="Serve a chat page on this machine instead.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Of the chat page.")
@TIMEOUT
def chat(
    *,
    target: str | None,
    local: bool,
    name: str,
    context: str | None,
    namespace: str | None,
    session: str | None,
    user: str | None,
    web: bool,
    port: int,
    timeout: float,
) -> None:
    """Talk with an agent or a team; its answers come as they are written.

    TARGET is AGENT or AGENT.NAMESPACE. An empty line, or Ctrl-D, ends it. The page lets you choose.
    """
    place = Place(local, name, context, namespace)
    if web:
        if session or user:
            raise click.UsageError("--session and --user are for the terminal: on the page conversations are chosen")
        from isek.cli.web import serve_page  # noqa: PLC0415

        serve_page(place, target, port)
        return
    if target is None:
        raise click.UsageError("name an agent or a team: isek chat TARGET; or choose on a page: isek chat --web")
    meshes = open_meshes(place)
    agent, _, named = target.partition(".")
    session = session or uuid.uuid4().hex
    said: list[dict[str, str]] = []
    while message := _next_message():
        said.append({"role": "user", "content": message})
        node = meshes.connect_to_agent(agent, named or meshes.namespace)
        body = {
            "model": agent,
            "messages": said,
            "stream": True,
            "session_id": session,
            **({"user": user} if user else {}),
        }
        try:
            answer = _show(node.stream("POST", "/v1/chat/completions", body, timeout=timeout), node.where)
        except click.ClickException as error:
            error.show()
            said.pop()
            continue
        said.append({"role": "assistant", "content": answer})


def _next_message() -> str:
    try:
        return str(click.prompt(click.style("you", bold=True), prompt_suffix="> ", default="", show_default=False))
    except click.Abort:
        click.echo()
        return ""


def _show(events: Iterator[dict[str, Any]], where: str) -> str:
    """Print the answer as it comes, and the steps on the way to it; returns the answer.

    Raises:
        click.ClickException: the node tells of an error, or of nothing that is an answer.
    """
    answer, fresh, event = "", True, None
    for event in events:
        try:
            chunk = _chunk(event, where)
        except click.ClickException:
            if not fresh:
                click.echo()
            raise
        if line := _step(chunk.isek):
            if not fresh:
                click.echo()
            click.secho(line, dim=True)
            fresh = True
        for choice in chunk.choices:
            text = choice.delta.content or ""
            say(text, nl=False)
            answer += text
            fresh = fresh and not text
    if event is None:
        _chunk(event, where)
    click.echo()
    return answer


def _chunk(event: dict[str, Any] | None, where: str) -> "Chunk":
    from isek.cli.answers import Chunk, read  # noqa: PLC0415
    from isek.cli.http_call import error_of  # noqa: PLC0415

    if problem := error_of(event):
        raise click.ClickException(problem)
    return read(Chunk, event, where)


def _step(extension: dict[str, Any]) -> str:
    key = STEPS.get(str(extension.get("step")))
    return "" if key is None else f"  … {key} {harmless(str(extension.get(key)))}"
