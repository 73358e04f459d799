"""The one way into the store: what is news makes the objects it concerns due."""

from collections.abc import Callable, Iterable
from typing import Any

from isek.api import GROUP, KINDS, Resource

from isek_operator.decide.outcome import Manifest
from isek_operator.decide.world import World
from isek_operator.keys import Key, controller_of
from isek_operator.kinds import AGENT_LABEL, CUSTOM_KINDS, MESH_LABEL
from isek_operator.queue import WorkQueue
from isek_operator.store import Change, Store

Dependents = Callable[[str, str, str, Resource | None, World], Iterable[tuple[str, str, str]]]
"""Kind, namespace and name of an object, what it was, and the world: whose decisions look at it."""

LABELLED = frozenset({"Pod", "PersistentVolumeClaim"})
"""What is not owned by the custom resource that it concerns, or not always."""
OWNERS = {MESH_LABEL: "IsekMesh", AGENT_LABEL: "IsekAgent"}


class Intake:
    """Puts observations into the store and, once there is work to be done, keys into the queue."""

    def __init__(self, store: Store, queue: WorkQueue, dependents: Dependents) -> None:
        self._store, self._queue, self._dependents = store, queue, dependents
        self._working = False

    def begin(self) -> None:
        """Make every custom resource due, and from now on what news concern. Until then the store alone is kept."""
        self._working = True
        for custom in CUSTOM_KINDS:
            for key in self._store.keys(custom.kind):
                self._queue.add(key)

    def observed(self, manifest: Manifest, author: Key | None = None) -> None:
        """An object is there, as given. ``author``: whose run wrote or read it, and knows it already."""
        self._tell(self._store.put(manifest), author)

    def gone(self, key: Key, version: int) -> None:
        """An object is gone, as of that resource version."""
        self._tell(self._store.drop(key, version=version))

    def listed(self, kind: str, present: Iterable[Key], version: int, namespaces: Iterable[str]) -> None:
        """A kind was listed: what is missing there is gone."""
        for change in self._store.absent(kind, present, version=version, namespaces=namespaces):
            self._tell(change)

    def _tell(self, change: Change | None, author: Key | None = None) -> None:
        if change is None or not self._working:
            return
        for key in self._concerned(change):
            # the answer to a write may hold what others have changed meanwhile, of which its author knows nothing
            if key != author or (key == change.key and _but_status(change.old) != _but_status(change.new)):
                self._queue.add(key)

    def _concerned(self, change: Change) -> Iterable[Key]:
        key = change.key
        if key.kind in KINDS:
            yield key
            if _seen_by_others(change.old) == _seen_by_others(change.new):
                return
        for manifest in (change.old, change.new):
            if manifest is not None and (owner := _owner(manifest)) is not None:
                yield owner
        if key.kind == "Namespace" and _labels(change.old) == _labels(change.new):
            return
        if key.kind in KINDS or key.kind in {"Secret", "Namespace"}:
            yield from (Key(*dependent) for dependent in self._dependents(*key, change.before, self._store))


def _labels(manifest: Manifest | None) -> Any:
    return manifest["metadata"].get("labels") if manifest else None


def _but_status(manifest: Manifest | None) -> Manifest | None:
    """What a write of the status leaves as it is."""
    if manifest is None:
        return None
    metadata = {name: value for name, value in manifest["metadata"].items() if name != "resourceVersion"}
    return {**manifest, "metadata": metadata, "status": None}


def _owner(manifest: Manifest) -> Key | None:
    """The custom resource that an object belongs to."""
    metadata = manifest["metadata"]
    if manifest["kind"] in LABELLED:
        labels = metadata.get("labels") or {}
        named = ((kind, labels[label]) for label, kind in OWNERS.items() if label in labels)
        return next((Key(kind, metadata["namespace"], name) for kind, name in named), None)
    controller = controller_of(manifest)
    if controller is None or not controller["apiVersion"].startswith(f"{GROUP}/"):
        return None
    # by name, not by uid: a successor of the same name waits for its predecessor's children to go
    return Key(controller["kind"], metadata["namespace"], controller["name"])


def _seen_by_others(manifest: Manifest | None) -> Any:
    """What other resources' decisions may look at: not the counts and the wording, which change far more often."""
    if manifest is None:
        return None
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    return (
        metadata["uid"],
        metadata.get("generation"),
        metadata.get("labels"),
        "deletionTimestamp" in metadata,
        [(c["type"], c["status"], c["reason"], c.get("observedGeneration")) for c in status.get("conditions") or ()],
        {name: value for name, value in status.items() if isinstance(value, str | list) and name != "conditions"},
    )
