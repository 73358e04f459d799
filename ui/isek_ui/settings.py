"""What the page is told, by its environment."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "ISEK_UI_"


def _words(value: object) -> object:
    return value.split(",") if isinstance(value, str) and value else value or ()


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
"""With commas between them."""


class Settings(BaseSettings):
    """One variable each, ``ISEK_UI_`` before its name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    nodes: Words
    """URLs of nodes, or of Services before them; each tells of the others of its mesh."""
    namespace: str | None = None
    """The only one whose nodes may be reached from here; default: all may."""
    agent: str | None = None
    """Address of who is chosen at first; default: the first by name."""
    data: Path
    """A folder for the conversations."""
    host: str = "127.0.0.1"
    """Empty: all addresses of the machine."""
    port: int = 8000
    hosts: Words = ()
    """The names by which browsers ask for the page, beside localhost."""
