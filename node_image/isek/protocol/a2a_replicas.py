"""Tasks that other replicas of an agent hold: what is asked about them is handed on, as JSON-RPC over the mesh."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TypeVar
from uuid import uuid4

from a2a.extensions.common import HTTP_EXTENSION_HEADER
from a2a.server.events import Event
from a2a.types import StreamResponse
from a2a.utils.constants import PROTOCOL_VERSION_1_0, VERSION_HEADER
from a2a.utils.errors import JSON_RPC_ERROR_CODE_MAP, A2AError, InternalError, TaskNotFoundError
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message as Proto
from pydantic_core import from_json
from yarl import URL

from isek.errors import CallError
from isek.log import log
from isek.node.settings import NodeSettings
from isek.protocol import headers
from isek.protocol.a2a_call import Call
from isek.protocol.http_client import HttpClient, HttpStream
from isek.protocol.p2p import Sidecar
from isek.registry import NodeRecord, Registry

WITHIN_SECONDS = 30.0
LIST_WITHIN_SECONDS = 3.0
"""A list is put together from all replicas: who waits for it does not wait for one that hangs."""
LONGEST_STREAM_SECONDS = 24 * 3600.0
_KINDS = {code: kind for kind, code in JSON_RPC_ERROR_CODE_MAP.items()}

P = TypeVar("P", bound=Proto)


class Replicas:
    """The other nodes that host the same agents.

    Args:
        registry: who is there.
        settings: of this node: its id and namespace, and how large an answer may be.
        sidecar: carries all requests to other nodes; None: HTTP to all.
    """

    def __init__(self, registry: Registry, settings: NodeSettings, sidecar: Sidecar | None) -> None:
        self._registry = registry
        self._node_id = settings.node_id
        self._namespace = settings.namespace
        self._max_answer_bytes = settings.max_body_bytes
        self._sidecar = sidecar
        self._http = HttpClient(settings.max_body_bytes)

    async def close(self) -> None:
        """Close the connections; the registry and the sidecar are others' to close."""
        await self._http.close()

    def holder(self, task_id: str, call: Call) -> NodeRecord | None:
        """The node that holds a task; None: this one, or none.

        Raises:
            TaskNotFoundError: it is gone, and the task with it.
        """
        node_id = task_id.partition(".")[2]
        if call.forwarded or not node_id or node_id == self._node_id:
            return None
        record = next((each for each in self.others(call) if each.node_id == node_id), None)
        if record is None:
            raise TaskNotFoundError(f"there is no task {task_id!r} any more, if there ever was: its node is gone")
        return record

    def others(self, call: Call) -> list[NodeRecord]:
        """All other nodes that host the agent; none for what a replica hands on."""
        if call.forwarded:
            return []
        found = self._registry.find(f"{call.agent}.{self._namespace}")
        return [record for record in found if record.node_id != self._node_id]

    async def ask(self, record: NodeRecord, call: Call, method: str, params: Proto, answer: P) -> P:
        """What a replica answers, in ``answer``.

        Raises:
            A2AError: that of the replica; ``InternalError``: it cannot be reached.
        """
        try:
            return read_result(await self._post(record, call, method, params, WITHIN_SECONDS), answer)
        except CallError as error:
            raise _unanswered(record, error) from error

    async def ask_all(self, call: Call, method: str, params: Proto, answer: type[P]) -> list[P]:
        """What all others answer but those that do not within :data:`LIST_WITHIN_SECONDS`: one that ended without a
        word stays in the registry for a while, and its tasks are gone. The log says whose are missing.

        Raises:
            A2AError: that of a replica.
        """
        asked = (self._ask_if_there(record, call, method, params, answer()) for record in self.others(call))
        return [said for said in await asyncio.gather(*asked) if said is not None]

    async def stream(self, record: NodeRecord, call: Call, method: str, params: Proto) -> AsyncGenerator[Event]:
        """What a replica tells, bit by bit.

        Raises:
            A2AError: as :meth:`ask`.
        """
        try:
            async with (
                self._open(record, call, method, params) as said,
                aclosing(_events(said, self._max_answer_bytes)) as events,
            ):
                async for told in events:
                    response = read_result(told, StreamResponse())
                    yield getattr(response, response.WhichOneof("payload"))
        except CallError as error:
            raise _unanswered(record, error) from error

    async def _ask_if_there(self, record: NodeRecord, call: Call, method: str, params: Proto, answer: P) -> P | None:
        try:
            return read_result(await self._post(record, call, method, params, LIST_WITHIN_SECONDS), answer)
        except CallError as error:
            log().warning(
                "a list is without the tasks of a replica that did not answer",
                agent=call.agent,
                node=record.node_id,
                outcome=error.code,
                reason=error.message,
            )
            return None

    async def _post(self, record: NodeRecord, call: Call, method: str, params: Proto, within: float) -> bytes:
        within = min(within, call.context.remaining_seconds())
        path, to, sent, body = self._request(record, call, method, params, within)
        if self._sidecar is None:
            url = URL(record.url + path, encoded=True)
            said = await self._http.request("POST", url, to=to, headers=sent, within=within, body=body)
        else:
            said = await self._sidecar.call_peer(
                record.all_p2p_addresses, "POST", path, body, sent, to=to, within=within
            )
        return said.body

    def _open(
        self, record: NodeRecord, call: Call, method: str, params: Proto
    ) -> AbstractAsyncContextManager[HttpStream]:
        path, to, sent, body = self._request(record, call, method, params, LONGEST_STREAM_SECONDS)
        if self._sidecar is None:
            url = URL(record.url + path, encoded=True)
            return self._http.stream("POST", url, to=to, headers=sent, within=LONGEST_STREAM_SECONDS, body=body)
        ways = record.all_p2p_addresses
        return self._sidecar.stream_peer(ways, path, body, sent, to=to, within=LONGEST_STREAM_SECONDS)

    def _request(
        self, record: NodeRecord, call: Call, method: str, params: Proto, within: float
    ) -> tuple[str, str, dict[str, str], bytes]:
        """Path, who is asked, headers, body."""
        asked = {"jsonrpc": "2.0", "id": uuid4().hex, "method": method, "params": MessageToDict(params)}
        path, body = f"/agents/{call.agent}", json.dumps(asked).encode()
        address = f"{call.agent}.{self._namespace}"
        to = f"{address} on {record.node_id}"
        sent = {
            "Content-Type": "application/json",
            VERSION_HEADER: PROTOCOL_VERSION_1_0,
            headers.TIMEOUT: str(int(within * 1000)),
            headers.FORWARDED: self._node_id,
            headers.CALLER: address,
            headers.ON_BEHALF_OF: headers.encoded(call.owner),
        }
        for name in (HTTP_EXTENSION_HEADER, "Authorization"):
            if (value := call.parameters.get(name.lower())) is not None:
                sent[name] = value
        return path, to, sent, body


def _unanswered(record: NodeRecord, error: CallError) -> InternalError:
    """For the caller, who may be anybody: addresses stay in the log."""
    log().warning("a replica did not answer", node=record.node_id, outcome=error.code, reason=error.message)
    return InternalError(f"node {record.node_id} did not answer: {error.code}")


def read_result(body: bytes, answer: P) -> P:
    """The result in a JSON-RPC response, in ``answer``.

    Raises:
        A2AError: it is an error, or no response.
    """
    try:
        said = from_json(body)
        error = said.get("error")
        if error is None:
            ParseDict(said["result"] or {}, answer, ignore_unknown_fields=True)
            return answer
        kind: type[A2AError] = _KINDS.get(error["code"], InternalError)
        raise kind(str(error["message"]))
    except (ValueError, KeyError, TypeError, AttributeError, ParseError):
        raise InternalError(f"a replica answered in no form that is known: {body[:100]!r}") from None


async def _events(said: HttpStream, max_bytes: int) -> AsyncGenerator[bytes]:
    """The data of server-sent events, one line each; an answer that is no stream is as one of these."""
    if not said.headers.get("Content-Type", "").startswith("text/event-stream"):
        yield b"".join([chunk async for chunk in said.chunks])
        return
    async for line in _lines(said.chunks, max_bytes):
        if line.startswith(b"data:"):
            yield line.removeprefix(b"data:")


async def _lines(chunks: AsyncIterator[bytes], max_bytes: int) -> AsyncGenerator[bytes]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > max_bytes:
            raise InternalError(f"a replica told more than {max_bytes} bytes at once")
        for line in lines:
            yield line.strip()
