"""``isek nodes``."""

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from isek.cli.meshes import Meshes, Place, open_meshes, place_options
from isek.cli.output import OUTPUT, aligned, short_peer_id, show

if TYPE_CHECKING:
    from isek.registry.record import NodeRecord

TIMEOUT_SECONDS = 10
HEADING = ("NODE", "AGENTS", "PEER", "ADDRESS", "ZONE")


class Known(NamedTuple):
    """What a node knows of its mesh."""

    nodes: "list[NodeRecord]"
    content: dict[str, Any]
    """All that it says, as JSON."""


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
        _show_table([HEADING, *_rows(known.nodes)])
    else:
        show(known.content, output)


def _show_all(meshes: Meshes, wanted: list[str], output: str) -> None:
    """What can be told of some meshes; of each other one why not, on standard error, and exit code 1 in the end."""
    if not wanted:
        raise click.ClickException("nothing uses such a mesh in any namespace; see `kubectl get isek -A`")
    found, failed = [], False
    for mesh in wanted:
        try:
            found.append((mesh, known_nodes(meshes, mesh)))
        except click.ClickException as error:
            error.show()
            failed = True
    if output != "text":
        show({"meshes": [{"mesh": mesh, **known.content} for mesh, known in found]}, output)
    elif found:
        _show_table([("MESH", *HEADING), *((mesh, *row) for mesh, known in found for row in _rows(known.nodes))])
    if failed:
        raise SystemExit(1)


def known_nodes(meshes: Meshes, mesh: str) -> Known:
    """What a node of the mesh knows of it."""
    from isek.cli.answers import KnownNodes, read  # noqa: PLC0415
    from isek.cli.http_call import raise_for_error  # noqa: PLC0415

    node = meshes.connect_to_mesh(mesh)
    reply = node.call("GET", "/isek/nodes", timeout=TIMEOUT_SECONDS)
    raise_for_error(reply, node.where)
    return Known(read(KnownNodes, reply.content, node.where).nodes, reply.content)


def _show_table(rows: list[tuple[str, ...]]) -> None:
    heading, *lines = aligned(rows)
    click.secho("   ".join(heading), dim=True)
    for line in lines:
        click.echo("   ".join(line))


def _rows(nodes: "list[NodeRecord]") -> list[tuple[str, ...]]:
    return [_row(record) for record in sorted(nodes, key=lambda record: record.node_id)]


def _row(record: "NodeRecord") -> tuple[str, ...]:
    agents = ", ".join(sorted(agent.name for agent in record.agents))
    return (record.node_id, agents or "-", short_peer_id(record.peer_id), _where(record), record.zone or "-")


def _where(record: "NodeRecord") -> str:
    direct = (record.p2p_address or "").partition("/p2p/")[0] or f"{record.host}:{record.port}"
    relays = {address.partition("/p2p-circuit/")[0].rpartition("/")[2] for address in record.p2p_addresses}
    return f"{direct} +{len(relays)} relays" if relays else direct
