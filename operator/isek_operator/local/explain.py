"""``isek explain``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from isek.cli.output import OUTPUT, aligned, show

from isek_operator.local.command import files

if TYPE_CHECKING:
    from isek_operator.local.plan import Plan


@click.command
@files
@OUTPUT
def explain(*, paths: tuple[Path, ...], output: str) -> None:
    """Say what files would become, in a cluster and on this machine, without doing it.

    What is wrong with them is said as by `isek up`, with exit code 1.
    """
    from isek.api.documents import DocumentError  # noqa: PLC0415

    from isek_operator.local.plan import plan  # noqa: PLC0415
    from isek_operator.local.python_files import PythonFiles  # noqa: PLC0415

    try:
        planned = plan(paths, PythonFiles())
    except DocumentError as error:
        raise click.ClickException(str(error)) from None
    for problem in planned.problems:
        click.secho(problem, fg="red", err=True)
    if output == "text":
        _print(planned)
    else:
        show(_as_json(planned), output)
    if planned.problems:
        raise SystemExit(1)


def _print(planned: "Plan") -> None:
    click.secho("In a cluster the operator makes", bold=True)
    for resource, children in planned.children.items():
        click.echo(f"  {resource}")
        for number, child in enumerate(children):
            click.echo(f"  {'└─' if number == len(children) - 1 else '├─'} {child}")
    click.secho("Here `isek up` runs", bold=True)
    for name, agents, sidecar in aligned(
        [(pod.node_id, ", ".join(pod.agents), "node and libp2p sidecar" if pod.p2p else "node") for pod in planned.pods]
    ):
        click.echo(f"  {name}   {agents}   {sidecar}")
    for note in planned.notes:
        click.secho(f"  {note}", dim=True)


def _as_json(planned: "Plan") -> dict[str, Any]:
    return {
        "cluster": [
            {"resource": resource, "children": list(children)} for resource, children in planned.children.items()
        ],
        "local": [
            {"node": pod.node_id, "mesh": pod.mesh, "agents": list(pod.agents), "sidecar": pod.p2p}
            for pod in planned.pods
        ],
        "notes": list(planned.notes),
    }
