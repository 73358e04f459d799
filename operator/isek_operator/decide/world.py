"""What decisions may look at: the last known state of the cluster, read only."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from isek.api import Resource

from isek_operator.decide.etcd.view import EtcdView
from isek_operator.decide.outcome import Manifest


class World(Protocol):
    """The last known state of the cluster. All objects are to be treated as frozen."""

    def resource(self, kind: str, namespace: str, name: str) -> Resource | None:
        """A custom resource; None: it is not there (or is being deleted, or does not parse)."""
        ...

    def resources(self, kind: str, namespace: str) -> Iterable[Resource]:
        """The custom resources of a kind in a namespace, oldest first (creation time, then name)."""
        ...

    def referrers(self, kind: str, namespace: str, name: str) -> Iterable[Resource]:
        """The custom resources, of all namespaces, whose specification refers to an object, there or not."""
        ...

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """The labels of a namespace; None: not known, since it is not there or the operator may not see it."""
        ...

    def cluster(self) -> str:
        """A name for the cluster that no other has; empty: not known, since the operator may not see its namespaces."""
        ...

    def upgrades(self) -> Mapping[str, int]:
        """How many workloads, etcds too, are on their way to each version of the operator (:mod:`.upgrade`)."""
        ...

    def children(self, owner_uid: str) -> Iterable[Manifest]:
        """The live objects whose controller is the object of this uid."""
        ...

    def labelled(self, kind: str, namespace: str, label: str, value: str) -> Iterable[Manifest]:
        """The live objects of a core kind with one label (Pod, PersistentVolumeClaim)."""
        ...

    def secret(self, namespace: str, name: str) -> Mapping[str, str | None] | None:
        """The keys of a Secret that a resource refers to, with the values of certificates (base64, as in ``data``).

        None: it is not there.
        """
        ...

    def named(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """A Service or PersistentVolumeClaim of others that a resource names, or a ConfigMap with the code of an agent,
        its values as digests; None: it is not there."""
        ...

    def spec_managers(self, kind: str, namespace: str, name: str) -> frozenset[str]:
        """Who owns fields below ``spec`` of a custom resource (metadata.managedFields, the operator included)."""
        ...

    def etcd(self, namespace: str, name: str) -> EtcdView | None:
        """What the etcd of a mesh said when it was last asked; None: it never was."""
        ...

    def now(self) -> datetime:
        """The time, in UTC."""
        ...
