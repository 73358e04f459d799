"""A request, as A2A's SDK carries it: its version, and the extensions that the caller wants (sections 3.6 and 4.6)."""

from a2a.extensions.common import HTTP_EXTENSION_HEADER, get_requested_extensions
from a2a.server.context import ServerCallContext
from a2a.types import AgentExtension
from a2a.utils.constants import PROTOCOL_VERSION_0_3, PROTOCOL_VERSION_1_0, VERSION_HEADER
from a2a.utils.errors import VersionNotSupportedError

from isek.protocol.a2a_call import Call

TRACE = AgentExtension(
    uri="https://isek.io/extensions/trace/v1",
    description="Tasks tell who was asked on the way (isek.io/trace in their metadata), and streams each step "
    "(isek.io/step in the metadata of status updates)",
)
EXTENSIONS = (TRACE,)
"""All that we know. None is required."""
VERSIONS = frozenset({PROTOCOL_VERSION_1_0, PROTOCOL_VERSION_0_3})
CALL = "isek.call"
"""Where a request holds its ``Call``."""


def server_context(call: Call) -> ServerCallContext:
    """The context of a request.

    Raises:
        VersionNotSupportedError: the caller speaks another version than ours. Who names none speaks 0.3.
    """
    version = call.parameters.get(VERSION_HEADER.lower()) or PROTOCOL_VERSION_0_3
    spoken = ".".join(version.split(".")[:2])
    if spoken not in VERSIONS:
        raise VersionNotSupportedError(f"A2A {version} is not spoken here: use {PROTOCOL_VERSION_1_0}")
    return ServerCallContext(
        state={"headers": {VERSION_HEADER: spoken}, CALL: call}, requested_extensions=wanted_extensions(call)
    )


def wanted_extensions(call: Call) -> set[str]:
    """The URIs of those extensions of ours that the caller wants."""
    wanted = get_requested_extensions([call.parameters.get(HTTP_EXTENSION_HEADER.lower(), "")])
    return {extension.uri for extension in EXTENSIONS} & wanted


def call_of(context: ServerCallContext) -> Call:
    """The request that a context belongs to."""
    call: Call = context.state[CALL]
    return call
