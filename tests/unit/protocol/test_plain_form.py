import json

import pytest
from isek.errors import CallError, RunError
from isek.protocol.http_client import HttpAnswer
from isek.protocol.plain_form import read_answer
from multidict import CIMultiDict


@pytest.mark.parametrize("repeatable", [True, False])
def test_whoever_asked_knows_whether_a_run_that_failed_may_be_asked_again(*, repeatable: bool) -> None:
    failed = RunError("ModelRateLimited", "enough for now")
    failed.repeatable = repeatable
    answer = HttpAnswer(429, CIMultiDict(), json.dumps(failed.to_json()).encode())

    with pytest.raises(RunError) as told:
        read_answer(answer, "writer.default")

    assert told.value.transient is repeatable


@pytest.mark.parametrize(
    "code", ["CallCancelled", "ClaimLost", "ClaimsUnavailable", "DeliveryUnknown", "NodeStopped", "TaskClaimed"]
)
def test_what_became_of_a_call_is_an_error_of_the_call_and_no_answer_of_the_run(code: str) -> None:
    answer = HttpAnswer(409, CIMultiDict(), json.dumps(CallError(code, "so it is").to_json()).encode())

    with pytest.raises(CallError) as told:
        read_answer(answer, "writer.default")

    assert (told.value.code, told.value.retryable) == (code, False)
