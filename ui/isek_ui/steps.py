"""The steps of a run as a tree, from the events beside its answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from isek.tools.base import tool_name

Json = dict[str, Any]


@dataclass(eq=False)
class Step:
    """A call of a tool, or of another agent."""

    kind: Literal["tool", "agent"]
    name: str
    input: str
    by: str
    """Who calls the tool, or asks."""
    call_id: str
    """Empty: a team asks, which calls no tool for it."""
    parent: "Step | None"
    output: str = ""
    failed: bool = False
    ended: bool = False


class Steps:
    """Follows one run.

    What an agent of the same node does comes below the step that asks it; what one elsewhere does only its node knows.
    """

    def __init__(self) -> None:
        self._open: list[Step] = []

    @property
    def open(self) -> tuple[Step, ...]:
        """Those under way, the latest last."""
        return tuple(self._open)

    def take(self, event: Json) -> Step | None:
        """The step that an event begins, tells more of, or ends; None: it does nothing of it."""
        match event:
            case {"step": "ToolStarted", "agent": by, "callId": call_id, "tool": name, "arguments": arguments}:
                return self._begin(Step("tool", name, arguments, by, call_id, self._asked(by)))
            case {"step": "AskStarted", "agent": name, "message": message}:
                return self._ask(name, message, event.get("by", ""))
            case {"step": "ToolEnded", "agent": by, "callId": call_id, "content": content, "failed": failed}:
                return self._end(lambda step: (step.by, step.call_id) == (by, call_id), content, failed=failed)
            case {"step": "AskEnded", "agent": name, "seconds": seconds, "error": error}:
                asked = ("agent", name, event.get("by", ""), "")
                output = error or f"answered after {seconds:.1f} s"
                return self._end(
                    lambda step: (step.kind, step.name, step.by, step.call_id) == asked, output, failed=bool(error)
                )
        return None

    def _ask(self, name: str, message: str, by: str) -> Step:
        """A tool that turns out to ask an agent, which it is called like, becomes the step of that."""
        called = ("tool", tool_name(name), by)
        tool = next((step for step in self._open if (step.kind, step.name, step.by) == called), None)
        if tool is None:
            return self._begin(Step("agent", name, message, by, "", self._asked(by)))
        tool.kind, tool.name, tool.input = "agent", name, message
        return tool

    def _asked(self, agent: str) -> Step | None:
        """The step that asks an agent; None: it is the one that the user asks."""
        return next((step for step in reversed(self._open) if (step.kind, step.name) == ("agent", agent)), None)

    def _begin(self, step: Step) -> Step:
        self._open.append(step)
        return step

    def _end(self, is_it: Callable[[Step], bool], output: str, *, failed: bool) -> Step | None:
        step = next((step for step in self._open if is_it(step)), None)
        if step is not None:
            self._open.remove(step)
            step.output, step.failed, step.ended = output, failed, True
        return step
