"""Makes the values of generated Secrets. Nothing else in the operator ever holds one."""

from base64 import b64encode

from isek_operator.cluster.client import Client
from isek_operator.decide.outcome import Authority, Certificate, Copied, NetworkKey, SecretContent
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
            case Authority() | Certificate() | Copied():
                raise NotImplementedError


def _encoded(value: str) -> str:
    return b64encode(value.encode()).decode()
