from collections.abc import AsyncIterator

import pytest

from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
async def postgres() -> AsyncIterator[PostgresServer]:
    async with PostgresServer() as server:
        yield server
