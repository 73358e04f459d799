"""All objects of a kind, as a watch tells them."""

from collections.abc import Callable

from tests.support.kube import KubeClient, Object


class Watched:
    """The objects of a kind in all namespaces, by namespace and name, while ``follow`` runs."""

    def __init__(self, kube: KubeClient, kind: str, *, labels: str = "") -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self._kube, self._kind, self._labels = kube, kind, labels

    def find(self, namespace: str, name: str) -> Object | None:
        return self.objects.get((namespace, name))

    async def follow(self, changed: Callable[[], None]) -> None:
        """Keep up to date, and call ``changed`` after every event, until cancelled."""
        async for type_, found in self._kube.watch(self._kind, labels=self._labels):
            meta = found["metadata"]
            key = meta["namespace"], meta["name"]
            if type_ == "DELETED":
                self.objects.pop(key, None)
            else:
                self.objects[key] = found
            changed()
        raise RuntimeError(f"the watch of {self._kind} ended")
