"""The API server's errors, told apart by what is to be done about them."""

from typing import Any

import pytest
from isek_operator.cluster import errors
from isek_operator.cluster.errors import error_from

TERMINATING = {"causes": [{"reason": "NamespaceTerminating"}]}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"message": "bad"}, errors.RejectedError),
        (401, {}, errors.UnauthorizedError),
        (403, {"message": "secrets is forbidden"}, errors.ForbiddenError),
        (403, {"details": TERMINATING}, errors.NamespaceGoneError),
        (404, {"details": {"kind": "deployments"}}, errors.NotFoundError),
        (404, {"details": {"kind": "namespaces"}}, errors.NamespaceGoneError),
        (409, {}, errors.ConflictError),
        (410, {"message": "the continue token is too old"}, errors.ExpiredError),
        (422, {"details": {"causes": [{"field": "spec.replicas"}]}}, errors.RejectedError),
        (422, {"details": {"causes": [{"field": "metadata.uid"}]}}, errors.ConflictError),
        (429, {}, errors.TransientError),
        (500, {"message": "etcdserver: request timed out"}, errors.TransientError),
        (500, {"message": "failed to create typed patch object (/d; apps/v1): .spec.nope"}, errors.RejectedError),
        (503, {}, errors.TransientError),
    ],
)
def test_an_answer_becomes_the_error_that_says_what_to_do(status: int, body: dict[str, Any], kind: type) -> None:
    assert type(error_from(status, body, retry_after=None)) is kind


def test_the_server_says_when_to_come_back() -> None:
    error = error_from(429, {}, retry_after="7")
    assert isinstance(error, errors.TransientError)
    assert error.retry_after == 7


def test_the_message_is_one_line() -> None:
    assert str(error_from(422, {"message": "spec:\n  is wrong"}, retry_after=None)) == "spec: is wrong"
