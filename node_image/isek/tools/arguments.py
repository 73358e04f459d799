"""Arguments checked by a JSON schema that comes from elsewhere."""

from typing import Any

from isek.tools.base import ToolError

MAX_PROBLEMS = 5
"""That a model is told of at a time."""


class ArgumentCheck:
    """Checks arguments by a JSON schema; references that lead out of it are not followed.

    Raises:
        ValueError: the schema is none, or not that of an object.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        from jsonschema.exceptions import SchemaError  # noqa: PLC0415
        from jsonschema.validators import Draft202012Validator, validator_for  # noqa: PLC0415
        from referencing import Registry  # noqa: PLC0415

        if not isinstance(schema.get("$schema", ""), str):
            raise ValueError("the schema of the arguments is none: $schema must be text")  # noqa: TRY004  (as any other that is none)
        kind = validator_for(schema, default=Draft202012Validator)
        try:
            kind.check_schema(schema)
        except SchemaError as error:
            raise ValueError(f"the schema of the arguments is none: {error.message}") from None
        if schema.get("type", "object") != "object":
            raise ValueError(f"the schema of the arguments must be that of an object, not of {schema['type']!r}")
        self._validator = kind(schema, registry=Registry())

    def check(self, arguments: dict[str, Any]) -> None:
        """Let arguments pass that fit.

        Raises:
            ToolError: they do not; the message names what is wrong.
        """
        from referencing.exceptions import Unresolvable  # noqa: PLC0415

        try:
            errors = sorted(self._validator.iter_errors(arguments), key=lambda error: list(map(str, error.path)))
        except Unresolvable as error:
            raise ToolError(f"the schema of the arguments refers to {error.ref!r}, which is not there") from None
        except (ValueError, ArithmeticError, RecursionError) as error:  # a reference that is none, or leads to itself
            raise ToolError(f"the schema of the arguments cannot be followed: {error}") from None
        if errors:
            problems = (f"{'.'.join(map(str, each.path))}: {each.message}".removeprefix(": ") for each in errors)
            raise ToolError(f"the arguments do not fit: {'; '.join(list(problems)[:MAX_PROBLEMS])}")
