"""What is said in parts, and what an agent gets of it; what it answers, in parts."""

import json
import mimetypes
import re
from collections.abc import Collection
from typing import Any

from a2a.types import Message as A2AMessage
from a2a.types import Part
from a2a.utils.errors import ContentTypeNotSupportedError, InvalidParamsError
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from isek.models.base import Image, Message

TEXT = "text/plain"
JSON = "application/json"
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
INPUT_MODES = (TEXT, "text/*", JSON, *IMAGES)
OUTPUT_MODES = (TEXT,)
STRUCTURED_OUTPUT_MODES = (TEXT, JSON)
MAX_CONTEXT_ID = 1024


def context_id_of(said: A2AMessage) -> str:
    """The conversation that a message belongs to; empty: it names none.

    Raises:
        InvalidParamsError: no memory could keep it by that name.
    """
    if len(said.context_id) > MAX_CONTEXT_ID or re.search(r"[\x00-\x1f\x7f]", said.context_id):
        raise InvalidParamsError(f"contextId has {MAX_CONTEXT_ID} characters at most, and none that controls")
    return said.context_id


def message_of(said: A2AMessage) -> Message:
    """What an agent is asked: texts, data and files with text one below the other, and the images.

    Raises:
        ContentTypeNotSupportedError: a part is something else.
        InvalidParamsError: a part says nothing, or is not what it says.
    """
    texts: list[str] = []
    images: list[Image] = []
    for number, part in enumerate(said.parts, 1):
        read = _read(part, f"part {number}")
        if isinstance(read, Image):
            images.append(read)
        else:
            texts.append(read)
    return Message("user", "\n".join(texts), images=tuple(images))


def answer_parts(text: str) -> list[Part]:
    """What an agent answered in words."""
    return [Part(text=sendable(text), media_type=TEXT)]


def structured_parts(text: str, accepted: Collection[str]) -> list[Part]:
    """What an agent answered with an object, as text, as data, or as both: as the caller takes it.

    Args:
        text: the object as JSON.
        accepted: media types; both where they name neither.
    """
    in_words, data = answer_parts(text), Part(media_type=JSON)
    try:
        ParseDict(json.loads(sendable(text), parse_constant=_no_number), data.data)
    except (ParseError, ValueError, RecursionError):  # NaN, or nested deeper than protobuf goes
        return in_words
    wanted = [kind for kind in (TEXT, JSON) if not accepted or any(_takes(each, kind) for each in accepted)]
    return [*(in_words if TEXT in wanted or not wanted else []), *([data] if JSON in wanted or not wanted else [])]


def _no_number(said: str) -> None:
    raise ValueError(f"JSON has no {said}")


def _takes(accepted: str, media_type: str) -> bool:
    """Whether a media range (RFC 9110, 12.5.1) takes in a media type."""
    wanted = accepted.partition(";")[0].strip().lower()
    return wanted in {media_type, "*/*", media_type.partition("/")[0] + "/*"}


def sendable(text: str) -> str:
    """The text, with a replacement character for each half of a surrogate pair, as models leave one where they are cut
    off: UTF-8, and with it protobuf, has no form for it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _read(part: Part, where: str) -> str | Image:
    kind = part.WhichOneof("content")
    media_type = part.media_type.partition(";")[0].strip().lower()
    if kind == "text" and _is_text(media_type or TEXT):
        return part.text
    if kind == "data" and _is_text(media_type or JSON):
        return _json(MessageToDict(part.data))
    if kind in {"raw", "url"}:
        media_type = media_type or mimetypes.guess_type(part.filename or part.url)[0] or ""
        if media_type in IMAGES:
            return Image(url=part.url) if kind == "url" else Image(content=part.raw, media_type=media_type)
        if kind == "raw" and _is_text(media_type):
            return _file(part, where)
    if kind is None:
        raise InvalidParamsError(f"{where} says nothing: give it text, data, raw or url")
    if kind == "url":
        hint = "this agent looks at images by their URL, and fetches nothing else: send the content instead"
    else:
        hint = f"it takes {', '.join(INPUT_MODES)}"
    raise ContentTypeNotSupportedError(f"{where} ({kind}) is {media_type or 'of no media type'}; {hint}")


def _file(part: Part, where: str) -> str:
    try:
        text = part.raw.decode()
    except UnicodeDecodeError:
        raise InvalidParamsError(f"{where} says that it is text, and is not UTF-8") from None
    return f"{part.filename}:\n{text}" if part.filename else text


def _is_text(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type == JSON or media_type.endswith("+json")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
