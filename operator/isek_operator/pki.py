"""Certificates: making them, and reading what they say. Text in PEM, no I/O.

Keys are ECDSA P-256 in PKCS #8. What stands in the certificates follows RFC 5280, sections 4.1.2 and 4.2.1.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=90)
BACKDATED = timedelta(minutes=5)
"""Certificates are valid from before they are made: clocks differ."""

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class PkiError(ValueError):
    """Something is no certificate or no key, or the two do not go together. The message never holds a key."""


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, both as PEM."""

    certificate: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Certified:
    """What a certificate says."""

    pem: str
    common_name: str
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    is_authority: bool
    not_before: datetime
    not_after: datetime

    @property
    def issued_at(self) -> datetime:
        """When it was made, if it was made here."""
        return self.not_before + BACKDATED

    @property
    def renewal_due(self) -> datetime:
        """When a third of its time is left."""
        return self.not_after - (self.not_after - self.not_before) / 3


def new_authority(common_name: str, now: datetime) -> KeyPair:
    """A new self-signed certificate authority, which signs leaf certificates only."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(common_name)
    builder = (
        _builder(subject, subject, key.public_key(), now, now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return _signed(builder, key, key)


def new_certificate(
    authority: KeyPair,
    common_name: str,
    now: datetime,
    *,
    dns_names: Sequence[str] = (),
    ip_addresses: Sequence[str] = (),
) -> KeyPair:
    """A new certificate for servers and clients; it ends with its authority at the latest.

    Raises:
        PkiError: the authority cannot sign.
    """
    issuer, issuer_key = _authority(authority, now)
    key = ec.generate_private_key(ec.SECP256R1())
    until = min(now + LEAF_LIFETIME, issuer.not_valid_after_utc)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = (
        _builder(_name(common_name), issuer.subject, key.public_key(), now, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(_authority_key_identifier(issuer), critical=False)
    )
    if dns_names or ip_addresses:
        names = [*map(x509.DNSName, dns_names), *(x509.IPAddress(ip_address(each)) for each in ip_addresses)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)  # there is a subject
    return _signed(builder, key, issuer_key)


def check_authority(authority: KeyPair, now: datetime) -> None:
    """Whether certificates can be issued by it.

    Raises:
        PkiError: they cannot; says why.
    """
    _authority(authority, now)


@functools.lru_cache(maxsize=4096)
def read_certificates(pem: str) -> tuple[Certified, ...]:
    """What the certificates in ``pem`` say, in their order.

    Raises:
        PkiError: there is none, or one that cannot be read.
    """
    return tuple(_certified(each) for each in _load(pem))


@functools.lru_cache(maxsize=4096)
def issued_by(pem: str, authority: str) -> bool:
    """Whether the first certificate in ``pem`` is signed by the first one in ``authority``."""
    try:
        _load(pem)[0].verify_directly_issued_by(_load(authority)[0])
    except (PkiError, InvalidSignature, ValueError, TypeError):
        return False
    return True


def bundle(pems: Iterable[str]) -> str:
    """The certificates in ``pems``, each once, one after the other. Raises PkiError."""
    return "".join(dict.fromkeys(each.pem for pem in pems if pem for each in read_certificates(pem)))


def _certified(certificate: x509.Certificate) -> Certified:
    names: Sequence[x509.GeneralName] = ()
    authority = False
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            names = list(extension.value)
        elif isinstance(extension.value, x509.BasicConstraints):
            authority = extension.value.ca
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Certified(
        pem=certificate.public_bytes(serialization.Encoding.PEM).decode(),
        common_name=str(common[0].value) if common else "",
        dns_names=tuple(each.value for each in names if isinstance(each, x509.DNSName)),
        ip_addresses=tuple(str(each.value) for each in names if isinstance(each, x509.IPAddress)),
        is_authority=authority,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def _authority(authority: KeyPair, now: datetime) -> tuple[x509.Certificate, SigningKey]:
    certificate, said = _load(authority.certificate)[0], read_certificates(authority.certificate)[0]
    if not said.is_authority:
        raise PkiError("tls.crt is not the certificate of an authority (cert-manager: isCA: true)")
    if said.not_after <= now:
        raise PkiError(f"tls.crt expired at {said.not_after:%Y-%m-%dT%H:%M:%SZ}")
    try:
        key = serialization.load_pem_private_key(authority.key.encode(), password=None)
    except (ValueError, TypeError):
        raise PkiError("tls.key is not a private key in PEM without a password") from None
    if not isinstance(key, SigningKey):
        raise PkiError("tls.key is neither an ECDSA nor an RSA key")
    if key.public_key() != certificate.public_key():
        raise PkiError("tls.key does not belong to tls.crt")
    return certificate, key


def _load(pem: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise PkiError("is not a certificate in PEM") from None


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before((now - BACKDATED).replace(microsecond=0))
        .not_valid_after(until.replace(microsecond=0))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey = issuer.public_key()  # type: ignore[assignment]  # checked
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: SigningKey) -> KeyPair:
    certificate = builder.sign(signer, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode())
