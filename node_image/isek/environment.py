"""Variables that lead to a model: of the environment, else of the file ``.env`` in the working directory."""

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

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
        log.warning("%s cannot be read: %s", DOTENV.absolute(), error)
        return ""
