"""W3C trace context: https://www.w3.org/TR/trace-context/#traceparent-header"""

import re
import secrets

_VALID = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def child_of(traceparent: str | None) -> str:
    """The context of a call made within ``traceparent``; of a new trace when that is none."""
    if traceparent is None or not _VALID.fullmatch(traceparent):
        return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return f"{traceparent[:36]}{secrets.token_hex(8)}{traceparent[52:]}"
