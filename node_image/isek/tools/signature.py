"""What a function takes, as its type hints and its docstring tell it."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from isek.asking import CallContext
from isek.calling import routine

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True)
class Signature:
    """A function as a tool."""

    description: str
    """What it does, from its docstring, without what that says of parameters."""
    parameters: dict[str, Any]
    """JSON schema of its arguments, an object."""
    arguments: "type[BaseModel]"
    """Validates them; each is found under its parameter's name by ``names``."""
    names: dict[str, str]
    """The fields of ``arguments``, and the parameters that they stand for."""
    context_parameter: str | None
    """Gets the context of the run; the model does not see it."""


def read_signature(function: Callable[..., Any]) -> Signature:
    """What ``function`` takes.

    Raises:
        ValueError: a model could not be told; the message names the function and the parameter.
    """
    from docstring_parser import parse  # noqa: PLC0415

    where = f"function {called(function)!r}"
    hints = _hints(function, where)
    parameters = _parameters(function, where)
    context_parameter = next((name for name in parameters if _takes_context(hints.get(name))), None)
    told = parse(_docstring(function))
    described = {each.arg_name: " ".join((each.description or "").split()) for each in told.params}
    taken = {name: parameter for name, parameter in parameters.items() if name != context_parameter}
    for name in taken:
        if name not in hints:
            raise ValueError(f"{where}: parameter {name!r} has no type hint, so that models cannot know what to pass")
    arguments = _arguments({name: (hints[name], each.default) for name, each in taken.items()}, described, where)
    return Signature(
        description="\n\n".join(part for part in (told.short_description, told.long_description) if part),
        parameters=_schema(arguments, where),
        arguments=arguments,
        names=dict(zip(arguments.model_fields, taken, strict=True)),
        context_parameter=context_parameter,
    )


def called(function: Callable[..., Any]) -> str:
    """What a function, or the class of an object with ``__call__``, is called."""
    if isinstance(function, functools.partial):
        return called(function.func)
    return getattr(function, "__name__", "") or type(function).__name__


def _docstring(function: Callable[..., Any]) -> str:
    where = routine(function)
    of_its_own = isinstance(function, functools.partial) or inspect.isroutine(function) or inspect.isclass(function)
    return where.__doc__ or ("" if of_its_own else type(function).__doc__) or ""


def _hints(function: Callable[..., Any], where: str) -> dict[str, Any]:
    hinted = routine(function)
    try:
        return get_type_hints(hinted.__init__ if inspect.isclass(hinted) else hinted, include_extras=True)
    except (NameError, TypeError) as error:
        raise ValueError(f"{where}: its type hints cannot be read: {error}") from None


def _parameters(function: Callable[..., Any], where: str) -> dict[str, inspect.Parameter]:
    try:
        parameters = dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        raise ValueError(f"{where}: Python does not tell what it takes; wrap it in a function of your own") from None
    for name, parameter in parameters.items():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
            raise ValueError(f"{where}: {stars}{name} tells models nothing; name each parameter")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise ValueError(f"{where}: parameter {name!r} has no name for callers; models pass arguments by name")
    return parameters


def _takes_context(hint: Any) -> bool:
    return hint is CallContext or CallContext in get_args(hint)


def _arguments(taken: dict[str, tuple[Any, Any]], described: dict[str, str], where: str) -> "type[BaseModel]":
    from pydantic import ConfigDict, Field, create_model  # noqa: PLC0415
    from pydantic.errors import PydanticUserError  # noqa: PLC0415

    fields: dict[str, Any] = {}
    for number, (name, (hint, default)) in enumerate(taken.items()):
        about: dict[str, Any] = {"description": described[name]} if described.get(name) else {}
        if default is not inspect.Parameter.empty:
            about["default"] = default
        # parameters may have names that pydantic keeps for itself, such as copy or _x
        fields[f"argument{number}"] = (hint, Field(alias=name, **about))
    try:
        return create_model("Arguments", __config__=ConfigDict(extra="forbid"), **fields)
    except PydanticUserError as error:
        raise ValueError(f"{where}: a parameter has a type that JSON cannot carry: {_first_line(error)}") from None


def _schema(arguments: "type[BaseModel]", where: str) -> dict[str, Any]:
    from pydantic.errors import PydanticUserError  # noqa: PLC0415
    from pydantic.json_schema import GenerateJsonSchema  # noqa: PLC0415

    class Untitled(GenerateJsonSchema):
        """Without a title for each field, which only repeats its name."""

        def field_title_should_be_set(self, schema: Any) -> bool:
            return False

    try:
        schema = arguments.model_json_schema(schema_generator=Untitled)
    except PydanticUserError as error:
        raise ValueError(f"{where}: a parameter has a type that JSON cannot carry: {_first_line(error)}") from None
    schema.pop("title", None)
    return schema


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
