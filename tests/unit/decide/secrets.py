"""Secrets with the values that the operator really makes, without an API server."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, cast

from isek_operator.cluster.client import Client
from isek_operator.cluster.secret_values import Data, SecretValues
from isek_operator.decide.outcome import GeneratedSecret, Manifest, SecretContent
from isek_operator.kinds import ApiKind


class Secrets:
    """What an API server would hold of them, values and all."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.held: dict[tuple[str, str], Manifest] = {}
        self._clock = clock
        self._values = SecretValues(cast("Client", self), clock=clock)

    async def get(self, kind: ApiKind, namespace: str, name: str) -> Manifest | None:
        """As ``Client.get``."""
        assert kind.kind == "Secret"
        return self.held.get((namespace, name))

    def write(self, wanted: Iterable[GeneratedSecret]) -> Iterator[Manifest]:
        """Create what is missing and renew what is to be; those that were written."""
        for secret in wanted:
            metadata = secret.manifest["metadata"]
            key = (metadata["namespace"], metadata["name"])
            before = self.held.get(key)
            if before is not None and not secret.renew:
                continue
            content = secret.renewal or secret.content if before else secret.content
            data = {**(before or {}).get("data", {}), **self.made(content, metadata["namespace"])}
            created = before["metadata"]["creationTimestamp"] if before else self._clock().isoformat()
            self.held[key] = {**secret.manifest, "metadata": {**metadata, "creationTimestamp": created}, "data": data}
            yield self.held[key]

    def made(self, content: SecretContent, namespace: str) -> Data:
        """The values; nothing in here ever waits."""
        making: Any = self._values.make(content, namespace)
        try:
            making.send(None)
        except StopIteration as done:
            return cast("Data", done.value)
        raise AssertionError("it waited")
