"""What an operator holds in memory: how much is in each of its tables, its objects and tasks, and the memory itself.

When it is sent SIGUSR1 it compares with the cluster, as it does every ten minutes by itself, which lets go of what is
over; then it tells, in a file.
"""

import asyncio
import ctypes
import gc
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.support.control_plane_process import ServerProcess
from tests.support.waiting import until

TOLD_IN = "ISEK_TESTS_INSIGHT"
"""A variable of an operator: the file that it tells in."""
BOUNDED = {"pki.read_certificates": 4096, "pki.issued_by": 4096, "Recorder._series": 2048, "slim._parts": 4096}
"""Tables that are full some day and do not grow past it. They are emptied before memory is looked at."""
MODULES = "isek_operator."
COUNTED = frozenset(
    {"isek_operator", "isek", "asyncio", "_asyncio", "aiohttp", "grpc", "kopf", "ssl", "_ssl", "socket"}
)
"""The packages whose objects are counted."""
UNCOUNTED = frozenset({"isek_operator.keys.Key"})
"""Classes whose objects are in tables only; how many tables share one is a matter of what came first."""


@dataclass(frozen=True)
class Insight:
    """An operator at one moment."""

    tables: dict[str, int]
    """Entries by table: ``Store._gone``, ``slim._parts``; those of tables within a table count as well."""
    objects: dict[str, int]
    """Live objects by class, of the operator, asyncio and what it talks through."""
    tasks: dict[str, int]
    """Asyncio's tasks by coroutine."""
    blocks: int
    """Pieces of memory that Python objects take, whatever they are."""
    rss_bytes: int
    files: int
    """Open files and connections."""


async def look_into(process: ServerProcess, told_in: Path) -> Insight:
    """Ask an operator that runs with ``TOLD_IN``."""

    def told() -> Insight:
        insight = Insight(**json.loads(told_in.read_text()))
        told_in.unlink()
        return insight

    os.kill(process.pid, signal.SIGUSR1)
    return await until(told, within=60, what="the operator has counted", retry_on=(FileNotFoundError,))


def install() -> None:
    """Tell from now on, where that is asked for. Called in the operator's process."""
    if TOLD_IN not in os.environ:
        return
    from isek_operator import slim  # noqa: PLC0415

    # what objects have in common is kept once, or not, by what came first: it would look like growth, and hide it
    slim.MOST_PARTS = 0
    path, tasks = Path(os.environ[TOLD_IN]), set[asyncio.Task[None]]()

    def tell() -> None:
        task = asyncio.get_running_loop().create_task(_tell(path))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    # between two steps of the operator, not within one
    signal.signal(signal.SIGUSR1, lambda *_: asyncio.get_running_loop().call_soon_threadsafe(tell))


async def _tell(path: Path) -> None:
    from isek_operator.reconcile.synchroniser import Synchroniser  # noqa: PLC0415  (once it is to be an operator)

    [synchroniser] = [each for each in gc.get_objects() if type(each) is Synchroniser]
    await synchroniser.sweep()
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(_insight())))
    part.rename(path)


def _insight() -> Insight:
    tables: Counter[str] = Counter()
    for name, table in _tables():
        tables[name] += _entries(table)
        if name in BOUNDED:
            table.cache_clear() if hasattr(table, "cache_clear") else table.clear()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    blocks = sys.getallocatedblocks()
    types = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    return Insight(
        tables=dict(tables),
        objects={name: types[name] for name in types.keys() - UNCOUNTED if name.partition(".")[0] in COUNTED},
        tasks=dict(Counter(getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks())),
        blocks=blocks,
        rss_bytes=int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        files=len(list(Path("/proc/self/fd").iterdir())),
    )


def _tables() -> Iterator[tuple[str, Any]]:
    """Everything that can grow: what the operator's objects keep to themselves, and what its modules do."""
    for each in gc.get_objects():
        if str(type(each).__module__).startswith(MODULES):
            for name, value in getattr(each, "__dict__", {}).items():
                if name.startswith("_") and _grows(value):
                    yield f"{type(each).__qualname__}.{name}", value
    for path, module in list(sys.modules.items()):
        if path.startswith(MODULES):
            for name, value in vars(module).items():
                if not name.startswith("__") and _grows(value) and getattr(value, "__module__", path) == path:
                    yield f"{path.rpartition('.')[2]}.{name}", value


def _grows(value: Any) -> bool:
    return isinstance(value, dict | set | list | asyncio.Queue) or hasattr(value, "cache_info")


def _entries(table: Any) -> int:
    if isinstance(table, asyncio.Queue):
        return table.qsize()
    if hasattr(table, "cache_info"):
        return int(table.cache_info().currsize)
    inner = table.values() if isinstance(table, dict) else table
    return len(table) + sum(_entries(each) for each in inner if isinstance(each, dict | set | list))
