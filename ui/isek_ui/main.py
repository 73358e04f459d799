"""``python -m isek_ui``: serves the chat page."""

import logging
import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

from pydantic import ValidationError

from isek_ui.settings import PREFIX, Settings


def main() -> None:
    """Serve until SIGTERM. The settings stand in the environment."""
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit("; ".join(f"{PREFIX}{each['loc'][0]}: {each['msg']}".upper() for each in error.errors()))
    if find_spec("chainlit") is None:
        sys.exit("the chat page needs the extra `ui`, in an environment of its own: see docs/guides/chat.md")
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            sys.exit(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}; choose another")
    serve(settings)


def serve(settings: Settings) -> None:
    """Run Chainlit, which reads what it is told as it is imported."""
    from isek_ui.folder import prepare, signing_key  # noqa: PLC0415

    told = {
        "CHAINLIT_APP_ROOT": str(prepare(settings.data)),
        "CHAINLIT_AUTH_SECRET": signing_key(settings.data),
        "CHAINLIT_HOST": settings.host,
        "CHAINLIT_PORT": str(settings.port),
    }
    os.environ.update(told)
    from chainlit.cli import run_chainlit  # noqa: PLC0415
    from chainlit.config import config  # noqa: PLC0415

    config.run.headless = True  # opens no browser
    logging.getLogger("chainlit").setLevel(logging.ERROR)  # it warns of each language that it has no welcome in
    run_chainlit(str(Path(__file__).with_name("app.py")))
