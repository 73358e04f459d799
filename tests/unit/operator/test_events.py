"""What is recorded reaches the API server, and what comes again is counted up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from isek.api import Resource
from isek_operator.cluster.client import Client
from isek_operator.cluster.errors import NotFoundError
from isek_operator.cluster.events import Recorder
from isek_operator.decide.transitions import News
from isek_operator.keys import Key
from isek_operator.kinds import ApiKind
from isek_operator.metrics import Metrics

from tests.support.waiting import until
from tests.unit.manifests.samples import agent, parsed

Manifest = dict[str, Any]
WRITER, READER = parsed(agent("writer")), parsed(agent("reader"))
FULL = News("Warning", "NodeFull", "IsekNode 'shared' hosts 2 of 2 agents and teams")


class Events:
    """An API server that keeps events, and may forget them."""

    def __init__(self) -> None:
        self.created, self.counted = list[Manifest](), list[tuple[str, int]]()
        self.forgetful = False

    async def create(self, _kind: ApiKind, manifest: Manifest) -> Manifest:
        self.created.append(manifest)
        name = f"{manifest['metadata']['generateName']}{len(self.created)}"
        return {**manifest, "metadata": {**manifest["metadata"], "name": name}}

    async def merge(self, _kind: ApiKind, key: Key, change: Manifest) -> Manifest:
        if self.forgetful:
            raise NotFoundError(key.name)
        self.counted.append((key.name, change["series"]["count"]))
        return {}


class Story:
    """A recorder, the API server behind it, and a clock."""

    def __init__(self) -> None:
        self.server, self.now = Events(), 0.0
        self.recorder = Recorder(cast(Client, self.server), Metrics(), clock=lambda: self.now)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.recorder.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def tell(self, *about: Resource, news: News = FULL, after: float = 0.0) -> None:
        self.now += after
        for resource in about:
            self.recorder.record(resource, news)
        sent = News("Normal", "Hosted", f"the end of {self.now}")
        already = len(self.server.created)
        self.recorder.record(parsed(agent("marker", description=str(self.now))), sent)
        await until(lambda: self._arrived(already, sent), what="what was recorded before is through")

    async def _arrived(self, already: int, news: News) -> bool:
        return any(event["note"] == news.note for event in self.server.created[already:])

    def about(self, name: str) -> list[str]:
        return [event["reason"] for event in self.server.created if event["regarding"]["name"] == name]


async def test_an_event_is_about_the_resource_and_says_why() -> None:
    story = Story()
    async with story.running():
        await story.tell(WRITER)

    event = story.server.created[0]
    assert event["regarding"]["uid"] == WRITER.metadata.uid
    assert (event["type"], event["reason"], event["note"]) == ("Warning", "NodeFull", FULL.note)


async def test_the_same_again_is_one_event_that_is_counted_up_at_most_once_a_minute() -> None:
    story = Story()
    async with story.running():
        await story.tell(WRITER)
        for seconds in (10, 10, 10, 45):
            await story.tell(WRITER, after=seconds)

    assert story.about("writer") == ["NodeFull"]
    assert story.server.counted == [("writer-1", 2), ("writer-1", 5)]


async def test_other_news_and_another_resource_are_events_of_their_own() -> None:
    story = Story()
    async with story.running():
        await story.tell(WRITER, READER)
        await story.tell(WRITER, news=News("Warning", "NodeFull", "hosts 3 of 3"), after=1)

    assert story.about("writer") == ["NodeFull", "NodeFull"]
    assert story.about("reader") == ["NodeFull"]
    assert story.server.counted == []


async def test_what_comes_again_after_a_long_time_is_a_new_event() -> None:
    story = Story()
    async with story.running():
        await story.tell(WRITER)
        await story.tell(WRITER, after=361)

    assert story.about("writer") == ["NodeFull", "NodeFull"]


async def test_an_event_that_the_api_server_has_forgotten_is_sent_anew() -> None:
    story = Story()
    async with story.running():
        await story.tell(WRITER)
        story.server.forgetful = True
        await story.tell(WRITER, after=1)

    assert story.about("writer") == ["NodeFull", "NodeFull"]
