from isek.models.base import Message
from isek.node.recent import Recent


def said(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


def test_a_conversation_is_found_until_it_is_forgotten() -> None:
    recent = Recent()
    recent.keep("one", said("hi"))

    assert recent.get("one") == said("hi")
    assert (recent.forget("one"), recent.forget("one")) == (True, False)
    assert recent.get("one") is None


def test_the_oldest_go_where_there_is_no_room_for_more() -> None:
    recent = Recent(max_conversations=2)
    for key in ("one", "two", "three"):
        recent.keep(key, said(key))

    assert [recent.get(key) for key in ("one", "two", "three")] == [None, said("two"), said("three")]


def test_no_more_is_kept_than_fits() -> None:
    recent = Recent(max_characters=10)
    for key in ("one", "two", "one"):
        recent.keep(key, said("12345"))
    recent.keep("three", said("123456"))

    assert [recent.get(key) for key in ("one", "two", "three")] == [None, None, said("123456")]
    recent.keep("huge", said("x" * 11))
    assert [recent.get(key) for key in ("three", "huge")] == [None, None]
