"""A node whose agents remember in a database that goes away and returns."""

from pathlib import Path

import aiohttp

from tests.support.node_process import NodeProcess, agent, ask
from tests.support.openai_server import OpenAIServer
from tests.support.postgres import PASSWORD, PostgresServer


async def test_a_node_says_so_while_the_database_is_away_and_goes_on_where_it_was_without_a_restart(
    tmp_path: Path,
) -> None:
    async with PostgresServer() as postgres, OpenAIServer() as model:
        secret = tmp_path / "db" / "uri"
        secret.parent.mkdir()
        secret.write_text(await postgres.create("node"))
        recall = {"provider": "OpenAI", "name": "recall", "baseURL": model.url}
        memory = {"provider": "PostgreSQL", "url": {"secretKeyRef": {"name": "db", "key": "uri"}}}
        agents = [agent("friend", recall, memory=memory), agent("echo", {"provider": "Echo"})]
        async with NodeProcess(tmp_path, agents, secrets_dir=tmp_path) as node:
            before, _ = await ask(node.url, "one", agent="friend", session_id="s")
            await postgres.stop()
            away, refused = await ask(node.url, "two", agent="friend", session_id="s")
            forgetful, _ = await ask(node.url, "three", agent="echo")
            async with aiohttp.request("GET", f"{node.url}/readyz") as ready:
                readiness = ready.status
            await postgres.start()
            back, answer = await ask(node.url, "four", agent="friend", session_id="s")
        log = node.text

    assert (before, away, forgetful, readiness, back) == (200, 503, 200, 200, 200)
    assert refused["error"]["code"] == "MemoryUnavailable"
    assert "the next message tries again" in refused["error"]["hint"]
    assert answer["response"] == "one | four"
    assert "Traceback" not in log
    assert PASSWORD not in log + str(refused)
