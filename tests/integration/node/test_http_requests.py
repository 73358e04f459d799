"""What a node makes of requests on the wire, by bytes of their own."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from isek.node.http_requests import MAX_HEAD_BYTES

from tests.support.node_process import NodeProcess, agent

BODY = json.dumps({"message": "tea"}).encode()
HEAD = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
SECONDS = 20.0


@pytest.fixture(scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeProcess]:
    async with NodeProcess(tmp_path_factory.mktemp("node"), [agent("echo", {"provider": "Echo"})]) as node:
        yield node


async def answered(node: NodeProcess, *pieces: bytes, endless: bytes = b"") -> bytes:
    """All that the node says until it closes the connection, which is told ``endless`` for as long as it is open."""
    address = urlsplit(node.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.writelines(pieces)

    async def go_on() -> None:
        while endless:
            writer.write(endless)
            await writer.drain()

    telling = asyncio.create_task(go_on())
    said = b""
    try:
        async with asyncio.timeout(SECONDS):
            while piece := await reader.read(2**16):
                said += piece
    except ConnectionError:
        pass  # it stopped listening to what was still being told
    finally:
        telling.cancel()
        await asyncio.wait([telling])
        writer.close()
    return said


@pytest.mark.parametrize(
    ("begun", "endless"),
    [
        (HEAD, b"X-More: " + b"x" * 1000 + b"\r\n"),
        (HEAD + b"X-More: ", b"x" * 1000),
        (b"GET /", b"x" * 1000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-More: " + b"x" * 1000 + b"\r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-More: ", b"x" * 1000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 1000),
    ],
    ids=["headers", "header", "path", "trailers", "trailer", "chunk extension"],
)
async def test_a_head_without_an_end_is_refused(node: NodeProcess, begun: bytes, endless: bytes) -> None:
    said = await answered(node, begun, endless=endless)

    assert b"200 OK" not in said
    assert b"asked" not in said
    assert await answered(node, *whole(close=True)), "and the node goes on"


async def test_a_head_may_be_long(node: NodeProcess) -> None:
    long = b"X-Long: " + b"x" * (MAX_HEAD_BYTES - 1000) + b"\r\n"

    assert b"200 OK" in await answered(node, HEAD, long, *rest(close=True))


async def test_requests_one_after_the_other_are_answered_in_their_order(node: NodeProcess) -> None:
    said = await answered(node, *whole(), *whole(), *whole(close=True))

    assert said.count(b"200 OK") == said.count(b'"response":"tea"') == 3


async def test_an_offer_to_speak_another_protocol_is_passed_over(node: NodeProcess) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"

    said = await answered(node, *[HEAD + offer + b"".join(rest())] * 20, *whole(close=True))

    assert said.count(b"200 OK") == said.count(b'"response":"tea"') == 21


@pytest.mark.parametrize(
    "said", [b"\x16\x03\x01 hello\r\n\r\n", b"CONNECT 10.0.0.1:80 HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n"]
)
async def test_what_is_no_request_of_a_node_is_refused(node: NodeProcess, said: bytes) -> None:
    assert (await answered(node, said)).startswith(b"HTTP/1.1 400 ")


def whole(*, close: bool = False) -> tuple[bytes, ...]:
    return (HEAD, *rest(close=close))


def rest(*, close: bool = False) -> tuple[bytes, ...]:
    last = b"Connection: close\r\n" if close else b""
    return (last, b"Content-Length: %d\r\n\r\n" % len(BODY), BODY)
