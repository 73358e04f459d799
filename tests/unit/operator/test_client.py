"""Calls of the API server."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from isek_operator.cluster.client import Client
from isek_operator.cluster.credentials import Credentials
from isek_operator.cluster.errors import UnauthorizedError
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
