"""``isek clean``."""

import shutil
from pathlib import Path

import click

from isek.cli.run_directory import RunDirectory
from isek.processes.local_mesh import state_folder


@click.command
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(*, yes: bool) -> None:
    """Remove what local meshes that run no more have left on this machine."""
    left = _left_over()
    if not left:
        click.echo(f"nothing to remove in {state_folder()}")
        return
    for path in left:
        click.echo(path)
    if not yes:
        click.confirm("Remove these?", abort=True)
    for path in left:
        shutil.rmtree(path)
    click.echo("removed")


def _left_over() -> list[Path]:
    """The run directories of which no process holds the lock."""
    if not state_folder().is_dir():
        return []
    return sorted(
        path for path in state_folder().iterdir() if path.is_dir() and RunDirectory(path.name).running_pid() is None
    )
