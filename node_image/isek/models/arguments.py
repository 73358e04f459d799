"""Whether the models of endpoints are given what they take."""

import json
from typing import Any

from isek.checks import check_number, check_type


def check_arguments(name: Any, parameters: Any, timeout_seconds: Any, max_retries: Any, context_window: Any) -> None:
    """Refuse what no request can be made of.

    Raises:
        TypeError: one is of another type, or the parameters are not of JSON.
        ValueError: the name is empty, or a number is too small.
    """
    check_type("a model's name", name, str)
    if not name:
        raise ValueError("a model's name must not be empty")
    if parameters is not None:
        check_type("parameters", parameters, dict)
        json.dumps(parameters)
    check_number("timeout_seconds", timeout_seconds, least=0, whole=False)
    check_number("max_retries", max_retries, least=0)
    if context_window is not None:
        check_number("context_window", context_window, least=1)
