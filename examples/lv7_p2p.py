"""Nodes that talk over libp2p, encrypted, each through a sidecar of its own. Run `isek registry` in another terminal.

The sidecars need Node.js: `isek doctor` says whether it is there.
"""

import sys

from isek import CallError, CenterRegistry, IsekAgent, LocalError, Node, OpenAIModel

REGISTRY = "http://127.0.0.1:2378"

librarian = IsekAgent(
    name="librarian",
    model=OpenAIModel("gpt-5-mini"),
    instructions="You answer from books, in one sentence.",
)


def main(registry_url: str) -> None:
    """Ask from one node to the other."""
    library = Node(port=0, node_id="library", p2p=True, registry=CenterRegistry(registry_url), agents=[librarian])
    reader = Node(port=0, node_id="reader", p2p=True, registry=CenterRegistry(registry_url))
    for node in (library, reader):
        node.build_server(daemon=True, within=30)
    print(reader.send_message("librarian", "Why is the sky blue?"))
    for node in (reader, library):
        node.stop_server()


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else REGISTRY)
    except (CallError, LocalError) as error:
        raise SystemExit(str(error)) from None
