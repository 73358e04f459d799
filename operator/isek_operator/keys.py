"""How objects are told apart."""

from typing import Any, NamedTuple


class Key(NamedTuple):
    """One object; ``namespace`` is empty where its kind has none."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def key_of(manifest: dict[str, Any]) -> Key:
    """The key of an object as the API server gives it."""
    metadata = manifest["metadata"]
    return Key(manifest["kind"], metadata.get("namespace", ""), metadata["name"])


def controller_of(manifest: dict[str, Any]) -> dict[str, Any] | None:
    """The owner reference that says ``controller: true`` (Kubernetes, Owners and Dependents)."""
    return next((ref for ref in manifest["metadata"].get("ownerReferences") or () if ref.get("controller")), None)
