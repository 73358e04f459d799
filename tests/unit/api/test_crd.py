from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from isek.api import KINDS
from isek.api.crd import custom_resource_definition, files, structural
from isek.api.schema import Model, exactly_one_of
from isek.generated import write_or_check
from pydantic import Field

CRDS = Path(__file__).parents[3] / "crds"


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field below a schema, by its path."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield f"{path}[]", schema[key]
            yield from fields(schema[key], f"{path}[]")


def our_fields(kind: str) -> list[tuple[str, dict[str, Any]]]:
    schema = custom_resource_definition(KINDS[kind])["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return [(path, field) for path, field in fields(schema) if path.startswith((".spec", ".status"))]


class Fruit(Model):
    """What grows."""

    apple: Annotated[str, Field(max_length=5)] | None = None
    """Red   or
    green."""
    pear: Literal[1, 3] = 3
    """How many."""

    rules = (exactly_one_of("apple", "pear"),)


class Basket(Model):
    """What holds fruit."""

    fruit: Fruit
    """The best one."""
    more: Annotated[tuple[Fruit, ...], Field(max_length=2)] = ()
    """The others."""
    tags: Annotated[dict[str, Annotated[str, Field(max_length=9)]], Field(max_length=3)] | None = None
    """Notes."""


def test_a_model_becomes_a_structural_schema() -> None:
    schema = Basket.model_json_schema(by_alias=True)

    fruit = {
        "type": "object",
        "properties": {
            "apple": {"type": "string", "maxLength": 5, "description": "Red or green."},
            "pear": {"type": "integer", "enum": [1, 3], "default": 3, "description": "How many."},
        },
        "x-kubernetes-validations": [
            {
                "rule": "(has(self.apple) ? 1 : 0) + (has(self.pear) ? 1 : 0) == 1",
                "message": "set exactly one of apple, pear",
            }
        ],
    }
    assert structural(schema, schema["$defs"]) == {
        "type": "object",
        "description": "What holds fruit.",
        "required": ["fruit"],
        "properties": {
            "fruit": fruit | {"description": "The best one."},
            "more": {
                "type": "array",
                "maxItems": 2,
                "default": [],
                "description": "The others.",
                "items": fruit | {"description": "What grows."},
            },
            "tags": {
                "type": "object",
                "maxProperties": 3,
                "additionalProperties": {"type": "string", "maxLength": 9},
                "description": "Notes.",
            },
        },
    }


def test_a_field_of_two_types_cannot_be_said() -> None:
    with pytest.raises(ValueError, match="one type"):
        structural({"anyOf": [{"type": "string"}, {"type": "integer"}]}, {})


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_is_what_the_models_say(kind: str) -> None:
    path = CRDS / f"{KINDS[kind].plural}.yaml"

    assert yaml.safe_load(path.read_text()) == custom_resource_definition(KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind: str) -> None:
    silent = [path for path, field in our_fields(kind) if not path.endswith("[]") and not field.get("description")]

    assert silent == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_list_string_and_map_has_an_upper_bound(kind: str) -> None:
    bounds = {"array": "maxItems", "string": "maxLength"}
    unbounded = [
        path
        for path, field in our_fields(kind)
        if ((bound := bounds.get(field.get("type", ""))) and not {bound, "enum", "format"} & field.keys())
        or ("additionalProperties" in field and "maxProperties" not in field)
    ]

    assert unbounded == []


def test_checking_names_the_file_that_is_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert write_or_check([str(tmp_path)], files) == 0
    assert write_or_check(["--check", str(tmp_path)], files) == 0

    (tmp_path / "isekteams.yaml").write_text("kind: Old\n")

    assert write_or_check(["--check", str(tmp_path)], files) == 1
    assert "isekteams.yaml; run `make generate`" in capsys.readouterr().err
