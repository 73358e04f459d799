"""The tools of an agent."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from isek.api.fields import AnyObject, PythonPath, ShortText, Text, Url
from isek.api.schema import Model, Rule, exactly_one_of
from isek.api.workload import Reference, SecretValue, Topic

ToolName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
ServerToolName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_./-]+$")]
Digest = Annotated[str, StringConstraints(max_length=71, pattern=r"^sha256:[0-9a-f]{64}$")]
UrlTemplate = Annotated[str, StringConstraints(max_length=2048, pattern=r"^https?://[^/?#{}\s]+([/?#][^\s]*)?$")]
Host = Annotated[
    str,
    StringConstraints(min_length=1, max_length=253, pattern=r"^(\*\.)?[a-zA-Z0-9:]([-.:a-zA-Z0-9]*[a-zA-Z0-9])?$"),
]
FolderPath = Annotated[str, StringConstraints(max_length=1024, pattern=r"^/")]


class Header(Model):
    """A header that is sent along."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[-A-Za-z0-9_]+$")]
    """Its name."""
    value: Text | None = None
    """Its value."""
    value_from: SecretValue | None = None
    """Where the value comes from."""

    rules = (exactly_one_of("value", "value_from"),)


Headers = Annotated[tuple[Header, ...], Field(max_length=16)]


class PythonTool(Model):
    """A function of the image."""

    function: PythonPath
    """`package.module:name`: a function, a tool or a toolkit. Type hints and docstring tell the model what it takes."""


class HttpTool(Model):
    """An HTTP endpoint. Redirects are not followed."""

    name: ToolName
    """How models call it."""
    description: Text = ""
    """What it is good for."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    """All but GET are of medium risk."""
    url: UrlTemplate
    """Where it answers. Arguments stand in its path and query as `{name}`; the others are added to the query, or, of
    POST, PUT and PATCH, are the body, as JSON."""
    input_schema: AnyObject | None = None
    """JSON schema of the arguments, an object; default: a text for each `{name}` in the URL."""
    headers: Headers = ()
    """Are sent along."""


class McpTool(Model):
    """The tools of a server that speaks the Model Context Protocol by streamable HTTP."""

    url: Url
    """Where it answers."""
    allow: Annotated[tuple[ServerToolName, ...], Field(min_length=1, max_length=64)] | None = None
    """The only tools to take, as the server calls them; default: all."""
    pins: Annotated[dict[ShortText, Digest], Field(min_length=1, max_length=64)] | None = None
    """What each tool is to be, by its name: the digest of its name, description and schema, as the node's log tells it.
    A tool that is something else, or is not named here or in `allow`, is not offered to the model. Default: as it is
    when the node first sees it."""
    headers: Headers = ()
    """Are sent along."""


class HttpGetTool(Model):
    """Pages by their URLs: `http_get`."""

    allow: Annotated[tuple[Host, ...], Field(min_length=1, max_length=64)]
    """Hosts that may be asked, on ports 80 and 443; `*.example.org` for all below."""
    private_addresses: bool = False
    """Whether these hosts may be private, shared, loopback or link-local addresses."""


class FilesTool(Model):
    """Text files under a folder: `list_files`, `read_file`, `write_file`."""

    root: FolderPath
    """The folder, in the node container."""
    read_only: bool = True
    """Whether there is no `write_file`, which is of medium risk."""


class SqlTool(Model):
    """Queries, read-only: `sql`."""

    url: SecretValue
    """`sqlite:///<path>` or `postgresql://<user>:<password>@<host>/<database>`."""


class WebSearchTool(Model):
    """A search engine: `web_search`."""

    url: Url
    """Asked with `?q=<query>`; answers `{"results": [{"title", "url", "snippet"}]}`."""
    api_key: SecretValue | None = None
    """Sent as `Authorization: Bearer`."""


class PublishTool(Model):
    """Publishes to topics of the mesh."""

    topics: Annotated[tuple[Topic, ...], Field(min_length=1, max_length=16)]
    """The topics that the model may publish to."""


class Tool(Model):
    """Something that the agent's model may call."""

    builtin: Literal["calculator", "datetime"] | None = None
    """A tool that comes with Isek and needs no settings."""
    python: PythonTool | None = None
    """A function of the image."""
    http: HttpTool | None = None
    """An HTTP endpoint."""
    mcp: McpTool | None = None
    """The tools of an MCP server."""
    http_get: HttpGetTool | None = None
    """Pages of some hosts."""
    files: FilesTool | None = None
    """Files under a folder."""
    sql: SqlTool | None = None
    """Queries of a database."""
    web_search: WebSearchTool | None = None
    """A search engine."""
    publish: PublishTool | None = None
    """Publishes to topics of the mesh, for all who listen."""
    agent: Reference | None = None
    """Another agent or team, asked over the mesh."""

    rules = (
        exactly_one_of(
            "builtin", "python", "http", "mcp", "http_get", "files", "sql", "web_search", "publish", "agent"
        ),
    )


def _named(tool: Tool) -> tuple[str, str] | None:
    """What models call it, within its kind; None: that does not stand here."""
    if tool.mcp or tool.python:
        return None
    named = {"agent": tool.agent and tool.agent.address, "http": tool.http and tool.http.name, "builtin": tool.builtin}
    [kind] = tool.model_fields_set
    return kind, named.get(kind) or ""


def _differ(tools: Sequence[Tool]) -> bool:
    names = [name for name in map(_named, tools) if name is not None]
    return len(set(names)) == len(names)


SAME = (
    *(f"has(tool.{kind}) && has(other.{kind})" for kind in ("httpGet", "files", "sql", "webSearch", "publish")),
    "has(tool.builtin) && has(other.builtin) && tool.builtin == other.builtin",
    "has(tool.http) && has(other.http) && tool.http.name == other.http.name",
    "has(tool.agent) && has(other.agent) && tool.agent.name == other.agent.name && "
    "has(tool.agent.__namespace__) == has(other.agent.__namespace__) && "
    "(!has(tool.agent.__namespace__) || tool.agent.__namespace__ == other.agent.__namespace__)",
)
TOOLS_DIFFER = Rule(
    cel=f"self.tools.all(tool, has(tool.mcp) || has(tool.python) || self.tools.exists_one(other, {' || '.join(SAME)}))",
    message="tools: two have one name; name one otherwise, or take it out",
    holds=lambda spec: _differ(spec.tools),
)
"""Models tell tools apart by their names. Those of two kinds are compared by the node, once it knows all of them."""
