"""One agent library under measurement, in its own environment: ``python sdk_subject.py LIBRARY URL``.

Needs the library and nothing else. Each library gets the same agent: one tool, a line of instructions, the official
OpenAI client. Prints its figures as JSON.
"""

import asyncio
import gc
import json
import resource
import statistics
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

MADE = 300
TURNS_OF_A_RUN = 2
"""Calls of the model: one that asks for the tool, one that answers."""
RUNS = 60
BLOCKS = 3
SESSIONS = 1000
PATIENCE: dict[str, Any] = {"timeout": 60, "max_retries": 4}
"""Of the client, for all of them as this SDK has it."""
INSTRUCTIONS = "You are brief."


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Subject(NamedTuple):
    """A library, as far as it is used here."""

    model: Callable[[str], Any]
    agent: Callable[[Any], Any]
    ask: Callable[[Any, str, str], Awaitable[str]]
    """An agent, a message and the name of a session that is new; the answer."""


def isek(url: str) -> Subject:
    """This SDK; with a memory, which the others go without."""
    from isek import IsekAgent, Memory, OpenAIModel  # noqa: PLC0415

    async def ask(agent: IsekAgent, message: str, session: str) -> str:
        return str(await agent.arun(message, session_id=session))

    return Subject(
        lambda name: OpenAIModel(name, base_url=url, api_key="none"),
        lambda model: IsekAgent("bench", model=model, memory=Memory(), tools=[add], instructions=INSTRUCTIONS),
        ask,
    )


def pydantic_ai(url: str) -> Subject:
    """Pydantic AI."""
    from openai import AsyncOpenAI  # noqa: PLC0415
    from pydantic_ai import Agent  # noqa: PLC0415
    from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415

    async def ask(agent: Any, message: str, session: str) -> str:
        return str((await agent.run(message)).output)

    return Subject(
        lambda name: OpenAIChatModel(
            name,
            provider=OpenAIProvider(openai_client=AsyncOpenAI(base_url=url, api_key="none", **PATIENCE)),
        ),
        lambda model: Agent(model, name="bench", tools=[add], instructions=INSTRUCTIONS),
        ask,
    )


def agno(url: str) -> Subject:
    """Agno, its telemetry off."""
    from agno.agent import Agent  # noqa: PLC0415
    from agno.models.openai.like import OpenAILike  # noqa: PLC0415

    async def ask(agent: Any, message: str, session: str) -> str:
        return str((await agent.arun(message, session_id=session)).content)

    return Subject(
        lambda name: OpenAILike(id=name, base_url=url, api_key="none", **PATIENCE),
        lambda model: Agent(model=model, name="bench", tools=[add], instructions=INSTRUCTIONS, telemetry=False),
        ask,
    )


def openai(url: str) -> Subject:
    """No agent at all: the client that all of them have below, with what an agent would send."""
    from openai import AsyncOpenAI  # noqa: PLC0415

    async def ask(client: Any, message: str, session: str) -> str:
        asked, answered = requests_of_a_run(message)
        await client.chat.completions.create(**asked)
        answer = await client.chat.completions.create(**answered)
        return str(answer.choices[0].message.content)

    return Subject(lambda name: name, lambda model: AsyncOpenAI(base_url=url, api_key="none"), ask)


def requests_of_a_run(message: str, model: str = "bench") -> tuple[dict[str, Any], dict[str, Any]]:
    """The two requests that a run consists of."""
    numbers = {"a": {"type": "integer"}, "b": {"type": "integer"}}
    parameters = {"type": "object", "properties": numbers, "required": ["a", "b"]}
    function = {"name": "add", "description": "Add two numbers.", "parameters": parameters}
    tools = [{"type": "function", "function": function}]
    call = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
    before = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": message}]
    after = [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "call_1", "content": "3"}]
    asked = {"model": model, "messages": before, "tools": tools}
    return asked, {**asked, "messages": before + after}


def instances(subject: Subject) -> dict[str, float]:
    """What it takes to make an agent beside a model that is there already."""
    model = subject.model("bench")
    subject.agent(model)
    blocks = []
    for _ in range(BLOCKS):
        gc.collect()
        begun = time.process_time()
        for _ in range(MADE):
            subject.agent(model)
        blocks.append((time.process_time() - begun) / MADE)
    gc.collect()
    tracemalloc.start()
    kept = [subject.agent(model) for _ in range(MADE)]
    gc.collect()
    kib = tracemalloc.get_traced_memory()[0] / len(kept) / 1024
    tracemalloc.stop()
    return {"make_us": min(blocks) * 1e6, "make_kib": kib}


async def first_run(subject: Subject) -> dict[str, float]:
    """What an agent holds once it has answered for the first time."""
    model = subject.model("bench")
    await subject.ask(subject.agent(model), "warm", "warm")  # what is made once for all
    gc.collect()
    tracemalloc.start()
    kept = [subject.agent(model) for _ in range(25)]
    for number, agent in enumerate(kept):
        await subject.ask(agent, "hello", f"first-{number}")
    gc.collect()
    kib = tracemalloc.get_traced_memory()[0] / len(kept) / 1024
    tracemalloc.stop()
    return {"first_run_kib": kib}


async def turns(subject: Subject, url: str) -> dict[str, float]:
    """What a run costs beyond the same requests sent bare, for each of its turns, in milliseconds."""
    agent = subject.agent(subject.model("bench"))
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    bodies = [json.dumps(body).encode() for body in requests_of_a_run("hello")]
    head = f"POST {address.path}/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"

    async def bare(number: int) -> None:
        for body in bodies:
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            headers = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(headers.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]))

    async def run(number: int) -> None:
        if await subject.ask(agent, "hello", f"turn-{number}") != "hello":
            raise RuntimeError("the run went wrong")

    await _block(run, 20)
    await _block(bare, 20)
    wall, cpu = [], []
    for _ in range(BLOCKS):  # by turns, so that both meet the same machine
        bare_wall, bare_cpu = await _block(bare, RUNS // BLOCKS)
        run_wall, run_cpu = await _block(run, RUNS // BLOCKS)
        wall.append((run_wall - bare_wall) / TURNS_OF_A_RUN)
        cpu.append((run_cpu - bare_cpu) / TURNS_OF_A_RUN)
    writer.close()
    return {"turn_ms": statistics.median(wall) * 1000, "turn_cpu_ms": statistics.median(cpu) * 1000}


async def _block(work: Callable[[int], Awaitable[None]], times: int) -> tuple[float, float]:
    """The median of the wall time, and the mean of the CPU time, in seconds."""
    walls, begun_cpu = [], time.process_time()
    for number in range(times):
        begun = time.perf_counter()
        await work(number)
        walls.append(time.perf_counter() - begun)
    return statistics.median(walls), (time.process_time() - begun_cpu) / times


async def sessions(subject: Subject) -> dict[str, float]:
    """Many conversations at once with one agent, each of them two seconds long by the model alone."""
    agent = subject.agent(subject.model("bench-1s"))
    await subject.ask(agent, "warm", "warm")
    gc.collect()
    before, begun, cpu = resident_mib(), time.perf_counter(), time.process_time()
    answers = await asyncio.gather(*(subject.ask(agent, f"I am {n}", f"session-{n}") for n in range(SESSIONS)))
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    right = sum(answer == f"I am {number}" for number, answer in enumerate(answers))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"sessions_right": right, "sessions_s": wall, "sessions_cpu_s": cpu, "sessions_mib": max(peak - before, 0)}


def resident_mib() -> float:
    """Memory that this process holds, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


async def measure(subject: Subject, url: str, *, agents: bool) -> dict[str, float]:
    """All figures; without ``agents`` only those of the turns."""
    if not agents:
        return await turns(subject, url)
    # the sessions first, whose peak of memory is that of the process
    return {**await sessions(subject), **await turns(subject, url), **instances(subject), **await first_run(subject)}


if __name__ == "__main__":
    library, endpoint = sys.argv[1:]
    chosen = {"isek": isek, "pydantic_ai": pydantic_ai, "agno": agno, "openai": openai}[library](endpoint)
    json.dump(asyncio.run(measure(chosen, endpoint, agents=library != "openai")), sys.stdout)
