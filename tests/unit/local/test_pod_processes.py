"""How long a node is waited for, and what is said of it meanwhile."""

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from isek_operator.local import pod_processes
from isek_operator.local.console import Console
from isek_operator.local.files import MeshFiles
from isek_operator.local.plan import plan
from isek_operator.local.pod_processes import PodProcesses
from isek_operator.local.python_files import PythonFiles

from tests.support.waiting import until

AGENT = """
apiVersion: isek.io/v1alpha1
kind: IsekAgent
metadata: {name: greeter}
spec: {model: {provider: Echo}}
"""
NOT_READY = (503, {"error": {"code": "NotReady", "message": "the node waits for its sidecar"}})


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PodProcesses:
    """One whose processes are not started: what answers in its place, if anything, the test says."""
    monkeypatch.setattr(pod_processes, "TELL_SECONDS", 0.1)
    (tmp_path / "greeter.yaml").write_text(AGENT)
    (pod,) = plan([tmp_path / "greeter.yaml"], PythonFiles()).pods
    files = MeshFiles(tmp_path / "run")
    return PodProcesses(pod, files, registry_url="", sidecar_command=("node",), group=0, console=Console())


@pytest.fixture
def answers(node: PodProcesses) -> Iterator[list[tuple[int, Any]]]:
    """What the node answers: the last of these."""
    said: list[tuple[int, Any]] = [NOT_READY]

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = said[-1]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", urlsplit(node.url).port or 0), Answers) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield said
        server.shutdown()
        thread.join()


async def test_a_slow_node_is_waited_for_and_what_it_waits_for_is_told(
    node: PodProcesses, answers: list[tuple[int, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = asyncio.create_task(node.until_ready())
    said: list[str] = []

    def told() -> bool:
        said.append(capsys.readouterr().out)
        return "".join(said).count("greeter-agent-0 has been starting for") > 1

    await until(told, what="it is told twice")
    answers.append((200, {"status": "ready"}))

    assert await waiting
    assert " s: the node waits for its sidecar" in "".join(said)
    assert "does not become ready" not in "".join(said) + capsys.readouterr().out


async def test_a_node_that_never_answers_is_given_up_in_the_end(
    node: PodProcesses, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pod_processes, "PATIENCE_SECONDS", 0.5)

    assert not await node.until_ready()

    said = capsys.readouterr().out
    assert " s: its node process does not answer yet" in said
    assert "greeter-agent-0 does not become ready; the last lines of its processes:" in said


async def test_a_node_that_can_run_nothing_is_given_up_at_once(
    node: PodProcesses, answers: list[tuple[int, Any]]
) -> None:
    answers.append((503, {"error": {"code": "AgentInvalid", "message": "no such tool"}}))

    assert not await node.until_ready()
