"""``isek down``."""

import os
import signal
import time

import click

from isek.cli.run_directory import RunDirectory, name_option

PATIENCE_SECONDS = 60
"""The mesh itself gives its processes less."""


@click.command
@name_option(help="The local mesh to stop.")
def down(name: str) -> None:
    """Stop a local mesh that runs elsewhere."""
    directory = RunDirectory(name)
    pid = directory.running_pid()
    if pid is None:
        raise click.ClickException(f"no local mesh {name!r} is running; start one with `isek up -f FOLDER`")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while directory.running_pid() == pid:
        if time.monotonic() > deadline:
            raise click.ClickException(
                f"process {pid} has not ended within {PATIENCE_SECONDS} s; `kill -9 {pid}` ends it"
            )
        time.sleep(0.05)
    click.echo(f"stopped local mesh {name!r}")
