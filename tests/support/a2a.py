"""The official client of A2A, by each binding and version."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import uuid4

import grpc
import grpc.aio
import httpx
from a2a.client import Client, ClientCallContext, ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.types import Message, Part, Role, SendMessageConfiguration, SendMessageRequest, StreamResponse, Task
from a2a.utils.constants import VERSION_HEADER

from tests.support.sidecar import SidecarProcess

JSON_RPC, HTTP_JSON, GRPC = "JSONRPC", "HTTP+JSON", "GRPC"
BINDINGS = ((JSON_RPC, "1.0"), (HTTP_JSON, "1.0"), (GRPC, "1.0"), (JSON_RPC, "0.3"))


@asynccontextmanager
async def a2a_client(
    url: str,
    binding: str = JSON_RPC,
    version: str = "1.0",
    *,
    streaming: bool = True,
    transport: httpx.AsyncBaseTransport | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[Client]:
    """The client of one agent, from its card on, by one of its interfaces alone; ``headers`` of all HTTP requests."""
    async with httpx.AsyncClient(timeout=30, transport=transport, headers=headers) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        offered = [each for each in card.supported_interfaces if each.protocol_binding == binding]
        [chosen] = [each for each in offered if each.protocol_version == version]
        del card.supported_interfaces[:]
        card.supported_interfaces.append(chosen)
        config = ClientConfig(
            httpx_client=http,
            grpc_channel_factory=grpc.aio.insecure_channel,
            supported_protocol_bindings=[binding],
            streaming=streaming,
        )
        client = ClientFactory(config).create(card)
        try:
            yield client
        finally:
            if binding == GRPC:
                await client.close()


class ThroughSidecars(httpx.AsyncHTTPTransport):
    """Carries requests through the sidecar ``own`` to a peer, whatever host they name."""

    def __init__(self, own: SidecarProcess, peer: SidecarProcess) -> None:
        super().__init__()
        self._own = own
        self._peer = peer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask the local API in the place of the peer's node."""
        path = request.url.raw_path.decode()
        to = {"p2p_address": self._peer.p2p_address, "method": request.method, "path": path}
        request.headers["Authorization"] = f"Bearer {self._own.token_file.read_text().strip()}"
        request.headers["Host"] = self._own.api_url.rpartition("/")[2]
        asked = httpx.Request(
            "POST",
            f"{self._own.api_url}/call_peer",
            params=to,
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await super().handle_async_request(asked)


def says(
    *said: str | Part, configuration: SendMessageConfiguration | None = None, **message: str
) -> SendMessageRequest:
    """A message of a user."""
    parts = [Part(text=each) if isinstance(each, str) else each for each in said]
    return SendMessageRequest(
        message=Message(message_id=str(uuid4()), role=Role.ROLE_USER, parts=parts, **message),
        configuration=configuration,
    )


async def send(client: Client, request: SendMessageRequest, *extensions: str) -> Task:
    """The task that a client has which does not stream."""
    [response] = await stream(client, request, *extensions)
    assert response.HasField("task"), response
    return response.task


async def stream(client: Client, request: SendMessageRequest, *extensions: str) -> list[StreamResponse]:
    """All that a stream says, until its end."""
    return [each async for each in client.send_message(request, context=wanting(*extensions))]


def wanting(*extensions: str) -> ClientCallContext | None:
    """Asks for extensions."""
    return ClientCallContext(service_parameters={"A2A-Extensions": ",".join(extensions)}) if extensions else None


def text_of(task: Task) -> str:
    """The answer."""
    return "".join(part.text for artifact in task.artifacts for part in artifact.parts)


HEADERS = {"Content-Type": "application/json", VERSION_HEADER: "1.0"}
"""Of a request without the client."""
