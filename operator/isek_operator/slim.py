"""What is kept in memory of an object."""

import hashlib
import sys
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import orjson
from isek.api import KINDS
from isek.processes.network_key import fingerprints

from isek_operator.decide.outcome import Manifest
from isek_operator.manifests.secret import GIVEN_NETWORK_KEY, PRIVATE_NETWORK_KEY

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
KEPT_STATUS = frozenset({"Deployment", "PersistentVolumeClaim", "Service", "StatefulSet", *KINDS})
METADATA_ONLY = frozenset({"Namespace"})
POD_STATUS = ("phase", "conditions", "initContainerStatuses", "containerStatuses", "podIP")
PUBLIC = (".crt", ".peer-id")
"""Values of Secrets under keys that end like these are certificates and names of peers: anybody may know them."""
FINGERPRINTED = frozenset({PRIVATE_NETWORK_KEY, GIVEN_NETWORK_KEY})
"""Values of Secrets under these keys are the keys of private networks; the fingerprints take their place."""
SHARED_LENGTH = 128
"""Strings up to this length are kept once: names of fields, labels, images come back in every object."""
MOST_PARTS, LARGEST_PART = 4096, 1024
_parts: dict[bytes, Any] = {}
"""Parts of objects by their JSON. They are frozen, as the objects are, and so can be kept once."""


def slim(manifest: Manifest) -> Manifest:
    """The object without what nobody asks for: managed fields, what kubectl keeps for itself, and Secrets' values.

    Of a Secret, ``data`` keeps what is ``public``. Of a Pod, little more than how it is. Of a
    custom resource, ``metadata.specManagers`` takes the place of the managed fields: the names of those who own a part
    of its ``spec``.
    """
    kind = manifest["kind"]
    kept: Manifest = {"apiVersion": manifest["apiVersion"], "kind": kind, "metadata": _metadata(manifest["metadata"])}
    if kind in KINDS:
        kept["metadata"]["specManagers"] = spec_managers(manifest)
    if kind == "Secret":
        kept["data"] = public(manifest.get("data") or {})
        kept["type"] = manifest.get("type", "Opaque")
    elif kind == "Pod":
        status = manifest.get("status") or {}
        kept["status"] = {field: status[field] for field in POD_STATUS if field in status}
    elif kind not in METADATA_ONLY:
        left_out = {"apiVersion", "kind", "metadata"} | (set() if kind in KEPT_STATUS else {"status"})
        kept |= {field: value for field, value in manifest.items() if field not in left_out}
    shared: Manifest = _shared(kept)
    return shared


def public(data: Mapping[str, str | None]) -> dict[str, str | None]:
    """The keys of a Secret, with certificates, names of peers, and the fingerprints of private network keys."""
    return {name: _public(name, value) for name, value in data.items()}


def _public(name: str, value: str | None) -> str | None:
    if name in FINGERPRINTED:
        return " ".join(fingerprints(b64decode(value or "").decode(errors="replace")))
    return value if name.endswith(PUBLIC) else None


def digested(manifest: Manifest) -> Manifest:
    """A ConfigMap with digests of its values in their place; of others, the object itself."""
    if manifest["kind"] != "ConfigMap":
        return manifest
    values = {**(manifest.get("data") or {}), **(manifest.get("binaryData") or {})}
    digests = {name: hashlib.sha256(value.encode()).hexdigest()[:16] for name, value in values.items()}
    return {name: manifest[name] for name in ("apiVersion", "kind", "metadata")} | {"data": digests}


def spec_managers(manifest: Manifest) -> list[str]:
    """Who owns a part of the object's ``spec`` (Kubernetes, Server-Side Apply, Field management)."""
    return sorted(
        {
            entry["manager"]
            for entry in manifest["metadata"].get("managedFields") or ()
            if "subresource" not in entry and "f:spec" in entry.get("fieldsV1", {})
        }
    )


def _metadata(metadata: Manifest) -> Manifest:
    kept = {field: value for field, value in metadata.items() if field != "managedFields"}
    if LAST_APPLIED in (annotations := kept.get("annotations") or {}):
        kept["annotations"] = {name: value for name, value in annotations.items() if name != LAST_APPLIED}
    return kept


def _shared(value: Any) -> Any:
    """The same value, made of what other objects are made of: of a thousand Deployments most parts are equal."""
    if isinstance(value, str):
        return sys.intern(value) if len(value) <= SHARED_LENGTH else value
    if not isinstance(value, (dict, list)):
        return value
    text = orjson.dumps(value)
    if (known := _parts.get(text)) is not None:
        return known
    made: Any = (
        {sys.intern(name): _shared(item) for name, item in value.items()}
        if isinstance(value, dict)
        else [_shared(item) for item in value]
    )
    if len(text) <= LARGEST_PART:
        if len(_parts) >= MOST_PARTS:
            _parts.clear()  # what is in use stays where it is used
        _parts[text] = made
    return made
