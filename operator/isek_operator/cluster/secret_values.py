"""Makes the values of generated Secrets. Nothing else in the operator ever holds one."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from isek.processes.network_key import new_private_network_key, split_keys

from isek_operator import pki
from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import ConflictError
from isek_operator.decide.outcome import (
    Authority,
    Certificate,
    Copied,
    NetworkKey,
    NetworkKeyStep,
    PeerKey,
    SecretContent,
    Trusted,
)
from isek_operator.kinds import SECRET
from isek_operator.manifests.secret import CA_CERTIFICATE, CERTIFICATE, PRIVATE_KEY
from isek_operator.peer_identity import PeerIdentity

Data = dict[str, str | None]
"""``data`` of a Secret as a merge patch takes it: base64 by key; None: the key goes."""


class UnusableSecretError(Exception):
    """What values are made from does not do; the message says why and holds no value."""

    def __init__(self, secret: str, complaint: str) -> None:
        super().__init__(f"Secret {secret!r}: {complaint}")
        self.secret, self.complaint = secret, complaint


class SecretValues:
    """Makes values, and reads those that they are made from."""

    def __init__(self, client: Client, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._client, self._clock = client, clock

    async def make(self, content: SecretContent, namespace: str) -> Data:
        """New values.

        Raises:
            UnusableSecretError: the authority that is to issue a certificate cannot.
            ConflictError: what they are made from is not there (any more).
            ApiError: as the API client raises it.
        """
        match content:
            case NetworkKey(key):
                return {key: _encoded(new_private_network_key())}
            case PeerKey(private, public):
                identity = PeerIdentity.new()
                return {private: b64encode(identity.private_key).decode(), public: _encoded(identity.peer_id)}
            case NetworkKeyStep():
                return await self._network_keys(content, namespace)
            case Copied(sources):
                return {key: await self._copied(namespace, name, key) for namespace, name, key in sources}
            case Trusted(certificates):
                return {CA_CERTIFICATE: _encoded(certificates)}
            case Authority():
                return await self._authority(content, namespace)
            case Certificate():
                return await self._certificate(content, namespace)

    async def _network_keys(self, wanted: NetworkKeyStep, namespace: str) -> Data:
        values = await self._read(namespace, wanted.secret)
        keys = split_keys(_decoded(values.get(wanted.key)))
        match wanted.step:
            case "Add":
                keys = [*keys, new_private_network_key()]
            case "Prefer":
                keys = [*keys[-1:], *keys[:-1]]
            case "Drop":
                keys = keys[:1]
        return {wanted.key: _encoded("".join(keys))}

    async def _authority(self, wanted: Authority, namespace: str) -> Data:
        if wanted.given is None:
            pair = pki.new_authority(wanted.common_name, self._clock())
        else:
            pair = await self._pair(namespace, wanted.given)
            try:
                pki.check_authority(pair, self._clock())
            except pki.PkiError as error:
                raise UnusableSecretError(wanted.given, str(error)) from None
        return _data(pair, pki.bundle((pair.certificate, wanted.trusted)))

    async def _certificate(self, wanted: Certificate, namespace: str) -> Data:
        values = await self._read(namespace, wanted.authority)
        authority = await self._pair(namespace, wanted.authority, values)
        try:
            pair = pki.new_certificate(
                authority,
                wanted.common_name,
                self._clock(),
                dns_names=wanted.dns_names,
                ip_addresses=wanted.ip_addresses,
            )
        except pki.PkiError as error:
            raise UnusableSecretError(wanted.authority, str(error)) from None
        return _data(pair, _decoded(values.get(CA_CERTIFICATE)) or authority.certificate)

    async def _pair(self, namespace: str, secret: str, values: Mapping[str, str] | None = None) -> pki.KeyPair:
        """The first certificate in a Secret, and its key: what follows it is the way to its own issuer."""
        values = await self._read(namespace, secret) if values is None else values
        try:
            first = pki.read_certificates(_decoded(values.get(CERTIFICATE)))[0]
        except pki.PkiError as error:
            raise UnusableSecretError(secret, f"{CERTIFICATE} {error}") from None
        return pki.KeyPair(first.pem, _decoded(values.get(PRIVATE_KEY)))

    async def _copied(self, namespace: str, name: str, key: str) -> str:
        values = await self._read(namespace, name)
        if key not in values:
            raise ConflictError(f"Secret {namespace}/{name} has no key {key!r} any more")
        return values[key]

    async def _read(self, namespace: str, name: str) -> Mapping[str, str]:
        secret = await self._client.get(SECRET, namespace, name)
        if secret is None:
            raise ConflictError(f"Secret {namespace}/{name} is not there any more")
        data: Mapping[str, str] = secret.get("data") or {}
        return data


def _data(pair: pki.KeyPair, trusted: str) -> Data:
    return {
        CERTIFICATE: _encoded(pair.certificate),
        PRIVATE_KEY: _encoded(pair.key),
        CA_CERTIFICATE: _encoded(trusted),
    }


def _encoded(value: str) -> str:
    return b64encode(value.encode()).decode()


def _decoded(value: str | None) -> str:
    return b64decode(value or "").decode(errors="replace")
