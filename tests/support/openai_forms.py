"""The turns of ``openai_server`` in the forms of OpenAI's two APIs: as a whole, and as the events of a stream."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Answer = tuple[dict[str, Any], list[dict[str, Any]]]


def chat_answer(body: dict[str, Any], turn: Mapping[str, Any]) -> Answer:
    """A chat completion, and its chunks."""
    about = {"id": "chatcmpl-1", "created": 0, "model": body["model"]}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    message = _chat_message(body, turn)
    reason = "length" if turn.get("cutOff") else "tool_calls" if "toolCalls" in turn else "stop"
    whole = {
        **about,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": usage,
    }
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": each, "finish_reason": None}]} for each in _chat_deltas(message)
    ]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks.append({"choices": [], "usage": usage})
    return whole, [{**about, "object": "chat.completion.chunk", **chunk} for chunk in chunks]


def _chat_message(body: dict[str, Any], turn: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if "toolCalls" in turn:
        message["tool_calls"] = [
            {"id": f"call_{number}", "type": "function", "function": _function(call)}
            for number, call in enumerate(turn["toolCalls"])
        ]
    elif "refusal" in turn:
        message["refusal"] = turn["refusal"]
    else:
        message["content"] = _text(turn, body["messages"])
    return message


def _chat_deltas(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for word in _words(message["content"] or ""):
        yield {"content": word}
    if "refusal" in message:
        yield {"refusal": message["refusal"]}
    for number, call in enumerate(message.get("tool_calls", ())):
        yield {"tool_calls": [{**call, "index": number, "function": {**call["function"], "arguments": ""}}]}
        for part in _halves(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": number, "function": {"arguments": part}}]}


def responses_answer(body: dict[str, Any], turn: Mapping[str, Any]) -> Answer:
    """A response, and its events."""
    output = list(_output_items(body, turn))
    state: dict[str, Any] = {"status": "completed", "error": None, "incomplete_details": None}
    if "failure" in turn:
        state |= {"status": "failed", "error": {"code": turn["failure"], "message": "scripted failure"}}
    if turn.get("cutOff"):
        state |= {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    whole = {
        "id": "resp_1",
        "object": "response",
        "created_at": 0,
        "model": body["model"],
        **state,
        "output": output,
        "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
    }
    begun: dict[str, Any] = {**whole, "status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    for number, item in enumerate(output):
        events.append({"type": "response.output_item.added", "output_index": number, "item": item})
        events += ({**each, "output_index": number, "item_id": item["id"]} for each in _item_deltas(item))
        events.append({"type": "response.output_item.done", "output_index": number, "item": item})
    events.append({"type": f"response.{whole['status']}", "response": whole})
    return whole, [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _output_items(body: dict[str, Any], turn: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if "reasoning" in turn:
        yield {"type": "reasoning", "id": "rs_0", "summary": [], "encrypted_content": turn["reasoning"]}
    for number, call in enumerate(turn.get("toolCalls", ())):
        yield {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", **_function(call)}
    content = []
    if "text" in turn:
        content.append({"type": "output_text", "annotations": [], "text": _text(turn, body["input"])})
    if "refusal" in turn:
        content.append({"type": "refusal", "refusal": turn["refusal"]})
    if content:
        yield {"type": "message", "id": "msg_0", "role": "assistant", "status": "completed", "content": content}


def _item_deltas(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for part in _halves(item.get("arguments", "")):
        yield {"type": "response.function_call_arguments.delta", "delta": part}
    for part in item.get("content", ()):
        for word in _words(part.get("text", "")):
            yield {"type": "response.output_text.delta", "content_index": 0, "delta": word}
        if "refusal" in part:
            yield {"type": "response.refusal.delta", "content_index": 0, "delta": part["refusal"]}


def _text(turn: Mapping[str, Any], messages: list[dict[str, Any]]) -> str:
    contents = [entry["content"] for entry in messages if entry.get("role") == "user"]
    heard = [content if isinstance(content, str) else content[0]["text"] for content in contents]
    return str(turn["text"]).replace("{input}", heard[-1] if heard else "").replace("{heard}", " | ".join(heard))


def _function(call: Mapping[str, Any]) -> dict[str, str]:
    arguments = call.get("arguments", {})
    return {"name": call["name"], "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments)}


def _words(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]
