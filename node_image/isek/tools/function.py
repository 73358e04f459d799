"""Plain Python functions as tools."""

import asyncio
import inspect
import json
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_type_hints

from isek.asking import CallContext
from isek.models.base import ToolSchema
from isek.tools.base import TIMEOUT_SECONDS, RiskLevel, Tool, ToolError

if TYPE_CHECKING:
    from pydantic import BaseModel


class FunctionTool(Tool):
    """A function, synchronous or not. Its type hints and docstring tell the model what it takes.

    A parameter with the type ``CallContext`` gets the context of the run; the model does not see it. A synchronous
    function runs in a thread.

    Args:
        function: what is called.
        name: default: the function's.
        description: default: its docstring.
        risk_level: what harm it may do.
        timeout_seconds: after which a call is cut off; None: the run's deadline is enough.
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
        self._function = function
        self._name: str = name or getattr(function, "__name__", "") or type(function).__name__
        self._description = description
        self.risk_level = risk_level
        self.timeout_seconds = timeout_seconds

    @cached_property
    def schema(self) -> ToolSchema:  # type: ignore[override]
        """What the model is told of the function."""
        description = self._description if self._description is not None else inspect.getdoc(self._function) or ""
        parameters = self._arguments.model_json_schema()
        parameters.pop("title", None)
        return ToolSchema(self._name, description, parameters)

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """What the function returns, as text: JSON, unless it is text already."""
        from pydantic import ValidationError  # noqa: PLC0415

        try:
            read = self._arguments.model_validate(arguments)
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            raise ToolError(f"the arguments do not fit: {problems}") from None
        values = {name: getattr(read, name) for name in type(read).model_fields}
        if self._context_parameter is not None:
            values[self._context_parameter] = context
        if inspect.iscoroutinefunction(self._function):
            return as_text(await self._function(**values))
        returned = await asyncio.to_thread(self._function, **values)
        return as_text(await returned if inspect.isawaitable(returned) else returned)

    @cached_property
    def _context_parameter(self) -> str | None:
        hints = get_type_hints(self._function)
        return next((name for name, hint in hints.items() if hint is CallContext and name != "return"), None)

    @cached_property
    def _arguments(self) -> "type[BaseModel]":
        from pydantic import ConfigDict, create_model  # noqa: PLC0415

        hints = get_type_hints(self._function, include_extras=True)
        fields: dict[str, Any] = {
            name: (hints.get(name, Any), ... if parameter.default is parameter.empty else parameter.default)
            for name, parameter in inspect.signature(self._function).parameters.items()
            if name != self._context_parameter
        }
        return create_model(self._name, __config__=ConfigDict(extra="forbid"), **fields)


def as_text(value: Any) -> str:
    """What a model is told of a tool's return value."""
    if isinstance(value, str):
        return value
    from pydantic_core import to_jsonable_python  # noqa: PLC0415

    return json.dumps(to_jsonable_python(value, fallback=str), ensure_ascii=False)
