"""The documents of a folder as the world that decisions look at: nothing has been made yet."""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from isek.api import IsekMesh, Resource
from isek.api.documents import Document, DocumentError
from isek.api.fields import Namespace, ObjectName
from isek.api.mesh import Etcd
from isek.processes.network_key import fingerprints
from pydantic import TypeAdapter, ValidationError

from isek_operator.decide.etcd.view import EtcdView
from isek_operator.decide.outcome import Manifest
from isek_operator.decide.references import referents
from isek_operator.local.code import CodeFiles, ConfigMaps
from isek_operator.manifests.secret import (
    GIVEN_NETWORK_KEY,
    certificate_secret,
    etcd_client_secret_name,
    private_network_data_key,
    private_network_secret,
)

SecretName = tuple[str, str]
"""Namespace and name."""

NAME_LABEL = "kubernetes.io/metadata.name"
MADE = "made"
"""In the place of the fingerprint of a key that is made with the processes."""

_LABELLED: TypeAdapter[tuple[str, dict[str, str]]] = TypeAdapter(tuple[Namespace, dict[str, str]])
_PLACE: TypeAdapter[SecretName] = TypeAdapter(tuple[Namespace, ObjectName])


class LocalWorld:
    """Resources, Secrets, ConfigMaps, Namespaces, and of the objects that an operator makes the keys of meshes only."""

    def __init__(
        self,
        resources: Iterable[Resource],
        secrets: Mapping[SecretName, Mapping[str, bytes]],
        namespaces: Mapping[str, Mapping[str, str]],
        config_maps: ConfigMaps,
    ) -> None:
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self._secrets, self._namespaces, self._config_maps = secrets, namespaces, config_maps
        for resource in resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        """Take in one more.

        Raises:
            DocumentError: it is there already.
        """
        key = (resource.kind, resource.namespace, resource.name)
        if key in self._resources:
            raise DocumentError(
                f"{resource.kind} {resource.name}: stands twice in namespace {resource.namespace!r}; remove one"
            )
        uid = "/".join(key)
        changes: dict[str, object] = {"metadata": resource.metadata.model_copy(update={"uid": uid})}
        if isinstance(resource, IsekMesh):  # a registry process stands in for its etcd, whichever it is
            changes["spec"] = resource.spec.model_copy(update={"etcd": Etcd()})
        self._resources[key] = resource.model_copy(update=changes)

    def all(self) -> list[Resource]:
        """Every resource."""
        return list(self._resources.values())

    def upgrades(self) -> Mapping[str, int]:
        """As in ``World``."""
        return {}

    def resource(self, kind: str, namespace: str, name: str) -> Resource | None:
        """As in ``World``."""
        return self._resources.get((kind, namespace, name))

    def resources(self, kind: str, namespace: str) -> Iterable[Resource]:
        """As in ``World``."""
        found = (each for each in self._resources.values() if (each.kind, each.namespace) == (kind, namespace))
        return sorted(found, key=lambda each: each.name)

    def referrers(self, kind: str, namespace: str, name: str) -> Iterable[Resource]:
        """As in ``World``."""
        return [each for each in self._resources.values() if (kind, namespace, name) in referents(each)]

    def cluster(self) -> str:
        """As in ``World``: there is none."""
        return ""

    def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """As in ``World``; one that no file holds has the label that the API server gives to all of them."""
        return {NAME_LABEL: namespace, **self._namespaces.get(namespace, {})}

    def children(self, owner_uid: str) -> Iterable[Manifest]:
        """The Secrets of a mesh that nodes wait for; else none: processes are no objects."""
        for mesh in self._resources.values():
            if isinstance(mesh, IsekMesh) and mesh.metadata.uid == owner_uid:
                client = certificate_secret(mesh, etcd_client_secret_name(mesh))
                network_key = {private_network_data_key(mesh): MADE}
                for secret, data in ((private_network_secret(mesh).manifest, network_key), (client, {})):
                    yield {**secret, "metadata": {**secret["metadata"], "uid": owner_uid}, "data": data}

    def labelled(self, kind: str, namespace: str, label: str, value: str) -> Iterable[Manifest]:
        """None, for the same reason."""
        return ()

    def secret(self, namespace: str, name: str) -> Mapping[str, str | None] | None:
        """As in ``World``, without certificates: no decision about processes looks at one."""
        secret = self._secrets.get((namespace, name))
        return None if secret is None else {key: _fingerprints(key, value) for key, value in secret.items()}

    def named(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """Nothing leads anywhere by a Service on one machine; every volume claim is there, since none is needed.

        Of a ConfigMap there are the keys alone: processes know otherwise when code has changed.
        """
        if kind == "ConfigMap":
            files = self._config_maps.get((namespace, name))
            return None if files is None else {"data": dict.fromkeys(files.names(), "")}
        return {} if kind == "PersistentVolumeClaim" else None

    def spec_managers(self, kind: str, namespace: str, name: str) -> frozenset[str]:
        """Nobody: files have no field managers."""
        return frozenset()

    def etcd(self, namespace: str, name: str) -> EtcdView | None:
        """None: discovery is a registry process."""
        return None

    def now(self) -> datetime:
        """As in ``World``."""
        return datetime.now(UTC)


def _fingerprints(key: str, value: bytes) -> str | None:
    return " ".join(fingerprints(value.decode(errors="replace"))) if key == GIVEN_NETWORK_KEY else None


def read_namespaces(documents: Iterable[Document]) -> dict[str, dict[str, str]]:
    """The labels of the core/v1 Namespaces among the documents.

    Raises:
        DocumentError: one has no name, or labels that are no text.
    """
    labels: dict[str, dict[str, str]] = {}
    for document in documents:
        manifest = document.manifest
        if not document.is_core("Namespace"):
            continue
        metadata = manifest.get("metadata") or {}
        try:
            name, given = _LABELLED.validate_python((metadata.get("name"), metadata.get("labels") or {}))
        except ValidationError:
            raise DocumentError(f"{document.source}: Namespace: metadata: needs a valid name and labels") from None
        labels[name] = given
    return labels


def read_secrets(documents: Iterable[Document], namespace: str) -> dict[SecretName, dict[str, bytes]]:
    """The core/v1 Secrets among the documents.

    Raises:
        DocumentError: one has no name, or a value that is not base64.
    """
    secrets: dict[SecretName, dict[str, bytes]] = {}
    for document in documents:
        if not document.is_core("Secret"):
            continue
        manifest = document.manifest
        home, name = _place(document, namespace)
        values: dict[str, bytes] = {}
        for key, value in (manifest.get("data") or {}).items():
            try:
                values[key] = base64.b64decode(value, validate=True)
            except (binascii.Error, TypeError, ValueError):
                raise DocumentError(f"{document.source}: Secret {name}: data.{key}: is not base64") from None
        values |= {key: str(value).encode() for key, value in (manifest.get("stringData") or {}).items()}
        _check_keys(document, values)
        secrets[home, name] = values
    return secrets


def read_config_maps(documents: Iterable[Document], namespace: str) -> ConfigMaps:
    """The core/v1 ConfigMaps among the documents.

    Raises:
        DocumentError: one has no name, or a value that is no text.
    """
    found: ConfigMaps = {}
    for document in documents:
        if not document.is_core("ConfigMap"):
            continue
        place = _place(document, namespace)
        data = document.manifest.get("data") or {}
        if not all(isinstance(value, str) for value in data.values()):
            raise DocumentError(f"{document.source}: ConfigMap {place[1]}: data: values are texts")
        _check_keys(document, data)
        found[place] = CodeFiles(hashlib.sha256(repr(sorted(data.items())).encode()).hexdigest(), data=data)
    return found


def _place(document: Document, namespace: str) -> tuple[str, str]:
    metadata = document.manifest.get("metadata") or {}
    try:
        return _PLACE.validate_python((metadata.get("namespace") or namespace, metadata.get("name")))
    except ValidationError:
        what = f"{document.source}: {document.manifest['kind']}"
        raise DocumentError(f"{what}: metadata: needs a valid name and namespace") from None


def _check_keys(document: Document, keys: Iterable[str]) -> None:
    if any("/" in key or key.startswith(".") for key in keys):
        kind, name = document.manifest["kind"], document.manifest["metadata"]["name"]
        raise DocumentError(f"{document.source}: {kind} {name}: data: keys are letters, digits, -, _ and .")
