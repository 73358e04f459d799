"""Variables that lead to a model: of the environment, else of the file ``.env`` in the working directory."""

import os
from pathlib import Path

from isek.log import log

DOTENV = Path(".env")
API_KEY = "OPENAI_API_KEY"
BASE_URL = "OPENAI_BASE_URL"


def variable(name: str) -> str:
    """What ``name`` holds; '' where it is in neither. One that is set, though empty, is not looked for in the file."""
    if name in os.environ:
        return os.environ[name]
    if not DOTENV.is_file():
        return ""
    from dotenv import dotenv_values  # noqa: PLC0415

    try:
        return dotenv_values(DOTENV).get(name) or ""
    except (OSError, UnicodeDecodeError) as error:
        log().warning("{} cannot be read: {}", DOTENV.absolute(), error)
        return ""
