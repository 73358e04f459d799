"""The guide to tools: its Python runs, its YAML is accepted."""

import re
from pathlib import Path
from typing import Any

import yaml
from isek.api.tool import Tool

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "tools.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_python_of_the_guide_makes_an_agent() -> None:
    names: dict[str, Any] = {}
    exec(compile(block("python"), "tools.md", "exec"), names)  # noqa: S102  (our own guide)

    assert names["agent"].name == "clerk"
    assert names["cancel"].schema.parameters["required"] == ["order"]


def test_the_yaml_of_the_guide_shows_each_kind_of_tool() -> None:
    tools = [Tool.model_validate(each) for each in yaml.safe_load(block("yaml"))["tools"]]

    assert {field for tool in tools for field in tool.model_fields_set} == set(Tool.model_fields)
