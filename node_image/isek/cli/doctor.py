"""``isek doctor``."""

from collections.abc import Sequence
from dataclasses import asdict

import click

from isek.cli.checks import Finding, look_around
from isek.cli.output import OUTPUT, aligned, show

COLOURS = {"ok": "green", "missing": "red", "note": "yellow"}


@click.command
@OUTPUT
def doctor(output: str) -> None:
    """Say what of this machine Isek can use, what it lacks, and what to do.

    Exit code 1 where something is missing that agents need. Nothing is changed; `isek setup` mends.
    """
    findings = look_around()
    if output == "text":
        show_findings(findings)
    else:
        show([{**asdict(each), "command": list(each.command)} for each in findings], output)
    if any(each.state == "missing" for each in findings):
        raise SystemExit(1)


def show_findings(findings: Sequence[Finding]) -> None:
    """Print a line for each, and below it what to do where something is to be done."""
    rows = aligned([(each.state, each.name, each.said) for each in findings])
    for each, (state, name, said) in zip(findings, rows, strict=True):
        click.echo("   ".join((click.style(state, fg=COLOURS[each.state]), click.style(name, bold=True), said)))
        if each.fix:
            click.secho(f"{' ' * (len(state) + len(name) + 6)}{each.fix}", dim=True)
