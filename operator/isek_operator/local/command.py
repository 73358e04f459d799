"""``isek up``."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from isek.cli.run_directory import name_option

Command = Callable[..., None]


def files(command: Command) -> Command:
    """The files of a command, as arguments or by ``-f``, as its parameter ``paths``."""

    @click.argument("arguments", metavar="[FILE]...", type=click.Path(path_type=Path), nargs=-1)
    @click.option(
        "-f",
        "--filename",
        "options",
        type=click.Path(path_type=Path),
        multiple=True,
        help="A YAML or Python file, or a folder of them; may be repeated.",
    )
    @wraps(command)
    def with_paths(*, arguments: tuple[Path, ...], options: tuple[Path, ...], **others: Any) -> None:
        if not (arguments or options):
            raise click.UsageError("name a YAML or Python file, or a folder of them")
        command(paths=(*arguments, *options), **others)

    return with_paths


@click.command
@files
@name_option(help="What to call this local mesh.")
@click.option("--watch", is_flag=True, help="Apply edits of the files.")
def up(*, paths: tuple[Path, ...], name: str, watch: bool) -> None:
    """Run agents and teams of YAML and Python files as processes, without a cluster.

    Of a Python file, each agent, team and adapter runs that the module has a name for. Each pod that a cluster would
    run becomes a node process and a libp2p sidecar process. Ctrl-C stops them all.
    """
    from isek.api.documents import DocumentError  # noqa: PLC0415
    from isek.processes.errors import LocalError  # noqa: PLC0415

    from isek_operator.local.running import run  # noqa: PLC0415

    try:
        run(paths, name, watch=watch)
    except (DocumentError, LocalError) as error:
        raise click.ClickException(str(error)) from None
