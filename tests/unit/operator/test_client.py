"""Calls of the API server."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from isek_operator.cluster.client import Client
from isek_operator.cluster.credentials import Credentials
from isek_operator.cluster.errors import NotActiveError, UnauthorizedError
from isek_operator.keys import Key
from isek_operator.kinds import SECRET
from isek_operator.metrics import Metrics
from kubernetes.client import Configuration


async def test_a_refused_token_is_read_again_for_the_next_call() -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bearer new":
            return web.json_response({"message": "Unauthorized"}, status=401)
        return web.json_response({"kind": "Secret"})

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    configuration = Configuration()
    configuration.api_key = {"authorization": "Bearer old"}
    async with TestServer(application) as server:
        configuration.host = str(server.make_url(""))
        async with Client(Credentials(configuration), Metrics()) as client:
            with pytest.raises(UnauthorizedError):
                await client.get(SECRET, "newsroom", "openai")
            configuration.api_key = {"authorization": "Bearer new"}

            assert await client.get(SECRET, "newsroom", "openai") == {"kind": "Secret"}


async def test_without_the_right_to_act_no_write_is_sent_and_reads_go_on() -> None:
    sent: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        sent.append(request.method)
        return web.json_response({"kind": "Secret"})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    configuration = Configuration()
    async with TestServer(application) as server:
        configuration.host = str(server.make_url(""))
        async with Client(Credentials(configuration), Metrics(), may_write=lambda: False) as client:
            for write in (
                client.create(SECRET, {"metadata": {"namespace": "newsroom"}}),
                client.merge(SECRET, Key("Secret", "newsroom", "openai"), {}),
                client.delete(SECRET, Key("Secret", "newsroom", "openai"), uid="its"),
            ):
                with pytest.raises(NotActiveError, match="not the active one any more"):
                    await write
            with pytest.raises(NotActiveError):
                client.check_active("a step of an etcd")
            assert await client.get(SECRET, "newsroom", "openai") == {"kind": "Secret"}

    assert sent == ["GET"]
