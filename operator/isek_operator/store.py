"""What the watches and the answers to our own writes have told us: the last known state of the cluster."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from isek.api import KINDS, Resource
from isek.api.schema import explain
from pydantic import ValidationError

from isek_operator.decide.etcd.view import EtcdView
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.references import Referent, referents
from isek_operator.decide.upgrade import upgrading_to
from isek_operator.keys import Key, controller_of, key_of
from isek_operator.slim import digested, public, slim

T = TypeVar("T")

ROLLED_OUT = frozenset({"Deployment", "StatefulSet"})


@dataclass(frozen=True)
class Change:
    """What an observation was news about. ``old`` or ``new`` is None where the object came or went."""

    key: Key
    old: Manifest | None
    new: Manifest | None
    before: Resource | None
    """The custom resource that it was."""


@dataclass(slots=True)
class _Entry:
    manifest: Manifest
    version: int
    age: tuple[str, str]
    """When it was made, and its name: the order in which it counts."""
    parsed: Resource | str | None = field(default=None, repr=False)
    """The model, or why there is none; parsed when it is first asked for."""

    def live(self) -> Resource | None:
        """The custom resource, unless it is being deleted or does not parse."""
        if self.manifest["kind"] not in KINDS:
            return None
        if self.parsed is None:
            self.parsed = _parse(self.manifest)
        if isinstance(self.parsed, str) or self.parsed.metadata.deletion_timestamp is not None:
            return None
        return self.parsed


class Store:
    """Objects by key, by their controller's uid and by what they refer to: the ``World`` that decisions look at.

    An observation older than what is known is passed over, whichever way it came: resource versions of one kind are
    ordered (Kubernetes API concepts, "Resource versions").
    """

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._entries: dict[Key, _Entry] = {}
        self._children: dict[str, dict[Key, None]] = {}
        self._referrers: dict[Referent, dict[Key, None]] = {}
        self._order: dict[tuple[str, str], list[_Entry]] = {}
        """By kind and namespace, the oldest first."""
        self._upgrading: dict[str, set[Key]] = {}
        """By version of the operator, the Deployments and StatefulSets that are on their way to it."""
        self._beginning: dict[Key, str] = {}
        self._gone: dict[Key, int] = {}
        """The version at which an object was last seen to be gone."""
        self._read_secrets: dict[tuple[str, str], Mapping[str, str | None] | None] = {}
        self._read: dict[Key, Manifest | None] = {}
        self._etcds: dict[tuple[str, str], EtcdView] = {}

    # --- what is observed -------------------------------------------------------------------------------------------

    def put(self, manifest: Manifest) -> Change | None:
        """Take in an object as the API server gave it; None: nothing new."""
        key, version = key_of(manifest), int(manifest["metadata"]["resourceVersion"])
        old = self._entries.get(key)
        if (old.version if old else self._gone.get(key, 0)) >= version:
            return None
        entry = _Entry(slim(manifest), version, (manifest["metadata"].get("creationTimestamp", ""), key.name))
        if old is not None:
            self._unlink(key, old)
        self._entries[key] = entry
        self._link(key, entry)
        self._gone.pop(key, None)
        return Change(key, old.manifest if old else None, entry.manifest, old.live() if old else None)

    def drop(self, key: Key, *, version: int) -> Change | None:
        """The object was gone at that resource version; None: no news, or there is a newer one of that name."""
        old = self._entries.get(key)
        if old is not None and old.version > version:
            return None
        self._gone[key] = max(version, self._gone.get(key, 0))
        if old is None:
            return None
        del self._entries[key]
        self._unlink(key, old)
        return Change(key, old.manifest, None, old.live())

    def absent(self, kind: str, present: Iterable[Key], *, version: int, namespaces: Iterable[str]) -> list[Change]:
        """Drop what a LIST at that resource version did not hold.

        Args:
            kind: the kind that was listed.
            present: all that it held.
            version: the resource version of the list.
            namespaces: where it was listed; empty: in all.
        """
        listed, only = set(present), set(namespaces)
        missing = [key for key in self.keys(kind) if key not in listed and (not only or key.namespace in only)]
        changes = [self.drop(key, version=version) for key in missing]
        # tombstones only guard against answers and events that cross; those of before the list are through by now
        self._gone = {key: at for key, at in self._gone.items() if key.kind != kind or at >= version}
        return [change for change in changes if change is not None]

    def put_read_secret(self, namespace: str, name: str, data: Mapping[str, str | None] | None) -> None:
        """Remember what anybody may know of a Secret that was read by its name; None: it was not there."""
        self._read_secrets[namespace, name] = None if data is None else public(data)

    def keep_read_secrets(self, referenced: Container[tuple[str, str]]) -> None:
        """Forget the Secrets read by name that are not among these namespaces and names."""
        self._read_secrets = {key: keys for key, keys in self._read_secrets.items() if key in referenced}

    @contextmanager
    def beginning_upgrade(self, key: Key, revision: str) -> Iterator[None]:
        """Count a custom resource among the upgrades while its Deployment or StatefulSet is being written."""
        self._beginning[key] = revision
        try:
            yield
        finally:
            del self._beginning[key]

    def put_etcd(self, namespace: str, name: str, view: EtcdView | None) -> None:
        """Remember what the etcd of a mesh says; None: forget it."""
        if view is None:
            self._etcds.pop((namespace, name), None)
        else:
            self._etcds[namespace, name] = view

    def put_read(self, key: Key, manifest: Manifest | None) -> None:
        """Remember an object of others that was read by its name; None: it was not there."""
        self._read[key] = None if manifest is None else digested(slim(manifest))

    def keep_read(self, kind: str, named: Container[tuple[str, str]]) -> None:
        """Forget the objects of a kind, read by name, that are not among these namespaces and names."""
        self._read = {key: found for key, found in self._read.items() if key.kind != kind or key[1:] in named}

    # --- what is asked by key ---------------------------------------------------------------------------------------

    def get(self, key: Key) -> Manifest | None:
        """The object; to be treated as frozen."""
        entry = self._entries.get(key)
        return entry.manifest if entry else None

    def keys(self, kind: str) -> Iterator[Key]:
        """The keys of all objects of a kind."""
        for (of_kind, namespace), order in self._order.items():
            if of_kind == kind:
                yield from (Key(kind, namespace, entry.age[1]) for entry in order)

    def count(self, kind: str) -> int:
        """How many objects of the kind are known."""
        return sum(len(order) for (of_kind, _), order in self._order.items() if of_kind == kind)

    def parsed(self, key: Key) -> Resource | str | None:
        """The custom resource; or, as text, why it does not parse; None: it is not there."""
        entry = self._entries.get(key)
        return (entry.live() or entry.parsed) if entry else None

    # --- World ------------------------------------------------------------------------------------------------------

    def resource(self, kind: str, namespace: str, name: str) -> Resource | None:
        """A custom resource; None: it is not there (or is being deleted, or does not parse)."""
        entry = self._entries.get(Key(kind, namespace, name))
        return entry.live() if entry else None

    def resources(self, kind: str, namespace: str) -> Iterator[Resource]:
        """The custom resources of a kind in a namespace, oldest first (creation time, then name)."""
        for entry in tuple(self._order.get((kind, namespace), ())):
            if (resource := entry.live()) is not None:
                yield resource

    def referrers(self, kind: str, namespace: str, name: str) -> Iterator[Resource]:
        """The custom resources, of all namespaces, whose specification refers to an object, there or not."""
        for key in tuple(self._referrers.get((kind, namespace, name), ())):
            if (resource := self._entries[key].live()) is not None:
                yield resource

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """The labels of a namespace; None: not known, since it is not there or the operator may not see it."""
        manifest = self.get(Key("Namespace", "", namespace))
        return (manifest["metadata"].get("labels") or {}) if manifest else None

    def cluster(self) -> str:
        """A name for the cluster that no other has; empty: not known, since the operator may not see its namespaces."""
        manifest = self.get(Key("Namespace", "", "kube-system"))
        return str(manifest["metadata"]["uid"])[:8] if manifest else ""

    def children(self, owner_uid: str) -> list[Manifest]:
        """The live objects whose controller is the object of this uid."""
        return [self._entries[key].manifest for key in self._children.get(owner_uid, ())]

    def labelled(self, kind: str, namespace: str, label: str, value: str) -> Iterator[Manifest]:
        """The live objects of a core kind with one label (Pod, PersistentVolumeClaim)."""
        for entry in tuple(self._order.get((kind, namespace), ())):
            if entry.manifest["metadata"].get("labels", {}).get(label) == value:
                yield entry.manifest

    def upgrades(self) -> Mapping[str, int]:
        """How many Deployments and StatefulSets are on their way to each version of the operator."""
        counts = Counter(self._beginning.values())
        counts.update({revision: len(keys) for revision, keys in self._upgrading.items()})
        return counts

    def secret(self, namespace: str, name: str) -> Mapping[str, str | None] | None:
        """The keys of a Secret that a resource refers to, with the values of certificates; None: it is not there."""
        watched = self._entries.get(Key("Secret", namespace, name))
        if watched is not None:
            data: Mapping[str, str | None] = watched.manifest["data"]
            return data
        return self._read_secrets.get((namespace, name))

    def named(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """A Service or PersistentVolumeClaim of others that a resource names; None: it is not there."""
        key = Key(kind, namespace, name)
        return self.get(key) or self._read.get(key)

    def spec_managers(self, kind: str, namespace: str, name: str) -> frozenset[str]:
        """Who owns fields below ``spec`` of a custom resource (metadata.managedFields, the operator included)."""
        manifest = self.get(Key(kind, namespace, name))
        return frozenset(manifest["metadata"]["specManagers"]) if manifest else frozenset()

    def etcd(self, namespace: str, name: str) -> EtcdView | None:
        """What the etcd of a mesh said when it was last asked; None: it never was."""
        return self._etcds.get((namespace, name))

    def now(self) -> datetime:
        """The time."""
        return self._clock()

    # --- indexes ----------------------------------------------------------------------------------------------------

    def _link(self, key: Key, entry: _Entry) -> None:
        insort(self._order.setdefault((key.kind, key.namespace), []), entry, key=_age)
        if (controller := controller_of(entry.manifest)) is not None:
            self._children.setdefault(controller["uid"], {})[key] = None
        if (resource := entry.live()) is not None:
            for referent in referents(resource):
                self._referrers.setdefault(referent, {})[key] = None
        if key.kind in ROLLED_OUT and (revision := upgrading_to(entry.manifest)) is not None:
            self._upgrading.setdefault(revision, set()).add(key)

    def _unlink(self, key: Key, entry: _Entry) -> None:
        order = self._order[key.kind, key.namespace]
        del order[bisect_left(order, entry.age, key=_age)]
        if not order:
            del self._order[key.kind, key.namespace]
        if (controller := controller_of(entry.manifest)) is not None:
            _leave(self._children, controller["uid"], key)
        if (resource := entry.live()) is not None:
            for referent in set(referents(resource)):
                _leave(self._referrers, referent, key)
        if key.kind in ROLLED_OUT and (revision := upgrading_to(entry.manifest)) is not None:
            self._upgrading[revision].discard(key)


def _leave(index: dict[T, dict[Key, None]], entry: T, key: Key) -> None:
    del index[entry][key]
    if not index[entry]:
        del index[entry]


def _age(entry: _Entry) -> tuple[str, str]:
    return entry.age


def _parse(manifest: Manifest) -> Resource | str:
    try:
        return KINDS[manifest["kind"]].model_validate(manifest)
    except ValidationError as error:
        return "; ".join(explain(error))
