"""What nodes answer, as far as the command line looks at it."""

import json
from contextlib import suppress
from typing import Annotated, Any, TypeVar

import click
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import from_json

from isek.api.schema import explain
from isek.registry.record import NodeRecord
from isek.topics.wire import Messages

F = TypeVar("F", bound=BaseModel)


class Answered(BaseModel):
    """Of an agent."""

    response: str


class KnownNodes(BaseModel):
    """Of a mesh."""

    nodes: Annotated[list[NodeRecord], Field(fail_fast=True)]


class Published(BaseModel):
    """Who was reached."""

    listeners: int
    heard: int
    refused: int = 0


class Past(Messages):
    """Messages of a topic, and the nodes that did not answer."""

    missing: list[str]


class Delta(BaseModel):
    """What is new."""

    content: str | None = None


class Choice(BaseModel):
    """An answer; there is one at most."""

    delta: Delta


class Chunk(BaseModel):
    """A part of an answer that is streamed, or a step on the way to it."""

    isek: dict[str, Any] = {}
    choices: list[Choice] = []


def parsed(text: bytes) -> Any:
    """The JSON value; None: it is none, or has what nobody can say again: ``1e999``, or half a character."""
    with suppress(ValueError):
        value = from_json(text, allow_inf_nan=False)
        json.dumps(value, allow_nan=False)
        return value
    return None


def read(form: type[F], content: Any, where: str) -> F:
    """What a node's JSON says.

    Raises:
        click.ClickException: nothing of this form; names the node, and the first field that is wrong.
    """
    try:
        return form.model_validate(content)
    except ValidationError as error:
        problem = "it is no JSON" if content is None else next(iter(explain(error)))
    raise click.ClickException(
        f"{where} answers in no form that is known here ({problem}); check that an Isek node of this version is there"
    )
