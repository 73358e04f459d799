"""A trace as a tree for people."""

from collections.abc import Iterator

import click

from isek.cli.output import aligned, short_peer_id
from isek.trace import Trace

HEADING = ("ASKED", "NODE", "PEER", "PATH", "TIME")
PATH_COLOURS = {"local": "white", "libp2p": "green", "relay": "yellow", "http": "cyan"}


def trace_lines(trace: Trace) -> list[str]:
    """One line for each agent that was asked: where, its node's peer id, over which path, how long it took."""
    asked = list(_branches(trace, "", ""))
    rows = [
        (
            f"{branch}{each.agent}",
            each.node,
            short_peer_id(each.peer_id),
            each.path,
            f"{_duration(each.duration_ms)}{f'  {each.error}' if each.error else ''}",
        )
        for branch, each in asked
    ]
    heading, *lines = aligned([HEADING, *rows])
    return [
        click.style("   ".join(heading), dim=True),
        *("   ".join(_coloured(cells, each)) for cells, (_, each) in zip(lines, asked, strict=True)),
    ]


def _branches(trace: Trace, branch: str, below: str) -> Iterator[tuple[str, Trace]]:
    yield branch, trace
    for child in trace.children:
        last = child is trace.children[-1]
        yield from _branches(child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))


def _coloured(cells: list[str], trace: Trace) -> list[str]:
    asked, node, peer, path, time = cells
    return [
        click.style(asked, bold=True),
        node,
        click.style(peer, dim=True),
        click.style(path, fg=PATH_COLOURS[trace.path]),
        click.style(time, fg="red" if trace.error else None),
    ]


def _duration(milliseconds: float) -> str:
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
