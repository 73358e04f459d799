"""What Kopf's watches see of an API server that refuses."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from isek_operator.cluster.credentials import Credentials
from isek_operator.handlers.session import GONE, session
from kubernetes.client import Configuration

EVENT = b'{"type":"ADDED","object":{"spec":{"type":"ERROR"}}}\n'
FAILED = b'{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd event received with PrevKv=nil"}}\n'


@asynccontextmanager
async def session_for(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]], told: list[str]
) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    configuration = Configuration()
    async with TestServer(application) as server:
        configuration.host = str(server.make_url(""))
        async with session(Credentials(configuration), told.append) as opened:
            yield opened, str(server.make_url("/pods"))


async def content(answer: aiohttp.ClientResponse) -> bytes:
    return b"".join([data async for data in answer.content.iter_chunked(100)])


@pytest.mark.parametrize("before", [b"", EVENT])
async def test_whatever_error_ends_a_watch_makes_it_begin_with_a_list(before: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=before + FAILED)

    async with session_for(answer, []) as (opened, pods), opened.get(pods, params={"watch": "true"}) as watch:
        assert await content(watch) == before + GONE


@pytest.mark.parametrize("status", [400, 404, 409, 410])
async def test_a_refused_watch_begins_with_a_list(status: int) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({}, status=status)

    async with session_for(answer, []) as (opened, pods), opened.get(pods, params={"watch": "true"}) as watch:
        assert watch.status == 200
        assert await content(watch) == GONE


async def test_an_object_that_holds_what_looks_like_an_error_is_passed_on() -> None:
    event = b'{"type":"ADDED","object":{"spec":{"x":{"type":"ERROR"}}}}\n'

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=event)

    async with session_for(answer, []) as (opened, pods), opened.get(pods, params={"watch": "true"}) as watch:
        assert await content(watch) == event


async def test_a_list_is_told_of_even_if_it_is_empty() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"items": []})

    told: list[str] = []
    async with session_for(answer, told) as (opened, pods), opened.get(pods):
        assert told == ["pods"]


async def test_a_list_of_many_pages_is_told_of_once() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"items": []})

    told: list[str] = []
    async with session_for(answer, told) as (opened, pods):
        for query in ({}, {"continue": "further"}):
            async with opened.get(pods, params=query):
                pass
    assert told == ["pods"]


@pytest.mark.parametrize("status", [400, 404, 409, 410])
async def test_a_refused_list_is_tried_again_as_one_that_nobody_answered(status: int) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({}, status=status)

    async with session_for(answer, []) as (opened, pods):
        with pytest.raises(aiohttp.ClientConnectionError, match=str(status)):
            await opened.get(pods)
