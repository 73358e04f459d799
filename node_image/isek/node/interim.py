from dataclasses import dataclass
from typing import Any

from isek.asking import Answer, CallContext
from isek.errors import IsekError


@dataclass
class P2PContext:
    peer_id: str
    p2p_address: str


class Sidecar:
    def __init__(self, *a: Any): ...
    async def until_up(self) -> P2PContext:
        raise NotImplementedError

    async def close(self) -> None: ...


class Mesh:
    def __init__(self, registry: Any, settings: Any, *, local: Any, sidecar: Any) -> None:
        self.local = local

    async def close(self) -> None: ...
    async def ask(self, address: str, message: str, context: CallContext) -> Answer:
        try:
            answer = await self.local(address.partition(".")[0], message, context.deeper())
        except IsekError as error:
            if error.trace:
                context.children.append(error.trace)
            raise
        context.children.append(answer.trace)
        return answer
