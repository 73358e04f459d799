"""Plain Python functions as tools."""

import functools
import json
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, overload

from isek.asking import CallContext
from isek.calling import outcome
from isek.models.base import ToolSchema
from isek.tools.base import TIMEOUT_SECONDS, TOOL_NAME, RiskLevel, Tool, ToolError
from isek.tools.signature import Signature, called, read_signature


class FunctionTool(Tool):
    """A function, synchronous or not. Its type hints and docstring tell the model what it takes.

    Docstrings are read in the styles of Google, NumPy and reST. Functions, methods and objects with ``__call__`` are
    taken; each parameter needs a type hint that JSON can carry: also Literal, Enum, dataclasses, pydantic models.
    A parameter with the type ``CallContext`` gets the context of the run; the model does not see it. A synchronous
    function runs in a thread.

    Args:
        function: what is called.
        name: default: the function's.
        description: default: its docstring.
        risk_level: what harm it may do.
        timeout_seconds: after which a call is cut off; None: the run's deadline is enough. Python cannot stop a
            synchronous function: it goes on in its thread, and nobody hears what it returns.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        risk_level: RiskLevel = RiskLevel.LOW,
        timeout_seconds: float | None = TIMEOUT_SECONDS,
    ) -> None:
        if not callable(function):
            raise TypeError(f"a tool is made of a function, not of {function!r}")
        self.function = function
        self.name: str = name or called(function)
        self._description = description
        self.risk_level = risk_level
        self.timeout_seconds = timeout_seconds

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, as if it were no tool."""
        return self.function(*args, **kwargs)

    @cached_property
    def schema(self) -> ToolSchema:  # type: ignore[override]
        """What the model is told of the function.

        Raises:
            ValueError: it cannot be told what the function takes, or the name is none for a tool.
        """
        if not re.fullmatch(TOOL_NAME, self.name):
            raise ValueError(f"function {self.name!r}: a tool's name is 1 to 64 letters, digits, _ and -; give it one")
        description = self._signature.description if self._description is None else self._description
        return ToolSchema(self.name, description, self._signature.parameters)

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """What the function returns, as text: JSON, unless it is text already."""
        from pydantic import ValidationError  # noqa: PLC0415

        try:
            read = self._signature.arguments.model_validate(arguments)
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            raise ToolError(f"the arguments do not fit: {problems}") from None
        values = {name: getattr(read, field) for field, name in self._signature.names.items()}
        if self._signature.context_parameter is not None:
            values[self._signature.context_parameter] = context
        return as_text(await outcome(self.function, **values))

    @cached_property
    def _signature(self) -> Signature:
        return read_signature(self.function)


@overload
def tool(function: Callable[..., Any], /) -> FunctionTool: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    risk_level: RiskLevel = RiskLevel.LOW,
    timeout_seconds: float | None = TIMEOUT_SECONDS,
) -> Callable[[Callable[..., Any]], FunctionTool]: ...


def tool(
    function: Callable[..., Any] | None = None, /, **about: Any
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Make a function a tool, as a decorator: ``@tool``, or ``@tool(risk_level=RiskLevel.HIGH)``.

    Takes what :class:`FunctionTool` takes. The tool can still be called as the function that it was.
    """
    if function is not None:
        return FunctionTool(function)
    return functools.partial(FunctionTool, **about)


def as_text(value: Any) -> str:
    """What a model is told of a tool's return value."""
    if isinstance(value, str):
        return value
    from pydantic_core import to_jsonable_python  # noqa: PLC0415

    return json.dumps(to_jsonable_python(value, fallback=str), ensure_ascii=False)
