"""JSON Web Tokens of callers from outside (RFC 7519, RFC 8725), checked with PyJWT."""

import time
from asyncio import Lock
from collections.abc import Callable

import jwt
from pydantic_core import from_json
from yarl import URL

from isek.api.access import Jwt
from isek.errors import CallError
from isek.log import log
from isek.protocol.http_client import HttpClient

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""Asymmetric ones: keys that are published prove nothing by HMAC (RFC 8725, 2.1)."""
MAX_SUBJECT = 255
"""Characters (OpenID Connect Core 1.0, section 2)."""
LEEWAY_SECONDS = 30
"""How far clocks may be apart."""
FRESH_SECONDS = 600.0
"""Keys are fetched again after this time,"""
STALE_SECONDS = 3600.0
"""and are good until this one where they cannot be."""
RETRY_SECONDS = 30.0
"""Between two fetches, for whatever key somebody asks."""
FETCH_SECONDS = 5.0


class NotAcceptedError(Exception):
    """The token does not do; the message says why, and nothing of the token."""


class KeySet:
    """The keys of an issuer: those given, or those at a URL.

    Args:
        settings: where they are.
        http: fetches them.
        clock: seconds.
    """

    def __init__(self, settings: Jwt, http: HttpClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = settings.jwks_url
        self._http = http
        self._clock = clock
        self._keys = None if settings.jwks is None else read_keys(settings.jwks)
        self._fetched = self._tried = -STALE_SECONDS
        self._fetching = Lock()

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key of that id; without an id the only one; None: there is no such key.

        Raises:
            CallError: ``AccessUnavailable``: the keys cannot be fetched.
        """
        if self._url is None:
            return self._pick(key_id)
        age = self._clock() - self._fetched
        if age > FRESH_SECONDS or self._pick(key_id) is None:
            await self._fetch(self._url)
        return self._pick(key_id)

    def _pick(self, key_id: str | None) -> jwt.PyJWK | None:
        keys = self._keys or []
        if key_id is None:
            return keys[0] if len(keys) == 1 else None
        return next((key for key in keys if key.key_id == key_id), None)

    async def _fetch(self, url: str) -> None:
        """Fetch the keys, unless somebody has tried so just now."""
        async with self._fetching:
            if self._clock() - self._tried >= RETRY_SECONDS:
                self._tried = self._clock()
                try:
                    self._keys, self._fetched = await self._keys_at(url), self._clock()
                except (CallError, ValueError) as error:
                    log().warning("the keys that sign tokens cannot be fetched: {}", error)
            if self._keys is None or self._clock() - self._fetched > STALE_SECONDS:
                raise unavailable(f"the keys at {URL(url).origin()} that sign tokens cannot be fetched")

    async def _keys_at(self, url: str) -> list[jwt.PyJWK]:
        answer = await self._http.request("GET", URL(url), to="the issuer's key set", headers={}, within=FETCH_SECONDS)
        if answer.status != 200:
            raise ValueError(f"{url} answered HTTP {answer.status}")
        return read_keys(answer.body.decode(errors="replace"))


class JsonWebTokens:
    """Checks the tokens of one issuer."""

    def __init__(self, settings: Jwt, http: HttpClient) -> None:
        self._settings = settings
        self._keys = KeySet(settings, http)

    async def subject(self, token: str) -> str:
        """Whom the token is about.

        Raises:
            NotAcceptedError: it does not do.
            CallError: ``AccessUnavailable``; ``Forbidden``: it lacks a scope.
        """
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise NotAcceptedError(str(error)) from None
        key = await self._keys.find(header.get("kid"))
        if key is None:
            raise NotAcceptedError("it is signed by a key that the issuer does not publish")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[str(key.algorithm_name)],
                audience=self._settings.audiences,
                issuer=self._settings.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.InvalidTokenError as error:
            raise NotAcceptedError(str(error)) from None
        subject: str = claims["sub"]
        if len(subject) > MAX_SUBJECT:
            raise NotAcceptedError(f"its subject has more than {MAX_SUBJECT} characters")
        missing = sorted(set(self._settings.scopes) - _scopes(claims))
        if missing:
            raise _insufficient(missing)
        return subject


def unavailable(why: str) -> CallError:
    """Nobody can tell who calls, and so nobody is let in."""
    return CallError("AccessUnavailable", why, hint="ask again in a moment", status=503)


def read_keys(text: str) -> list[jwt.PyJWK]:
    """The keys of a JSON Web Key Set that can sign; those of other kinds are passed over.

    Raises:
        ValueError: it is none, or holds no such key.
    """
    try:
        listed = from_json(text)["keys"]
        keys = [key for each in listed if (key := _signing_key(each)) is not None]
    except (KeyError, TypeError, AttributeError):
        raise ValueError("this is no JSON Web Key Set") from None
    if not keys:
        raise ValueError(f"the key set has no key for {', '.join(sorted(ALGORITHMS))}")
    return keys


def _signing_key(described: dict[str, object]) -> jwt.PyJWK | None:
    if described.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(described)
    except jwt.PyJWTError:
        return None
    return key if key.algorithm_name in ALGORITHMS else None


def _scopes(claims: dict[str, object]) -> set[str]:
    said = claims.get("scope") or claims.get("scp") or ()
    return set(said.split() if isinstance(said, str) else map(str, said) if isinstance(said, list) else ())


def _insufficient(missing: list[str]) -> CallError:
    error = CallError("Forbidden", f"the token lacks the scope {' '.join(missing)}", status=403)
    scope = " ".join(missing)
    error.response_headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{scope}"'
    return error
