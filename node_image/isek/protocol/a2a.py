"""The way to A2A. Its SDK takes as long to import, and as much memory, as all else in a node; so it is imported, beside
the event loop, when somebody first speaks A2A."""

from __future__ import annotations

import asyncio
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isek.node.settings import NodeSettings
    from isek.protocol.a2a_handler import ExtendedCard
    from isek.protocol.a2a_server import A2AServer
    from isek.protocol.p2p import Sidecar
    from isek.registry import Registry


class A2A:
    """A2A, once it is needed.

    Args:
        registry: who else holds tasks of the same agents.
        settings: of the node.
        sidecar: leads to them; None: HTTP does.
    """

    def __init__(self, registry: Registry, settings: NodeSettings, sidecar: Sidecar | None) -> None:
        self._given = (registry, settings, sidecar)
        self.extended_card: ExtendedCard | None = None
        """Makes the cards for callers who are known."""
        self._server: A2AServer | None = None

    async def server(self) -> A2AServer:
        """Answers requests."""
        if self._server is None:
            module = await asyncio.to_thread(import_module, "isek.protocol.a2a_server")
            if self._server is None:  # nobody else has waited for the same
                self._server = module.make_server(*self._given, self.extended_card)
        return self._server

    async def aclose(self) -> None:
        """End the tasks that run still."""
        if self._server is not None:
            await self._server.handler.aclose()


async def a2a_cards() -> ModuleType:
    """:mod:`isek.protocol.a2a_card`."""
    return await asyncio.to_thread(import_module, "isek.protocol.a2a_card")
