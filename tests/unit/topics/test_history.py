import pytest
from isek.topics.history import (
    KEEP_SECONDS,
    MAX_ANSWER_BYTES,
    MAX_BYTES,
    MAX_MESSAGES,
    MAX_TOPICS,
    History,
    newest,
)
from isek.topics.message import TopicMessage


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def message(topic: str, body: bytes = b"1") -> TopicMessage:
    return TopicMessage(topic=topic, body=body, sender="n")


def test_only_so_many_of_a_topic_are_kept_the_newest_of_them() -> None:
    history = History()
    messages = [message("news", str(number).encode()) for number in range(MAX_MESSAGES + 5)]
    for each in messages:
        history.keep(each)

    assert history.of("news", 2 * MAX_MESSAGES) == messages[5:]


def test_only_so_many_topics_are_kept_those_that_were_used_last() -> None:
    history = History()
    for number in range(MAX_TOPICS):
        history.keep(message(str(number)))
    history.keep(message("0"))
    history.keep(message("another"))

    assert not history.of("1", 1)
    assert all(history.of(topic, 1) for topic in ("0", "2", "another"))


def test_only_so_many_bytes_are_kept() -> None:
    history = History()
    large = 60_000
    for number in range(2 * MAX_BYTES // large):
        history.keep(message(str(number % 64), b"x" * large))

    kept = sum(len(each.body) for topic in range(64) for each in history.of(str(topic), MAX_MESSAGES))
    assert MAX_BYTES * 0.9 < kept <= MAX_BYTES


@pytest.mark.parametrize(("after", "left"), [(KEEP_SECONDS - 1, 1), (KEEP_SECONDS + 1, 0)])
def test_what_is_old_is_forgotten(after: float, left: int) -> None:
    clock = Clock()
    history = History(clock)
    history.keep(message("news"))

    clock.now += after

    assert len(history.of("news", 10)) == left


def test_an_answer_holds_so_many_bytes_the_newest() -> None:
    messages = [message("news", str(number).encode() * 60_000) for number in range(9)] * 3

    told = newest(messages, 1000)

    assert told == messages[-len(told) :]
    assert MAX_ANSWER_BYTES * 0.9 < sum(len(each.body) for each in told) <= MAX_ANSWER_BYTES
    assert newest(messages, 2) == messages[-2:]
