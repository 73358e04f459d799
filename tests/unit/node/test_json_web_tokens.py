"""Which JSON Web Tokens are accepted, and what becomes of the issuer's keys."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from isek.api.access import Jwt
from isek.errors import CallError
from isek.node.json_web_tokens import JsonWebTokens, KeySet, NotAcceptedError
from isek.protocol.http_client import HttpAnswer, HttpClient
from multidict import CIMultiDict, CIMultiDictProxy

from tests.support.tokens import AUDIENCE, ISSUER, Issuer, rsa_key_set

MUST_NOT_BE_ASKED = HttpClient(1024)


def settings(**said: Any) -> Jwt:
    return Jwt.model_validate({"issuer": ISSUER, "audiences": [AUDIENCE, "other"], **said})


def checker(issuer: Issuer, **said: Any) -> JsonWebTokens:
    return JsonWebTokens(settings(jwks=issuer.key_set(), **said), MUST_NOT_BE_ASKED)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer("one", "two")


async def test_a_token_of_the_issuer_says_who_calls(issuer: Issuer) -> None:
    tokens = checker(issuer)

    assert await tokens.subject(issuer.token()) == "ada"
    assert await tokens.subject(issuer.token("two", sub="bob", aud=["other", "third"])) == "bob"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://else.test"},
        {"aud": "else"},
        {"exp": int(time.time()) - 60},
        {"nbf": int(time.time()) + 86400},
        {"exp": None},
        {"aud": None},
        {"iss": None},
        {"sub": None},
        {"sub": "a" * 256},
    ],
    ids=str,
)
async def test_a_token_that_says_something_else_is_refused(issuer: Issuer, claims: dict[str, Any]) -> None:
    with pytest.raises(NotAcceptedError):
        await checker(issuer).subject(issuer.token(**claims))


async def test_clocks_may_be_half_a_minute_apart(issuer: Issuer) -> None:
    assert await checker(issuer).subject(issuer.token(exp=int(time.time()) - 10)) == "ada"


async def test_a_token_signed_by_somebody_else_is_refused(issuer: Issuer) -> None:
    for forged in (Issuer("one").token(), Issuer("three").token(), issuer.token("one", header={"kid": "two"})):
        with pytest.raises(NotAcceptedError):
            await checker(issuer).subject(forged)


async def test_no_key_that_is_published_serves_for_an_hmac(issuer: Issuer) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "eve", "exp": int(time.time()) + 300}
    by_hmac = jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": "one"})
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": "one"})

    for forged in (by_hmac, unsigned):
        with pytest.raises(NotAcceptedError):
            await checker(issuer).subject(forged)
    with pytest.raises(ValueError, match="the key set has no key for"):
        KeySet(settings(jwks='{"keys": [{"kty": "oct", "k": "eHh4", "kid": "one"}]}'), MUST_NOT_BE_ASKED)


async def test_a_key_that_says_neither_its_name_nor_its_algorithm_does(issuer: Issuer) -> None:
    key, key_set = rsa_key_set()
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": int(time.time()) + 300}
    tokens = JsonWebTokens(settings(jwks=key_set), MUST_NOT_BE_ASKED)

    assert await tokens.subject(jwt.encode(claims, key, algorithm="RS256")) == "ada"


@pytest.mark.parametrize("text", ["a.b.c", "", "....", "e30.e30.e30", "\u00ff.\u00ff.\u00ff"])
async def test_what_is_no_token_is_refused(issuer: Issuer, text: str) -> None:
    with pytest.raises(NotAcceptedError):
        await checker(issuer).subject(text)


@pytest.mark.parametrize("claims", [{"scope": "read ask"}, {"scp": ["ask"]}, {"scp": "ask"}], ids=str)
async def test_scopes_let_in(issuer: Issuer, claims: dict[str, Any]) -> None:
    assert await checker(issuer, scopes=["ask"]).subject(issuer.token(**claims)) == "ada"


@pytest.mark.parametrize("claims", [{}, {"scope": "asking"}, {"scp": ["read"]}, {"scope": 7}], ids=str)
async def test_without_the_scopes_nobody_is_let_in(issuer: Issuer, claims: dict[str, Any]) -> None:
    with pytest.raises(CallError, match="Forbidden: the token lacks the scope ask") as refused:
        await checker(issuer, scopes=["ask"]).subject(issuer.token(**claims))

    assert refused.value.response_headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="ask"'


class Published(HttpClient):
    """In the place of an issuer's server."""

    def __init__(self, answer: Callable[[], HttpAnswer]) -> None:
        super().__init__(1024)
        self.answer = answer
        self.asked = 0

    async def request(self, *_: Any, **__: Any) -> HttpAnswer:
        self.asked += 1
        return self.answer()


def published(text: str, status: int = 200) -> Callable[[], HttpAnswer]:
    return lambda: HttpAnswer(status, CIMultiDictProxy(CIMultiDict()), text.encode())


class TestKeysAtAUrl:
    @pytest.fixture
    def keys(self, issuer: Issuer) -> "Keys":
        return Keys(issuer)

    async def test_they_are_fetched_once(self, keys: "Keys") -> None:
        assert [await keys.knows(name) for name in ("one", "one", "one")] == [True] * 3
        assert keys.http.asked == 1

    async def test_a_key_that_is_not_known_is_looked_for_but_not_at_any_speed(self, keys: "Keys") -> None:
        assert await keys.knows("one")
        keys.http.answer = published(keys.issuer.key_set("one", "two"))

        assert [await keys.knows("two") for _ in range(20)] == [False] * 20
        assert keys.http.asked == 1
        keys.now += 31
        assert await keys.knows("two")
        assert keys.http.asked == 2

    async def test_a_key_that_is_taken_back_is_good_for_ten_minutes_at_most(self, keys: "Keys") -> None:
        assert await keys.knows("one")
        keys.http.answer = published(keys.issuer.key_set("two"))
        keys.now += 601

        assert not await keys.knows("one")

    @pytest.mark.parametrize("answer", [published("", 500), published("{}"), published("no JSON"), published("[]")])
    async def test_an_issuer_that_is_down_lets_nobody_in(self, keys: "Keys", answer: Callable[[], HttpAnswer]) -> None:
        keys.http.answer = answer

        for _ in range(3):
            with pytest.raises(
                CallError, match=r"AccessUnavailable: the keys at https://issuer\.test that sign tokens"
            ):
                await keys.knows("one")
        assert keys.http.asked == 1

    async def test_an_issuer_that_is_down_for_less_than_an_hour_shuts_nobody_out(self, keys: "Keys") -> None:
        assert await keys.knows("one")
        keys.http.answer = published("", 503)
        keys.now += 3500
        assert await keys.knows("one")

        keys.now += 200
        with pytest.raises(CallError, match="AccessUnavailable"):
            await keys.knows("one")


class Keys:
    """The keys at a URL, at a time of one's own."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.now = 1000.0
        self.http = Published(published(issuer.key_set("one")))
        self._keys = KeySet(settings(jwksURL="https://issuer.test/keys"), self.http, lambda: self.now)

    async def knows(self, key_id: str) -> bool:
        return await self._keys.find(key_id) is not None
