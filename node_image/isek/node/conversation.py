"""A conversation as a caller of OpenAI's APIs tells it, and what an agent is asked by it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from isek.agent.agent import IsekAgent
from isek.asking import Brought
from isek.errors import CallError
from isek.models.base import Message, OutputSchema, ToolSchema
from isek.node.hosted import Hosted
from isek.node.recent import Unfinished
from isek.tools.base import TOOL_NAME

Choice = Literal["auto", "none", "required"]


@dataclass(frozen=True)
class Wish:
    """How a caller wants to be answered."""

    tools: tuple[ToolSchema, ...] = ()
    choice: Choice = "auto"
    only: str | None = None
    """The one tool that is to be called."""
    one_call: bool = False
    output: OutputSchema | None = None


@dataclass(frozen=True)
class Asked:
    """What an agent is asked."""

    message: Message
    brought: Brought | None = None


def asked_of(
    hosted: Hosted, conversation: Sequence[Message], wish: Wish, unfinished: Unfinished, *, remembered: bool
) -> Asked:
    """What ``hosted`` is asked by a conversation: the user's latest message, after all that was said before it unless
    the agent remembers that itself.

    Args:
        hosted: who is asked.
        conversation: all that was said.
        wish: how to answer.
        unfinished: what had been said until agents wanted calls of callers' tools.
        remembered: whether the agent knows the conversation.

    Raises:
        CallError: ``InvalidRequest``: it is not the agent's turn; calls and answers of tools do not belong together; or
            it wants what a team cannot do.
    """
    place = latest_input(conversation)
    _check_calls(conversation)
    before, message, after = conversation[:place], conversation[place], conversation[place + 1 :]
    if remembered:
        before = [each for each in before if each.role == "system"]
    tools = _wanted_tools(wish)
    if not isinstance(hosted.runner, IsekAgent):
        if tools or wish.output is not None or after:
            what = "response_format" if wish.output is not None else "tools"
            raise invalid(
                f"{what}: {hosted.address} is no agent but a {hosted.kind.lower()} or an adapter, which takes none",
                "ask one of its members, or leave it out",
            )
        return Asked(_told_again(before, message))
    brought = Brought(
        before=tuple(_from_outside(each) for each in before),
        after=_with_own_steps(after, unfinished),
        tools=tools,
        must_call=wish.choice == "required" or wish.only is not None,
        one_call=wish.one_call,
        output=wish.output,
    )
    return Asked(message, brought)


def tool_schema(where: str, name: str, description: str | None, parameters: dict[str, Any] | None) -> ToolSchema:
    """A function that the caller runs, as a tool.

    Raises:
        CallError: ``InvalidRequest``.
    """
    if not re.fullmatch(TOOL_NAME, name):
        raise invalid(f"{where}.name: {name[:100]!r} is none that models take", f"use {TOOL_NAME}")
    return ToolSchema(name, description or "", parameters or {"type": "object", "properties": {}})


def invalid(message: str, hint: str = "") -> CallError:
    """A request that cannot be understood, or asks for what there is not."""
    return CallError("InvalidRequest", message, hint=hint, status=400)


def latest_input(conversation: Sequence[Message]) -> int:
    """The place of the user's latest message, which only calls of tools may follow."""
    if not conversation or conversation[-1].role not in {"user", "tool"}:
        last = conversation[-1].role if conversation else "nobody"
        raise invalid(f"messages: the last one must be the user's or a tool's, not of role {last!r}")
    for place in range(len(conversation) - 1, -1, -1):
        if conversation[place].role == "user":
            return place
    raise invalid("messages: none is the user's")


def _check_calls(conversation: Sequence[Message]) -> None:
    """Let each call of a tool be followed by what it said, as models want it."""
    open_calls: set[str] = set()
    for message in conversation:
        if message.role == "tool":
            if message.tool_call_id not in open_calls:
                raise invalid(
                    f"messages: what a tool said answers {message.tool_call_id!r}, which is no open call before it",
                    "send the assistant's message with the tool_calls, and after it one message for each call",
                )
            open_calls.remove(message.tool_call_id)
        elif open_calls:
            break
        else:
            open_calls = {call.id for call in message.tool_calls}
    if open_calls:
        raise invalid(
            f"messages: nothing answers the tool call {min(open_calls)!r}", "send a message of the tool for it"
        )


def _wanted_tools(wish: Wish) -> tuple[ToolSchema, ...]:
    names = [tool.name for tool in wish.tools]
    if len(set(names)) < len(names):
        raise invalid(f"tools: two are called {max(names, key=names.count)!r}")
    if wish.choice == "none":
        return ()
    if wish.choice == "required" and not names:
        raise invalid("tool_choice: wants a call, and there are no tools")
    if wish.only is None:
        return wish.tools
    if wish.only not in names:
        raise invalid(f"tool_choice: there is no tool {wish.only[:100]!r} among those that are sent")
    return tuple(tool for tool in wish.tools if tool.name == wish.only)


def _with_own_steps(after: Sequence[Message], unfinished: Unfinished) -> tuple[Message, ...]:
    """What followed the message, with what the agent itself did in between as far as this node knows it."""
    for place in range(len(after) - 1, -1, -1):
        if after[place].tool_calls:
            known = unfinished.get(after[place].tool_calls[0].id)
            return tuple(after) if known is None else (*known[1:], *after[place + 1 :])
    return tuple(after)


def _from_outside(message: Message) -> Message:
    """A message as the agent's model gets it: the caller's system prompt does not speak for the agent's maker."""
    if message.role != "system":
        return message
    return replace(message, role="user", content=f"Instructions of who asks: {message.content}")


def _told_again(before: Sequence[Message], message: Message) -> Message:
    said = [f"{each.role}: {each.content}" for each in before if each.content]
    if not said:
        return message
    return replace(message, content="\n".join(["What was said before:", *said, "Now the user says:", message.content]))
