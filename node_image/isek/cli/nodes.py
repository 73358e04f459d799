"""``isek nodes``."""

from typing import Any

import click

from isek.cli.meshes import Place, open_meshes, place_options
from isek.cli.output import OUTPUT, aligned, short_peer_id, show

TIMEOUT_SECONDS = 10
HEADING = ("NODE", "AGENTS", "PEER", "ADDRESS", "ZONE")


@click.command
@place_options
@click.option("--mesh", default="default", show_default=True, help="The IsekMesh.")
@OUTPUT
def nodes(*, local: bool, name: str, context: str | None, namespace: str | None, mesh: str, output: str) -> None:
    """List the registered nodes of a mesh."""
    from isek.cli.http_call import raise_for_error  # noqa: PLC0415

    node = open_meshes(Place(local, name, context, namespace)).connect_to_mesh(mesh)
    reply = node.call("GET", "/isek/nodes", timeout=TIMEOUT_SECONDS)
    raise_for_error(reply, node.where)
    if output != "text":
        show(reply.content, output)
        return
    heading, *lines = aligned([HEADING, *(_row(record) for record in _sorted(reply.content["nodes"]))])
    click.secho("   ".join(heading), dim=True)
    for line in lines:
        click.echo("   ".join(line))


def _sorted(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(records, key=lambda record: str(record["nodeId"]))


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    agents = ", ".join(sorted(agent["name"] for agent in record.get("agents", ())))
    return (
        record["nodeId"],
        agents or "-",
        short_peer_id(record.get("peerId")),
        record.get("p2pAddress", "").partition("/p2p/")[0] or f"{record['host']}:{record['port']}",
        record.get("zone") or "-",
    )
