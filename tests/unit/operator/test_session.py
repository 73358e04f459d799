"""What comes over Kopf's session: objects go to the sink, Kopf keeps what it resumes a watch by; no refusal ends it."""

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from isek_operator.cluster.credentials import Credentials
from isek_operator.decide.outcome import Manifest
from isek_operator.handlers.session import GONE, Wire
from isek_operator.keys import Key, key_of
from isek_operator.kinds import ApiKind
from kubernetes.client import Configuration

PAGES: dict[str | None, Manifest] = {
    None: {"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [{"metadata": {"name": "a"}}]},
    "more": {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "b"}}]},
    "empty": {"metadata": {"resourceVersion": "8"}, "items": None},
}
DEPLOYMENTS = "/apis/apps/v1/deployments"
AGENTS = "/apis/isek.io/v1alpha1/namespaces/newsroom/isekagents"
FAILED = {"kind": "Status", "code": 500, "message": "etcd event received with PrevKv=nil"}


class Talk:
    """A session, a server that answers with ``PAGES`` and with ``stream``, and what the sink was told."""

    def __init__(self) -> None:
        self.told, self.stream, self.status = list[Any](), list[bytes](), 200
        self.url: str
        self.wire: Wire
        self.opened: aiohttp.ClientSession

    # --- the sink ---------------------------------------------------------------------------------------------------

    def observed(self, manifest: Manifest) -> None:
        self.told.append(manifest)

    def gone(self, key: Key, version: int) -> None:
        self.told.append((key, version))

    def listed(self, kind: ApiKind, namespace: str | None, present: Iterable[Key], version: int) -> None:
        self.told.append((kind.kind, namespace, [key.name for key in present], version))

    # --- the server -------------------------------------------------------------------------------------------------

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "broken" in request.query:
            response = web.StreamResponse()
            response.content_length = 100
            await response.prepare(request)
            await response.write(b'{"kind":')
            assert request.transport is not None
            request.transport.abort()
            return response
        if "watch" not in request.query:
            return web.json_response(
                PAGES[request.query.get("continue") or request.query.get("page")], status=self.status
            )
        response = web.StreamResponse(status=self.status)
        await response.prepare(request)
        for chunk in self.stream:
            await response.write(chunk)
        return response

    # --- Kopf -------------------------------------------------------------------------------------------------------

    async def get(self, path: str) -> Any:
        async with self.opened.get(self.url + path) as answer:
            return await answer.json()

    async def watch(self, path: str = AGENTS) -> bytes:
        """Return what is left for Kopf."""
        async with self.opened.get(f"{self.url}{path}?watch=true") as answer:
            assert answer.status == 200
            return b"".join([chunk async for chunk in answer.content.iter_chunked(1024)])


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    talk, application, configuration = Talk(), web.Application(), Configuration()
    application.router.add_get("/{path:.*}", talk.answer)
    async with TestServer(application) as server:
        talk.url = configuration.host = str(server.make_url("")).rstrip("/")
        talk.wire = Wire(Credentials(configuration), talk)
        async with talk.wire.session() as talk.opened:
            yield talk


def agent(name: str, version: int) -> Manifest:
    metadata = {"name": name, "namespace": "newsroom", "resourceVersion": str(version)}
    spec = {"instructions": 'not an error: {"type":"ERROR"'}
    return {"apiVersion": "isek.io/v1alpha1", "kind": "IsekAgent", "metadata": metadata, "spec": spec}


def line(type_: str, content: Manifest) -> bytes:
    return json.dumps({"type": type_, "object": content}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    return b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"%d"}}}\n' % version


async def test_of_a_list_kopf_sees_no_objects_and_the_sink_learns_when_it_is_complete(talk: Talk) -> None:
    first, second = await talk.get(DEPLOYMENTS), await talk.get(f"{DEPLOYMENTS}?continue=more")

    assert (first["items"], second["items"]) == ([], [])
    assert (first["metadata"], second["metadata"]) == (PAGES[None]["metadata"], PAGES["more"]["metadata"])
    described = {"apiVersion": "apps/v1", "kind": "Deployment"}
    assert talk.told == [
        {**described, "metadata": {"name": "a"}},
        {**described, "metadata": {"name": "b"}},
        ("Deployment", None, ["a", "b"], 7),
    ]


async def test_a_list_that_begins_anew_counts_from_its_beginning(talk: Talk) -> None:
    for page in ("", "", "?continue=more"):
        await talk.get(AGENTS + page)

    assert talk.told[-1] == ("IsekAgent", "newsroom", ["a", "b"], 7)


async def test_a_list_that_a_new_login_interrupts_is_complete_in_the_end(talk: Talk) -> None:
    await talk.get(AGENTS)
    async with talk.wire.session() as opened, opened.get(f"{talk.url}{AGENTS}?continue=more") as answer:
        await answer.json()

    assert talk.told[-1] == ("IsekAgent", "newsroom", ["a", "b"], 7)


async def test_a_list_is_told_of_even_if_it_is_empty(talk: Talk) -> None:
    await talk.get(f"{DEPLOYMENTS}?page=empty")

    assert talk.told[-1] == ("Deployment", None, [], 8)


@pytest.mark.parametrize(
    ("path", "status"), [("/api/v1/nodes", 200), (DEPLOYMENTS, 503)], ids=["no kind of ours", "5xx"]
)
async def test_other_answers_are_left_as_they_are(talk: Talk, path: str, status: int) -> None:
    talk.status = status

    assert await talk.get(path) == PAGES[None]
    assert talk.told == []


@pytest.mark.parametrize("path", [AGENTS, "/apis"], ids=["a list", "what is served"])
@pytest.mark.parametrize("status", [400, 404, 409, 410])
async def test_what_is_refused_is_tried_again_as_if_nobody_had_answered(talk: Talk, path: str, status: int) -> None:
    talk.status = status

    with pytest.raises(aiohttp.ClientConnectionError, match=str(status)):
        await talk.get(path)


@pytest.mark.parametrize("path", [AGENTS, "/apis"], ids=["a list", "what is served"])
async def test_an_answer_that_breaks_off_is_asked_for_again(talk: Talk, path: str) -> None:
    with pytest.raises(aiohttp.ClientConnectionError):
        await talk.get(f"{path}?broken")


async def test_a_list_whose_pages_have_expired_begins_anew(talk: Talk) -> None:
    talk.status = 410

    with pytest.raises(aiohttp.ClientPayloadError):  # which Kopf does not try again by itself
        await talk.get(f"{AGENTS}?continue=more")


async def test_of_a_watch_kopf_learns_how_far_it_got(talk: Talk) -> None:
    second = line("MODIFIED", agent("b", 11))
    talk.stream = [line("ADDED", agent("a", 10)), second[:-9], second[-9:] + line("DELETED", agent("a", 12))]

    left = await talk.watch()

    assert talk.told == [agent("a", 10), agent("b", 11), (key_of(agent("a", 12)), 12)]
    # what comes in one piece is not ours to say: a bookmark may stand for one event or for several
    assert {*left.splitlines(keepends=True)} <= {bookmark(version) for version in (10, 11, 12)}
    assert left.endswith(bookmark(12))


async def test_a_bookmark_is_passed_on(talk: Talk) -> None:
    talk.stream = [line("BOOKMARK", {"kind": "IsekAgent", "metadata": {"resourceVersion": "12"}})]

    assert await talk.watch() == bookmark(12)
    assert talk.told == []


@pytest.mark.parametrize("before", [b"", line("ADDED", agent("a", 10))], ids=["at once", "after an event"])
async def test_whatever_error_ends_a_watch_makes_it_begin_with_a_list(talk: Talk, before: bytes) -> None:
    talk.stream = [before + line("ERROR", FAILED) + line("ADDED", agent("b", 11))]

    left = await talk.watch()

    assert left == (bookmark(10) if before else b"") + GONE
    assert talk.told == ([agent("a", 10)] if before else [])


@pytest.mark.parametrize("status", [400, 404, 409, 410])
async def test_a_refused_watch_begins_with_a_list(talk: Talk, status: int) -> None:
    talk.status = status

    assert await talk.watch() == GONE
