"""The Lease (coordination.k8s.io/v1) that the active operator holds."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from isek_operator.cluster.client import Client
from isek_operator.decide.outcome import Manifest
from isek_operator.kinds import LEASE


@dataclass(frozen=True)
class Tenure:
    """Who holds a Lease and since when (LeaseSpec). The times are for people: clocks of two machines differ."""

    holder: str
    """Empty: nobody, the last one has released it."""
    duration_seconds: int
    """For how long after its last renewal nobody else may take it."""
    acquired: datetime | None
    renewed: datetime | None
    transitions: int
    """How often it went from one holder to another."""

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """What a Lease says; all of its fields are optional."""
        spec = manifest.get("spec") or {}
        return cls(
            holder=spec.get("holderIdentity") or "",
            duration_seconds=spec.get("leaseDurationSeconds") or 0,
            acquired=_moment(spec.get("acquireTime")),
            renewed=_moment(spec.get("renewTime")),
            transitions=spec.get("leaseTransitions") or 0,
        )

    def spec(self) -> dict[str, Any]:
        """The LeaseSpec."""
        return {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self.duration_seconds,
            "acquireTime": _micro_time(self.acquired),
            "renewTime": _micro_time(self.renewed),
            "leaseTransitions": self.transitions,
        }

    def taken_by(self, identity: str, *, duration_seconds: int, now: datetime) -> "Tenure":
        """The tenure of a new holder."""
        return Tenure(identity, duration_seconds, acquired=now, renewed=now, transitions=self.transitions + 1)

    def renewed_at(self, now: datetime) -> "Tenure":
        """The same holder's, for longer."""
        return replace(self, renewed=now)

    def released(self, now: datetime) -> "Tenure":
        """Nobody's: the next one need not wait."""
        return replace(self, holder="", duration_seconds=1, renewed=now)


@dataclass(frozen=True)
class SeenLease:
    """A Lease as the API server gave it."""

    manifest: Manifest

    @property
    def tenure(self) -> Tenure:
        """What it says."""
        return Tenure.of(self.manifest)


class Lease:
    """One Lease. Every method raises the errors of :mod:`.errors`."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self._client, self.namespace, self.name = client, namespace, name

    def __str__(self) -> str:
        return f"Lease {self.namespace}/{self.name}"

    async def read(self) -> SeenLease | None:
        """The Lease as it is; None: there is none."""
        manifest = await self._client.get(LEASE, self.namespace, self.name)
        return None if manifest is None else SeenLease(manifest)

    async def create(self, tenure: Tenure) -> SeenLease:
        """Make it. ConflictError: somebody was faster."""
        metadata = {"name": self.name, "namespace": self.namespace}
        manifest = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": tenure.spec()}
        return SeenLease(await self._client.create(LEASE, manifest))

    async def write(self, seen: SeenLease, tenure: Tenure) -> SeenLease:
        """Change the Lease that was seen. ConflictError: it is not as it was seen any more."""
        return SeenLease(await self._client.replace(LEASE, {**seen.manifest, "spec": tenure.spec()}))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _micro_time(moment: datetime | None) -> str | None:
    """``metav1.MicroTime``: RFC 3339 in UTC, microseconds."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
