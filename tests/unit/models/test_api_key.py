"""Where the key of a model comes from when none was given."""

from pathlib import Path

import pytest
from isek import IsekAgent, OpenAIModel
from isek.api.model import ModelSpec
from isek.environment import variable
from isek.models.build import build_model


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_dotenv_is_read_where_the_environment_says_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("# keys\nexport OPENAI_API_KEY='sk-file'\n")
    assert variable("OPENAI_API_KEY") == "sk-file"

    monkeypatch.setenv("OPENAI_API_KEY", "sk-set")
    assert variable("OPENAI_API_KEY") == "sk-set"

    monkeypatch.setenv("OPENAI_API_KEY", "")
    assert not variable("OPENAI_API_KEY")


@pytest.mark.parametrize("content", [None, b"OTHER=x", b"OPENAI_API_KEY", b"OPENAI_API_KEY=\xff", b"= ] nonsense"])
def test_a_file_that_does_not_tell_or_cannot_be_read_is_none(folder: Path, content: bytes | None) -> None:
    if content is not None:
        (folder / ".env").write_bytes(content)

    assert not variable("OPENAI_API_KEY")


def test_a_script_is_told_what_it_can_do_about_a_missing_key() -> None:
    result = IsekAgent(model=OpenAIModel("m")).run("hello")

    assert result.errors[0].code == "ModelAuthenticationFailed"
    assert result.errors[0].hint == "pass api_key, or set OPENAI_API_KEY in the environment or in .env"


def test_a_resource_is_told_the_field() -> None:
    spec = ModelSpec.model_validate({"provider": "OpenAI", "name": "m"})

    result = IsekAgent(model=build_model(spec, Path("/nowhere"))).run("hello")

    assert result.errors[0].hint == "set spec.model.apiKey, or set OPENAI_API_KEY in the environment or in .env"
