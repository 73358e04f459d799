"""``isek ask``."""

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import click

from isek.cli.capability import CAPABILITY, having
from isek.cli.meshes import TIMEOUT, Place, open_meshes, place_options
from isek.cli.output import OUTPUT, say, show

TRACE_KEY = "isek.io/trace"


@click.command
@click.argument("target")
@click.argument("message")
@place_options
@click.option("--mesh", default="default", show_default=True, help="The IsekMesh in which a capability is looked for.")
@click.option("--session", help="Id of the conversation that the message belongs to.")
@click.option("--user", help="Whose memories the agent may use.")
@TIMEOUT
@OUTPUT
def ask(
    *,
    target: str,
    message: str,
    local: bool,
    name: str,
    context: str | None,
    namespace: str | None,
    mesh: str,
    session: str | None,
    user: str | None,
    timeout: float,
    output: str,
) -> None:
    """Ask an agent or a team; print the answer, and who was asked.

    TARGET is AGENT, AGENT.NAMESPACE, or capability:WORD: an agent of the mesh that has the capability, one of this
    namespace first, and another where that one is busy. A local mesh is asked when one runs, else the cluster of the
    kubeconfig.
    """
    from isek.cli.answers import Answered, read  # noqa: PLC0415
    from isek.cli.http_call import raise_for_error  # noqa: PLC0415

    meshes = open_meshes(Place(local, name, context, namespace))
    known = {"session_id": session, "user_id": user}
    body = {"sender_node_id": "cli", "message": message, **{name: said for name, said in known.items() if said}}
    if target.startswith(CAPABILITY):
        agents = having(target.removeprefix(CAPABILITY), meshes, f"{meshes.namespace}/{mesh}")
    else:
        agent, _, named = target.partition(".")
        agents = [(agent, named or meshes.namespace)]
    for agent, where in agents:
        node = meshes.connect_to_agent(agent, where)
        reply = node.call("POST", f"/agents/{quote(agent, safe='')}", body, timeout=timeout)
        if reply.status != HTTPStatus.TOO_MANY_REQUESTS:
            break
    trace = _trace_of(reply.content)
    if reply.status >= 400 and output == "text" and trace:
        show_trace(trace, to_stderr=True)
    raise_for_error(reply, node.where)
    answer = {"response": read(Answered, reply.content, node.where).response, "trace": trace}
    if output != "text":
        show(answer, output)
        return
    say(answer["response"])
    if trace:
        click.echo()
        show_trace(trace)


def _trace_of(content: Any) -> Any:
    metadata = content.get("metadata") if isinstance(content, dict) else None
    return metadata.get(TRACE_KEY) if isinstance(metadata, dict) else None


def show_trace(trace: object, *, to_stderr: bool = False) -> None:
    """Print who was asked, as a tree."""
    from pydantic import ValidationError  # noqa: PLC0415

    from isek.cli.trace_tree import trace_lines  # noqa: PLC0415
    from isek.trace import Trace  # noqa: PLC0415

    try:
        lines = trace_lines(Trace.model_validate(trace))
    except ValidationError:
        return  # a newer node's: the answer stands without it
    for line in lines:
        click.echo(line, err=to_stderr)
