"""Reading the cards of agents elsewhere in the mesh: those alone are believed that the registry vouches for."""

from typing import Any

from pydantic_core import from_json
from yarl import URL

from isek.errors import CallError
from isek.protocol.a2a import a2a_cards
from isek.protocol.card_hash import hash_of_card
from isek.protocol.http_client import HttpAnswer, HttpClient
from isek.protocol.p2p import Sidecar
from isek.registry import NodeRecord, Registry

CARD_PATH = "/.well-known/agent-card.json"
MAX_CARD_BYTES = 256 * 1024
WITHIN_SECONDS = 10.0


class CardReader:
    """Fetches cards as calls go: over libp2p, or over HTTP where the mesh does without.

    Args:
        registry: who is there, with the key of each.
        sidecar: carries all requests to other nodes; None: HTTP to all.
    """

    def __init__(self, registry: Registry, sidecar: Sidecar | None) -> None:
        self._registry = registry
        self._sidecar = sidecar
        self._http = HttpClient(MAX_CARD_BYTES)

    async def close(self) -> None:
        """Close the connections; the registry and the sidecar are others' to close."""
        await self._http.close()

    async def card(self, address: str) -> dict[str, Any]:
        """The card of ``<agent>.<namespace>``, as one of its nodes tells it.

        Raises:
            CallError: ``AgentNotFound``, ``AgentUnreachable``; ``CardNotTrusted``: it is not what the node has
                registered, or not signed with the node's key.
        """
        records = [each for each in self._registry.find(address) if self._sidecar is None or each.p2p_address]
        if not records:
            hint = "`isek nodes` lists who is there"
            raise CallError("AgentNotFound", f"no node hosts {address!r}", hint=hint, status=404)
        for record in records[:-1]:
            try:
                return await self._verified(record, address)
            except CallError as error:
                if error.code == "CardNotTrusted":
                    raise
        return await self._verified(records[-1], address)

    async def _verified(self, record: NodeRecord, address: str) -> dict[str, Any]:
        name = address.partition(".")[0]
        answer = await self._get(record, f"/agents/{name}{CARD_PATH}", f"{address} on {record.node_id}")
        if answer.status != 200:
            raise CallError("AgentUnreachable", f"{record.node_id} has no card of {address}: HTTP {answer.status}")
        registered = next(agent.card_hash for agent in record.agents if agent.name == name)
        try:
            card: dict[str, Any] = from_json(answer.body)
            told = hash_of_card(card)
        except (ValueError, KeyError, TypeError):
            raise _not_trusted(record, address, "it is no card") from None
        if told != registered:
            raise _not_trusted(record, address, "it is another one than the node has registered")
        cards = await a2a_cards()
        if not cards.holds(card, record.card_key):
            raise _not_trusted(record, address, "it is not signed with the key that the node has registered")
        return card

    async def _get(self, record: NodeRecord, path: str, to: str) -> HttpAnswer:
        if self._sidecar is None:
            url = URL(record.url + path, encoded=True)
            return await self._http.request("GET", url, to=to, headers={}, within=WITHIN_SECONDS)
        ways = record.all_p2p_addresses
        return await self._sidecar.call_peer(ways, "GET", path, None, {}, to=to, within=WITHIN_SECONDS)


def _not_trusted(record: NodeRecord, address: str, why: str) -> CallError:
    return CallError(
        "CardNotTrusted",
        f"the card of {address} that {record.node_id} tells is not to be trusted: {why}",
        hint="ask again in a moment; if it stays so, look at what runs there, and at its version",
    )
