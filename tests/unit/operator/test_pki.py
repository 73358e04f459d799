from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from isek_operator import pki

NOW = datetime(2026, 1, 1, 12, 30, 15, 250, tzinfo=UTC)
AUTHORITY = pki.new_authority("isek test", NOW)
LEAF = pki.new_certificate(AUTHORITY, "member", NOW, dns_names=["*.peers.svc", "localhost"], ip_addresses=["127.0.0.1"])


def parsed(pair: pki.KeyPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.encode())


def critical(certificate: x509.Certificate) -> dict[str, bool]:
    return {type(each.value).__name__: each.critical for each in certificate.extensions}


def test_an_authority_says_that_it_is_one_and_nothing_below_it_is() -> None:
    certificate = parsed(AUTHORITY)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value

    assert (constraints.ca, constraints.path_length) == (True, 0)
    assert (usage.key_cert_sign, usage.digital_signature) == (True, False)
    assert critical(certificate) == {
        "SubjectKeyIdentifier": False,
        "BasicConstraints": True,
        "KeyUsage": True,
        "AuthorityKeyIdentifier": False,
    }
    assert certificate.not_valid_after_utc - NOW > timedelta(days=3649)


def test_a_certificate_is_for_servers_and_clients_and_names_its_issuer() -> None:
    certificate, authority = parsed(LEAF), parsed(AUTHORITY)
    extensions = certificate.extensions
    usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    issuer = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    subject = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value

    assert {each._name for each in usages} == {"serverAuth", "clientAuth"}
    assert issuer.key_identifier == subject.key_identifier
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert critical(certificate)["SubjectAlternativeName"] is False, "there is a subject (RFC 5280, 4.2.1.6)"
    assert certificate.not_valid_before_utc == datetime(2026, 1, 1, 12, 25, 15, tzinfo=UTC)
    assert certificate.not_valid_after_utc == datetime(2026, 4, 1, 12, 30, 15, tzinfo=UTC)
    assert certificate.serial_number != authority.serial_number


def test_what_a_certificate_says_is_read_back() -> None:
    (said,) = pki.read_certificates(LEAF.certificate)

    assert (said.common_name, said.dns_names, said.ip_addresses) == (
        "member",
        ("*.peers.svc", "localhost"),
        ("127.0.0.1",),
    )
    assert said.issued_at == NOW.replace(microsecond=0)
    assert not said.is_authority
    assert timedelta(days=59) < said.renewal_due - NOW < timedelta(days=61)


def test_keys_are_new_each_time_and_stand_in_pkcs8() -> None:
    key = serialization.load_pem_private_key(LEAF.key.encode(), None)

    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert LEAF.key.startswith("-----BEGIN PRIVATE KEY-----")
    assert pki.new_authority("isek test", NOW).key != AUTHORITY.key
    assert LEAF.key not in repr(LEAF)


def test_who_issued_a_certificate_is_told_by_its_signature() -> None:
    namesake = pki.new_authority("isek test", NOW)

    assert pki.issued_by(LEAF.certificate, AUTHORITY.certificate)
    assert not pki.issued_by(LEAF.certificate, namesake.certificate)


def test_no_certificate_outlives_its_authority() -> None:
    late = NOW + timedelta(days=3640)

    assert (
        parsed(pki.new_certificate(AUTHORITY, "member", late)).not_valid_after_utc
        == parsed(AUTHORITY).not_valid_after_utc
    )


def test_a_bundle_holds_each_certificate_once() -> None:
    other = pki.new_authority("isek other", NOW)

    together = pki.bundle([AUTHORITY.certificate, "", other.certificate + AUTHORITY.certificate])

    assert together == AUTHORITY.certificate + other.certificate


@pytest.mark.parametrize(
    ("certificate", "key", "at", "complaint"),
    [
        (LEAF.certificate, LEAF.key, NOW, "tls.crt is not the certificate of an authority"),
        (AUTHORITY.certificate, LEAF.key, NOW, "tls.key does not belong to tls.crt"),
        (AUTHORITY.certificate, "", NOW, "tls.key is not a private key"),
        (AUTHORITY.certificate, AUTHORITY.certificate, NOW, "tls.key is not a private key"),
        (AUTHORITY.certificate, AUTHORITY.key, NOW + timedelta(days=4000), "tls.crt expired at 2035-12-30T12:30:15Z"),
        ("nonsense", AUTHORITY.key, NOW, "is not a certificate in PEM"),
    ],
)
def test_an_authority_that_cannot_issue_is_refused_with_the_reason(
    certificate: str, key: str, at: datetime, complaint: str
) -> None:
    with pytest.raises(pki.PkiError, match=complaint) as caught:
        pki.check_authority(pki.KeyPair(certificate, key), at)

    assert "PRIVATE" not in str(caught.value)
