"""A model server that does nothing else: calls the tool ``add`` once, then says again what the user said.

``python -m tests.benchmarks.sdk_server`` prints its base URL. A model whose name ends in ``-1s`` takes a second for
each answer, so that all of many conversations are under way at once.
"""

import asyncio
import sys
from typing import Any

from aiohttp import web

CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


async def chat_completions(request: web.Request) -> web.Response:
    """One answer; which one follows from the conversation alone."""
    body = await request.json()
    if body["model"].endswith("-1s"):
        await asyncio.sleep(1)
    if body["messages"][-1]["role"] == "tool":
        said = next(each["content"] for each in reversed(body["messages"]) if each["role"] == "user")
        message: dict[str, Any] = {"role": "assistant", "content": said if isinstance(said, str) else said[0]["text"]}
    else:
        message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    reason = "tool_calls" if "tool_calls" in message else "stop"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    answer = {"id": "c", "object": "chat.completion", "created": 0, "model": body["model"]}
    return web.json_response({**answer, "choices": [choice], "usage": USAGE})


async def main() -> None:
    """Serve until the process is stopped."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat_completions)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=2048).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}/v1\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
