"""A TCP proxy that can be cut: how a test takes a server away from its clients and gives it back."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self


class TcpProxy:
    """Listens on a free port and passes connections on to ``target``.

    Args:
        target: a port of 127.0.0.1, or what returns host and port for each connection; where it raises an ``OSError``
            the connection ends.
        host: the address to listen on.
    """

    def __init__(self, target: int | Callable[[], tuple[str, int]], *, host: str = "127.0.0.1") -> None:
        self._target = target
        self._host = host
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0

    async def listen(self) -> None:
        """Accept connections, on the port of the first time."""
        self._server = await asyncio.start_server(self._accept, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End all connections and refuse new ones, until ``listen``."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            with suppress(asyncio.CancelledError, OSError):
                await self._carry(reader, writer)
        finally:
            self._connections.discard(connection)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = ("127.0.0.1", self._target) if isinstance(self._target, int) else self._target()
        far_reader, far_writer = await asyncio.open_connection(*address)
        try:
            async with asyncio.TaskGroup() as both_ways:
                both_ways.create_task(_pump(reader, far_writer))
                both_ways.create_task(_pump(far_reader, writer))
        except* OSError:
            pass  # one side went away: so does the other
        finally:
            far_writer.transport.abort()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.cut()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
