"""Commands at a terminal, and something that answers them as no node would."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isek.cli.main import main
from isek.cli.run_directory import LocalNode, RunDirectory

from tests.support.mutation import BROKEN, mutated
from tests.support.parsers import COMPLETION, ERROR, PUBLISHED, RECORD, TRACE

NODES = json.dumps({"meshId": "m", "self": "n", "nodes": [json.loads(RECORD.encode())]}).encode()
ANSWER = json.dumps({"status": "received", "response": "tea", "metadata": {"isek.io/trace": TRACE}}).encode()
FAILURE = json.dumps({"error": ERROR, "metadata": {"isek.io/trace": TRACE}}).encode()
REACHED = json.dumps({"id": "m", "listeners": 0, "heard": 0, "refused": 0}).encode()
PAST = json.dumps({"messages": [PUBLISHED], "missing": ["n.default"]}).encode()
STREAMED = [
    {"choices": [], "isek": {"step": "ToolStarted", "tool": "clock"}},
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "tea"}}], "usage": COMPLETION["usage"]},
]
AT = ("-n", "m", "--mesh", "m")
COMMANDS: dict[tuple[str, ...], tuple[str, tuple[bytes, ...]]] = {
    ("ask", "writer", "tea"): ("/agents/writer", (ANSWER, FAILURE)),
    ("ask", "writer", "tea", "-o", "json"): ("/agents/writer", (ANSWER, FAILURE)),
    ("ask", "capability:writing", "tea", *AT): ("/isek/nodes", (NODES,)),
    ("nodes", *AT): ("/isek/nodes", (NODES, FAILURE)),
    ("nodes", "-A", "-o", "yaml"): ("/isek/nodes", (NODES, FAILURE)),
    ("topic", "publish", "news", "rain", *AT): ("/topics/news", (REACHED, FAILURE)),
    ("topic", "publish", "nwes", "rain", *AT): ("/isek/nodes", (NODES,)),
    ("topic", "history", "news", *AT): ("/topics/news", (PAST, FAILURE)),
    ("topic", "history", "news", *AT, "-o", "json"): ("/topics/news", (PAST, FAILURE)),
    ("topic", "listen", "news", *AT): ("/topics/news/messages", (json.dumps(PUBLISHED).encode(), FAILURE)),
    ("chat", "writer"): ("/v1/chat/completions", (*(json.dumps(each).encode() for each in STREAMED), FAILURE)),
}
"""Each with where it looks, and what may be found there."""
OTHERWISE = {"/isek/nodes": NODES, "/agents/writer": ANSWER, "/topics/nwes": REACHED}
commands = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)


class Impostor(ThreadingHTTPServer):
    """Answers each path as it is told to, in whatever way."""

    daemon_threads = True
    whole: dict[str, bytes]
    """By the path: all that is sent, with or without HTTP around it."""


class Answers(BaseHTTPRequestHandler):
    server: Impostor

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.wfile.write(self.server.whole.get(self.path.partition("?")[0], http(404, b"{}")))
        self.close_connection = True

    do_GET = do_POST  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


def http(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)) + body


@pytest.fixture(scope="module")
def impostor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Impostor]:
    """All that a local mesh leads to."""
    with pytest.MonkeyPatch.context() as patch, Impostor(("127.0.0.1", 0), Answers) as server:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("KUBECONFIG", os.devnull)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        directory = RunDirectory()
        lock = directory.lock()
        assert lock is not None
        node = LocalNode("n.default", f"http://127.0.0.1:{server.server_port}", ("writer.default",), "m/m")
        directory.write("http://127.0.0.1:1", "default.default", [node])
        yield server
        server.shutdown()
        thread.join()
        os.close(lock)


def run(impostor: Impostor, command: tuple[str, ...], whole: bytes) -> str:
    """What is said in the end: an answer, or what is wrong in one line; nothing else comes of it."""
    impostor.whole = {path: http(200, body) for path, body in OTHERWISE.items()} | {COMMANDS[command][0]: whole}

    said = CliRunner().invoke(main, [*command, "--timeout", "5"] if takes_time(command) else command, input="tea\n\n")

    assert isinstance(said.exception, SystemExit | None), (whole[:300], said.exc_info)
    assert said.exit_code in {0, 1}
    if said.exit_code == 1:
        assert "Error: " in said.stderr
    elif command[-1] == "json":
        json.loads(said.stdout, parse_constant=pytest.fail)
    return said.output


def takes_time(command: tuple[str, ...]) -> bool:
    return command[0] in {"ask", "chat"} or command[:2] == ("topic", "publish")


@commands
def test_what_a_node_says_is_shown(impostor: Impostor, command: tuple[str, ...]) -> None:
    for body in COMMANDS[command][1]:
        if body == FAILURE:
            assert "RunFailed: m; h" in run(impostor, command, http(503, body))
        else:
            assert "no form that is known" not in run(impostor, command, http(200, body))


@commands
@settings(max_examples=40, deadline=None, suppress_health_check=[*HealthCheck])
@given(which=st.integers(min_value=0), random=st.randoms(use_true_random=True))
def test_what_a_node_nearly_says_is_shown_or_named(
    impostor: Impostor, command: tuple[str, ...], which: int, random: Random
) -> None:
    seeds = COMMANDS[command][1]
    body = mutated(seeds[which % len(seeds)], random)
    run(impostor, command, http(random.choice((200, 200, 302, 401, 429, 500)), body))


@commands
@pytest.mark.parametrize("body", BROKEN, ids=lambda body: repr(body[:6]))
def test_what_is_no_answer_at_all_is_named(impostor: Impostor, command: tuple[str, ...], body: bytes) -> None:
    misread, failed = run(impostor, command, http(200, body)), run(impostor, command, http(500, body))

    if "nwes" in command:  # which is published by then
        assert (misread, failed) == ("published; nobody listens\n",) * 2
    else:
        assert ("ended; listen again" if "listen" in command else "answers in no form that is known here") in misread
        assert "answered with HTTP status 500" in failed


@commands
@settings(max_examples=15, deadline=None, suppress_health_check=[*HealthCheck])
@given(random=st.randoms(use_true_random=True))
def test_what_is_not_even_http_is_named(impostor: Impostor, command: tuple[str, ...], random: Random) -> None:
    whole = bytearray(http(200, COMMANDS[command][1][0]))
    for _ in range(3):
        place = random.randrange(len(whole) + 1)
        whole[place : place + random.choice((0, 1, 30))] = random.choice(
            (b"\0", b"\r\n\r\n", b"9" * 70_000, b"\xff", b"")
        )
    run(impostor, command, bytes(whole))


@pytest.mark.parametrize("command", [("ask", "writer", "tea"), ("topic", "history", "news", *AT)], ids=" ".join)
def test_a_terminal_obeys_nothing_that_an_agent_says_and_a_file_gets_it_as_it_is(
    impostor: Impostor, command: tuple[str, ...]
) -> None:
    renaming = "\x1b]0;mine\x07\x1b[31m\u202etea"
    said = {"ask": {"response": renaming}, "topic": {"messages": [PUBLISHED | {"payload": renaming}], "missing": []}}
    impostor.whole = {COMMANDS[command][0]: http(200, json.dumps(said[command[0]]).encode())}
    program = [sys.executable, "-m", "isek.cli.main", *command]

    ours, terminals = os.openpty()
    subprocess.run(program, stdin=subprocess.DEVNULL, stdout=terminals, check=True)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    os.close(terminals)

    assert r"\x1b]0;mine\x07\x1b[31m\u202etea" in shown
    assert renaming not in shown
    assert renaming in subprocess.run(program, capture_output=True, check=True, text=True).stdout


def test_an_error_that_a_node_tells_moves_no_cursor(impostor: Impostor) -> None:
    problem = json.dumps({"error": ERROR | {"message": "\x1b[2Jm"}}).encode()

    assert r"RunFailed: \x1b[2Jm; h" in run(impostor, ("ask", "writer", "tea"), http(503, problem))
