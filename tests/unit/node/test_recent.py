from isek.models.base import Image, Message, ToolCall
from isek.models.characters import OVERHEAD, characters_of
from isek.node.recent import Recent


def test_what_is_kept_is_found_until_it_is_forgotten() -> None:
    recent = Recent[str]()
    recent.keep("one", "hi", 2)

    assert recent.get("one") == "hi"
    recent.forget("one")
    recent.forget("one")
    assert recent.get("one") is None


def test_the_oldest_go_where_there_is_no_room_for_more() -> None:
    recent = Recent[str](max_kept=2)
    for key in ("one", "two", "three"):
        recent.keep(key, key, 0)

    assert [recent.get(key) for key in ("one", "two", "three")] == [None, "two", "three"]


def test_no_more_is_kept_than_fits() -> None:
    recent = Recent[str](max_characters=10)
    for key in ("one", "two", "one"):
        recent.keep(key, key, 5)
    assert [recent.get(key) for key in ("one", "two")] == ["one", "two"]
    recent.keep("three", "three", 6)
    assert [recent.get(key) for key in ("one", "two", "three")] == [None, None, "three"]
    recent.keep("huge", "huge", 11)
    assert [recent.get(key) for key in ("three", "huge")] == [None, None]


def test_the_size_of_a_conversation_counts_all_that_it_holds() -> None:
    call = ToolCall("id", "rain", "{}")

    assert (
        characters_of(
            [Message("user", "12345", images=(Image(content=b"123"),)), Message("assistant", tool_calls=(call,))]
        )
        == len("12345123image/pngidrain{}") + 4 * OVERHEAD
    )
