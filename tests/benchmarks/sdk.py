"""What the SDK costs, beside two other agent libraries: ``python -m tests.benchmarks.sdk``.

All do the same on this machine, one after the other, each in its own environment; ``make bench-sdk`` makes that of the
others. Where it can, a figure is CPU time, which says more than wall time on a busy machine.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.node import Idle, idle_agents

ROOT = Path(__file__).parents[2]
SUBJECT = Path(__file__).with_name("sdk_subject.py")
OTHERS = ROOT / "build" / "bench-sdk" / "bin" / "python"
IMPORTS = 3
TIMED_IMPORT = """
import time
begun = time.process_time()
{statement}
print(time.process_time() - begun)
"""


class Library(NamedTuple):
    """One that is compared."""

    name: str
    package: str
    """Distribution on PyPI."""
    subject: str
    """As ``sdk_subject`` calls it."""
    python: Path
    agent: str = ""
    """The statement that imports what makes an agent; none: it has no agents."""
    model: str = ""
    """The one that imports what speaks the OpenAI API."""


LIBRARIES = (
    Library(
        "Isek",
        "isek-operator",
        "isek",
        Path(sys.executable),
        "from isek import IsekAgent",
        "from isek import OpenAIModel",
    ),
    Library(
        "Pydantic AI",
        "pydantic-ai-slim",
        "pydantic_ai",
        OTHERS,
        "from pydantic_ai import Agent",
        "from pydantic_ai.models.openai import OpenAIChatModel",
    ),
    Library(
        "Agno",
        "agno",
        "agno",
        OTHERS,
        "from agno.agent import Agent",
        "from agno.models.openai.like import OpenAILike",
    ),
    Library("the OpenAI client alone", "openai", "openai", Path(sys.executable), model="import openai"),
)


class Row(NamedTuple):
    """A library's figures."""

    library: Library
    release: str
    figures: Mapping[str, float]


def measured(library: Library, url: str) -> Row:
    """All that is measured of one library."""
    sys.stderr.write(f"  {library.name}\n")
    figures: dict[str, float] = json.loads(_run(library.python, str(SUBJECT), library.subject, url))
    if library.agent:
        figures["import_ms"] = _import_ms(library, library.agent)
    figures["import_all_ms"] = _import_ms(library, f"{library.agent}\n{library.model}")
    asked = f"from importlib.metadata import version; print(version({library.package!r}))"
    return Row(library, _run(library.python, "-c", asked).strip(), figures)


def _import_ms(library: Library, statement: str) -> float:
    program = TIMED_IMPORT.format(statement=statement)
    return statistics.median(float(_run(library.python, "-c", program)) for _ in range(IMPORTS)) * 1000


def _run(python: Path, *arguments: str) -> str:
    """What a program prints; the logs of the libraries are left out."""
    done = subprocess.run([str(python), *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.decode()


COLUMNS = {
    "import_ms": ("import, ms", ".0f"),
    "import_all_ms": ("with its OpenAI model, ms", ".0f"),
    "make_us": ("an agent, us", ".1f"),
    "make_kib": ("an agent, KiB", ".1f"),
    "first_run_kib": ("after its first run, KiB", ".1f"),
    "turn_cpu_ms": ("a turn, CPU ms", ".2f"),
    "turn_ms": ("a turn, ms", ".2f"),
    "sessions_right": ("of 1,000 sessions answered", ".0f"),
    "sessions_cpu_s": ("their CPU s", ".1f"),
    "sessions_s": ("their s", ".1f"),
    "sessions_mib": ("their MiB", ".0f"),
}


def table(rows: list[Row]) -> str:
    """The libraries, one beside the other."""
    lines = ["| | " + " | ".join(f"{row.library.name} {row.release}" for row in rows) + " |"]
    lines.append("|---" * (len(rows) + 1) + "|")
    for key, (title, form) in COLUMNS.items():
        cells = [format(row.figures[key], form) if key in row.figures else "" for row in rows]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def marks(rows: list[Row], idle: Idle) -> str:
    """What is asked of the SDK, and how it stands."""
    ours, client = rows[0].figures, rows[-1].figures
    lightest_import = min(row.figures["import_ms"] for row in rows[1:-1])
    lines = ["| mark | wanted | measured | met |", "|---|---|---|---|"]

    def add(mark: str, most: float, measured: float) -> None:
        lines.append(f"| {mark} | <= {most:.4g} | {measured:.2f} | {'yes' if measured <= most else '**no**'} |")

    add("import, ms of CPU: no more than the lightest of the others", lightest_import, ours["import_ms"])
    add("an agent with its memory, us of CPU", 20, ours["make_us"])
    add("an agent with its memory, KiB", 10, ours["make_kib"])
    add("a turn beyond the OpenAI client, ms of CPU", 2, ours["turn_cpu_ms"] - client["turn_cpu_ms"])
    add("a turn beyond the bare requests, ms of CPU", 2, ours["turn_cpu_ms"])
    add("a turn beyond the bare requests, ms", 2, ours["turn_ms"])
    add("sessions of 1,000 that went wrong", 0, 1000 - ours["sessions_right"])
    add("a node with 20 idle agents, MB", 200, idle.resident_mib * 2**20 / 1e6)
    add("a node with 20 idle agents, % of a core", 1, idle.share_of_a_core * 100)
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        idle = asyncio.run(idle_agents(Path(folder)))
    command = [sys.executable, "-m", "tests.benchmarks.sdk_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().decode().strip()
            rows = [measured(library, url) for library in LIBRARIES]
        finally:
            server.terminate()
    sys.stdout.write(f"Python {sys.version.split()[0]}, openai {version('openai')}, {os.cpu_count()} cores. ")
    sys.stdout.write(
        f"The load of the machine was {load:.1f} at the start and {os.getloadavg()[0]:.1f} at the end.\n\n"
    )
    sys.stdout.write(f"{table(rows)}\n\n{NOTES}\n\n{marks(rows, idle)}\n")


NOTES = """\
Imports, agents and turns are CPU time unless it says otherwise. An agent has one tool and a line of instructions, its
model is there already; only Isek's has a memory, too. A turn is one call of the model and what follows from it, less
what the same requests take when they are sent bare on one connection; a run has two, with one call of a tool.
The sessions are under way all at once with one agent; the model takes a second for each of its two answers.
A turn of Isek may cost less than the client alone: it posts by the client and reads the answer itself."""

if __name__ == "__main__":
    main()
