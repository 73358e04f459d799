"""``isek registry``."""

import asyncio
import contextlib
import signal

import click


@click.command
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=2378, show_default=True, help="0: any free one.")
def registry(host: str, port: int) -> None:
    """Serve discovery for development, without etcd."""
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_serve(host, port))


async def _serve(host: str, port: int) -> None:
    from isek.log import configure_logging  # noqa: PLC0415
    from isek.registry.center import serve  # noqa: PLC0415  (aiohttp takes its time)

    configure_logging("Text", "warning")

    def started(listening: int) -> None:
        click.echo(f"registry at http://{host}:{listening}; nodes find it with ISEK_REGISTRY_URL")

    serving = asyncio.ensure_future(serve(host, port, started=started))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    try:
        await serving
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host} port {port}: {error.strerror or error}; choose another with --host and --port"
        ) from None
