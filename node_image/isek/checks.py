"""Whether arguments are what they have to be: a mistake is told where it is made."""

from typing import Any


def check_type(what: str, value: Any, *wanted: type) -> None:
    """Refuse what is of another type.

    Raises:
        TypeError: it is; the message names ``what``.
    """
    if not isinstance(value, wanted):
        raise TypeError(f"{what} must be {' or '.join(each.__name__ for each in wanted)}, not {value!r}")


def check_number(what: str, value: Any, *, least: float, whole: bool = True) -> None:
    """Refuse what is no number of at least ``least``.

    Raises:
        TypeError: it is none, or has a fraction where ``whole`` ones are wanted.
        ValueError: it is less.
    """
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise TypeError(f"{what} must be a {'whole ' if whole else ''}number, not {value!r}")
    if not value >= least:
        raise ValueError(f"{what} must be at least {least:g}, not {value!r}")
