"""Agent cards (https://a2a-protocol.org/latest/specification/#8-agent-discovery-the-agent-card)."""

from typing import Any

from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from a2a.utils.constants import PROTOCOL_VERSION_0_3, PROTOCOL_VERSION_1_0, TransportProtocol

from isek import __version__

TEXT = "text/plain"


def agent_card(name: str, description: str, capabilities: tuple[str, ...], url: str) -> dict[str, Any]:
    """The card of an agent that answers at ``url``, in the form of A2A 1.0 with the fields of 0.3 beside it.

    Our capabilities are A2A's skills; A2A's own capabilities say whether the agent streams and pushes. An agent that
    names no capability has its description as its one skill.
    """
    skills = [AgentSkill(id=name_, name=name_, description=name_, tags=[name_]) for name_ in capabilities] or [
        AgentSkill(id=name, name=name, description=description or name, tags=[name])
    ]
    return agent_card_to_dict(
        AgentCard(
            name=name,
            description=description or name,
            version=__version__,
            supported_interfaces=[
                AgentInterface(url=url, protocol_binding=TransportProtocol.JSONRPC, protocol_version=version)
                for version in (PROTOCOL_VERSION_1_0, PROTOCOL_VERSION_0_3)
            ],
            capabilities=AgentCapabilities(streaming=False, push_notifications=False),
            default_input_modes=[TEXT],
            default_output_modes=[TEXT],
            skills=skills,
        )
    )
