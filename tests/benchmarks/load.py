"""Requests as fast as they are answered, over kept-alive connections, and what they take of the processes that answer.

The requests per second of CPU are what one core could do; they hold on a busy machine too.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

SECONDS = 5.0
WARM_UP_SECONDS = 0.5


class Figures(NamedTuple):
    """One row of a table."""

    form: str
    connections: int
    per_second: float
    per_cpu_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Target:
    """Where requests go."""

    url: str
    """With the path."""
    pids: Sequence[int]
    """The processes that answer."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, content: bytes) -> bytes:
        """What is written for each."""
        parts = urlsplit(self.url)
        path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        headers = {
            "Host": parts.netloc,
            "A2A-Version": "1.0",
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            **self.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content


async def load(target: Target, form: str, content: bytes, connections: int, *, holds: bytes = b"hello") -> Figures:
    """Send ``content`` again and again; each answer has to hold some bytes."""
    request, address = target.request(content), urlsplit(target.url)
    durations: list[float] = []

    async def one_connection(until: float) -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=2**26)
        while time.perf_counter() < until:
            begun = time.perf_counter()
            writer.write(request)
            await writer.drain()
            answer = await _answer(reader)
            durations.append(time.perf_counter() - begun)
            if holds not in answer:
                raise RuntimeError(f"no answer: {answer[:500]!r}")
        writer.close()
        await writer.wait_closed()

    await one_connection(time.perf_counter() + WARM_UP_SECONDS)
    durations.clear()
    cpu, begun = sum(map(cpu_seconds, target.pids)), time.perf_counter()
    await asyncio.gather(*(one_connection(begun + SECONDS) for _ in range(connections)))
    wall, cpu = time.perf_counter() - begun, sum(map(cpu_seconds, target.pids)) - cpu
    cuts = statistics.quantiles(durations, n=100)
    count = len(durations)
    return Figures(form, connections, count / wall, count / cpu, cuts[49] * 1000, cuts[98] * 1000)


async def first_byte_ms(target: Target, content: bytes, times: int = 200) -> float:
    """Until the first piece of a streamed answer, in the middle."""
    request, address = target.request(content), urlsplit(target.url)
    durations = []
    for _ in range(times):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        begun = time.perf_counter()
        writer.write(request)
        await reader.readuntil(b"data:")
        durations.append(time.perf_counter() - begun)
        writer.close()
        await writer.wait_closed()
    return statistics.median(durations) * 1000


async def _answer(reader: asyncio.StreamReader) -> bytes:
    headers = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"content-length:" in headers:
        return await reader.readexactly(int(headers.partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return body


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used."""
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Memory that a process holds, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
