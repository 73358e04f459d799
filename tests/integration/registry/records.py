"""Records of nodes, as tests need them."""

from isek.registry import AgentRecord, NodeRecord


def node(name: str, *agents: str, namespace: str = "newsroom", peer_id: str | None = None) -> NodeRecord:
    """The record of node ``<name>.<namespace>``, hosting some agents."""
    return NodeRecord(
        node_id=f"{name}.{namespace}",
        namespace=namespace,
        host="127.0.0.1",
        port=8080,
        peer_id=peer_id,
        agents=tuple(AgentRecord(name=agent) for agent in agents),
    )
