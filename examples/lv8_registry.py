"""Programs, on one machine or several, that find each other by a registry. Needs `isek registry`, or an etcd.

    isek registry                                   # or: etcd
    isek example run lv8_registry serve             # in a second terminal
    isek example run lv8_registry ask               # in a third

An argument more names another registry than that of `isek registry`: http://HOST:PORT, or etcd://HOST:PORT.
"""

import sys

from isek import CallError, CenterRegistry, EtcdRegistry, IsekAgent, Node, OpenAIModel

REGISTRY = "http://127.0.0.1:2378"


def registry(url: str) -> CenterRegistry | EtcdRegistry:
    """Where the nodes find each other."""
    if url.startswith("etcd://"):
        return EtcdRegistry([url.removeprefix("etcd://")])
    return CenterRegistry(url)


def serve(url: str) -> None:
    """Host the agent until Ctrl-C."""
    librarian = IsekAgent(
        name="librarian",
        model=OpenAIModel("gpt-5-mini"),
        instructions="You answer from books, in one sentence.",
    )
    node = Node(port=0, registry=registry(url), agents=[librarian])
    node.build_server(within=20)


def ask(url: str) -> None:
    """Ask it, as a node that hosts nobody."""
    node = Node(port=0, registry=registry(url))
    node.build_server(daemon=True, within=20)
    print(node.send_message("librarian", "Why is the sky blue?"))
    node.stop_server()


if __name__ == "__main__":
    role, url = (*sys.argv[1:], "")[0], (sys.argv[2:] or [REGISTRY])[0]
    if role not in {"serve", "ask"}:
        raise SystemExit("say `serve` or `ask`")
    try:
        serve(url) if role == "serve" else ask(url)
    except CallError as error:
        raise SystemExit(str(error)) from None
