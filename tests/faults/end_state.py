"""Everything in a namespace, in a form in which two namespaces with the same history-less state are equal.

What is made up stands there by what it means: a uid as the object that has it, a hash over uids as such, the
fingerprint of a private network key as the Secret that has it.
"""

import json
import re
from base64 import b64decode
from typing import Any

from isek.api import KINDS
from isek.processes.network_key import fingerprints
from isek_operator.manifests.secret import PRIVATE_NETWORK_KEY

from tests.support.kube import Object

NEWS = frozenset({"Event", "Lease"})
MADE_UP = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")
PEER_ID = re.compile("12D3KooW[1-9A-Za-z]{44}")
HASH = re.compile("[0-9a-f]{16}")
"""The value of an annotation of ours that is made from uids, keys or the namespace's name."""

State = dict[str, Any]
"""By ``Kind name``."""


def comparable(objects: list[Object], namespace: str) -> State:
    """Return all objects of a namespace by kind and name."""
    names = {found["metadata"]["uid"]: f"<uid of {_name(found)}>" for found in objects}
    text = json.dumps({_name(found): _plain(found) for found in objects}, sort_keys=True)
    for found in objects:
        names |= _fingerprints(found)
    for made_up, name in names.items():
        text = text.replace(made_up, name)
    state: State = json.loads(PEER_ID.sub("<peer>", text).replace(namespace, "<namespace>"))
    return state


def orphans(objects: list[Object]) -> list[str]:
    """Return what belongs to something that is not there, and what is being deleted."""
    there = {found["metadata"]["uid"] for found in objects}
    return [
        _name(found)
        for found in objects
        if "deletionTimestamp" in found["metadata"]
        or any(owner["uid"] not in there for owner in found["metadata"].get("ownerReferences", ()))
    ]


def difference(left: State, right: State) -> list[str]:
    """Return where two states differ, a line each."""
    return list(_difference("", left, right))


def _difference(path: str, left: Any, right: Any) -> list[str]:
    if isinstance(left, dict) and isinstance(right, dict):
        keys = sorted(left.keys() | right.keys())
        return [line for key in keys for line in _difference(f"{path}/{key}", left.get(key), right.get(key))]
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        pairs = enumerate(zip(left, right, strict=True))
        return [line for index, (a, b) in pairs for line in _difference(f"{path}[{index}]", a, b)]
    return [] if left == right else [f"{path}: {_short(left)} != {_short(right)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 200 else f"{text[:200]}…"


def _name(found: Object) -> str:
    return f"{found['kind']} {found['metadata']['name']}"


def _fingerprints(found: Object) -> dict[str, str]:
    if found["kind"] != "Secret":
        return {}
    keys = b64decode((found.get("data") or {}).get(PRIVATE_NETWORK_KEY, "")).decode()
    return {each: f"<key {number} of {_name(found)}>" for number, each in enumerate(fingerprints(keys))}


def _plain(found: Object) -> Object:
    metadata = found["metadata"]
    kept = {**found, "metadata": {name: value for name, value in metadata.items() if name not in MADE_UP}}
    kept["metadata"]["managers"] = sorted(
        (
            {name: entry.get(name) for name in ("manager", "operation", "subresource", "fieldsV1")}
            for entry in metadata.get("managedFields", ())
        ),
        key=json.dumps,
    )
    if found["kind"] in KINDS:
        kept["metadata"]["generation"] = metadata["generation"]
    if found["kind"] == "Secret" and "ownerReferences" in metadata:
        kept["data"] = sorted(found.get("data", ()))
    if found["kind"] == "Service":
        ports = [{name: value for name, value in each.items() if name != "nodePort"} for each in found["spec"]["ports"]]
        made_up = ("clusterIP", "ports")
        kept["spec"] = {name: value for name, value in found["spec"].items() if not name.startswith(made_up)}
        kept["spec"]["ports"] = ports
    plain: Object = _without_times(kept, metadata.get("generation"))
    return plain


def _without_times(value: Any, generation: int | None) -> Any:
    if isinstance(value, dict):
        return {
            name: "<hash>"
            if name.startswith("isek.io/") and isinstance(item, str) and HASH.fullmatch(item)
            else ("<current>" if item == generation else item)
            if name == "observedGeneration"
            else _without_times(item, generation)
            for name, item in value.items()
            if name not in {"lastTransitionTime", "deletionTimestamp"} or item is None
        }
    if isinstance(value, list):
        return [_without_times(item, generation) for item in value]
    return value
