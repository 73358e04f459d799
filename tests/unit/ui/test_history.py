from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from isek_ui.history import History

YOU = "you"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite3"


@pytest.fixture
def history(file: Path) -> Iterator[History]:
    history = History(file)
    yield history
    history.close()


def message(conversation: str, number: int, text: str) -> dict[str, Any]:
    return {
        "id": f"{conversation}-{number}",
        "threadId": conversation,
        "type": "user_message",
        "output": text,
        "createdAt": f"2026-01-01T00:00:0{number}Z",
    }


def begin(history: History, *conversations: str) -> None:
    for each in conversations:
        history.note(each, name=f"about {each}", agent="planner.default", owner=YOU)
        history.keep(message(each, 1, f"Tell me of {each}"))


def names(history: History, **which: Any) -> tuple[list[str], bool]:
    found, more = history.conversations(YOU, **{"first": 10, **which})
    return [each["id"] for each in found], more


def test_a_conversation_is_kept_with_its_steps_in_their_order(history: History, file: Path) -> None:
    history.keep(message("rain", 2, "later"))
    begin(history, "rain")
    history.keep(message("rain", 2, "corrected"))
    history.close()

    again = History(file)
    kept = again.conversation("rain")
    again.close()

    assert kept is not None
    assert (kept["name"], kept["userIdentifier"], kept["tags"]) == ("about rain", YOU, ["planner.default"])
    assert kept["metadata"]["chat_profile"] == "planner.default"
    assert [each["output"] for each in kept["steps"]] == ["Tell me of rain", "corrected"]


def test_what_is_said_later_of_a_conversation_leaves_the_rest(history: History) -> None:
    begin(history, "rain")
    history.note("rain", about={"key": "value"})
    history.note("rain", name="renamed")

    kept = history.conversation("rain")
    assert kept is not None
    assert (kept["name"], kept["userIdentifier"], kept["metadata"]["key"]) == ("renamed", YOU, "value")


def test_conversations_are_listed_by_pages_with_the_latest_first(history: History) -> None:
    begin(history, "rain", "wind", "snow")
    history.keep(message("rain", 2, "once more"))

    assert names(history) == (["rain", "snow", "wind"], False)
    assert names(history, first=2) == (["rain", "snow"], True)
    assert names(history, first=2, after="snow") == (["wind"], False)


def test_conversations_are_found_by_what_was_said(history: History) -> None:
    begin(history, "rain", "wind")

    assert names(history, search="OF WIND") == (["wind"], False)
    assert names(history, search="%") == ([], False)


def test_others_conversations_are_not_listed(history: History) -> None:
    history.note("rain", name="theirs", owner="somebody")

    assert names(history) == ([], False)


def test_what_is_dropped_is_gone(history: History) -> None:
    begin(history, "rain", "wind")
    history.drop("rain")
    history.drop_step("wind-1")

    assert history.conversation("rain") is None
    assert history.step("rain-1") is None
    assert (history.conversation("wind") or {})["steps"] == []
