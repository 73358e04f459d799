"""From the ``tools`` of a resource to the tools."""

from collections.abc import Callable, Iterable
from pathlib import Path

from isek.api.tool import Header
from isek.api.tool import Tool as ToolSpec
from isek.api.workload import SecretValue
from isek.asking import Asks
from isek.calling import Readable
from isek.colleague import Far
from isek.secret_files import SecretUnreadableError, read_secret
from isek.tools.ask import AskTool
from isek.tools.base import Tool, ToolError
from isek.tools.calculator import Calculator
from isek.tools.date_time import DateTime
from isek.tools.files import Files
from isek.tools.http import HttpTool
from isek.tools.http_get import HttpGet
from isek.tools.mcp import MCPToolkit
from isek.tools.publish import Publish
from isek.tools.python import PythonTool
from isek.tools.sql import Sql
from isek.tools.toolkit import Toolkit
from isek.tools.web_search import WebSearch

BUILTINS: dict[str, type[Tool]] = {"calculator": Calculator, "datetime": DateTime}


def build_tools(specs: Iterable[ToolSpec], asks: Asks, secrets_dir: Path) -> list[Tool | Toolkit]:
    """The tools. Secrets are files ``<secrets_dir>/<name>/<key>``, read when needed.

    Raises:
        ValueError: two have the same name, or one cannot work; the message names the field.
    """
    tools: list[Tool | Toolkit] = []
    taken: set[str] = set()
    for number, spec in enumerate(specs):
        try:
            tool = _build(spec, asks, secrets_dir)
        except ValueError as error:
            raise ValueError(f"spec.tools[{number}]: {error}") from None
        names = tool.list_functions() if isinstance(tool, Toolkit) else [tool.schema.name]
        if again := taken.intersection(names):
            raise ValueError(f"spec.tools[{number}]: there is a tool called {min(again)!r} already")
        taken.update(names)
        tools.append(tool)
    return tools


def _build(spec: ToolSpec, asks: Asks, secrets_dir: Path) -> Tool | Toolkit:
    if spec.agent:
        return AskTool(Far(spec.agent.address, asks))
    if spec.python:
        return PythonTool(spec.python.function)
    if spec.http:
        return HttpTool(
            spec.http.name,
            spec.http.url,
            description=spec.http.description,
            method=spec.http.method,
            input_schema=spec.http.input_schema,
            headers=_headers(spec.http.headers, secrets_dir),
        )
    if spec.mcp:
        headers = _headers(spec.mcp.headers, secrets_dir)
        return MCPToolkit(spec.mcp.url, headers=headers, allow=spec.mcp.allow, pins=spec.mcp.pins)
    if spec.http_get:
        return HttpGet(spec.http_get.allow, private_addresses=spec.http_get.private_addresses)
    if spec.files:
        return Files(spec.files.root, read_only=spec.files.read_only)
    if spec.sql:
        return Sql(_secret(spec.sql.url, secrets_dir))
    if spec.publish:
        return Publish(spec.publish.topics)
    if spec.web_search:
        key = spec.web_search.api_key
        return WebSearch(spec.web_search.url, api_key=_secret(key, secrets_dir) if key else None)
    assert spec.builtin is not None  # noqa: S101  (exactly one is set)
    return BUILTINS[spec.builtin]()


def _headers(headers: Iterable[Header], secrets_dir: Path) -> dict[str, Readable]:
    return {
        header.name: _secret(header.value_from, secrets_dir) if header.value_from else header.value or ""
        for header in headers
    }


def _secret(value: SecretValue, secrets_dir: Path) -> Callable[[], str]:
    def read() -> str:
        try:
            return read_secret(value.secret_key_ref, secrets_dir)
        except SecretUnreadableError as error:
            raise ToolError(str(error)) from None

    return read
