"""A node that answers over TLS, with a certificate that is renewed while it runs."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
import httpx
import pytest
from a2a.client import ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.types import StreamResponse
from a2a.types.a2a_pb2_grpc import A2AServiceStub
from isek.node.tls import CertificateError, ServerCertificate
from isek.processes.ports import free_port
from isek_operator.pki import KeyPair, new_authority, new_certificate

from tests.support.a2a import GRPC, says, stream
from tests.support.node_process import NodeProcess, agent
from tests.support.waiting import until

NOW = datetime.now(UTC)
AUTHORITY = new_authority("tests", NOW)
LOOPBACK = ("127.0.0.1",)


def write(folder: Path, pair: KeyPair) -> None:
    """As kubelet does: a file appears whole."""
    for name, content in (("tls.crt", pair.certificate), ("tls.key", pair.key)):
        new = folder / f".{name}"
        new.write_text(content)
        new.replace(folder / name)


def issued(days_ago: int = 0) -> KeyPair:
    return new_certificate(AUTHORITY, "node", NOW - timedelta(days=days_ago), ip_addresses=LOOPBACK)


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=AUTHORITY.certificate)
    context.set_alpn_protocols(["h2"])  # gRPC speaks to nobody who does not
    return context


async def shown_on(port: int) -> str:
    """From when on the certificate is valid that a new connection gets to see."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting())
    certificate: dict[str, Any] = writer.get_extra_info("peercert")
    writer.close()
    return str(certificate["notBefore"])


def trusting_channel(address: str) -> grpc.aio.Channel:
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(AUTHORITY.certificate.encode()))


async def test_a_node_answers_over_tls_and_takes_up_a_renewed_certificate(tmp_path: Path) -> None:
    write(tmp_path, issued(days_ago=60))
    https, over_grpc = free_port(), free_port()
    async with NodeProcess(
        tmp_path, [agent("echo", {"provider": "Echo"})], tls_port=https, tls_dir=tmp_path, grpc_port=over_grpc
    ) as node:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"https://127.0.0.1:{https}/agents/echo", json={"message": "tea"}, ssl=trusting()) as answer,
        ):
            assert (answer.status, (await answer.json())["response"]) == (200, "tea")
        async with aiohttp.ClientSession() as session, session.get(f"{node.url}/readyz") as ready:
            assert ready.status == 200  # what kubelet and the sidecar ask
        before = [await shown_on(port) for port in (https, over_grpc)]

        write(tmp_path, issued())

        async def renewed() -> bool:
            now = [await shown_on(port) for port in (https, over_grpc)]
            return all(one != other for one, other in zip(now, before, strict=True))

        await until(renewed, what="the node shows the renewed certificate", within=60)
        assert len(set(before)) == 1


async def test_the_official_client_asks_over_grpc_and_tls_where_the_card_says(tmp_path: Path) -> None:
    write(tmp_path, issued())
    https = free_port()
    agents = [agent("echo", {"provider": "Echo"})]
    async with (
        NodeProcess(tmp_path, agents, tls_port=https, tls_dir=tmp_path, grpc_port=0),
        httpx.AsyncClient(verify=trusting(), timeout=30) as http,
    ):
        card = await A2ACardResolver(http, f"https://127.0.0.1:{https}/agents/echo").get_agent_card()
        [over_grpc] = [each.url for each in card.supported_interfaces if each.protocol_binding == GRPC]
        config = ClientConfig(
            httpx_client=http, grpc_channel_factory=trusting_channel, supported_protocol_bindings=[GRPC]
        )
        async with ClientFactory(config).create(card) as client:
            told = await stream(client, says("tea"))
        async with grpc.aio.insecure_channel(over_grpc) as in_plain_text:
            refused = A2AServiceStub(in_plain_text).SendMessage(says("tea"))  # type: ignore[no-untyped-call]
            code = await refused.code()

    assert said_in(told) == "tea"
    assert code == grpc.StatusCode.UNAVAILABLE


def said_in(told: list[StreamResponse]) -> str:
    return "".join(part.text for each in told for part in each.artifact_update.artifact.parts)


async def test_a_node_without_its_certificate_says_so_and_ends(tmp_path: Path) -> None:
    node = NodeProcess(
        tmp_path, [agent("echo", {"provider": "Echo"})], ready=False, tls_port=free_port(), tls_dir=tmp_path / "none"
    )
    with pytest.raises(RuntimeError, match="ended with 1"):
        await node.start()

    assert await node.exit_code() == 1
    assert "none/tls.crt" in node.text
    assert "cannot be used: [Errno 2] No such file or directory" in node.text
    assert "Traceback" not in node.text


def test_a_pair_that_does_not_go_together_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, issued())
    certificate = ServerCertificate(tmp_path)
    before = certificate.context.cert_store_stats()

    (tmp_path / "tls.key").write_text(issued().key)
    certificate.look()

    assert certificate.context.cert_store_stats() == before
    with pytest.raises(CertificateError, match="cannot be used"):
        ServerCertificate(tmp_path)
    write(tmp_path, issued())
    certificate.look()
