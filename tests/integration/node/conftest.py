"""Fixtures of the node's tests: a registry that several nodes share."""

from collections.abc import AsyncIterator

import pytest

from tests.support.center_registry import center_registry


@pytest.fixture(scope="module")
async def center() -> AsyncIterator[str]:
    """The URL of a center registry."""
    async with center_registry() as url:
        yield url
