"""The life of a node's process: how it starts, what keeps it from starting, how it ends."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from tests.support.node_process import NodeProcess, agent, ask, scripted
from tests.support.openai_server import OpenAIServer
from tests.support.waiting import until

ECHO = {"provider": "Echo"}

FORMS: dict[str, dict[str, Any]] = {
    "plain": {"message": "go"},
    "A2A": {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "SendMessage",
        "params": {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "go"}]}},
    },
}


async def start(hosted: Path, **environment: str) -> tuple[int, list[str]]:
    """Run ``isek-node`` to its end; its exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("isek-node")),
        env={**os.environ, "ISEK_HOSTED_FILE": str(hosted), "ISEK_HOST": "127.0.0.1", "ISEK_PORT": "0", **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    _, written = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode or 0, written.decode().splitlines()


async def test_a_bad_file_ends_the_node_with_a_line_for_each_problem(tmp_path: Path) -> None:
    path = tmp_path / "hosted.yaml"
    path.write_text(
        "{apiVersion: isek.io/v1alpha1, kind: IsekAgent, metadata: {name: a}, spec: {model: {provider: Echoo}}}\n---\n"
        "{apiVersion: isek.io/v1alpha1, kind: IsekTeam, metadata: {name: b}, spec: {members: []}}\n"
    )

    code, lines = await start(path)

    assert (code, len(lines)) == (1, 2)
    assert lines[0].startswith(f"{path}: IsekAgent a: spec.model.provider: ")
    assert lines[1].startswith(f"{path}: IsekTeam b: spec.members: ")


async def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, lines = await start(tmp_path / "hosted.yaml")

    assert (code, lines) == (1, [f"{tmp_path / 'hosted.yaml'}: no such file or folder"])


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("ISEK_PORT", "many", "ISEK_PORT: Input should be a valid integer"),
        ("ISEK_LOG_FORMAT", "Pretty", "ISEK_LOG_FORMAT: is 'Pretty'; must be 'Text' or 'JSON'"),
        ("ISEK_REGISTRY_URL", "redis://x", "registry URL 'redis://x' cannot be used; give etcds://"),
    ],
)
async def test_a_bad_setting_is_named(tmp_path: Path, variable: str, value: str, message: str) -> None:
    (tmp_path / "hosted.yaml").write_text("")

    code, lines = await start(tmp_path / "hosted.yaml", **{variable: value})

    assert (code, len(lines)) == (1, 1)
    assert lines[0].startswith(message)


async def test_a_node_that_hosts_more_than_a_record_can_say_ends_with_a_line(tmp_path: Path) -> None:
    path = tmp_path / "hosted.yaml"
    path.write_text(yaml.safe_dump_all(agent(f"agent-{number:03}", ECHO) for number in range(150)))

    code, lines = await start(path)

    assert code == 1
    assert "bytes; host fewer agents" in lines[-1]
    assert not any("Traceback" in line for line in lines)


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    (tmp_path / "hosted.yaml").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, lines = await start(tmp_path / "hosted.yaml", ISEK_PORT=port)

    assert (code, len(lines)) == (1, 1)
    assert lines[0].startswith(f"cannot listen on 127.0.0.1 port {port}: ")


async def test_a_node_is_not_ready_before_the_registry_answers_but_lives(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        node = NodeProcess(tmp_path, [agent("echo", ECHO)], registry_url=url, ready=False)
        async with node, aiohttp.ClientSession() as session:
            async with session.get(f"{node.url}/readyz") as response:
                error = (await response.json())["error"]
                assert (response.status, error["message"]) == (503, "the node waits for the registry")
            async with session.get(f"{node.url}/healthz") as response:
                assert response.status == 200
            assert await node.stop() == 0


async def test_a_stopping_node_leaves_the_registry_refuses_new_work_and_finishes_what_runs(
    tmp_path: Path, center: str
) -> None:
    async with OpenAIServer({"m": [{"text": "done", "held": True}]}) as model:
        slow = agent("slow", {"provider": "OpenAI", "name": "m", "baseURL": model.url})
        first = NodeProcess(tmp_path, [slow], node_id="first.default", registry_url=center)
        second = NodeProcess(tmp_path, [agent("echo", ECHO)], node_id="second.default", registry_url=center)
        async with first, second, aiohttp.ClientSession() as session:
            await until(lambda: sees(second, {"first.default", "second.default"}), what="both are known")
            running = asyncio.create_task(ask(first.url, "go"))
            await until(lambda: model.requests, what="the task runs", within=60)  # A2A is imported first

            first.signal(signal.SIGTERM)
            await until(lambda: sees(second, {"second.default"}), what="the first has left the registry")

            async with session.post(first.url, json={"message": "new"}) as response:
                refused = await response.json()
                assert (response.status, response.headers["Retry-After"]) == (503, "1")
                assert refused["error"]["code"] == "Draining"
            async with session.get(f"{first.url}/readyz") as response:
                assert response.status == 503
            assert not running.done()
            model.release.set()
            assert (await running)[1]["response"] == "done"
            assert await first.exit_code() == 0


async def test_a_stopping_node_closes_kept_connections_with_an_answer_and_refuses_nobody_meanwhile(
    tmp_path: Path,
) -> None:
    lingering = NodeProcess(tmp_path, [agent("echo", ECHO)], linger_seconds=600)
    async with lingering as node, aiohttp.ClientSession() as kept:
        async with kept.post(node.url, json={"message": "before"}) as response:
            assert "Connection" not in response.headers

        node.signal(signal.SIGTERM)
        await until(lambda: "draining" in node.text, what="the node drains")

        async def told_to_close() -> bool:
            async with kept.post(node.url, json={"message": "meanwhile"}) as response:
                assert response.status == 200
                return response.headers.get("Connection") == "close"

        await until(told_to_close, what="an answer closes its connection")
        node.signal(signal.SIGTERM)
        assert await node.exit_code() == 0


async def sees(node: NodeProcess, wanted: set[str]) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{node.url}/isek/nodes") as response:
        return {record["nodeId"] for record in (await response.json())["nodes"]} == wanted


async def is_running(url: str) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
        return 'isek_running_tasks{agent="slow"} 1.0' in await response.text()


async def test_draining_is_bounded(tmp_path: Path) -> None:
    slow = agent("slow", scripted({"delayMilliseconds": 60000}, {"text": "done"}))
    async with NodeProcess(tmp_path, [slow], drain_seconds=1) as node:
        running = asyncio.create_task(ask(node.url, "go"))
        await until(lambda: is_running(node.url), what="the task runs")

        assert await node.stop() == 0
        await asyncio.gather(running, return_exceptions=True)


async def test_a_second_signal_ends_the_node_at_once(tmp_path: Path) -> None:
    slow = agent("slow", scripted({"delayMilliseconds": 60000}, {"text": "done"}))
    async with NodeProcess(tmp_path, [slow]) as node:
        running = asyncio.create_task(ask(node.url, "go"))
        await until(lambda: is_running(node.url), what="the task runs")
        node.signal(signal.SIGINT)
        await until(lambda: "draining" in node.text, what="the node drains")

        assert await node.stop() == 0
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS)
async def test_a_caller_that_goes_away_takes_its_run_and_the_call_of_the_model_along(
    tmp_path: Path, body: dict[str, Any]
) -> None:
    async with OpenAIServer({"m": [{"text": "late", "held": True}]}) as model, aiohttp.ClientSession() as session:
        slow = agent("slow", {"provider": "OpenAI", "name": "m", "baseURL": model.url})
        async with NodeProcess(tmp_path, [slow]) as node:
            call = session.post(node.url, json=body, headers={"A2A-Version": "1.0"})
            running = asyncio.create_task(call.__aenter__())
            await until(lambda: model.requests, what="the task runs", within=60)  # A2A is imported first

            running.cancel()

            await until(lambda: model.given_up, what="the model's call is cancelled")
            await until(lambda: 'outcome="Cancelled"' in node.text, what="the run is cancelled")
            assert not await is_running(node.url)


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS)
async def test_one_task_too_many_is_told_when_to_come_back(tmp_path: Path, body: dict[str, Any]) -> None:
    slow = agent("slow", scripted({"delayMilliseconds": 60000}), limits={"maxConcurrentTasks": 1})
    async with NodeProcess(tmp_path, [slow]) as node, aiohttp.ClientSession() as session:
        running = asyncio.create_task(ask(node.url, "go"))
        await until(lambda: is_running(node.url), what="the task runs")

        async with session.post(node.url, json=body, headers={"A2A-Version": "1.0"}) as response:
            assert response.status == 429
            assert "TooManyTasks" in await response.text()
            assert (response.headers["Retry-After"], response.headers["Isek-Load"]) == ("1", "1")
        running.cancel()


async def test_a_node_that_is_told_to_stop_while_it_still_imports_ends_at_once() -> None:
    """As the first process of a container it would get no default handling of the signal."""
    importing = (
        "import os, signal, sys, time, types; slow = types.ModuleType('isek.node.process'); "
        "slow.run = lambda: (os.kill(os.getpid(), signal.SIGTERM), time.sleep(30)); "
        "sys.modules['isek.node.process'] = slow; from isek.node.main import main; main()"
    )

    process = await asyncio.create_subprocess_exec(sys.executable, "-c", importing)

    assert await asyncio.wait_for(process.wait(), 20) == 0
