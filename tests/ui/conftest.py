"""Fixtures of the tests of the chat page: a local mesh, the page, and a real browser."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.support.chat_page import Browser, RunningPage
from tests.support.isek_local import Home, RunningUp
from tests.support.openai_server import OpenAIServer, Turn
from tests.support.web_server import web_server

DESK = Path(__file__).with_name("desk.yaml")
SCRIPT: dict[str, list[Turn]] = {
    "teller": [{"text": "noted"}],
    "slow": [{"text": "the first half and the second half", "heldHalfway": True}],
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the first test the time that a browser, a mesh and a page take to start, or to be installed."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="module")
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(SCRIPT) as server:
        yield server


@pytest.fixture(scope="module")
async def elsewhere() -> AsyncIterator[str]:
    """The URL of another site."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="not a picture")

    async with web_server(answer) as url:
        yield url


@pytest.fixture(scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory, model: OpenAIServer, elsewhere: str) -> AsyncIterator[Home]:
    """Where ``desk.yaml`` runs."""
    folder = tmp_path_factory.mktemp("home")
    text = DESK.read_text().replace("MODEL", model.url).replace("ELSEWHERE", elsewhere)
    (folder / "desk.yaml").write_text(text)
    home = Home(folder, (("KUBECONFIG", os.devnull), ("OPENAI_API_KEY", "none")))
    async with RunningUp(home, "-f", folder / "desk.yaml"):
        yield home


@pytest.fixture(scope="module")
async def page(home: Home) -> AsyncIterator[RunningPage]:
    async with RunningPage(home) as page:
        yield page


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with Browser() as browser:
        yield browser


@pytest.fixture
async def browser(chromium: Browser, page: RunningPage) -> AsyncIterator[Browser]:
    """The page, with a new conversation. In the end nothing but the page was asked, whatever the agents answered."""
    await chromium.open(page.url)
    yield chromium
    assert await chromium.asked() <= {f"127.0.0.1:{page.port}"}
