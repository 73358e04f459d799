"""Notices that files were edited: those of folders, and of the packages in them."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from isek_operator.local.python_files import PythonFiles

POLL_SECONDS = 0.3


class Watch:
    """Files and folders, from the moment on when it is made; ``known`` is what is known of the Python files."""

    def __init__(self, paths: Sequence[Path], known: PythonFiles) -> None:
        self.paths, self.known = tuple(paths), known
        self._seen = self._look()

    async def until_edited(self) -> None:
        """Return once a file, or the content of a folder, is another than at the last return."""
        while (now := self._look()) == self._seen:  # noqa: ASYNC110  (files send no events that all systems know)
            await asyncio.sleep(POLL_SECONDS)
        self._seen = now

    def _look(self) -> dict[Path, tuple[int, int]]:
        seen = {}
        for path in self._files():
            try:
                status = path.stat()
            except OSError:
                continue  # gone since it was listed, or a link to nowhere
            seen[path] = (status.st_mtime_ns, status.st_size)
        return seen

    def _files(self) -> Iterable[Path]:
        for path in self.paths:
            if path.is_dir():
                yield from (each for each in path.iterdir() if not each.is_dir())
                yield from path.glob("*/*.py")
            elif path.suffix == ".py":
                yield from path.parent.glob("*.py")  # it may import them
            else:
                yield path
