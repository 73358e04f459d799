"""Files that are generated and checked in: written anew, or checked for being up to date."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path


def write_or_check(arguments: list[str], files: Callable[[Path], Mapping[Path, str]]) -> int:
    """Write what ``files`` makes for the path named last, or with ``--check`` say which file is not up to date.

    Returns the exit code.
    """
    texts = files(Path(arguments[-1]))
    if "--check" not in arguments:
        for path, text in texts.items():
            path.write_text(text)
        return 0
    stale = [str(path) for path, text in texts.items() if not path.exists() or path.read_text() != text]
    if stale:
        sys.stderr.write(f"not up to date: {', '.join(stale)}; run `make generate`\n")
    return 1 if stale else 0
