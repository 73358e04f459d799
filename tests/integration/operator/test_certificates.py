"""The certificates around an etcd, in real Secrets: made, made anew, issued by an authority of the user."""

from base64 import b64decode
from datetime import UTC, datetime

import pytest
from isek_operator import pki

from tests.integration.operator.resources import mesh
from tests.support.kube import KubeClient, Object

pytestmark = pytest.mark.usefixtures("operator")

OWN = {"tls": {"caSecret": {"name": "own"}}}
LEAVES = tuple(f"ground-etcd-{name}" for name in ("server", "client", "root"))


def value(secret: Object, key: str) -> str:
    return b64decode(secret["data"][key]).decode()


def own(authority: pki.KeyPair) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "own", "labels": {"isek.io/watch": "true"}},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": authority.certificate, "tls.key": authority.key},
    }


async def test_a_deleted_certificate_is_made_anew_by_the_same_authority(kube: KubeClient) -> None:
    await kube.apply(mesh("ground"))
    before = await kube.until_exists("Secret", "ground-etcd-client")
    authority = await kube.get("Secret", "ground-etcd-ca")
    await kube.until_exists("StatefulSet", "ground-etcd")

    await kube.delete("Secret", "ground-etcd-client")

    after = await kube.until_made_anew(before)
    assert value(after, "tls.crt") != value(before, "tls.crt")
    assert pki.issued_by(value(after, "tls.crt"), value(authority, "tls.crt"))
    assert value(after, "ca.crt") == value(authority, "ca.crt")


async def test_a_users_authority_that_cannot_issue_is_named_and_heals(kube: KubeClient) -> None:
    authority, another = (pki.new_authority("press", datetime.now(UTC)) for _ in range(2))
    await kube.apply(mesh("ground", etcd=OWN))
    await kube.until_condition("IsekMesh", "ground", "ResolvedRefs", "False", reason="SecretNotFound")

    await kube.apply(own(pki.KeyPair(authority.certificate, another.key)))
    told = await kube.until_condition("IsekMesh", "ground", "Ready", "False", reason="SecretInvalid", within=40)
    [message] = [each["message"] for each in told["status"]["conditions"] if each["type"] == "Ready"]
    assert message == (
        "Secret 'own': tls.key does not belong to tls.crt; put a certificate authority into it, "
        "or fix spec.etcd.tls.caSecret"
    )
    assert "PRIVATE" not in str(told)

    await kube.apply(own(authority))
    await kube.until_exists("StatefulSet", "ground-etcd", within=40)
    secrets = [await kube.get("Secret", name) for name in LEAVES]
    assert all(pki.issued_by(value(secret, "tls.crt"), authority.certificate) for secret in secrets)
