"""The merged lines of all processes on one terminal."""

import os
import sys
import time

import click

COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta")
OWN_NAME = "isek"


class Console:
    """Prints lines, each under the name of who says it; each name has a colour of its own."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._colours = {OWN_NAME: "white"}
        self._width = len(OWN_NAME)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._start

    def know(self, name: str) -> None:
        """Make room for a name."""
        self._width = max(self._width, len(name))
        self._colours.setdefault(name, COLOURS[(len(self._colours) - 1) % len(COLOURS)])

    def line(self, name: str, text: str) -> None:
        """Something that a process said; nothing, once nobody reads it any more: what runs is still to be stopped."""
        try:
            click.echo(f"{click.style(f'{name.ljust(self._width)} |', fg=self._colours[name])} {text}")
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)

    def say(self, text: str) -> None:
        """Something about the whole."""
        self.line(OWN_NAME, click.style(text, bold=True))

    def warn(self, text: str) -> None:
        """Something that went wrong."""
        self.line(OWN_NAME, click.style(text, fg="red"))
