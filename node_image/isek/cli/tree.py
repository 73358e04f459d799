"""``isek tree``."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from isek.cli.meshes import Hosted, Place, open_meshes, place_options
from isek.cli.output import OUTPUT, aligned, show

HEADING = ("NAME", "KIND", "NODES", "READY")
LOOPS = "↑ above"


@click.command
@place_options
@OUTPUT
def tree(*, local: bool, name: str, context: str | None, namespace: str | None, output: str) -> None:
    """Show agents and teams, whom each asks, and the nodes that host them."""
    meshes = open_meshes(Place(local, name, context, namespace))
    hosted = meshes.hosted()
    if not hosted:
        raise click.ClickException(f"there are no agents and teams in namespace {meshes.namespace!r}")
    known = {each.address: each for each in hosted}
    if output != "text":
        show([branch(each, known, ()) for each in roots(hosted)], output)
        return
    rows = [row for each in roots(hosted) for row in _rows(branch(each, known, ()), "", "")]
    heading, *lines = aligned([HEADING, *rows])
    click.secho("   ".join(heading), dim=True)
    for line in lines:
        click.echo("   ".join(line))


def roots(hosted: Sequence[Hosted]) -> list[Hosted]:
    """Those that nobody asks, in order; of those that ask each other in a circle, the first."""
    known = {each.address: each for each in hosted}
    asked = {address for each in hosted for address in each.asks}
    tops = [each for each in hosted if each.address not in asked]
    reached: set[str] = set()
    for each in tops:
        _reach(each.address, known, reached)
    for each in hosted:
        if each.address not in reached:
            tops.append(each)
            _reach(each.address, known, reached)
    return tops


def branch(each: Hosted, known: dict[str, Hosted], above: tuple[str, ...]) -> dict[str, Any]:
    """An agent or a team with all that it asks below; whoever stands above already ends the branch."""
    found: dict[str, Any] = {"address": each.address, "kind": each.kind, "nodes": list(each.nodes), "ready": each.ready}
    if each.address in above:
        return found | {"loops": True}
    way = (*above, each.address)
    below = [known.get(address) or Hosted(address, "?", (), (), "not there") for address in each.asks]
    return found | {"asks": [branch(one, known, way) for one in below]}


def _reach(address: str, known: dict[str, Hosted], reached: set[str]) -> None:
    if address in known and address not in reached:
        reached.add(address)
        for below in known[address].asks:
            _reach(below, known, reached)


def _rows(found: dict[str, Any], line: str, below: str) -> Iterator[tuple[str, ...]]:
    ready = LOOPS if found.get("loops") else found["ready"]
    yield f"{line}{found['address']}", found["kind"], ", ".join(found["nodes"]) or "-", ready
    asks = found.get("asks", [])
    for number, child in enumerate(asks):
        last = number == len(asks) - 1
        yield from _rows(child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))
