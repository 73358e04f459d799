"""The cards of what a node hosts, and the keys that they are signed with."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from yarl import URL

from isek.agent.agent import IsekAgent
from isek.asking import Runner
from isek.log import log
from isek.node.caller import SharedToken
from isek.node.host import Host
from isek.node.hosted import Hosted
from isek.node.membership import Membership
from isek.node.settings import NodeSettings
from isek.protocol.a2a import a2a_cards
from isek.protocol.a2a_call import Call
from isek.protocol.card_key import CardKey, jwk
from isek.protocol.card_reader import CardReader
from isek.registry import NodeRecord
from isek.team.team import IsekTeam

if TYPE_CHECKING:  # it takes as long to import as all else in a node
    from a2a.types import AgentCard

KEYS_PATH = "/.well-known/jwks.json"
Part = tuple[str, str, str]
"""The kind, the name and the description of a tool or a member."""
MAX_CARDS = 256
"""That are kept: one for each agent and each name that the node is called by."""
CACHED = "public, max-age=60"
"""Far shorter than keys of nodes that are gone are published."""


@dataclass(frozen=True)
class SignedCard:
    """A card as it is sent."""

    body: bytes
    etag: str
    """Weak: all replicas say the same, each with a signature of its own."""


class Cards:
    """Answers requests for cards and keys.

    Args:
        host: what has cards.
        membership: knows the keys of the other replicas.
        reader: gets the cards of others.
        settings: of the node.
        key: signs.
        grpc_port: where the node is asked over gRPC; None: nowhere.
    """

    def __init__(
        self,
        host: Host,
        membership: Membership,
        reader: CardReader,
        settings: NodeSettings,
        key: CardKey,
        *,
        grpc_port: int | None = None,
    ) -> None:
        self._host = host
        self._membership = membership
        self._key = key
        self._token = SharedToken.of(settings)
        self._reader = reader
        own = NodeRecord(node_id=settings.node_id, host=settings.advertise_host, port=settings.port)
        self._own_url = own.url
        self._grpc_port = grpc_port
        self._libp2p = settings.p2p_enabled
        self._signed: OrderedDict[tuple[str, str], SignedCard] = OrderedDict()

    async def card(self, request: Request, name: str | None) -> Response:
        """The card of the agent ``name``, or of the only one.

        Raises:
            CallError: ``AgentNotFound``, ``AgentInvalid``.
        """
        hosted = self._host.find(name)
        # As the caller reached the node, be it by a Service, a port-forward or the pod's address.
        # The sidecar calls on behalf of a peer, which cannot use its way.
        base = self._own_url if self._token.stands_in(request.headers) else str(request.base_url).rstrip("/")
        card = await self._card_at(hosted, base)
        about = {"Cache-Control": CACHED, "ETag": card.etag}
        if card.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=about)
        return Response(card.body, media_type="application/json", headers=about)

    async def card_of(self, address: str) -> Response:
        """The card of whoever has that address in the mesh, once it is verified.

        Raises:
            CallError: see :meth:`isek.protocol.card_reader.CardReader.card`.
        """
        own = next((hosted for hosted in self._host.hosted if hosted.address == address), None)
        if own is not None:
            card = (await self._card_at(own, self._own_url)).body
        else:
            card = _json(await self._reader.card(address))
        return Response(card, media_type="application/json")

    def keys(self) -> Response:
        """The keys that cards of this node's agents are signed with, by this node or another that hosts them."""
        return JSONResponse({"keys": self._key_set()}, headers={"Cache-Control": CACHED})

    def _key_set(self) -> list[dict[str, str]]:
        found = []
        for public in sorted(self._membership.card_keys()):
            try:
                found.append(jwk(public))
            except ValueError:
                log().warning("a node has registered a key for its cards that is none: {}", public)
        return found

    async def _card_at(self, hosted: Hosted, base: str) -> SignedCard:
        """The card of an agent that is reached by ``base``; what is not to change is signed once."""
        wanted = hosted.name, base
        if wanted not in self._signed:
            self._signed[wanted] = await self._new_card(hosted, base)
        self._signed.move_to_end(wanted)
        while len(self._signed) > MAX_CARDS:  # callers choose the name of the host
            self._signed.popitem(last=False)
        return self._signed[wanted]

    async def extended(self, call: Call) -> "AgentCard":
        """The card for a caller who is known: with the tools of an agent, the members of a team."""
        hosted = self._host.find(call.agent)
        return await self._sign(hosted, call.base_url.rstrip("/") or self._own_url, await _parts(hosted.runner))

    async def _new_card(self, hosted: Hosted, base: str) -> SignedCard:
        cards = await a2a_cards()
        told = cards.to_json(await self._sign(hosted, base))
        unsigned = {name: value for name, value in told.items() if name != "signatures"}
        return SignedCard(_json(told), f'W/"{_digest(unsigned)}"')

    async def _sign(self, hosted: Hosted, base: str, parts: Iterable[Part] = ()) -> "AgentCard":
        cards = await a2a_cards()
        outside = hosted.access.outside
        bearer = outside is not None and outside.from_ == "Authenticated"
        card = cards.agent_card(
            hosted.name,
            hosted.description,
            hosted.capabilities,
            f"{base}/agents/{hosted.name}",
            self._grpc_at(base),
            pushes=hosted.push_hosts is not None,
            # over libp2p all callers are known
            extended=bearer or (self._libp2p and base == self._own_url),
            bearer=bearer,
            structured=isinstance(hosted.runner, IsekAgent) and hosted.runner.output_type not in (None, str),
            parts=parts,
        )
        signed: AgentCard = cards.signed(card, self._key, base + KEYS_PATH)
        return signed

    def _grpc_at(self, base: str) -> str | None:
        """The gRPC port, by the name that the caller has for the node."""
        if self._grpc_port is None:
            return None
        host = URL(base).host or ""
        return f"[{host}]:{self._grpc_port}" if ":" in host else f"{host}:{self._grpc_port}"


async def _parts(runner: Runner) -> list[Part]:
    if isinstance(runner, IsekTeam):
        return [("member", member.name, member.description) for member in runner.members]
    if isinstance(runner, IsekAgent):
        card = await runner.aget_agent_card()
        return [("tool", tool["name"], tool["description"]) for tool in card["tools"]]
    return []


def _digest(card: dict[str, Any]) -> str:
    return hashlib.sha256(_json(card)).hexdigest()[:16]


def _json(card: dict[str, Any]) -> bytes:
    return json.dumps(card, separators=(",", ":")).encode()
