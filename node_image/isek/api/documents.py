"""Reads objects from YAML: what a user applies, what ``isek up`` starts and what a node hosts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from isek.api import API_VERSION, GROUP, KINDS, Resource
from isek.api.schema import explain


class DocumentError(ValueError):
    """A YAML document that cannot be used. The message names the file, the object and each field, one a line."""


@dataclass(frozen=True)
class Document:
    """One object of a YAML stream that is none of ours, such as a Secret or a Namespace."""

    source: str
    manifest: dict[str, Any]

    def is_core(self, kind: str) -> bool:
        """Whether it is an object of that kind of the core API, v1."""
        return (self.manifest.get("apiVersion"), self.manifest.get("kind")) == ("v1", kind)


def load(paths: Iterable[Path], *, namespace: str = "default") -> list[Resource | Document]:
    """The objects in the files, and in the ``*.yaml`` and ``*.yml`` of the folders, in the order of their names.

    Objects that name no namespace get ``namespace``, as kubectl does it.

    Raises:
        DocumentError: something cannot be read or breaks its schema; all that is wrong is said at once.
    """
    loaded: list[Resource | Document] = []
    problems: list[str] = []
    for path in _files(paths):
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{path}: cannot be read: {error}")
            continue
        try:
            loaded += parse(text, source=str(path), namespace=namespace)
        except DocumentError as error:
            problems.append(str(error))
    if problems:
        raise DocumentError("\n".join(problems))
    return loaded


def parse(text: str, *, source: str, namespace: str = "default") -> list[Resource | Document]:
    """The objects of one YAML stream. ``source`` names it in errors.

    Raises:
        DocumentError: as :func:`load`.
    """
    try:
        manifests = [manifest for manifest in yaml.safe_load_all(text) if manifest is not None]
    except yaml.YAMLError as error:
        raise DocumentError(f"{source}: not YAML: {' '.join(str(error).split())}") from None
    parsed: list[Resource | Document] = []
    problems: list[str] = []
    for number, manifest in enumerate(_flattened(manifests), start=1):
        try:
            parsed.append(_object(manifest, source, number, namespace))
        except DocumentError as error:
            problems.append(str(error))
    if problems:
        raise DocumentError("\n".join(problems))
    return parsed


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.exists():
            raise DocumentError(f"{path}: no such file or folder")
        if not path.is_dir():
            yield path
            continue
        found = sorted(entry for entry in path.iterdir() if entry.suffix in {".yaml", ".yml"})
        if not found:
            raise DocumentError(f"{path}: holds neither .yaml nor .py files")
        yield from found


def _flattened(manifests: Iterable[Any]) -> Iterator[Any]:
    for manifest in manifests:
        if isinstance(manifest, list):
            yield from manifest
        elif isinstance(manifest, dict) and manifest.get("kind") == "List":
            yield from manifest.get("items") or ()
        else:
            yield manifest


def _object(manifest: Any, source: str, number: int, namespace: str) -> Resource | Document:
    if not isinstance(manifest, dict) or not isinstance(manifest.get("kind"), str):
        raise DocumentError(
            f"{source}: document {number}: no Kubernetes object; it needs apiVersion, kind and metadata"
        )
    api_version, kind = str(manifest.get("apiVersion", "")), manifest["kind"]
    if api_version.partition("/")[0] != GROUP:
        return Document(source, manifest)
    where = f"{source}: {kind} {(manifest.get('metadata') or {}).get('name', f'in document {number}')}"
    if kind not in KINDS:
        raise DocumentError(f"{where}: no such kind; there are {', '.join(KINDS)}")
    if api_version != API_VERSION:
        raise DocumentError(f"{where}: apiVersion {api_version} is not known; use {API_VERSION}")
    known = {key: value for key, value in manifest.items() if key in {"metadata", "spec"}}
    if isinstance(known.get("metadata"), dict):
        known["metadata"] = {"namespace": namespace, **known["metadata"]}
    try:
        return KINDS[kind].model_validate(known)
    except ValidationError as error:
        raise DocumentError("\n".join(f"{where}: {line}" for line in explain(error))) from None
