"""The agents that can be talked with, and their answers as they come."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from isek.protocol.balance import of_session
from isek.registry.record import NodeRecord

LOOK_SECONDS = 5
"""For a node to say whom it knows."""
CONNECT_SECONDS = 5

Json = dict[str, Any]


class TalkError(Exception):
    """There is no answer; the message says why and what to do, for people."""


@dataclass(frozen=True)
class Agent:
    """An agent or a team."""

    address: str
    """``<name>.<namespace>``."""
    kind: str
    description: str


class Nodes:
    """The nodes of one mesh or more.

    Args:
        urls: some of the nodes, or Services before them; each tells of the others of its mesh.
        namespace: the only one whose nodes may be reached from here; None: all may.
        token: the bearer token for agents that ask callers for one, asked for each time; None: there is none.
    """

    def __init__(
        self, urls: Sequence[str], namespace: str | None = None, token: Callable[[], str | None] = lambda: None
    ) -> None:
        self._urls = urls
        self._namespace = namespace
        self._token = token

    async def agents(self) -> list[Agent]:
        """All that can be talked with, by address.

        Raises:
            TalkError: no node answers.
        """
        found = {
            f"{agent.name}.{record.namespace}": agent for record in await self._records() for agent in record.agents
        }
        return [Agent(address, agent.kind, agent.description) for address, agent in sorted(found.items())]

    async def answer(self, address: str, messages: Sequence[Json], conversation: str) -> AsyncGenerator[Json]:
        """The chunks of the answer to ``messages`` (``POST /v1/chat/completions``), from the replica that the
        conversation belongs to, else from another. Whoever stops listening ends the run.

        Raises:
            TalkError: there is no such agent, no node of it answers, or the run fails; the agent's own words.
        """
        name, _, namespace = address.partition(".")
        replicas = [
            record
            for record in await self._records()
            if record.namespace == namespace and name in {agent.name for agent in record.agents}
        ]
        if not replicas:
            raise TalkError(f"nobody is called {address} any more, or its nodes are not ready; see `isek nodes`")
        body = {"model": name, "messages": list(messages), "stream": True, "session_id": conversation}
        async with self._open_session() as session:
            replica, response = await _asked(session, replicas, body)
            async with response:
                if response.status != 200:
                    raise _failure(_parsed(await response.read()), f"{replica} answered with status {response.status}")
                try:
                    async for chunk in _events(response):
                        if "error" in chunk:
                            raise _failure(chunk, "the run failed")
                        yield chunk
                except aiohttp.ClientError as error:
                    raise TalkError(f"node {replica} broke off: {error}; see its log") from None

    async def _records(self) -> list[NodeRecord]:
        async with self._open_session() as session:
            told = await asyncio.gather(*(_told_by(session, url) for url in self._urls), return_exceptions=True)
        known = [records for records in told if isinstance(records, list)]
        if not known:
            raise TalkError(f"none of the nodes answers: {'; '.join(map(str, told))}")
        by_id = {record.node_id: record for records in known for record in records}
        return [record for record in by_id.values() if self._namespace in {None, record.namespace}]

    def _open_session(self) -> aiohttp.ClientSession:
        """An answer may take as long as the agent is allowed to."""
        token = self._token()
        return aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            headers={} if token is None else {"Authorization": f"Bearer {token}"},
        )


async def _told_by(session: aiohttp.ClientSession, url: str) -> list[NodeRecord]:
    """The nodes of a mesh, as one of them knows them."""
    try:
        timeout = aiohttp.ClientTimeout(total=LOOK_SECONDS)
        async with session.get(f"{url.rstrip('/')}/isek/nodes", timeout=timeout) as response:
            said = await response.json()
            if response.status != 200:
                raise _failure(said, f"{url} answered with status {response.status}")
            return [NodeRecord.model_validate(each) for each in said["nodes"]]
    except TimeoutError:
        raise TalkError(f"{url}: no answer within {LOOK_SECONDS} s") from None
    except (aiohttp.ClientError, ValueError, KeyError, TypeError) as error:
        raise TalkError(f"{url}: {error}") from None


async def _asked(
    session: aiohttp.ClientSession, replicas: list[NodeRecord], body: Json
) -> tuple[str, aiohttp.ClientResponse]:
    """The node that takes the question, and its response."""
    left = list(replicas)
    while True:
        replica = of_session(left, body["session_id"])
        try:
            return replica.node_id, await session.post(f"{replica.url}/v1/chat/completions", json=body)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:  # nothing has happened yet
            left.remove(replica)
            if not left:
                raise TalkError(f"no node of {body['model']} can be reached: {error}") from None
        except aiohttp.ClientError as error:
            raise TalkError(f"node {replica.node_id} broke off: {error}; see its log") from None


async def _events(response: aiohttp.ClientResponse) -> AsyncGenerator[Json]:
    """The server-sent events of a response, of any length; ``[DONE]`` is none."""
    line = b""
    async for piece in response.content.iter_any():
        *lines, line = (line + piece).split(b"\n")
        for each in lines:
            chunk = _parsed(each.removeprefix(b"data:"))
            if isinstance(chunk, dict):
                yield chunk


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _failure(content: Any, otherwise: str) -> TalkError:
    error = content.get("error") if isinstance(content, dict) else None
    return TalkError(f"{error.get('code')}: {error.get('message')}" if isinstance(error, dict) else otherwise)
