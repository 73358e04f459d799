"""A steady load on a mesh: callers that ask and publish, listeners that hear, and a book of what became of it all."""

import asyncio
import itertools
import json
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.support.waiting import until

DEADLINE_SECONDS = 15.0
GRACE_SECONDS = 3.0
"""That an answer may take to be put together and read on a busy machine, once there is one."""
PAUSE_SECONDS = 0.1
CALLERS = 3
"""At each desk."""
TOPIC = "news"
NO_ANSWER = "NoAnswer"
DISCONNECTED = "Disconnected"
"""The node that was asked is gone: its caller sees that at once."""


@dataclass(frozen=True)
class Asked:
    """One call, and how it ended."""

    key: str
    desk: str
    begun: float
    seconds: float
    code: str
    """OK, or that of the error; ``DISCONNECTED``, ``NO_ANSWER``."""
    run: str
    """What the writer calls its run, where it answered."""


@dataclass(frozen=True)
class Published:
    """One message that the node took."""

    name: str
    desk: str
    at: float
    listeners: int
    """As the node counted them: each program that listens, and each agent that does."""


class Load:
    """Asks the agent ``desk`` of some nodes, and publishes there, from its beginning to its end.

    Args:
        desks: the nodes' URLs by their names.
        listeners: those of them where a program listens.
        journal: where :mod:`tests.support.counted_agents` write.
    """

    def __init__(self, desks: Mapping[str, str], listeners: Collection[str], journal: Path) -> None:
        self._desks = desks
        self._listening_at = listeners
        self._journal = journal
        self._over = asyncio.Event()
        self._working: list[asyncio.Task[None]] = []
        self._listening: list[asyncio.Task[None]] = []
        self._names = (f"{uuid.uuid4().hex[:8]}-{number}" for number in itertools.count())
        self.asked: list[Asked] = []
        self.published: list[Published] = []
        self.heard: dict[str, Counter[str]] = defaultdict(Counter)
        """By the listening program's node what it heard, and how often."""
        self.answered_otherwise: list[str] = []
        """Calls that were answered once more, and not as before."""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._listening = [asyncio.create_task(self._listen(name)) for name in self._listening_at]
        await until(self._all_listen, what="all who listen are known", within=20)
        for desk in self._desks:
            self._working += [asyncio.create_task(self._keep_asking(desk)) for _ in range(CALLERS)]
            self._working.append(asyncio.create_task(self._keep_publishing(desk)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for each in (*self._working, *self._listening):
            each.cancel()
        await asyncio.gather(*self._working, *self._listening, return_exceptions=True)
        await self._http.close()

    async def end(self) -> None:
        """Ask and publish no more, and wait until each call has ended and each message was heard."""
        self._over.set()
        await asyncio.gather(*self._working)

    async def flows(self, *, calls: int = 5, within: float = 30) -> float:
        """Wait until each desk has answered so many calls in a row that begin from now on; how many seconds it took."""
        since = time.monotonic()

        def answered() -> bool:
            lately = [each for each in self.asked if each.begun >= since]
            codes = {desk: [each.code for each in lately if each.desk == desk][-calls:] for desk in self._desks}
            return all(last == ["OK"] * calls for last in codes.values())

        await until(answered, what="calls are answered", within=within)
        return time.monotonic() - since

    async def assert_promises(self, *, lost_before: float = 0.0, at: Collection[str] | None = None) -> None:
        """See that what was promised was kept, once the load has ended.

        Args:
            lost_before: messages that were published before this moment may be unheard: their listener was killed.
            at: the desks that still know what was published there; default: all.
        """
        assert self.late() == []
        assert self.lost_answers() == []
        assert self.run_twice() == []
        assert self.answered_otherwise == []
        await until(lambda: all(each.at < lost_before for each in self.unheard()), what="all messages were heard")
        assert self.heard_twice() == []
        for desk in self._desks if at is None else at:
            assert await self.forgotten(desk) == []

    def summary(self) -> str:
        """How much there was, and how calls ended."""
        codes = dict(Counter(each.code for each in self.asked))
        slowest = max(each.seconds for each in self.asked)
        return f"{codes}, the slowest {slowest:.1f} s; {len(self.published)} messages"

    def failed(self) -> list[Asked]:
        """Calls that were not answered."""
        return [each for each in self.asked if each.code != "OK"]

    def late(self) -> list[Asked]:
        """Calls that ended after their deadline, or never."""
        latest = DEADLINE_SECONDS + GRACE_SECONDS
        return [each for each in self.asked if each.seconds > latest or each.code == NO_ANSWER]

    def run_twice(self) -> list[str]:
        """Calls at which the writer was more than once."""
        runs = Counter(message for _, message in self._written_by("writer"))
        return [message for message, times in runs.items() if times > 1]

    def lost_answers(self) -> list[Asked]:
        """Calls that were answered though nobody ran them."""
        runs = set(self._written_by("writer"))
        return [each for each in self.asked if each.code == "OK" and (each.run, each.key) not in runs]

    def unheard(self) -> list[Published]:
        """Messages that fewer have heard than listened when they were published."""
        archived = {message for _, message in self._written_by("archivist")}

        def heard_by(name: str) -> int:
            return sum(name in heard for heard in self.heard.values()) + (name in archived)

        return [each for each in self.published if heard_by(each.name) < each.listeners]

    def heard_twice(self) -> list[str]:
        """Messages that a program heard more than once."""
        return [name for heard in self.heard.values() for name, times in heard.items() if times > 1]

    async def forgotten(self, desk: str) -> list[Published]:
        """Messages published at a desk, the latest few hundred, of which the mesh remembers nothing."""
        async with self._http.get(f"{self._desks[desk]}/topics/{TOPIC}?limit=1000") as answer:
            past = await answer.json()
        assert past["missing"] == []
        remembered = {message["payload"] for message in past["messages"]}
        return [each for each in self.published[-400:] if each.desk == desk and each.name not in remembered]

    def _written_by(self, agent: str) -> list[tuple[str, str]]:
        file = self._journal / agent
        lines = file.read_text().splitlines() if file.exists() else []
        return [(run, message) for run, _, message in (line.partition(" ") for line in lines)]

    async def _keep_asking(self, desk: str) -> None:
        while not self._over.is_set():
            asked = await self._ask(desk, next(self._names))
            self.asked.append(asked)
            if asked.code == "OK" and len(self.asked) % 5 == 0:
                again = await self._ask(desk, asked.key)
                if again.code == "OK" and again.run != asked.run:
                    self.answered_otherwise.append(asked.key)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _ask(self, desk: str, key: str) -> Asked:
        begun = time.monotonic()
        headers = {"Idempotency-Key": key, "Isek-Timeout-Ms": str(int(DEADLINE_SECONDS * 1000))}
        body = {"sender_node_id": "test", "message": key}
        code, run = await self._post(f"{self._desks[desk]}/agents/desk", body, headers)
        return Asked(key, desk, begun, time.monotonic() - begun, code, str(run.get("response")))

    async def _keep_publishing(self, desk: str) -> None:
        while not self._over.is_set():
            await self._publish(desk, next(self._names))
            await asyncio.sleep(PAUSE_SECONDS)

    async def _publish(self, desk: str, name: str) -> Published | None:
        begun = time.monotonic()
        code, body = await self._post(f"{self._desks[desk]}/topics/{TOPIC}", {"payload": name}, {})
        if code != "OK":
            return None
        published = Published(name, desk, begun, body["listeners"])
        self.published.append(published)
        return published

    async def _post(self, url: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[str, dict[str, Any]]:
        bounds = aiohttp.ClientTimeout(total=DEADLINE_SECONDS + 2 * GRACE_SECONDS)
        try:
            async with self._http.post(url, json=body, headers=headers, timeout=bounds) as answer:
                told = await answer.json()
        except TimeoutError:
            return NO_ANSWER, {}
        except aiohttp.ClientError:
            return DISCONNECTED, {}
        return ("OK" if answer.status == 200 else told["error"]["code"]), told

    async def _listen(self, desk: str) -> None:
        bounds = aiohttp.ClientTimeout(total=None)
        with suppress(aiohttp.ClientError):
            async with self._http.get(f"{self._desks[desk]}/topics/{TOPIC}/messages", timeout=bounds) as messages:
                async for line in messages.content:
                    if line.startswith(b"data:"):
                        self.heard[desk][json.loads(line.removeprefix(b"data:"))["payload"]] += 1

    async def _all_listen(self) -> bool:
        told = [await self._publish(desk, next(self._names)) for desk in self._desks]
        return all(each is not None and each.listeners == len(self._listening_at) + 1 for each in told)
