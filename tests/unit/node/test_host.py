import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import isek as agents
import pytest
from isek import EchoModel, IsekTeam
from isek.api import IsekAgent
from isek.asking import CallContext
from isek.errors import CallError, RunError
from isek.loop_result import LoopResult
from isek.models.base import Message
from isek.node.host import Host
from isek.node.hosted import Broken, Hosted, build_hosted
from isek.node.metrics import Metrics
from isek.node.settings import NodeSettings

from tests.support.asking import Directory, context
from tests.support.log_lines import LogLines
from tests.support.node_process import agent, scripted
from tests.support.recording_model import RecordingModel, calls
from tests.support.waiting import until


class Gate:
    """A runner that ends when it is let go."""

    name = "gate"
    description = ""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def respond(self, message: str | Message, context: CallContext) -> LoopResult:
        await self.open.wait()
        raise KeyError("an inner matter")

    async def aclose(self) -> None: ...


def sigh() -> str:
    """Sighs."""
    return "ah"


def resource(name: str = "writer", **spec: Any) -> IsekAgent:
    return IsekAgent.model_validate(agent(name, {"provider": "Echo"}, **spec))


def host_of(*resources: IsekAgent, metrics: Metrics | None = None) -> Host:
    metrics = metrics or Metrics()
    host = Host("pod-1.default", metrics)
    host.take_in(build_hosted(resources, Directory({}), NodeSettings(secrets_dir=Path("/nowhere"))))
    return host


def busy_host(**spec: Any) -> tuple[Host, Gate]:
    gate, host = Gate(), Host("pod-1.default", Metrics())
    host.take_in([Hosted.of(resource(**spec), gate)])
    return host, gate


BROKEN = Broken("editor", "default", "IsekAgent", "it has no model")


@pytest.mark.parametrize("hosted", [True, False])
def test_those_that_are_broken_say_who_may_look_in_only_where_nobody_works(hosted: bool) -> None:
    host = host_of(*([resource()] if hosted else []))
    host.take_in([BROKEN])

    assert [each.name for each in host.built] == (["writer"] if hosted else ["editor"])


async def test_an_answer_has_a_trace() -> None:
    host = host_of(resource())
    host.peer_id = "12D3"

    answer = await host.answer("writer", "hi", context(), path="libp2p")

    assert answer.text == "hi"
    assert answer.trace is not None
    assert (answer.trace.agent, answer.trace.node, answer.trace.peer_id, answer.trace.path, answer.trace.error) == (
        "writer.default",
        "pod-1.default",
        "12D3",
        "libp2p",
        None,
    )


async def test_a_failure_has_a_trace_with_its_code() -> None:
    failing = IsekAgent.model_validate(agent("writer", scripted({"error": "out of order"})))

    with pytest.raises(RunError, match="ModelError: out of order") as failed:
        await host_of(failing).answer("writer", "hi", context(), path="http")

    assert failed.value.trace is not None
    assert failed.value.trace.error == "ModelError"


def test_the_only_agent_is_the_default() -> None:
    assert host_of(resource()).find(None).name == "writer"


@pytest.mark.parametrize(
    ("names", "wanted", "message"),
    [
        (["b", "a"], None, "this node does not host a default agent; it hosts: a, b"),
        (["a"], "c", "this node does not host an agent 'c'; it hosts: a"),
        ([], None, "this node does not host a default agent; it hosts: none"),
    ],
)
def test_an_agent_that_is_not_there_is_answered_with_those_that_are(
    names: list[str], wanted: str | None, message: str
) -> None:
    with pytest.raises(CallError) as refused:
        host_of(*map(resource, names)).find(wanted)

    assert (refused.value.code, refused.value.status, refused.value.message) == ("AgentNotFound", 404, message)


async def test_one_task_too_many_is_refused_and_another_replica_may_be_tried() -> None:
    host, gate = busy_host(limits={"maxConcurrentTasks": 2})
    running = [asyncio.create_task(host.answer_local("writer", "hi", context())) for _ in range(2)]
    await until(lambda: host.running == 2, what="two tasks run")

    with pytest.raises(CallError) as refused:
        await host.answer("writer", "hi", context(), path="http")

    assert (refused.value.code, refused.value.status, refused.value.retryable) == ("TooManyTasks", 429, True)
    gate.open.set()
    await asyncio.gather(*running, return_exceptions=True)
    assert host.running == 0


async def test_a_draining_node_refuses_new_work_but_lets_what_runs_ask_its_neighbours() -> None:
    host = host_of(resource())
    host.draining = True

    with pytest.raises(CallError) as refused:
        await host.answer("writer", "hi", context(), path="http")

    assert (refused.value.code, refused.value.status, refused.value.retryable) == ("Draining", 503, True)
    assert (await host.answer_local("writer", "hi", context())).text == "hi"


async def test_idle_is_when_the_last_run_has_ended() -> None:
    host, gate = busy_host()
    running = asyncio.create_task(host.answer_local("writer", "hi", context()))
    await until(lambda: host.running, what="the task runs")

    idle = asyncio.create_task(host.idle())
    gate.open.set()
    await asyncio.wait({idle}, timeout=5)

    assert idle.done()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_is_unexpected_is_logged_under_an_id_that_the_caller_gets(log: LogLines) -> None:
    host, gate = busy_host()
    gate.open.set()

    with pytest.raises(RunError) as failed:
        await host.answer("writer", "hi", context(), path="http")

    assert (failed.value.code, failed.value.status) == ("InternalError", 500)
    assert "inner matter" not in failed.value.message
    [fault] = [values for values in log.values if "exception" in values]
    assert f"(id {fault['id']})" in failed.value.message
    assert "inner matter" in fault["exception"]


async def test_a_run_whose_caller_goes_away_is_counted_and_frees_its_place() -> None:
    host, _ = busy_host()
    running = asyncio.create_task(host.answer("writer", "hi", context(), path="http"))
    await until(lambda: host.running, what="the task runs")

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert host.running == 0


@pytest.fixture
def counted() -> Callable[[Metrics], set[str]]:
    def lines(metrics: Metrics) -> set[str]:
        return {line for line in metrics.render().decode().splitlines() if not line.startswith("#")}

    return lines


async def test_requests_runs_models_and_tools_are_counted(counted: Callable[[Metrics], set[str]]) -> None:
    metrics = Metrics()
    call = {"toolCalls": [{"name": "calculator", "arguments": {"expression": "1"}}]}
    spec = agent("writer", scripted(call, {"error": "x"}), tools=[{"builtin": "calculator"}])
    host = host_of(IsekAgent.model_validate(spec), metrics=metrics)

    with pytest.raises(RunError):
        await host.answer("writer", "hi", context(), path="http")

    assert {
        'isek_requests_total{agent="writer",outcome="ModelError"} 1.0',
        'isek_request_duration_seconds_count{agent="writer"} 1.0',
        'isek_running_tasks{agent="writer"} 0.0',
        'isek_model_calls_total{agent="writer",outcome="OK"} 1.0',
        'isek_model_calls_total{agent="writer",outcome="ModelError"} 1.0',
        'isek_tool_calls_total{agent="writer",outcome="OK",tool="calculator"} 1.0',
    } <= counted(metrics)


async def test_the_steps_of_an_object_are_counted_under_the_name_that_it_is_hosted_by(
    counted: Callable[[Metrics], set[str]],
) -> None:
    metrics = Metrics()
    host = Host("pod-1.default", metrics)
    writer = agents.IsekAgent("Mr Writer", model=RecordingModel(calls(("sigh", "{}")), "done"), tools=[sigh])
    host.take_in([Hosted("writer", "default", "Agent", writer)])

    await host.answer("writer", "hi", context(), path="http")

    assert {
        'isek_model_calls_total{agent="writer",outcome="OK"} 2.0',
        'isek_tool_calls_total{agent="writer",outcome="OK",tool="sigh"} 1.0',
    } <= counted(metrics)


async def test_the_trace_shows_the_members_of_teams_within_the_process() -> None:
    writer = agents.IsekAgent("writer", model=EchoModel())
    desk = IsekTeam([IsekTeam([writer], name="inner")], name="desk")
    host = Host("pod-1.default", Metrics())
    host.take_in([Hosted("desk", "default", "Team", desk)])

    trace = (await host.answer("desk", "hi", context(), path="http")).trace

    assert trace is not None
    [inner] = trace.children
    [leaf] = inner.children
    assert [(each.agent, each.node, each.path) for each in (inner, leaf)] == [
        ("inner", "pod-1.default", "local"),
        ("writer", "pod-1.default", "local"),
    ]
