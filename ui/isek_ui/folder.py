"""The folder that Chainlit reads and writes: its settings, our pictures, and its page without what it would fetch from
elsewhere."""

import os
import re
import secrets
import shutil
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

ELSEWHERE = re.compile(r"<link\b[^>]*\bhref=\"https?://[^>]*>\s*")
"""Fonts and style sheets of other sites, in the page of Chainlit."""


def prepare(data: Path) -> Path:
    """Make the folder below ``data`` anew, and return it; conversations beside it stay."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = data / "page"
    shutil.rmtree(folder, ignore_errors=True)
    ours = Path(str(files("isek_ui")))
    shutil.copytree(ours / "public", folder / "public")
    (folder / ".chainlit").mkdir()
    shutil.copyfile(ours / "config.toml", folder / ".chainlit" / "config.toml")
    (folder / "chainlit.md").write_text("")  # else Chainlit welcomes developers
    _build(folder / "build")
    return folder


def signing_key(data: Path) -> str:
    """What the cookies of browsers are signed with, the same after a restart."""
    file = data / "key"
    if not file.exists() or not file.stat().st_size:  # whoever made it may have been killed over it
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_urlsafe(48))
    return file.read_text()


def _build(folder: Path) -> None:
    package = find_spec("chainlit")
    assert package is not None  # noqa: S101  (who starts the page has looked)
    assert package.origin is not None  # noqa: S101
    theirs = Path(package.origin).parent / "frontend" / "dist"
    folder.mkdir()
    (folder / "assets").symlink_to(theirs / "assets")
    shutil.copyfile(folder.parent / "public" / "favicon.svg", folder / "favicon.svg")
    (folder / "index.html").write_text(ELSEWHERE.sub("", (theirs / "index.html").read_text()))
