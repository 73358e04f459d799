"""Makes the values of generated Secrets. Nothing else in the operator ever holds one."""

from base64 import b64encode

from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import ConflictError
from isek_operator.decide.outcome import Authority, Certificate, Copied, NetworkKey, SecretContent
from isek_operator.kinds import SECRET
from isek_operator.network_key import new_private_network_key

Data = dict[str, str | None]
"""``data`` of a Secret as a merge patch takes it: base64 by key; None: the key goes."""


class SecretValues:
    """Makes values, and reads those that they are made from."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def make(self, content: SecretContent, namespace: str) -> Data:
        """New values. Raises the errors of the API client."""
        match content:
            case NetworkKey(key):
                return {key: _encoded(new_private_network_key())}
            case Copied(sources):
                return await self._copied(sources)
            case Authority() | Certificate():
                raise NotImplementedError

    async def _copied(self, sources: tuple[tuple[str, str, str], ...]) -> Data:
        data: Data = {}
        for namespace, name, key in sources:
            secret = await self._client.get(SECRET, namespace, name)
            if secret is None or key not in (secret.get("data") or {}):
                raise ConflictError(f"Secret {namespace}/{name} has no key {key!r} any more")
            data[key] = secret["data"][key]
        return data


def _encoded(value: str) -> str:
    return b64encode(value.encode()).decode()
