"""An HTTP endpoint as a tool."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from isek.asking import CallContext
from isek.calling import Readable, read_now
from isek.checks import check_type
from isek.models.base import ToolSchema
from isek.tools.arguments import ArgumentCheck
from isek.tools.base import TOOL_NAME, RiskLevel, Tool, ToolError
from isek.tools.fetching import TIMEOUT_SECONDS, cut, fetch
from isek.tools.http_get import MAX_CHARACTERS

ARGUMENT = re.compile(r"\{(\w+)\}")
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class HttpTool(Tool):
    """Asks an HTTP endpoint.

    Arguments that stand as ``{name}`` in the URL are put in there; the others are the query, or, of POST, PUT and
    PATCH, the body, as JSON. Redirects are not followed: headers are for this endpoint alone.

    Args:
        name: how models call it.
        url: such as ``http://weather/{city}``; the host is fixed.
        description: what it is good for.
        method: GET, POST, PUT, PATCH or DELETE.
        input_schema: JSON schema of the arguments; default: a text for each ``{name}`` in the URL.
        headers: are sent along; values, or what reads them when they are needed.
        risk_level: what harm it may do; default: low for GET, medium for the others.
        timeout_seconds: for one request.

    Raises:
        TypeError: name or URL are no text.
        ValueError: the name is none for a tool, the URL none for HTTP, an argument stands for its host, or the schema
            is none.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        description: str = "",
        method: str = "GET",
        input_schema: dict[str, Any] | None = None,
        headers: Mapping[str, Readable] | None = None,
        risk_level: RiskLevel | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        check_type("a tool's name", name, str)
        if not re.fullmatch(TOOL_NAME, name):
            raise ValueError(f"tool {name!r}: a tool's name is 1 to 64 letters, digits, _ and -")
        check_type(f"tool {name!r}: its URL", url, str)
        if urlsplit(url).scheme not in {"http", "https"}:
            raise ValueError(f"tool {name!r}: the URL must begin with http:// or https://")
        if ARGUMENT.search(urlsplit(url).netloc) or not urlsplit(url).netloc:
            raise ValueError(f"tool {name!r}: the host of the URL must be fixed; arguments go into its path and query")
        self._url = url
        self._method = method
        self._headers = dict(headers or {})
        self._in_url = tuple(dict.fromkeys(ARGUMENT.findall(url)))
        of_the_method = RiskLevel.LOW if method == "GET" else RiskLevel.MEDIUM
        self.risk_level = of_the_method if risk_level is None else risk_level
        self.timeout_seconds = timeout_seconds
        self.schema = ToolSchema(name, description, input_schema or _texts(self._in_url))
        try:
            self._arguments = ArgumentCheck(self.schema.parameters)
        except ValueError as error:
            raise ValueError(f"tool {name!r}: {error}") from None

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """The body of the answer."""
        self._arguments.check(arguments)
        url = ARGUMENT.sub(lambda found: quote(_text(arguments, found[1]), safe=""), self._url)
        if {".", ".."} & set(urlsplit(url).path.split("/")):
            raise ToolError("an argument must not be . or .., which lead to another path")
        rest = {name: value for name, value in arguments.items() if name not in self._in_url}
        fixed = {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
        if self._method not in WITH_BODY and (again := fixed & rest.keys()):
            raise ToolError(f"{min(again)!r} stands in the URL and is no argument")
        with_body = self._method in WITH_BODY
        answer = await fetch(
            self._method,
            url,
            headers={name: await read_now(value) for name, value in self._headers.items()},
            query=None if with_body else {name: _text(rest, name) for name in rest},
            json=rest if with_body else None,
            timeout_seconds=self.timeout_seconds or TIMEOUT_SECONDS,
        )
        if 300 <= answer.status < 400:
            raise ToolError(f"it answered {answer.status}: moved, and redirects are not followed")
        if answer.status >= 400:
            raise ToolError(f"it answered {answer.status}: {cut(answer.text, 1000)}")
        return cut(answer.text, MAX_CHARACTERS)


def _texts(names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": list(names),
        "additionalProperties": False,
    }


def _text(arguments: dict[str, Any], name: str) -> str:
    value = arguments.get(name)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise ToolError(f"{name!r} must be a text or a number to stand in a URL")
