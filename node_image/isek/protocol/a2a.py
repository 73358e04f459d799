"""The way to A2A. Its SDK takes as long to import, and as much memory, as all else in a node; so it is imported, beside
the event loop, when somebody first speaks A2A."""

from __future__ import annotations

import asyncio
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isek.protocol.a2a_server import A2AServer


class A2A:
    """A2A, once it is needed."""

    def __init__(self) -> None:
        self._server: A2AServer | None = None

    async def server(self) -> A2AServer:
        """Answers JSON-RPC requests."""
        if self._server is None:
            module = await asyncio.to_thread(import_module, "isek.protocol.a2a_server")
            self._server = module.A2AServer()
        return self._server


async def a2a_cards() -> ModuleType:
    """:mod:`isek.protocol.a2a_card`."""
    return await asyncio.to_thread(import_module, "isek.protocol.a2a_card")
