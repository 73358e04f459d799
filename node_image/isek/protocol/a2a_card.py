"""Agent cards (https://a2a-protocol.org/latest/specification/#8-agent-discovery-the-agent-card), signed."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from a2a.client.card_resolver import parse_agent_card
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    HTTPAuthSecurityScheme,
    SecurityRequirement,
    SecurityScheme,
    StringList,
)
from a2a.utils.constants import PROTOCOL_VERSION_0_3, PROTOCOL_VERSION_1_0, TransportProtocol
from a2a.utils.signing import SignatureVerificationError, create_agent_card_signer, create_signature_verifier
from google.protobuf.json_format import ParseError
from jwt import PyJWK

from isek import __version__
from isek.protocol.a2a_context import EXTENSIONS
from isek.protocol.a2a_parts import INPUT_MODES, OUTPUT_MODES, STRUCTURED_OUTPUT_MODES
from isek.protocol.card_key import ALGORITHM, CardKey, jwk

INTERFACES = (
    (TransportProtocol.JSONRPC, PROTOCOL_VERSION_1_0),
    (TransportProtocol.HTTP_JSON, PROTOCOL_VERSION_1_0),
    (TransportProtocol.JSONRPC, PROTOCOL_VERSION_0_3),
)
"""The preferred one first. Those of version 0.3 speak JSON-RPC, its default."""


BEARER = "bearer"
BY_TOKEN = SecurityScheme(http_auth_security_scheme=HTTPAuthSecurityScheme(scheme="Bearer"))


def agent_card(
    name: str,
    description: str,
    capabilities: tuple[str, ...],
    url: str,
    grpc: str | None = None,
    *,
    pushes: bool = False,
    extended: bool = False,
    bearer: bool = False,
    structured: bool = False,
    parts: Iterable[tuple[str, str, str]] = (),
) -> AgentCard:
    """The card of an agent that answers at ``url``, and at the host and port ``grpc``.

    Our capabilities are A2A's skills; A2A's own capabilities say whether the agent streams and pushes. An agent that
    names no capability has its description as its one skill.

    Args:
        name: of the agent, as all that follows.
        description: what it is good for.
        capabilities: what others may ask it for.
        url: where it answers over HTTP.
        grpc: where it answers over gRPC.
        pushes: whether callers may be told of their tasks.
        extended: whether callers who are known get to know more.
        bearer: whether callers need a bearer token.
        structured: whether it answers with objects.
        parts: what it is made of: the kind, the name and the description of each; for those who are known.
    """
    skills = [AgentSkill(id=name_, name=name_, description=name_, tags=[name_]) for name_ in capabilities] or [
        AgentSkill(id=name, name=name, description=description or name, tags=[name])
    ]
    skills += [
        AgentSkill(id=f"{kind}:{part}", name=part, description=said or part, tags=[kind]) for kind, part, said in parts
    ]
    return AgentCard(
        name=name,
        description=description or name,
        version=__version__,
        supported_interfaces=[
            AgentInterface(url=url, protocol_binding=binding, protocol_version=version)
            for binding, version in INTERFACES
        ]
        + ([_over_grpc(grpc, name)] if grpc else []),
        capabilities=AgentCapabilities(
            streaming=True, push_notifications=pushes, extended_agent_card=extended, extensions=EXTENSIONS
        ),
        security_schemes={BEARER: BY_TOKEN} if bearer else {},
        security_requirements=[SecurityRequirement(schemes={BEARER: StringList()})] if bearer else [],
        default_input_modes=INPUT_MODES,
        default_output_modes=STRUCTURED_OUTPUT_MODES if structured else OUTPUT_MODES,
        skills=skills,
    )


def _over_grpc(address: str, name: str) -> AgentInterface:
    return AgentInterface(
        url=address,
        protocol_binding=TransportProtocol.GRPC,
        protocol_version=PROTOCOL_VERSION_1_0,
        tenant=name,
    )


def signed(card: AgentCard, key: CardKey, key_set_url: str) -> AgentCard:
    """``card`` with a signature; whoever verifies it finds the public key at ``key_set_url``.

    (https://a2a-protocol.org/latest/specification/#84-agent-card-signing)
    """
    kid = jwk(key.public)["kid"]
    # the SDK's types allow no key object, which it hands on to PyJWT
    sign = create_agent_card_signer(
        key.private,  # type: ignore[arg-type]
        {"alg": ALGORITHM, "typ": "JOSE", "kid": kid, "jku": key_set_url},
    )
    return sign(card)


def to_json(card: AgentCard) -> dict[str, Any]:
    """The form of A2A 1.0, with the fields of 0.3 beside it."""
    return agent_card_to_dict(card)


def holds(card: dict[str, Any], public: str) -> bool:
    """Whether a signature of ``card`` was made with the key whose public half is ``public``."""
    try:
        key = PyJWK.from_dict(jwk(public))
        verify = create_signature_verifier(lambda _kid, _jku: key, [ALGORITHM])
        verify(parse_agent_card(deepcopy(card)))
    except (SignatureVerificationError, ParseError, ValueError):
        return False
    return True
