"""One node process, as its environment says."""

import asyncio
import os
import signal
import sys
from socket import socket

import uvloop
from pydantic import ValidationError

from isek.api.documents import DocumentError
from isek.api.schema import explain
from isek.asking import Asks
from isek.log import configure_logging
from isek.node.hosted import Built, Hostable, build_hosted, read_hosted
from isek.node.listening import PortError, listen
from isek.node.serving import Stopping, serve
from isek.node.settings import PREFIX, NodeSettings
from isek.node.tls import CertificateError
from isek.registry import RegistryUrlError
from isek.registry.record import RecordError


def run() -> None:
    """Run until SIGTERM. What is wrong with the settings or the hosted file is said in a line each; exit code 1."""
    try:
        settings = NodeSettings()
    except ValidationError as error:
        sys.exit("\n".join(_setting_problems(error)))
    configure_logging(settings.log_format, settings.log_level)
    # spans that nobody exports would take a tenth of the time of an A2A call; who does export them sets it to "true"
    os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")
    try:
        resources = read_hosted(settings.hosted_file, settings.namespace)
        with _listen(settings) as listening, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, resources, listening))
    except (DocumentError, RegistryUrlError, RecordError, PortError, CertificateError) as error:
        sys.exit(str(error))


async def _serve(settings: NodeSettings, resources: list[Hostable], listening: socket) -> None:
    """Host ``resources`` until SIGTERM or SIGINT; a second one ends the node without waiting for what runs."""

    def hosted(asks: Asks) -> list[Built]:
        return build_hosted(resources, asks, settings)

    stopping = Stopping()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping)
    await serve(settings, listening, hosted, stopping)


def _setting_problems(error: ValidationError) -> list[str]:
    lines = []
    for line in explain(error):
        name, _, problem = line.partition(":")
        lines.append(f"{PREFIX}{name.upper()}:{problem}")
    return lines


def _listen(settings: NodeSettings) -> socket:
    try:
        return listen(settings.host, settings.port)
    except OSError as error:
        sys.exit(
            f"cannot listen on {settings.host or 'all addresses,'} port {settings.port}: {error.strerror}; "
            f"set {PREFIX}HOST and {PREFIX}PORT to what is free"
        )
