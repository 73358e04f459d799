"""``isek registry``."""

import click


@click.command
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=2378, show_default=True, help="0: any free one.")
def registry(host: str, port: int) -> None:
    """Serve discovery for development, without etcd."""
    import asyncio  # noqa: PLC0415  (it takes its time, as most that follows)
    import signal  # noqa: PLC0415
    from contextlib import suppress  # noqa: PLC0415

    from isek.log import configure_logging  # noqa: PLC0415
    from isek.registry.center import serve  # noqa: PLC0415

    def started(listening: int) -> None:
        click.echo(f"registry at http://{host}:{listening}; nodes find it with ISEK_REGISTRY_URL")

    async def serve_until_told() -> None:
        serving = asyncio.ensure_future(serve(host, port, started=started))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        await serving

    configure_logging("Text", "warning")
    try:
        with suppress(asyncio.CancelledError):
            asyncio.run(serve_until_told())
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host} port {port}: {error.strerror or error}; choose another with --host and --port"
        ) from None
