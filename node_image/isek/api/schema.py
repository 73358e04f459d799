"""What every model of the API shares: camelCase on the wire, closed objects, and rules that hold on both sides."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from isek.api.fields import DNS_LABEL


@dataclass(frozen=True)
class Rule:
    """A constraint that no single field shows.

    The API server evaluates ``cel``; whoever reads the object without one (``isek up``, the node) evaluates ``holds``.
    A test runs both over the same examples.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool]


class Model(BaseModel):
    """An object of the API."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        use_attribute_docstrings=True,
        frozen=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        for rule in self.rules:
            if not rule.holds(self):
                raise ValueError(rule.message)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core_schema))
        if cls.rules:
            schema["x-kubernetes-validations"] = [{"rule": rule.cel, "message": rule.message} for rule in cls.rules]
        return schema

    def to_manifest(self) -> dict[str, Any]:
        """The object as it is written in YAML: camelCase keys, nothing that was left unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def exactly_one_of(*fields: str) -> Rule:
    """The rule of a union: one of ``fields`` (Python names) is set and the others are not."""
    names = [to_camel(field) for field in fields]
    count = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in names)
    return Rule(
        cel=f"{count} == 1",
        message=f"set exactly one of {', '.join(names)}",
        holds=lambda value: sum(getattr(value, field) is not None for field in fields) == 1,
    )


def explain(error: ValidationError) -> Iterable[str]:
    """Each complaint of pydantic as one line: the field's path and what is wrong with it."""
    for problem in error.errors(include_url=False):
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "no such field"
        elif problem["type"] == "missing":
            message = "is required"
        elif problem["type"] == "too_short":
            message = f"needs at least {problem['ctx']['min_length']}"
        elif problem["type"] == "literal_error":
            message = f"is {problem['input']!r:.100}; must be {problem['ctx']['expected']}"
        elif problem.get("ctx", {}).get("pattern") == DNS_LABEL:
            message = "must be a DNS label: a-z, 0-9 and -, beginning and ending with a letter or a digit"
        yield f"{path}: {message}" if path else message
