"""The headers of calls between nodes, beside W3C's ``traceparent``."""

from urllib.parse import quote, unquote

from isek.errors import IsekError

TIMEOUT = "Isek-Timeout-Ms"
"""The caller's remaining time, whole milliseconds."""
CALL_DEPTH = "Isek-Call-Depth"
"""How many agents have asked each other until here."""
LOAD = "Isek-Load"
"""On answers: the runs of the answering node right now."""
PEER_ID = "Isek-Peer-Id"
"""The calling peer; said by the own sidecar alone."""
PATH = "Isek-Path"
"""How a call came between two sidecars: ``libp2p`` (directly) or ``relay``; said by sidecars alone."""
TOKEN = "Isek-Token"  # noqa: S105
"""What the sidecar proves itself with."""
CALLER = "Isek-Caller"
"""The agent that asks, as ``<name>.<namespace>``; said by its node, and believed where that hosts it."""
CLAIM = "Isek-Claim"
"""The task that the asked node has to claim while it runs, where several could have been asked; said by nodes alone."""
FORWARDED = "Isek-Forwarded"
"""On a request about a task that another replica hands on to the one that holds it: it goes no further."""
ON_BEHALF_OF = "Isek-On-Behalf-Of"
"""On such a request, whose task it is about, percent-encoded; believed where the caller is a replica of the agent."""
SESSION_ID = "Isek-Session-Id"
"""The conversation, where the body has no place for it."""
IDEMPOTENCY_KEY = "Idempotency-Key"
"""What a call is known by when it is sent again (draft-ietf-httpapi-idempotency-key-header)."""
TRIED = "Isek-Tried-Ms"
"""On a call that is sent again: whole milliseconds since it was first sent."""
P2P_ERROR = "Isek-P2P-Error"
"""The code of an error that a sidecar answers with itself."""
TRACEPARENT = "traceparent"
SHOW_TOKEN = "send the header Authorization: Bearer <token>"  # noqa: S105
"""What to do where a token is needed; the command line says instead how it takes one."""


def of_error(error: IsekError) -> dict[str, str]:
    """What the answer to a request that came to nothing has to say in its headers."""
    return {**retry_after(error.status), **error.response_headers}


def retry_after(status: int) -> dict[str, str]:
    """``Retry-After`` for a node that cannot take a request now (RFC 9110, 10.2.3); nothing for other statuses."""
    return {"Retry-After": "1"} if status in {429, 503} else {}


def encoded(text: str) -> str:
    """Any text, as a header can carry it: what is not plain ASCII percent-encoded (RFC 3986, 2.1)."""
    return quote(text, safe=":@/", errors="surrogatepass")


def decoded(value: str) -> str:
    """The text that :func:`encoded` was given."""
    return unquote(value, errors="surrogatepass")
