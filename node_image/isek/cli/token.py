"""The token by which the command line is known to agents that ask for one."""

import os
from pathlib import Path

import click

ENVIRONMENT = "ISEK_TOKEN"
FILE = f"{ENVIRONMENT}_FILE"
_KEY = "isek.cli.token_file"


def _remember(context: click.Context, _: click.Parameter, file: Path | None) -> None:
    context.meta[_KEY] = file


TOKEN_FILE = click.option(
    "--token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar=FILE,
    show_envvar=True,
    expose_value=False,
    callback=_remember,
    help=f"Holds a bearer token, for agents that ask callers for one; default: the value of {ENVIRONMENT}.",
)
"""A file or the environment: what stands on a command line all users of a machine can read."""


def token_file() -> Path | None:
    """The file that the command was given."""
    context = click.get_current_context(silent=True)
    return context.meta.get(_KEY) if context else None


def token() -> str | None:
    """The token, where there is one.

    Raises:
        click.ClickException: its file cannot be read, or holds none.
    """
    file = token_file()
    try:
        shown = os.environ.get(ENVIRONMENT, "") if file is None else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"the token cannot be read: {error}") from None
    shown = shown.strip()
    if not (shown.isascii() and shown.isprintable()):
        raise click.ClickException(f"the token in {file or ENVIRONMENT} must be one line of plain ASCII")
    return shown or None
