"""``isek setup``."""

import importlib
import shlex
import subprocess

import click

from isek.cli.checks import Finding, look_around
from isek.cli.doctor import show_findings


@click.command
@click.option("--yes", is_flag=True, help="Do not ask.")
def setup(*, yes: bool) -> None:
    """Install what this machine lacks: Python packages, Node.js, the sidecar.

    Says what it would run, and asks. With nothing to install it says so.
    """
    missing = [each for each in look_around() if each.state == "missing"]
    if not missing:
        click.echo("all that agents need is there; see `isek doctor`")
        return
    show_findings(missing)
    commands = list(dict.fromkeys(each.command for each in missing if each.command))
    if commands:
        click.echo("\nTo be run:")
        for command in commands:
            click.echo(f"  {shlex.join(command)}")
        if not yes:
            click.confirm("Run this?", abort=True)
        for command in commands:
            _run(command)
        importlib.invalidate_caches()
    _complain([each for each in look_around() if each.state == "missing"])
    click.echo("all that agents need is there")


def _run(command: tuple[str, ...]) -> None:
    try:
        code = subprocess.run(command, check=False).returncode
    except OSError as error:
        raise click.ClickException(f"{command[0]}: {error.strerror}; install it, and run `isek setup` again") from None
    if code:
        raise click.ClickException(f"`{shlex.join(command)}` ended with exit code {code}; it has said why")


def _complain(missing: list[Finding]) -> None:
    if missing:
        show_findings(missing)
        raise click.ClickException("this is to be done by hand: " + ", ".join(each.name for each in missing))
