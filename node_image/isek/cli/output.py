"""What the commands that print data share: the form of the output, tables, and others' words at a terminal."""

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

import click

OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "yaml"]),
    default="text",
    show_default=True,
    help="For people, or for programs.",
)


CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""What a terminal obeys, but for tabs and ends of lines, and what hides or turns round what stands beside it."""


def harmless(text: str) -> str:
    """The words of an agent or a node, which could move the cursor, rename the window or hide what they say."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text.replace("\r\n", "\n"))


def say(text: str, *, nl: bool = True) -> None:
    """Print an agent's words; a file and a program get them as they are."""
    click.echo(harmless(text) if sys.stdout.isatty() else text, nl=nl, color=True)  # else click takes some out


def show(value: Any, form: str) -> None:
    """Print ``value`` as JSON or YAML."""
    if form == "json":
        say(json.dumps(value, indent=2, ensure_ascii=False))
        return
    import yaml  # noqa: PLC0415

    click.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), nl=False)


def aligned(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The cells, each as wide as the widest of its column; the last column stays as it is."""
    rows = [[harmless(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return [[*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]] for row in rows]


def short_peer_id(peer_id: str | None) -> str:
    """The end of a peer id: its beginning is the same for all."""
    return f"…{peer_id[-8:]}" if peer_id else "-"
