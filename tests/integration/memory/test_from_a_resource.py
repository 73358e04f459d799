"""``spec.memory`` of an IsekAgent, as a node works with it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from isek import LoopResult
from isek.agent.build import build_agent
from isek.api import IsekAgent
from isek.memory.records import Session

from tests.support.asking import Directory, context
from tests.support.node_process import agent
from tests.support.postgres import PostgresServer


async def talk(folder: Path, memory: dict[str, Any], message: str) -> tuple[LoopResult, int]:
    """An answer of a node that starts, and how many runs of the session it knows."""
    resource = IsekAgent.model_validate(agent("writer", {"provider": "Echo"}, memory=memory))
    built = build_agent(resource, Directory({}), folder / "secrets", folder)
    result = await built.respond(message, replace(context(), session_id="s"))
    known = 0
    if built.memory is not None and not result.failed:
        known = len(await built.memory.runs(Session(built.agent_id, "default", "s")))
    await built.aclose()
    return result, known


async def test_a_memory_in_sqlite_is_a_file_of_the_agent_on_the_volume(tmp_path: Path) -> None:
    memory = {"provider": "SQLite", "claim": {"name": "remembers"}}

    assert [(await talk(tmp_path, memory, "hi"))[1] for _ in range(2)] == [1, 2]
    assert (tmp_path / "writer.db").exists()


async def test_a_memory_in_postgresql_is_found_by_the_secret(tmp_path: Path, postgres: PostgresServer) -> None:
    memory = {"provider": "PostgreSQL", "url": {"secretKeyRef": {"name": "db", "key": "uri"}}}
    missing, _ = await talk(tmp_path, memory, "hi")
    secret = tmp_path / "secrets" / "db" / "uri"
    secret.parent.mkdir(parents=True)
    secret.write_text(await postgres.create("resource") + "\n")

    assert missing.errors[0].code == "MemoryUnavailable"
    assert "Secret 'db'" in missing.errors[0].message
    assert [(await talk(tmp_path, memory, "hi"))[1] for _ in range(2)] == [1, 2]


async def test_a_memory_in_the_process_ends_with_it(tmp_path: Path) -> None:
    assert [(await talk(tmp_path, {}, "hi"))[1] for _ in range(2)] == [1, 1]
