"""What ``helm test`` runs: ``python -m isek_operator.installed ADDRESS``, the address of an operator's ``/readyz``."""

import asyncio
import sys
import time
from contextlib import suppress
from http import HTTPStatus

import aiohttp
from isek.api import API_VERSION, KINDS

from isek_operator.cluster.credentials import Credentials, NoClusterError

DEADLINE_SECONDS = 60.0
"""An operator that was just installed may still start."""
RETRY_SECONDS = 1.0


async def complaint(readiness: str, credentials: Credentials, *, within: float = DEADLINE_SECONDS) -> str | None:
    """What is wrong with the install; None: the operator is ready, and the API server serves the four kinds."""
    ends = time.monotonic() + within
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        while True:
            found = await _unready(session, readiness) or await _unserved(session, credentials)
            if found is None or time.monotonic() >= ends:
                return found
            await asyncio.sleep(RETRY_SECONDS)


async def _unready(session: aiohttp.ClientSession, readiness: str) -> str | None:
    with suppress(aiohttp.ClientError, TimeoutError):
        async with session.get(readiness) as answer:
            if answer.status == HTTPStatus.OK:
                return None
            return f"the operator is not ready: {readiness} answers {answer.status}; see its logs"
    return f"the operator does not answer at {readiness}; see kubectl describe pods"


async def _unserved(session: aiohttp.ClientSession, credentials: Credentials) -> str | None:
    address = f"{credentials.server}/apis/{API_VERSION}"
    headers = {"Authorization": credentials.authorization() or ""}
    try:
        async with session.get(address, headers=headers, ssl=credentials.ssl_context()) as answer:
            served = await answer.json() if answer.status == HTTPStatus.OK else {}
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return f"the API server does not answer at {address}: {error}"
    missing = set(KINDS) - {resource["kind"] for resource in served.get("resources") or ()}
    if missing:
        return f"the API server does not serve {', '.join(sorted(missing))} of {API_VERSION}; install the chart's CRDs"
    return None


def main(arguments: list[str]) -> int:
    """Say what is wrong, or that nothing is."""
    try:
        found = asyncio.run(complaint(arguments[0], Credentials.find()))
    except NoClusterError as error:
        found = str(error)
    sys.stderr.write(f"{found or 'the operator is ready, and its kinds are served'}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
