"""What a registry stands on: a store of keys that live as long as their lease, and that can be watched."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Protocol


class StoreUnavailableError(Exception):
    """The store cannot be reached or cannot decide now; to be tried again."""


class LeaseNotFoundError(Exception):
    """The lease has run out, or belonged to a store that is no more."""


class HistoryLostError(Exception):
    """A watch cannot go on from where it was: list again."""


@dataclass(frozen=True)
class Position:
    """Where in which history: revisions count the changes of one cluster."""

    cluster_id: int
    revision: int

    def continues(self, earlier: "Position") -> bool:
        """Whether it is the same history, and has not gone back."""
        return self.cluster_id == earlier.cluster_id and self.revision >= earlier.revision


@dataclass(frozen=True)
class Listing:
    """All keys below a prefix at one moment."""

    position: Position
    items: Mapping[str, bytes]


@dataclass(frozen=True)
class Changes:
    """What happened until ``position``, in its order; ``None``: the key was deleted, or its lease ran out."""

    position: Position
    items: tuple[tuple[str, bytes | None], ...] = ()
    missed: bool = False
    """They happened before the watch began."""


class Store(Protocol):
    """A store with leases; what etcd, the center registry and the one in process have in common.

    Every call raises ``StoreUnavailableError`` when the store does not answer in a few seconds.
    """

    async def grant(self, ttl_seconds: int) -> int:
        """A new lease, and its id."""
        ...

    async def keep_alive(self, lease: int) -> None:
        """Renew a lease for its whole time.

        Raises:
            LeaseNotFoundError: it has run out.
        """
        ...

    async def revoke(self, lease: int) -> None:
        """End a lease, and with it its keys; one that is gone already is no error."""
        ...

    async def put(self, key: str, value: bytes, lease: int) -> None:
        """Write a key that goes with its lease.

        Raises:
            LeaseNotFoundError: the lease has run out.
        """
        ...

    async def create(self, key: str, value: bytes, lease: int) -> bool:
        """Write a key that goes with its lease, if there is none yet; whether it is there with this value now.

        Raises:
            LeaseNotFoundError: the lease has run out.
        """
        ...

    async def list(self, prefix: str) -> Listing:
        """All keys below a prefix."""
        ...

    def watch(self, prefix: str, after: int) -> AsyncGenerator[Changes, None]:
        """What changes below a prefix after a revision, until the caller stops. The first item only says that it began.

        Raises:
            HistoryLostError: the store no longer knows what happened since then.
        """
        ...

    async def close(self) -> None:
        """Free the connections."""
        ...
