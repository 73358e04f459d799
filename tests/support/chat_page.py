"""The chat page of a local mesh, and a real browser that looks at it."""

import asyncio
import functools
import json
import subprocess
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from isek.processes.ports import free_port
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By

from tests.support.binaries import CLUSTER_SCRIPT
from tests.support.isek_local import PROGRAM, Home
from tests.support.waiting import until

T = TypeVar("T")

START_SECONDS = 120
SHOWN_SECONDS = 60
STOP_SECONDS = 20
SIZE = "1200,1000"
NETWORK = ("Network.requestWillBeSent", "Network.webSocketCreated")


@functools.cache
def chromedriver() -> str:
    """The path of ChromeDriver, which is installed with its browser where there is none."""
    # standard error stays connected: an installation takes a while and shows its progress there
    found = subprocess.run([CLUSTER_SCRIPT, "browser"], stdout=subprocess.PIPE, text=True, check=True)
    return found.stdout.strip()


class RunningPage:
    """``isek chat --web``; the end of the context stops it."""

    def __init__(self, home: Home, *arguments: str) -> None:
        self._home = home
        self._arguments = arguments
        self._process: Process | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start it, and wait until it says where it is."""
        command = (str(PROGRAM), "chat", "--web", "--port", str(self.port), *self._arguments)
        self._process = await asyncio.create_subprocess_exec(
            *command, stdout=PIPE, stderr=STDOUT, env=self._home.environment
        )
        assert self._process.stdout is not None
        said = await asyncio.wait_for(self._process.stdout.readline(), START_SECONDS)
        assert self.url in said.decode(), (said + await self._process.stdout.read()).decode()
        await until(self._answers, what="the page answers", within=START_SECONDS)

    async def stop(self) -> None:
        """Tell it to stop, and wait until it has."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
        await asyncio.wait_for(self._process.communicate(), STOP_SECONDS)

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True


class Browser:
    """Chromium without a window. What it asks of any machine is remembered."""

    def __init__(self) -> None:
        self._driver: webdriver.Chrome | None = None
        self._asked: list[str] = []

    async def __aenter__(self) -> Self:
        options = webdriver.ChromeOptions()
        # what Chromium itself asks of the internet would be mistaken for the page's
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            f"--window-size={SIZE}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        service = webdriver.ChromeService(await asyncio.to_thread(chromedriver))
        self._driver = await asyncio.to_thread(webdriver.Chrome, options=options, service=service)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._do(lambda driver: driver.quit())

    async def open(self, url: str) -> None:
        """Go to a page, and wait until one can write there."""
        await self._do(lambda driver: driver.get(url))
        await self.until_there("#chat-input")

    async def reload(self) -> None:
        """As by F5."""
        await self._do(lambda driver: driver.refresh())
        await self.until_there("#chat-input")

    async def choose(self, agent: str) -> None:
        """Take an agent in the picker, and wait until the page has begun anew with it."""
        await self.click("#chat-profiles")
        await self.click(f"[data-test^='select-item:{agent}.']")
        await self.until_shown(agent, at="#chat-profiles")

    async def chosen(self) -> str:
        """Who is chosen in the picker."""
        return await self.text("#chat-profiles")

    async def ask(self, message: str) -> None:
        """Write and send a message, as soon as the page takes one."""

        def write(driver: webdriver.Chrome) -> bool:
            box = driver.find_element(By.ID, "chat-input")
            box.clear()
            box.send_keys(message)
            return box.get_attribute("value") == message

        await self._until(write, what=f"{message!r} is written")
        await self.click("#chat-submit:not([disabled])")
        await self.until_shown(message, at="body")

    async def click(self, selector: str) -> None:
        """Click what a CSS selector names, once it is there."""

        def click(driver: webdriver.Chrome) -> bool:
            driver.find_element(By.CSS_SELECTOR, selector).click()
            return True

        await self._until(click, what=f"{selector} is clicked")

    async def text(self, selector: str = "body") -> str:
        """What stands in the first element that a CSS selector names."""
        return await self._do(lambda driver: driver.find_element(By.CSS_SELECTOR, selector).text)

    async def until_there(self, selector: str) -> None:
        """Wait for an element."""
        await self._until(lambda driver: driver.find_elements(By.CSS_SELECTOR, selector), what=f"{selector} is there")

    async def until_shown(self, text: str, *, at: str = "body") -> None:
        """Wait for a text in the element of a CSS selector."""

        def shown(driver: webdriver.Chrome) -> bool:
            seen = driver.find_element(By.CSS_SELECTOR, at).text
            assert text in seen, seen
            return True

        await self._until(shown, what=f"{at} shows {text!r}")

    async def keep_picture(self, file: Path) -> None:
        """A PNG of what is seen."""
        await self._do(lambda driver: driver.save_screenshot(str(file)))

    async def asked(self) -> set[str]:
        """The hosts that were asked for something; what the page's own policy held back was not."""
        entries = await self._do(lambda driver: driver.get_log("performance"))  # type: ignore[no-untyped-call]
        events = [json.loads(entry["message"])["message"] for entry in entries]
        held_back = {
            each["params"]["requestId"]
            for each in events
            if each["method"] == "Network.loadingFailed" and each["params"].get("blockedReason") == "csp"
        }
        urls = [
            str((each["params"].get("request") or each["params"])["url"])
            for each in events
            if each["method"] in NETWORK and each["params"]["requestId"] not in held_back
        ]
        return {urlsplit(url).netloc for url in urls if urlsplit(url).scheme in {"http", "https", "ws", "wss"}}

    async def _do(self, action: Callable[[webdriver.Chrome], T]) -> T:
        assert self._driver is not None
        return await asyncio.to_thread(action, self._driver)

    async def _until(self, condition: Callable[[webdriver.Chrome], Any], *, what: str) -> None:
        await until(lambda: self._do(condition), what=what, within=SHOWN_SECONDS, retry_on=(WebDriverException,))
