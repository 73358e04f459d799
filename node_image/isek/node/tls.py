"""The certificate that the node shows to callers over TLS, as files that may change while they are used."""

import asyncio
import ssl
from pathlib import Path

from isek.log import log

LOOK_SECONDS = 10.0

Version = tuple[tuple[int, int], ...]


class CertificateError(Exception):
    """The certificate, or its key, cannot be used; the message says why, and holds no key."""


class ServerCertificate:
    """``tls.crt`` and ``tls.key`` in a folder, as cert-manager writes them: a mounted Secret.

    Raises:
        CertificateError: they cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._certificate, self._key = folder / "tls.crt", folder / "tls.key"
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        """Connections that begin from now on show what was read last."""
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.pair = b"", b""
        """The key and the certificate that were read last (PEM), for a server that takes no context."""
        self._version = self._read()

    async def follow(self, every: float = LOOK_SECONDS) -> None:
        """Take up what is renewed, each some seconds; what does not do is said, and what was there stays in use."""
        while True:
            await asyncio.sleep(every)
            self.look()

    def look(self) -> None:
        """Take up what is there now, where it is something else."""
        try:
            if _version(self._certificate, self._key) != self._version:
                self._version = self._read()
                log().info("shows a renewed certificate")
        except (CertificateError, OSError) as error:
            log().warning("the certificate stays as it was: {}", error)

    def _read(self) -> Version:
        try:
            version = _version(self._certificate, self._key)
            pair = self._key.read_bytes(), self._certificate.read_bytes()
            # tried on another one first: of a pair that does not go together the context would keep a half
            for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.context):
                context.load_cert_chain(self._certificate, self._key)
            if _version(self._certificate, self._key) != version:
                return self._read()  # renewed meanwhile
        except (OSError, ssl.SSLError) as error:
            raise CertificateError(f"{self._certificate} and {self._key} cannot be used: {error}") from None
        self.pair = pair
        return version


def _version(*files: Path) -> Version:
    found = [path.stat() for path in files]
    return tuple((each.st_ino, each.st_mtime_ns) for each in found)
