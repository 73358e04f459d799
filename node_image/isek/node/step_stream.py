"""The answer in the plain form with the steps on the way to it, for nodes whose callers listen."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from starlette.requests import Request

from isek.asking import Answer, CallContext
from isek.errors import IsekError
from isek.node.plain import PlainAnswer, PlainFailure
from isek.protocol.steps import STEPS, step_line
from isek.streaming import events_of


def wants_steps(request: Request) -> bool:
    """Whether the caller would hear of each step."""
    return request.headers.get("accept", "") == STEPS


async def lines_of(answer: Callable[[CallContext], Awaitable[Answer]], context: CallContext) -> AsyncGenerator[str]:
    """The steps of a run, and its answer; an error of a run that has begun is the last line as well.

    Raises:
        IsekError: the run did not begin.
    """
    answers: list[Answer] = []

    async def respond(observed: CallContext) -> None:
        answers.append(await answer(observed))

    begun = False
    try:
        async with aclosing(events_of(respond, context)) as events:
            async for event in events:
                begun = True
                yield step_line(event)
    except IsekError as error:
        if not begun:
            raise
        failed = PlainFailure.of(error).model_dump(mode="json", by_alias=True, exclude_none=True)
        yield json.dumps(failed | {"httpStatus": error.status}) + "\n"
        return
    yield PlainAnswer.of(answers[0]).model_dump_json(by_alias=True, exclude_none=True) + "\n"
