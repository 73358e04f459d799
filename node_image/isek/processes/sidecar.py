"""The libp2p sidecar of a node on this machine."""

from pathlib import Path

from isek.processes.ports import free_port
from isek.processes.process import inherited_environment


def sidecar_environment(
    *, host: str, announce: str, api_port: int, node_url: str, state_dir: Path, key_file: Path, max_body_bytes: int
) -> dict[str, str]:
    """All variables of a sidecar process.

    Args:
        host: address to listen on for peers.
        announce: address at which peers reach it.
        api_port: of its API, for its node.
        node_url: where its node answers.
        state_dir: for its identity, and the token that it shares with its node.
        key_file: of the mesh's private network.
        max_body_bytes: the largest request that its node accepts.
    """
    return inherited_environment() | {
        "ISEK_P2P_LISTEN_HOST": host,
        "ISEK_P2P_LISTEN_PORT": str(free_port()),
        "ISEK_P2P_ANNOUNCE_HOST": announce,
        "ISEK_P2P_API_PORT": str(api_port),
        "ISEK_P2P_HEALTH_HOST": "127.0.0.1",
        "ISEK_P2P_HEALTH_PORT": "0",
        "ISEK_P2P_NODE_URL": node_url,
        "ISEK_P2P_STATE_DIR": str(state_dir),
        "ISEK_P2P_PRIVATE_NETWORK_KEY_FILE": str(key_file),
        "ISEK_P2P_MAX_BODY_BYTES": str(max_body_bytes),
    }
