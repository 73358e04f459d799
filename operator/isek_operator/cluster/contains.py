"""Whether a live object still is what was wished for."""

from typing import Any

from isek_operator.decide.outcome import Manifest

MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ownerReferences": ("uid",),
}
"""By which keys the API server merges the items of a list (``x-kubernetes-list-map-keys``); other lists are atomic."""

WHOLE = frozenset({"NetworkPolicy"})
"""Kinds that have no defaults and whose lists are atomic: what somebody adds to one would let somebody in."""

PORT_KEYS = ("containerPort", "port")
"""``ports`` merge by one of these, and by the protocol."""


def contains(live: Manifest, wish: Manifest) -> bool:
    """Whether every field of ``wish`` has its value in ``live``.

    What ``live`` has beyond it is somebody else's or the API server's default. In lists that merge by keys, items that
    were not wished for are left alone as well; other lists must have the same length.
    """
    if wish.get("kind") in WHOLE and live.get("spec") != wish["spec"]:
        return False
    return all(
        _holds(live.get(name), value, name) for name, value in wish.items() if name not in {"apiVersion", "kind"}
    )


def _holds(live: Any, wish: Any, name: str) -> bool:
    if wish is None:
        return live is None
    if isinstance(wish, dict):
        return isinstance(live, dict) and all(_holds(live.get(key), value, key) for key, value in wish.items())
    if isinstance(wish, list):
        return _list_holds(live if isinstance(live, list) else [], wish, name)
    return bool(live == wish) and isinstance(live, bool) == isinstance(wish, bool)


def _list_holds(live: list[Any], wish: list[Any], name: str) -> bool:
    keys = _merge_keys(wish, name)
    if keys is None:
        return len(live) == len(wish) and all(
            _holds(found, wished, "") for found, wished in zip(live, wish, strict=True)
        )
    by_key = {_identity(item, keys): item for item in live}
    return all(_holds(by_key.get(_identity(item, keys)), item, "") for item in wish)


def _merge_keys(wish: list[Any], name: str) -> tuple[str, ...] | None:
    if name == "ports":
        return next(((key, "protocol") for key in PORT_KEYS if all(key in port for port in wish)), None)
    return MERGE_KEYS.get(name)


def _identity(item: Manifest, keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(item.get(key, "TCP" if key == "protocol" else None) for key in keys)
