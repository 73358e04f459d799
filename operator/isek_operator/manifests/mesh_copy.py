"""The Secret with copies of what pods mount of a mesh that lives in another namespace."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from isek.api import Resource

from isek_operator.decide.outcome import Copied, GeneratedSecret, Manifest
from isek_operator.decide.workload import Workload
from isek_operator.manifests.meta import child_meta, workload_name
from isek_operator.manifests.secret import WATCH_LABEL

COPIED_FROM = "isek.io/copied-from"
"""Annotation of a copy: stands for the versions of the Secrets that it was made from."""


@dataclass(frozen=True)
class Source:
    """A Secret of the mesh that pods mount."""

    namespace: str
    name: str
    version: str
    """Another one whenever it is made anew or changed."""
    keys: tuple[str, ...]

    @classmethod
    def of(cls, secret: Manifest, keys: tuple[str, ...]) -> Self:
        """A Secret that the operator has made."""
        metadata = secret["metadata"]
        version = f"{metadata['uid']}/{metadata.get('resourceVersion')}"
        return cls(metadata["namespace"], metadata["name"], version, keys)


def mesh_copy_name(user: Resource) -> str:
    """The one Secret that holds all that the pods of ``user`` need."""
    return f"{workload_name(user)}-mesh"


def mounted_secret(workload: Workload, secret: str) -> str:
    """Where the pods of ``workload`` find what the Secret of their mesh holds: in it, or in their copy."""
    return secret if workload.mesh.namespace == workload.namespace else mesh_copy_name(workload.owner)


def mesh_copy(user: Resource, sources: Sequence[Source], live: Manifest | None) -> GeneratedSecret:
    """The copy; it is written anew where the ``live`` one was made from other sources, or misses something.

    It belongs to the workload and not to the mesh: owners of other namespaces do not count (Kubernetes, Owners and
    Dependents), and it is not to outlive the workload.
    """
    metadata = child_meta(user, mesh_copy_name(user))
    metadata["labels"][WATCH_LABEL] = "true"
    metadata["annotations"] = {COPIED_FROM: _versions(sources)}
    return GeneratedSecret(
        manifest={"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"},
        content=Copied(tuple((source.namespace, source.name, key) for source in sources for key in source.keys)),
        renew=live is not None and not _is_current(live, sources),
    )


def _is_current(live: Manifest, sources: Sequence[Source]) -> bool:
    copied_from = (live["metadata"].get("annotations") or {}).get(COPIED_FROM)
    keys = {key for source in sources for key in source.keys}
    return copied_from == _versions(sources) and live["data"].keys() == keys


def _versions(sources: Sequence[Source]) -> str:
    return hashlib.sha256(json.dumps([source.version for source in sources]).encode()).hexdigest()[:16]
