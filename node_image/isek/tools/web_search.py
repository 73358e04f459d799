"""Searching the web through an endpoint of the author's choice."""

import json
from typing import Any

from isek.asking import CallContext
from isek.calling import Readable, read_now
from isek.models.base import ToolSchema
from isek.tools.base import Tool, ToolError, text_argument
from isek.tools.fetching import TIMEOUT_SECONDS, cut, fetch

MAX_RESULTS = 10
MAX_SNIPPET = 500


class WebSearch(Tool):
    """Asks ``GET <url>?q=<query>`` and expects ``{"results": [{"title", "url", "snippet"}]}``.

    ``content`` is taken for ``snippet``, too: SearXNG answers so at ``/search?format=json``.

    Args:
        url: the endpoint; a query in it is kept.
        api_key: sent as ``Authorization: Bearer``; the key, or what reads it when it is needed.
    """

    timeout_seconds = TIMEOUT_SECONDS
    schema = ToolSchema(
        name="web_search",
        description="Searches the web. Returns titles, URLs and snippets of the best results.",
        parameters={
            "type": "object",
            "properties": {"query": {"type": "string"}},
            "required": ["query"],
            "additionalProperties": False,
        },
    )

    def __init__(self, url: str, *, api_key: Readable | None = None) -> None:
        self._url = url
        self._api_key = api_key

    async def call(self, arguments: dict[str, Any], context: CallContext) -> str:
        """The results, a paragraph each."""
        query = text_argument(arguments, "query")
        headers = {"Authorization": f"Bearer {await read_now(self._api_key)}"} if self._api_key else {}
        answer = await fetch("GET", self._url, query={"q": query}, headers=headers)
        if answer.status != 200:
            raise ToolError(f"the search answered {answer.status}: {cut(answer.text, 1000)}")
        try:
            results = [_paragraph(result) for result in json.loads(answer.text)["results"][:MAX_RESULTS]]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ToolError('the search did not answer {"results": [{"title", "url", "snippet"}]}') from None
        return "\n\n".join(results) or "nothing was found"


def _paragraph(result: dict[str, Any]) -> str:
    snippet = cut(str(result.get("snippet") or result.get("content") or ""), MAX_SNIPPET)
    return f"{result.get('title') or ''}\n{result['url']}\n{snippet}".strip()
