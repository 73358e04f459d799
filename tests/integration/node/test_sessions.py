"""Conversations and users, as they travel from node to node."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.node_process import NodeProcess, agent, ask, team
from tests.support.openai_server import OpenAIServer


@pytest.fixture(scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory, center: str) -> AsyncIterator[str]:
    """A node with two teams whose member lives elsewhere, and answers with all that it remembers to have heard."""
    folder = tmp_path_factory.mktemp("sessions")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(OpenAIServer())
        recall = {"provider": "OpenAI", "name": "recall", "baseURL": server.url}
        mesh: dict[str, Any] = {"registry_url": center, "mesh_id": "default.sessions", "memory_dir": folder}
        friend = agent("friend", recall, memory={"provider": "SQLite"})
        far = NodeProcess(folder, [friend], node_id="far.default", **mesh)
        near = NodeProcess(folder, [team("morning", "friend"), team("evening", "friend")], node_id="near", **mesh)
        await asyncio.gather(*(stack.enter_async_context(each) for each in (far, near)))
        yield near.url


async def heard(url: str, team: str, message: str, *, session_id: str, user_id: str = "default") -> str:
    status, body = await ask(url, message, agent=team, session_id=session_id, user_id=user_id)
    assert status == 200, body
    return str(body["response"])


async def test_a_conversation_goes_on_at_the_agents_that_are_asked_on_its_behalf(desk: str) -> None:
    await heard(desk, "morning", "tea", session_id="monday")

    assert await heard(desk, "morning", "milk", session_id="monday") == "tea | milk"
    assert await heard(desk, "morning", "milk", session_id="tuesday") == "milk"


async def test_two_that_ask_the_same_agent_in_one_session_talk_to_it_by_themselves(desk: str) -> None:
    await heard(desk, "morning", "sun", session_id="shared")

    assert await heard(desk, "evening", "moon", session_id="shared") == "moon"


async def test_at_the_same_time_they_do_not_mix_either(desk: str) -> None:
    asks = [
        heard(desk, name, f"{name} {number}", session_id=f"busy-{number}")
        for number in range(8)
        for name in ("morning", "evening")
    ]
    first = await asyncio.gather(*asks)

    assert await heard(desk, "morning", "again", session_id="busy-3") == "morning 3 | again"
    assert not [answer for answer in first if "|" in answer]


async def test_users_have_conversations_of_their_own(desk: str) -> None:
    await heard(desk, "morning", "I am Ann", session_id="s", user_id="ann")

    assert await heard(desk, "morning", "Who am I?", session_id="s", user_id="ben") == "Who am I?"
    assert await heard(desk, "morning", "Who am I?", session_id="s", user_id="ann") == "I am Ann | Who am I?"
    assert await heard(desk, "morning", "Who am I?", session_id="s") == "Who am I?"
