"""The numbered examples as resources: one real node hosts them all."""

from pathlib import Path

import pytest
from isek.cli.example import examples_folder
from isek_operator.local.plan import plan

from tests.support.node_process import NodeProcess, ask
from tests.support.openai_server import OpenAIServer, Turn

TWINS = sorted(examples_folder().glob("lv*.yaml"))


async def test_they_answer_like_the_programs(tmp_path: Path) -> None:
    (tmp_path / "openai").mkdir()
    (tmp_path / "openai" / "api-key").write_text("sk-test")
    translation = {"name": "translator", "arguments": {"message": "42"}}
    planning: list[Turn] = [{"toolCalls": [translation]}, {"text": "quarante-deux"}]
    team = [{"text": "facts"}, {"text": "article"}, {"text": "too short"}]
    script = [{"text": "Good day to you!"}, *planning, {"text": "C'est quarante-deux."}, *team]
    documents = "\n---\n".join(path.read_text() for path in TWINS)
    async with OpenAIServer({"gpt-5-mini": script}, key="sk-test") as server:
        variables = {"OPENAI_BASE_URL": server.url}
        async with NodeProcess(tmp_path, documents, environment=variables, secrets_dir=tmp_path) as node:
            answers = [
                (await ask(node.url, message, agent=agent))[1].get("response")
                for agent, message in (("greeter", "Hello!"), ("planner", "42 in French?"), ("newsroom", "Why?"))
            ]

    assert answers == ["Good day to you!", "C'est quarante-deux.", "too short"]


@pytest.mark.parametrize("twin", TWINS, ids=lambda path: path.stem)
def test_isek_up_takes_each_by_itself(twin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")

    assert plan([twin]).pods
