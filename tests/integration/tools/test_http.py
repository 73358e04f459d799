import json
from typing import Any

import pytest
from aiohttp import web
from isek import HttpTool, RiskLevel, ToolError
from isek.public_addresses import is_public
from isek.tools.fetching import MAX_BYTES
from isek.tools.http_get import HttpGet
from isek.tools.web_search import WebSearch

from tests.support.asking import context
from tests.support.web_server import web_server


async def page(request: web.Request) -> web.StreamResponse:
    match request.path:
        case "/hop":
            return web.Response(status=302, headers={"Location": "/page"})
        case "/away":
            return web.Response(status=302, headers={"Location": "http://elsewhere.example/"})
        case "/round":
            return web.Response(status=302, headers={"Location": "/round"})
        case "/missing":
            return web.Response(status=404, text="nothing here")
        case "/picture":
            return web.Response(body=b"\x89PNG", content_type="image/png")
        case "/endless":
            return web.Response(text="x" * (MAX_BYTES + 1))
    return web.Response(text="the page")


@pytest.mark.parametrize("path", ["/page", "/hop"])
async def test_a_page_of_an_allowed_host_is_got(path: str) -> None:
    async with web_server(page) as url:
        get = HttpGet(["127.0.0.1"], private_addresses=True)

        assert await get.call({"url": url + path}, context()) == "the page"


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/away", "host 'elsewhere.example' must not be asked; allowed: 127.0.0.1"),
        ("/round", "more than 5 redirects"),
        ("/missing", "answered 404: nothing here"),
        ("/picture", "the answer is image/png, not text"),
    ],
)
async def test_what_cannot_be_got_is_said(path: str, problem: str) -> None:
    async with web_server(page) as url:
        with pytest.raises(ToolError, match=problem):
            await HttpGet(["127.0.0.1"], private_addresses=True).call({"url": url + path}, context())


async def test_a_page_that_is_too_long_is_cut_off() -> None:
    async with web_server(page) as url:
        said = await HttpGet(["127.0.0.1"], private_addresses=True).call({"url": f"{url}/endless"}, context())

    assert said.endswith("[cut off after 32768 characters]")


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("127.0.0.1", "is not an address of the public internet"),
        ("localhost", "leads to (127.0.0.1|::1), which is not a public address"),
        ("[::1]", "is not an address of the public internet"),
    ],
)
async def test_an_allowed_host_must_be_public_unless_private_ones_are_allowed(host: str, problem: str) -> None:
    asked: list[str] = []

    async def note(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(text="internal")

    async with web_server(note) as url:
        with pytest.raises(ToolError, match=problem):
            await HttpGet([host.strip("[]")]).call({"url": url.replace("127.0.0.1", host)}, context())

    assert asked == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://",
        "nothing",
        "http://docs.example.org.evil.example/",
        "http://docs.example.org@evil/",
    ],
)
async def test_a_url_that_leads_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(ToolError, match="must not be asked"):
        await HttpGet(["docs.example.org", "*.docs.example.org"]).call({"url": url}, context())


@pytest.mark.parametrize(
    "address",
    [
        *("10.1.2.3", "127.0.0.1", "169.254.169.254", "100.64.0.1", "192.168.0.1", "0.0.0.0", "224.0.0.1"),
        *("::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "ff02::1", "fe80::1%eth0"),
        *("fec0::1", "64:ff9b:1::7f00:1", "::7f00:1", "::ffff:0:127.0.0.1"),
    ],
)
def test_addresses_of_the_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


async def echo(request: web.Request) -> web.StreamResponse:
    body = await request.text()
    told = {"method": request.method, "path": request.raw_path, "key": request.headers.get("X-Key"), "body": body}
    return web.json_response(told)


async def test_arguments_go_into_the_url_and_what_is_left_into_the_query() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
    async with web_server(echo) as url:
        tool = HttpTool("weather", url + "/{city}/now?a=1", input_schema=schema, headers={"X-Key": lambda: "s3cret"})
        said = json.loads(await tool.call({"city": "New York/?#", "days": 2}, context()))

    assert said == {"method": "GET", "path": "/New%20York%2F%3F%23/now?a=1&days=2", "key": "s3cret", "body": ""}
    assert tool.risk_level is RiskLevel.LOW


async def test_what_is_posted_is_json() -> None:
    async with web_server(echo) as url:
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {"id": {"type": "integer"}, "tags": {"type": "array"}},
        }
        tool = HttpTool("tag", url + "/{id}", method="POST", input_schema=schema)
        said = json.loads(await tool.call({"id": 7, "tags": ["a"]}, context()))

    assert (said["method"], said["path"], json.loads(said["body"])) == ("POST", "/7", {"tags": ["a"]})
    assert tool.risk_level is RiskLevel.MEDIUM


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "the arguments do not fit: 'city' is a required property"),
        ({"city": 1}, "the arguments do not fit: city: 1 is not of type 'string'"),
        ({"city": ".."}, r"must not be \. or \.\."),
        ({"city": "x", "y": 1}, "Additional properties are not allowed"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused_before_anybody_is_asked(
    arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ToolError, match=problem):
        await HttpTool("weather", "http://127.0.0.1:1/{city}").call(arguments, context())


@pytest.mark.parametrize(
    ("path", "problem"),
    [("/missing", "it answered 404: nothing here"), ("/hop", "it answered 302: moved, and redirects are not followed")],
)
async def test_an_endpoint_that_fails_is_told_to_the_model(path: str, problem: str) -> None:
    async with web_server(page) as url:
        with pytest.raises(ToolError, match=problem):
            await HttpTool("page", url + path).call({}, context())


async def test_an_endpoint_that_is_not_there_is_told_to_the_model() -> None:
    with pytest.raises(ToolError, match=r"127\.0\.0\.1 cannot be asked"):
        await HttpTool("page", "http://127.0.0.1:1/").call({}, context())


@pytest.mark.parametrize(
    ("url", "schema", "problem"),
    [
        ("http://{host}/", None, "tool 'x': the host of the URL must be fixed"),
        ("/relative", None, "tool 'x': the URL must begin with http:// or https://"),
        ("http://a/", {"type": "strange"}, "tool 'x': the schema of the arguments is none"),
        ("http://a/", {"type": "array"}, "tool 'x': the schema of the arguments must be that of an object"),
    ],
)
def test_a_tool_that_cannot_work_is_refused(url: str, schema: dict[str, Any] | None, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        HttpTool("x", url, input_schema=schema)


@pytest.mark.parametrize("name", ["two words", "db.drop", "", "x" * 65])
def test_a_name_that_models_do_not_take_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a tool's name is 1 to 64 letters, digits, _ and -"):
        HttpTool(name, "http://a/")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_model_cannot_give_what_the_url_says_already(method: str) -> None:
    tool = HttpTool("items", "http://127.0.0.1:1/?tenant=acme&key=", method=method, input_schema={"type": "object"})

    for name in ("tenant", "key"):
        with pytest.raises(ToolError, match=f"'{name}' stands in the URL and is no argument"):
            await tool.call({"q": "tea", name: "mine"}, context())


def test_what_harm_a_tool_may_do_can_be_said() -> None:
    assert HttpTool("order", "http://a/", method="DELETE", risk_level=RiskLevel.HIGH).risk_level is RiskLevel.HIGH


async def test_a_secret_is_read_by_what_waits_for_it_too() -> None:
    async def key() -> str:
        return "s3cret"

    async def tell(request: web.Request) -> web.StreamResponse:
        return web.Response(text=request.headers["X-Key"])

    async with web_server(tell) as url:
        assert await HttpTool("page", url, headers={"X-Key": key}).call({}, context()) == "s3cret"


async def test_a_search_tells_what_was_found() -> None:
    asked: list[str] = []

    async def search(request: web.Request) -> web.StreamResponse:
        asked.append(f"{request.path_qs} {request.headers['Authorization']}")
        first = {"title": "Tea", "url": "https://tea.example", "snippet": "is hot"}
        return web.json_response(
            {"results": [first, {"title": "Ice", "url": "https://ice.example", "content": "is not"}]}
        )

    async with web_server(search) as url:
        tool = WebSearch(f"{url}/search?format=json", api_key=lambda: "s3cret")
        said = await tool.call({"query": "hot & cold"}, context())

    assert asked == ["/search?format=json&q=hot+%26+cold Bearer s3cret"]
    assert said == "Tea\nhttps://tea.example\nis hot\n\nIce\nhttps://ice.example\nis not"


@pytest.mark.parametrize("body", ["nonsense", "[]", '{"results": [1]}', '{"results": [{}]}'])
async def test_a_search_that_answers_nonsense_is_told_to_the_model(body: str) -> None:
    async def search(request: web.Request) -> web.StreamResponse:
        return web.Response(text=body)

    async with web_server(search) as url:
        with pytest.raises(ToolError, match="the search did not answer"):
            await WebSearch(url).call({"query": "tea"}, context())
