"""``isek nodes``."""

from typing import Any

import click

from isek.cli.meshes import Meshes, Place, open_meshes, place_options
from isek.cli.output import OUTPUT, aligned, short_peer_id, show

TIMEOUT_SECONDS = 10
HEADING = ("NODE", "AGENTS", "PEER", "ADDRESS", "ZONE")


@click.command
@place_options
@click.option("-A", "--all-namespaces", is_flag=True, help="All meshes that are in use, whatever --namespace says.")
@click.option("--mesh", help="The IsekMesh; default: `default`, and any with -A.")
@OUTPUT
def nodes(
    *,
    local: bool,
    name: str,
    context: str | None,
    namespace: str | None,
    all_namespaces: bool,
    mesh: str | None,
    output: str,
) -> None:
    """List the registered nodes of a mesh."""
    meshes = open_meshes(Place(local, name, context, namespace))
    if all_namespaces:
        _show_all(meshes, [each for each in meshes.meshes_in_use() if mesh in {None, each.partition("/")[2]}], output)
        return
    known = known_nodes(meshes, f"{meshes.namespace}/{mesh or 'default'}")
    if output == "text":
        _show_table([HEADING, *_rows(known)])
    else:
        show(known, output)


def _show_all(meshes: Meshes, wanted: list[str], output: str) -> None:
    """What can be told of some meshes; of each other one why not, on standard error, and exit code 1 in the end."""
    if not wanted:
        raise click.ClickException("nothing uses such a mesh in any namespace; see `kubectl get isek -A`")
    found, failed = [], False
    for mesh in wanted:
        try:
            found.append({"mesh": mesh, **known_nodes(meshes, mesh)})
        except click.ClickException as error:
            error.show()
            failed = True
    if output != "text":
        show({"meshes": found}, output)
    elif found:
        _show_table([("MESH", *HEADING), *((known["mesh"], *row) for known in found for row in _rows(known))])
    if failed:
        raise SystemExit(1)


def known_nodes(meshes: Meshes, mesh: str) -> dict[str, Any]:
    """What a node of the mesh knows of it."""
    from isek.cli.http_call import raise_for_error  # noqa: PLC0415

    node = meshes.connect_to_mesh(mesh)
    reply = node.call("GET", "/isek/nodes", timeout=TIMEOUT_SECONDS)
    raise_for_error(reply, node.where)
    known: dict[str, Any] = reply.content
    return known


def _show_table(rows: list[tuple[str, ...]]) -> None:
    heading, *lines = aligned(rows)
    click.secho("   ".join(heading), dim=True)
    for line in lines:
        click.echo("   ".join(line))


def _rows(known: dict[str, Any]) -> list[tuple[str, ...]]:
    return [_row(record) for record in sorted(known["nodes"], key=lambda record: str(record["nodeId"]))]


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    agents = ", ".join(sorted(agent["name"] for agent in record.get("agents", ())))
    return (
        record["nodeId"],
        agents or "-",
        short_peer_id(record.get("peerId")),
        _where(record),
        record.get("zone") or "-",
    )


def _where(record: dict[str, Any]) -> str:
    direct = record.get("p2pAddress", "").partition("/p2p/")[0] or f"{record['host']}:{record['port']}"
    relays = {address.partition("/p2p-circuit/")[0].rpartition("/")[2] for address in record.get("p2pAddresses", ())}
    return f"{direct} +{len(relays)} relays" if relays else str(direct)
