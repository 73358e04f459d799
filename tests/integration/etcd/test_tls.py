"""The etcd of a mesh, as the operator configures it: whom it lets in, and what they may do there."""

import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from isek.registry import TlsFiles
from isek_operator import pki

from tests.support.secure_etcd import NODE, ROOT, SERVER, Certificates, SecureEtcd
from tests.unit.manifests.samples import a_mesh

MESH = a_mesh(meshID="press")


@pytest.fixture(scope="module")
async def etcd() -> AsyncIterator[SecureEtcd]:
    async with SecureEtcd(MESH) as etcd:
        await etcd.enable_auth([f"/isek/{MESH.mesh_id}/"])
        yield etcd


@pytest.fixture
def stranger(tmp_path: Path) -> Certificates:
    """The certificates of another mesh."""
    return Certificates(tmp_path / "stranger")


async def refusal(etcd: SecureEtcd, files: TlsFiles | None, key: str) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await etcd.put(files, key)
    return caught.value.code()


async def test_a_node_may_write_below_the_prefix_of_its_mesh_and_nowhere_else(etcd: SecureEtcd) -> None:
    node = etcd.certificates.files(NODE)

    await etcd.put(node, "/isek/press/nodes/newsroom/a")
    for key in ("/isek/press2/nodes/newsroom/a", "/isek/other/nodes/newsroom/a", "/elsewhere"):
        assert await refusal(etcd, node, key) is grpc.StatusCode.PERMISSION_DENIED


async def test_the_operator_may_do_everything(etcd: SecureEtcd) -> None:
    await etcd.put(etcd.certificates.files(ROOT), "/elsewhere")


async def test_who_shows_no_certificate_is_not_let_in(etcd: SecureEtcd) -> None:
    nobody = TlsFiles(etcd.certificates.folder / NODE / "ca.crt")

    assert await refusal(etcd, nobody, "/isek/press/nodes/newsroom/a") is grpc.StatusCode.UNAVAILABLE
    assert await refusal(etcd, None, "/isek/press/nodes/newsroom/a") is grpc.StatusCode.UNAVAILABLE


async def test_a_node_of_another_mesh_is_not_let_in(etcd: SecureEtcd, stranger: Certificates) -> None:
    theirs = stranger.files(NODE)
    ours = TlsFiles(etcd.certificates.folder / NODE / "ca.crt", theirs.certificate, theirs.key)

    assert await refusal(etcd, ours, "/isek/press/nodes/newsroom/a") is grpc.StatusCode.UNAVAILABLE


async def test_a_node_does_not_speak_to_an_etcd_of_another_mesh(etcd: SecureEtcd, stranger: Certificates) -> None:
    assert await refusal(etcd, stranger.files(NODE), "/isek/press/nodes/newsroom/a") is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("name", ["somebody", "isek-etcd-member"])
async def test_who_has_a_name_that_etcd_does_not_know_may_do_nothing(
    etcd: SecureEtcd, tmp_path: Path, name: str
) -> None:
    certificates = etcd.certificates
    pair = pki.new_certificate(certificates.authority, name, datetime.now(UTC))
    holder = Certificates(tmp_path / "holder")
    holder.write(NODE, pair, certificates.authority.certificate)

    assert await refusal(etcd, holder.files(NODE), "/isek/press/nodes/a") in {
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAUTHENTICATED,
    }


@pytest.mark.parametrize(("who", "status"), [(NODE, None), (ROOT, None), (SERVER, 200)])
async def test_only_a_member_is_let_in_on_the_peer_port(etcd: SecureEtcd, who: str, status: int | None) -> None:
    assert await etcd.peer_version(who) == status


def an_authority_below_another() -> pki.KeyPair:
    """As an issuer of a company signs it, with an RSA key; nobody here trusts the company's."""
    now, root, key = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    name, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("press", "company"))
    builder = x509.CertificateBuilder(
        issuer, name, key.public_key(), 7, now - timedelta(days=1), now + timedelta(days=1)
    )
    certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
        root, hashes.SHA256()
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pki.KeyPair(certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode())


async def test_an_authority_that_another_has_signed_is_enough_by_itself() -> None:
    async with SecureEtcd(MESH, an_authority_below_another()) as etcd:
        await etcd.enable_auth([f"/isek/{MESH.mesh_id}/"])

        await etcd.put(etcd.certificates.files(NODE), "/isek/press/nodes/newsroom/a")

        assert [await etcd.peer_version(who) for who in (SERVER, NODE)] == [200, None]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_a_member_answers_over_ipv4_and_ipv6() -> None:
    async with SecureEtcd(MESH, everywhere=True) as etcd, aiohttp.ClientSession() as session:
        for address in ("127.0.0.1", "[::1]"):
            async with session.get(f"http://{address}:{etcd.metrics_port}/readyz") as answer:
                assert answer.status == 200
        for port in (etcd.port, etcd.peer_port):
            for address in ("127.0.0.1", "::1"):
                socket.create_connection((address, port), timeout=5).close()
