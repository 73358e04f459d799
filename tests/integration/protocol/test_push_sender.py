"""Push notifications on their way to a real server."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web
from isek.protocol.push_sender import ATTEMPTS, PushSender

from tests.support.waiting import until
from tests.support.web_server import web_server

BODY = b'{"task": {}}'


class Receiver:
    """Answers with one status after the other, the last one again and again."""

    def __init__(self, stack: AsyncExitStack, *statuses: int) -> None:
        self._stack = stack
        self._statuses = list(statuses)
        self.received: list[tuple[bytes, str]] = []
        self.url = ""

    async def start(self) -> None:
        self.url = await self._stack.enter_async_context(web_server(self._receive))

    @property
    def allowed(self) -> Sequence[str]:
        return (self.url.removeprefix("http://"),)

    async def _receive(self, request: web.Request) -> web.Response:
        self.received.append((await request.read(), request.headers.get("X-A2A-Notification-Token", "")))
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        return web.Response(status=status, headers={"Location": self.url} if status == 302 else {})


@asynccontextmanager
async def receiving(*statuses: int) -> AsyncIterator[Receiver]:
    async with AsyncExitStack() as stack:
        receiver = Receiver(stack, *statuses)
        await receiver.start()
        yield receiver


@pytest.fixture
async def sender() -> AsyncIterator[PushSender]:
    sender = PushSender(first_pause_seconds=0.01)
    yield sender
    await sender.aclose()


async def test_a_notification_arrives_with_its_headers(sender: PushSender) -> None:
    async with receiving(200) as receiver:
        sender.send(receiver.url, BODY, {"X-A2A-Notification-Token": "secret"}, receiver.allowed)

        await until(lambda: receiver.received == [(BODY, "secret")], what="it arrives")


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_what_may_pass_is_tried_again(sender: PushSender, status: int) -> None:
    async with receiving(status, status, 200) as receiver:
        sender.send(receiver.url, BODY, {}, receiver.allowed)

        await until(lambda: len(receiver.received) == 3, what="the third attempt")
        await sender.aclose()

        assert len(receiver.received) == 3


@pytest.mark.parametrize(("status", "attempts"), [(400, 1), (404, 1), (302, 1), (503, ATTEMPTS)])
async def test_it_is_given_up_in_the_end_and_no_redirect_is_followed(
    sender: PushSender, status: int, attempts: int
) -> None:
    async with receiving(status) as receiver:
        sender.send(receiver.url, BODY, {}, receiver.allowed)
        await sender.aclose()

        assert len(receiver.received) == attempts


async def test_a_name_that_leads_to_this_machine_is_not_connected_to(sender: PushSender) -> None:
    async with receiving(200) as receiver:
        port = receiver.url.rpartition(":")[2]
        sender.send(f"https://localhost:{port}/", BODY, {}, ())
        sender.send(f"http://localhost:{port}/", BODY, {}, ())
        await sender.aclose()

        assert receiver.received == []


async def test_a_server_that_is_not_there_holds_nothing_up(sender: PushSender) -> None:
    sender.send("http://127.0.0.1:1/", BODY, {}, ("127.0.0.1:1",))

    await sender.aclose()


async def test_what_waits_is_bounded_and_counts_once_for_all_who_are_told_it() -> None:
    sender = PushSender(max_waiting_bytes=len(BODY))
    async with receiving(200) as receiver:
        for body in (BODY, BODY, b"one too many", BODY):
            sender.send(receiver.url, body, {}, receiver.allowed)
        await until(lambda: len(receiver.received) == 3, what="all but one arrive")

        def another_arrives() -> bool:
            sender.send(receiver.url, b"another", {}, receiver.allowed)
            return (b"another", "") in receiver.received

        await until(another_arrives, what="there is room again")
        await sender.aclose()

        assert b"one too many" not in [body for body, _ in receiver.received]
