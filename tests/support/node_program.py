"""A Python program with a node: ``python -m tests.support.node_program REGISTRY_URL [p2p]``.

It hosts ``writer``, who answers by itself; ``desk``, a team whose member ``editor`` lives elsewhere; and ``clerk``, who
hands everything over to that editor.
"""

import sys

from isek import Adapter, CallContext, CenterRegistry, EtcdRegistry, IsekAgent, IsekTeam, Node
from isek.registry import Registry

from tests.support.recording_model import RecordingModel, calls


class Saying(Adapter):
    """Answers with the message behind a word of its own."""

    def __init__(self, name: str, word: str) -> None:
        super().__init__(name, f"Says {word}")
        self._word = word

    def answer(self, message: str, context: CallContext) -> str:
        return f"{self._word} {message}"


def registry_at(url: str) -> Registry:
    """The registry of an ``etcd://`` or ``http://`` address."""
    if url.startswith("etcd://"):
        return EtcdRegistry([url.removeprefix("etcd://")])
    return CenterRegistry(url)


def main() -> None:
    """Serve until SIGTERM."""
    to_editor = RecordingModel(*[calls(("handoff_to_editor", '{"message": "this"}'))] * 3)
    node = Node(
        port=0,
        node_id="far",
        p2p="p2p" in sys.argv,
        registry=registry_at(sys.argv[1]),
        agents=[
            Saying("writer", "wrote"),
            IsekTeam(["writer", "editor"], name="desk"),
            IsekAgent("clerk", model=to_editor, handoffs=["editor"]),
        ],
    )
    node.build_server()
    sys.stdout.write("stopped\n")


if __name__ == "__main__":
    main()
