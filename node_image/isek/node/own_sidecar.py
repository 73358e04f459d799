"""The sidecar process that a node of a Python program starts for itself."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from isek.log import log
from isek.node.settings import NodeSettings
from isek.processes.network_key import key_of_this_user
from isek.processes.ports import HOST, free_port
from isek.processes.process import Guard, SupervisedProcess
from isek.processes.programs import find_sidecar_program
from isek.processes.sidecar import sidecar_environment

STOP_SECONDS = 10


@asynccontextmanager
async def own_sidecar(settings: NodeSettings, key_file: Path | None) -> AsyncGenerator[NodeSettings]:
    """Run a sidecar beside a node; ``settings`` with what leads the node to it.

    Args:
        settings: of the node, its port among them.
        key_file: of the mesh's private network; None: the one of this user.

    Raises:
        LocalError: its programs are missing.
    """
    program = find_sidecar_program()
    with tempfile.TemporaryDirectory(prefix="isek-sidecar-") as folder:
        state_dir, api_port = Path(folder), free_port()
        environment = sidecar_environment(
            host=settings.host or "0.0.0.0",  # noqa: S104  (asked for)
            announce=settings.advertise_host,
            api_port=api_port,
            node_url=f"http://{HOST}:{settings.port}",
            state_dir=state_dir,
            key_file=key_file or key_of_this_user(),
            max_body_bytes=settings.max_body_bytes,
        )
        guard = Guard()
        process = SupervisedProcess("sidecar", program.command, environment, group=guard.group, console=_Log())
        process.start()
        try:
            yield settings.model_copy(
                update={
                    "p2p_enabled": True,
                    "p2p_api_url": f"http://{HOST}:{api_port}",
                    "p2p_token_file": state_dir / "token",
                }
            )
        finally:
            await process.stop(within=STOP_SECONDS)
            guard.close()


class _Log:
    """What the sidecar says goes to the node's log."""

    def know(self, name: str) -> None:
        """Nothing: all have room."""

    def line(self, name: str, text: str) -> None:
        """As it says it."""
        log().info("{}: {}", name, text)

    def warn(self, text: str) -> None:
        """As a warning."""
        log().warning(text)
