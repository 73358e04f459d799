"""``isek up``."""

from pathlib import Path

import click
from isek.cli.run_directory import name_option

FILENAMES = click.option(
    "-f",
    "--filename",
    "paths",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="A YAML file, or a folder of them; may be repeated.",
)


@click.command
@FILENAMES
@name_option(help="What to call this local mesh.")
@click.option("--watch", is_flag=True, help="Apply edits of the files.")
def up(*, paths: tuple[Path, ...], name: str, watch: bool) -> None:
    """Run agents and teams as processes, without a cluster.

    Each pod that a cluster would run becomes a node process and a libp2p sidecar process. Ctrl-C stops them all.
    """
    from isek.api.documents import DocumentError  # noqa: PLC0415
    from isek.processes.errors import LocalError  # noqa: PLC0415

    from isek_operator.local.running import run  # noqa: PLC0415

    try:
        run(paths, name, watch=watch)
    except (DocumentError, LocalError) as error:
        raise click.ClickException(str(error)) from None
