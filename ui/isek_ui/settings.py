"""What the page is told, by its environment."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, SecretStr
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
    token: SecretStr | None = None
    """A bearer token, for agents that ask callers for one."""
    token_file: Path | None = None
    """The file that holds it instead; it is read again each time."""
    data: Path
    """A folder for the conversations."""
    host: str = "127.0.0.1"
    """Empty: all addresses of the machine."""
    port: int = 8000
    hosts: Words = ()
    """The names by which browsers ask for the page, beside localhost."""

    def shown_token(self) -> str | None:
        """The bearer token, as it is now; a file that cannot be read holds none."""
        if self.token_file is None:
            return self.token.get_secret_value() if self.token else None
        try:
            return self.token_file.read_text().strip() or None
        except OSError:
            return None
