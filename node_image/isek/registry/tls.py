"""The certificates of a connection to etcd, as files that may change while they are used."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from isek.registry.store import StoreUnavailableError


@dataclass(frozen=True)
class TlsFiles:
    """Where PEM files lie."""

    ca: Path
    """The certificates of the authorities that the other side's is checked against."""
    certificate: Path | None = None
    """The own certificate; None: none is shown."""
    key: Path | None = None
    """Its private key."""

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """Under the names that they have in a Secret of cert-manager's."""
        return cls(folder / "ca.crt", folder / "tls.crt", folder / "tls.key")

    def version(self) -> tuple[tuple[int, int], ...]:
        """Another one whenever a file was written or replaced.

        Raises:
            StoreUnavailableError: a file is not there.
        """
        try:
            found = [path.stat() for path in (self.ca, self.certificate, self.key) if path]
        except OSError as error:
            raise _unreadable(error) from None
        return tuple((each.st_ino, each.st_mtime_ns) for each in found)

    def read(self) -> tuple[bytes, bytes | None, bytes | None]:
        """Authorities, own certificate, its key.

        Raises:
            StoreUnavailableError: a file cannot be read.
        """
        try:
            own = [path.read_bytes() if path else None for path in (self.certificate, self.key)]
            return self.ca.read_bytes(), own[0], own[1]
        except OSError as error:
            raise _unreadable(error) from None


def _unreadable(error: OSError) -> StoreUnavailableError:
    return StoreUnavailableError(f"the certificates for etcd cannot be read: {error.filename}: {error.strerror}")
