"""What the caller of a run brought along, and how the run keeps to it."""

import uuid
from dataclasses import replace

from isek.agent.output import GivenForm
from isek.agent.setup import Setup
from isek.asking import Brought
from isek.errors import RunError
from isek.models.base import ModelReply, OutputSchema, ToolCall

REMINDERS = 2


class CallersTools:
    """Tools that the model may call, and the caller runs.

    Raises:
        RunError: ``InvalidRequest``: the agent has one of that name itself.
    """

    def __init__(self, brought: Brought, setup: Setup) -> None:
        self._brought = brought
        self._names = {tool.name for tool in brought.tools}
        self._reminders = REMINDERS
        if taken := self._names & setup.tools.keys():
            raise RunError(
                "InvalidRequest",
                f"tools: {setup.name!r} has a tool {min(taken)!r} of its own",
                hint="give yours another name",
                status=400,
            )

    def taken(self, reply: ModelReply) -> ModelReply:
        """The reply, as far as it is taken: its calls of the caller's tools get ids that are like no other's."""
        calls: list[ToolCall] = []
        wanted = False
        for call in reply.tool_calls:
            if call.name not in self._names:
                calls.append(call)
            elif not (wanted and self._brought.one_call):
                calls.append(replace(call, id=f"call_{uuid.uuid4().hex}"))
                wanted = True
        return replace(reply, tool_calls=tuple(calls))

    def split(self, calls: tuple[ToolCall, ...]) -> tuple[tuple[ToolCall, ...], tuple[ToolCall, ...]]:
        """The caller's, and the agent's own."""
        wanted = tuple(call for call in calls if call.name in self._names)
        return wanted, tuple(call for call in calls if call.name not in self._names)

    def reminder(self) -> str | None:
        """What is said to a model that answers, and has to call a tool first; None: it need not.

        Raises:
            RunError: ``ToolNotCalled``: it does not.
        """
        if not self._brought.must_call:
            return None
        names = " or ".join(tool.name for tool in self._brought.tools)
        self._reminders -= 1
        if self._reminders < 0:
            raise RunError(
                "ToolNotCalled",
                f"the model answered, and did not call {names} as the request wants it",
                hint="let the message say what the tool is needed for, or send tool_choice: auto",
                status=502,
            )
        return f"Do not answer yet: call {names}."


def with_form(setup: Setup, form: OutputSchema | None) -> Setup:
    """The agent, answering in that form.

    Raises:
        RunError: ``InvalidRequest``: its answers have another.
    """
    if form is None:
        return setup
    if setup.output is not None:
        raise RunError(
            "InvalidRequest",
            f"the answers of {setup.name!r} have a form of their own",
            hint="leave the wanted form out",
            status=400,
        )
    return replace(setup, output=GivenForm(form))
