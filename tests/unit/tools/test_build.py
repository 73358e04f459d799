import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from isek import RunError, ToolError
from isek.api.tool import Tool as ToolSpec
from isek.tools.base import Tool
from isek.tools.build import BUILTINS, build_tools
from isek.tools.opening import open_tools
from isek.tools.python import PythonTool

from tests.support.asking import Directory, context

FROM_SECRET = {"secretKeyRef": {"name": "keys", "key": "url"}}
GREETER = '''
from isek import Toolkit, tool

@tool
def greet(name: str) -> str:
    """Greet somebody."""
    return f"Hello, {name}"

class Sums:
    @staticmethod
    def add(a: int, b: int) -> int:
        return a + b

class Kit(Toolkit):
    closed = False

    async def aclose(self):
        self.closed = True

kit = Kit("kit", [greet], instructions="Greet everybody.")

def starred(*names): ...
'''


async def built(*specs: dict[str, Any], secrets_dir: Path = Path("none")) -> dict[str, Tool]:
    given = build_tools([ToolSpec.model_validate(spec) for spec in specs], Directory({}), secrets_dir)
    return (await open_tools(given)).tools


async def test_each_kind_of_tool_is_known_by_its_names() -> None:
    tools = await built(
        {"builtin": "calculator"},
        {"builtin": "datetime"},
        {"http": {"name": "weather", "url": "http://weather/{city}"}},
        {"httpGet": {"allow": ["docs.example.org"]}},
        {"files": {"root": "/data", "readOnly": False}},
        {"sql": {"url": FROM_SECRET}},
        {"webSearch": {"url": "http://search/"}},
        {"agent": {"name": "writer"}},
    )

    assert list(tools) == [
        *("calculator", "datetime", "weather", "http_get", "list_files", "read_file", "write_file", "sql"),
        *("web_search", "writer"),
    ]


def test_all_that_is_built_in_can_be_named() -> None:
    assert ToolSpec.model_json_schema()["properties"]["builtin"]["anyOf"][0]["enum"] == list(BUILTINS)


@pytest.mark.parametrize(
    "second",
    [
        {"agent": {"name": "calculator"}},
        {"http": {"name": "calculator", "url": "http://a/"}},
    ],
)
async def test_two_tools_of_one_name_are_refused(second: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"spec\.tools\[1\]: there is a tool called 'calculator' already"):
        await built({"builtin": "calculator"}, second)


async def test_a_schema_that_is_none_is_refused_with_its_field() -> None:
    spec = {"http": {"name": "weather", "url": "http://a/", "inputSchema": {"type": "strange"}}}

    with pytest.raises(ValueError, match=r"spec\.tools\[0\]: tool 'weather': the schema of the arguments is none"):
        await built(spec)


async def test_a_secret_is_read_when_it_is_needed(tmp_path: Path) -> None:
    tools = await built({"sql": {"url": FROM_SECRET}}, secrets_dir=tmp_path)
    with pytest.raises(ToolError, match="key 'url' of Secret 'keys' cannot be read"):
        await tools["sql"].call({"query": "SELECT 1"}, context())

    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "url").write_text(f"sqlite:///{tmp_path / 'a.db'}\n")
    (tmp_path / "a.db").touch()

    assert await tools["sql"].call({"query": "SELECT 1 AS one"}, context()) == '{"columns": ["one"], "rows": [[1]]}'


@pytest.fixture
def greeter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "greeter_for_tests.py").write_text(GREETER)
    (tmp_path / "broken_for_tests.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.mark.usefixtures("greeter")
@pytest.mark.parametrize(("path", "names"), [("greet", ["greet"]), ("Sums.add", ["add"]), ("kit", ["greet"])], ids=str)
async def test_a_function_of_the_image_is_a_tool(path: str, names: list[str]) -> None:
    tools = await built({"python": {"function": f"greeter_for_tests:{path}"}})

    assert list(tools) == names


@pytest.mark.usefixtures("greeter")
async def test_a_toolkit_of_the_image_is_used_as_it_says_and_closed() -> None:
    tool = PythonTool("greeter_for_tests:kit")

    opened = await open_tools([tool])
    await tool.aclose()

    assert opened.instructions == ("Greet everybody.",)
    assert import_module("greeter_for_tests").kit.closed


@pytest.mark.usefixtures("greeter")
@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("greeter_for_tests:nobody", "AttributeError: module 'greeter_for_tests' has no attribute 'nobody'"),
        ("not_there_at_all:greet", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("broken_for_tests:greet", "ZeroDivisionError: division by zero"),
        ("greeter_for_tests:starred", r"ValueError: function 'starred': \*names tells models nothing"),
        ("greeter_for_tests:Sums.nothing", "AttributeError"),
    ],
)
async def test_a_function_that_cannot_be_had_is_named(path: str, problem: str) -> None:
    with pytest.raises(RunError, match=f"ToolsUnavailable: the tool '{path}' cannot be had: {problem}"):
        await PythonTool(path).open()
