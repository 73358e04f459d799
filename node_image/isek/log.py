"""The log of Isek: loguru's, quiet until somebody asks for it."""

import sys
import traceback
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from loguru import Logger

NAME = "isek"


@cache
def log() -> "Logger":
    """Loguru's logger, imported when there is first something to say: that takes 30 ms.

    What is given by name belongs to the line: a field of the JSON form, and ``{name}`` in the sentence stands for it.
    """
    from loguru import logger  # noqa: PLC0415

    # Loguru says to no one what a program has enabled, perhaps before it got here.
    enabled = [name for name, wanted in logger._core.activation_list if wanted]  # type: ignore[attr-defined]
    logger.disable(NAME)
    for name in enabled:
        if name.startswith(f"{NAME}."):
            logger.enable(name.removesuffix("."))
    return logger


def log_fault(sentence: str, **fields: Any) -> None:
    """An exception nobody expected, which is being handled, with its stack trace.

    Not by loguru's means: unless told otherwise it shows the values of variables, and there are keys among them. So
    the trace is a value of the line, which a sink of the program's own may leave out: the sentence says the main thing.
    """
    trace = traceback.format_exc().rstrip()
    log().opt(depth=1).bind(**fields, exception=trace).error(f"{sentence}: {_in_short(sys.exception())}")


def _in_short(error: BaseException | None) -> str:
    """Such as ``ZeroDivisionError: division by zero (/home/ada/my_agent.py, line 7)``."""
    said = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}".removesuffix(": ")
    steps = traceback.extract_tb(error.__traceback__) if error else []
    return f"{said} ({steps[-1].filename}, line {steps[-1].lineno})" if steps else said


def show_log() -> None:
    """Let the lines of Isek pass to where the program's log goes: standard error, unless it says otherwise."""
    log().enable(NAME)


def configure_logging(form: Literal["Text", "JSON"] = "Text", level: str = "info") -> None:
    """Send the whole program's log to standard error: Isek's, its own by loguru, and that of the standard library.

    Args:
        form: ``Text`` for people; ``JSON`` for machines: an object a line, with ``time`` (RFC 3339), ``level``,
            ``logger``, ``message``, the values that belong to it, and the stack trace of an ``exception``.
        level: ``debug``, ``info``, ``warning`` or ``error``; what is below it is left out.

    Raises:
        ValueError: there is no such level.
    """
    from isek.log_lines import as_json, as_text, route_standard_library, write_to_stderr  # noqa: PLC0415

    log().remove()
    log().add(
        write_to_stderr(as_json if form == "JSON" else as_text),
        level=level.upper(),
        format="{message}",
        backtrace=False,
        diagnose=False,
    )
    show_log()
    route_standard_library(level.upper())
