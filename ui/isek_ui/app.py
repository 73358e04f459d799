"""What happens in a conversation. Chainlit runs this file."""

import sys
from contextlib import aclosing
from typing import Any

import chainlit as cl
from chainlit.server import app, get_html_template
from chainlit.types import ChatProfile

from isek_ui.data_layer import DataLayer
from isek_ui.drawing import Drawing
from isek_ui.guard import Guard
from isek_ui.history import History
from isek_ui.nodes import Agent, Nodes, TalkError
from isek_ui.settings import Settings

YOU = "you"
"""There is no login: whoever reaches the page is the one who talks."""

settings = Settings()
nodes = Nodes(settings.nodes, settings.namespace, settings.shown_token)
app.add_middleware(Guard, hosts=settings.hosts, html=get_html_template(""))


@cl.on_app_startup
def started() -> None:
    """Say where the page is."""
    sys.stdout.write(f"the chat page is at http://{settings.host or 'localhost'}:{settings.port}\n")
    sys.stdout.flush()


@cl.data_layer
def data_layer() -> DataLayer:
    """Where conversations are kept."""
    return DataLayer(History(settings.data / "history.sqlite3"))


@cl.header_auth_callback
async def who(_headers: object) -> cl.User:
    """Whoever comes."""
    return cl.User(identifier=YOU)


@cl.set_chat_profiles
async def profiles(_user: object, _language: object) -> list[ChatProfile]:
    """Whom one can talk with, as it is now."""
    try:
        agents = await nodes.agents()
    except TalkError:
        return []  # said where the conversation begins
    names = [agent.address.partition(".")[0] for agent in agents]
    return [
        ChatProfile(
            name=agent.address,
            display_name=agent.address if names.count(name) > 1 else name,
            markdown_description=_description(agent),
            default=agent.address == settings.agent,
        )
        for name, agent in zip(names, agents, strict=True)
    ]


@cl.on_chat_start
async def begin() -> None:
    """Say why there is nobody to talk with, where it is so."""
    try:
        if not await nodes.agents():
            await cl.ErrorMessage("there are no agents yet: make one, and load this page again").send()
    except TalkError as error:
        await cl.ErrorMessage(f"{error}; load this page again when they run").send()


@cl.on_chat_resume
async def resume(_thread: object) -> None:
    """Go on with a conversation: Chainlit has what was said, and the agent what it remembers."""


@cl.on_message
async def answer(_message: cl.Message) -> None:
    """Draw the answer as it comes. The button that stops cancels this, and so the agent's run."""
    address = cl.user_session.get("chat_profile")
    said = [_wire(each) for each in cl.chat_context.get() if not each.is_error]
    async with Drawing() as drawing:
        if not address:
            await drawing.fail("nobody is chosen: load this page again, and choose an agent")
            return
        try:
            async with aclosing(nodes.answer(address, said, cl.context.session.thread_id)) as chunks:
                async for chunk in chunks:
                    await drawing.take(chunk)
        except TalkError as error:
            await drawing.fail(str(error))


def _wire(message: cl.Message) -> dict[str, Any]:
    role = "user" if message.type == "user_message" else "assistant"
    return {"role": role, "content": message.content}


def _description(agent: Agent) -> str:
    return agent.description or f"{agent.kind.lower()} {agent.address}"
