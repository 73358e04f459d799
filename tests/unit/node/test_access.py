"""Who gets past the gate."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from isek.api import IsekAgent
from isek.asking import CallContext
from isek.errors import CallError
from isek.node.access import Gate
from isek.node.allowed import check_agent
from isek.node.caller import SharedToken
from isek.node.hosted import Hosted
from isek.node.settings import NodeSettings
from isek.node.tokens import Tokens
from isek.node.topic_agents import check_sender
from isek.registry.record import AgentRecord, NodeRecord
from starlette.datastructures import Address, Headers

from tests.support.node_process import agent
from tests.support.tokens import AUDIENCE, ISSUER, Issuer
from tests.unit.node.test_host import host_of

CI, OPS = "ci-0123456789abcdef", "ops-0123456789abcdef"
AUTHENTICATED = {"from": "Authenticated", "tokensSecret": {"name": "callers"}}


def hosted(**access: Any) -> Hosted:
    resource = IsekAgent.model_validate(agent("writer", {"provider": "Echo"}, access=access))
    return host_of(resource).find("writer")


def record(node_id: str, peer_id: str, *agents: str, namespace: str = "default") -> NodeRecord:
    names = tuple(AgentRecord(name=name) for name in agents)
    return NodeRecord(node_id=node_id, namespace=namespace, host="10.0.0.1", port=8080, peer_id=peer_id, agents=names)


DESK = record("desk-1.default", "12D3desk", "newsroom", "editor")
LAB = record("lab-1.science", "12D3lab", "prober", namespace="science")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    (tmp_path / "token").write_text("of-the-sidecar")
    (tmp_path / "callers").mkdir()
    (tmp_path / "callers" / "ci").write_text(f"{CI}\n")
    (tmp_path / "callers" / "ops").write_text(f"{OPS}\nnext-{OPS}\n")
    peers = {each.peer_id: (each,) for each in (DESK, LAB)}
    settings = NodeSettings(access_dir=tmp_path)
    return Gate(settings, SharedToken(tmp_path / "token"), lambda peer_id: peers.get(peer_id, ()))


async def admitted(gate: Gate, whom: Hosted, address: str = "10.1.1.1", **headers: str) -> CallContext:
    named = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    context, _ = await gate.admit(named, Address(address, 40000), whom)
    return context


async def from_peer(gate: Gate, whom: Hosted, peer_id: str = "12D3desk", caller: str | None = None) -> CallContext:
    said = {} if caller is None else {"isek_caller": caller}
    return await admitted(gate, whom, isek_peer_id=peer_id, isek_token="of-the-sidecar", **said)


async def refusal(gate: Gate, whom: Hosted, **headers: str) -> CallError:
    with pytest.raises(CallError) as refused:
        await admitted(gate, whom, **headers)
    return refused.value


class TestAgents:
    async def test_the_caller_is_the_agent_that_its_peer_hosts(self, gate: Gate) -> None:
        context = await from_peer(gate, hosted(), caller="newsroom.default")

        assert (context.peer_id, context.caller, context.outsider) == ("12D3desk", "newsroom.default", None)

    @pytest.mark.parametrize("said", ["prober.science", "newsroom", "newsroom.science", "newsroom.default.x", ""])
    async def test_what_a_peer_says_of_agents_that_it_does_not_host_is_not_believed(
        self, gate: Gate, said: str
    ) -> None:
        assert (await from_peer(gate, hosted(), caller=said)).caller is None

    async def test_a_caller_without_the_sidecar_is_not_believed(self, gate: Gate) -> None:
        shown = {"isek_peer_id": "12D3desk", "isek_token": "guessed", "isek_caller": "newsroom.default"}

        context = await admitted(gate, hosted(), **shown)

        assert (context.peer_id, context.caller) == (None, None)

    async def test_a_peer_whose_record_has_expired_is_refused(self, gate: Gate) -> None:
        with pytest.raises(CallError, match="PeerRefused: peer 12D3gone is not in the registry") as refused:
            await from_peer(gate, hosted(), "12D3gone", caller="newsroom.default")

        assert refused.value.status == 403

    async def test_those_that_are_allowed_by_name_may_call_and_no_others(self, gate: Gate) -> None:
        whom = hosted(agents={"from": "Selected", "allow": [{"name": "newsroom"}]})

        assert (await from_peer(gate, whom, caller="newsroom.default")).caller == "newsroom.default"
        for caller in ("editor.default", "prober.science", None):
            with pytest.raises(CallError, match=r"may not call writer\.default"):
                await from_peer(gate, whom, caller=caller)

    @pytest.mark.parametrize(
        ("agents", "desk", "lab"),
        [
            ({}, True, True),
            ({"from": "Mesh"}, True, True),
            ({"from": "Namespace"}, True, False),
            ({"from": "Selected", "allow": [{"namespace": "science"}]}, False, True),
            ({"from": "Selected", "allow": [{"name": "prober", "namespace": "science"}]}, False, True),
            ({"from": "Selected", "allow": [{"name": "prober"}]}, False, False),
            ({"from": "Selected", "allow": [{"name": "editor"}, {"namespace": "science"}]}, True, True),
        ],
        ids=str,
    )
    async def test_names_and_namespaces_say_who_may_call(
        self, gate: Gate, agents: dict[str, Any], desk: bool, lab: bool
    ) -> None:
        whom = hosted(agents=agents)
        for peer_id, caller, may in (("12D3desk", "editor.default", desk), ("12D3lab", "prober.science", lab)):
            if may:
                assert (await from_peer(gate, whom, peer_id, caller)).caller == caller
            else:
                with pytest.raises(CallError, match="Forbidden"):
                    await from_peer(gate, whom, peer_id, caller)

    @pytest.mark.parametrize(
        ("outside", "allowed"),
        [({}, True), (AUTHENTICATED, False), ({"from": "Nobody"}, False)],
        ids=["anyone", "authenticated", "nobody"],
    )
    def test_a_topic_is_no_way_in_for_those_from_outside(self, outside: dict[str, Any], allowed: bool) -> None:
        with nullcontext() if allowed else pytest.raises(CallError, match="Forbidden"):
            check_sender(hosted(outside=outside), "outside:token:ci")

    async def test_without_libp2p_nobody_passes_for_a_node_where_not_anyone_may_ask(self, tmp_path: Path) -> None:
        gate = Gate(NodeSettings(access_dir=tmp_path), SharedToken(None), lambda _: ())
        claimed = {"isek_claim": "0" * 32}

        assert gate.nodes(Headers(), [hosted()]) is None
        assert (await admitted(gate, hosted(), **claimed)).claim == "0" * 32
        guarded = hosted(outside={"from": "Nobody"})
        with pytest.raises(CallError, match=r"writer\.default does not let in anyone, and without libp2p"):
            gate.nodes(Headers(), [hosted(), guarded])

    async def test_without_libp2p_a_token_claims_no_task(self, tmp_path: Path) -> None:
        (tmp_path / "callers").mkdir()
        (tmp_path / "callers" / "ci").write_text(CI)
        gate = Gate(NodeSettings(access_dir=tmp_path), SharedToken(None), lambda _: ())

        context = await admitted(gate, hosted(outside=AUTHENTICATED), authorization=f"Bearer {CI}", isek_claim="0" * 32)

        assert (context.outsider, context.claim) == ("token:ci", None)

    def test_a_neighbour_on_the_same_node_is_held_against_the_same_rules(self) -> None:
        whom = hosted(agents={"from": "Selected", "allow": [{"name": "newsroom"}]})

        check_agent(whom, "newsroom.default", "default")
        with pytest.raises(CallError, match=r"editor\.default may not call writer\.default"):
            check_agent(whom, "editor.default", "default")


def test_keys_that_sign_nothing_are_said_when_the_agent_is_built() -> None:
    jwt = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": '{"keys": []}'}
    access = {"outside": {"from": "Authenticated", "jwt": jwt}}
    host = host_of(IsekAgent.model_validate(agent("writer", {"provider": "Echo"}, access=access)))

    [broken] = host.broken
    assert broken.message.startswith("spec.access.outside.jwt.jwks: the key set has no key for")


class TestOutside:
    async def test_anyone_may_call_where_nothing_is_said(self, gate: Gate) -> None:
        context = await admitted(gate, hosted(), authorization="Bearer whatever")

        assert (context.caller, context.outsider) == (None, None)

    @pytest.mark.parametrize(("token", "name"), [(CI, "ci"), (OPS, "ops"), (f"next-{OPS}", "ops")])
    @pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
    async def test_a_token_says_who_calls(self, gate: Gate, token: str, name: str, scheme: str) -> None:
        context = await admitted(gate, hosted(outside=AUTHENTICATED), authorization=f"{scheme} {token}")

        assert context.outsider == f"token:{name}"

    async def test_without_a_token_there_is_a_challenge(self, gate: Gate) -> None:
        error = await refusal(gate, hosted(outside=AUTHENTICATED))

        assert (error.code, error.status) == ("Unauthorized", 401)
        assert error.response_headers == {"WWW-Authenticate": 'Bearer realm="isek"'}

    @pytest.mark.parametrize("shown", ["Bearer wrong-0123456789abcdef", f"Basic {CI}", "Bearer ", f"Bearer {CI}x", CI])
    async def test_what_is_no_token_of_anybody_is_refused(self, gate: Gate, shown: str) -> None:
        assert (await refusal(gate, hosted(outside=AUTHENTICATED), authorization=shown)).status == 401

    async def test_a_token_that_is_taken_away_is_good_no_more(self, gate: Gate, tmp_path: Path) -> None:
        whom = hosted(outside=AUTHENTICATED)
        now = clock_of(gate, tmp_path / "callers")
        await admitted(gate, whom, authorization=f"Bearer {CI}")

        (tmp_path / "callers" / "ci").unlink()
        (tmp_path / "callers" / "robot").write_text("robot-0123456789abcdef")
        now[0] += 1.5

        assert (await refusal(gate, whom, authorization=f"Bearer {CI}")).status == 401
        assert (await admitted(gate, whom, authorization="Bearer robot-0123456789abcdef")).outsider == "token:robot"

    async def test_a_short_token_is_good_for_nothing(self, gate: Gate, tmp_path: Path) -> None:
        (tmp_path / "callers" / "weak").write_text("letmein\n\n")

        assert (await refusal(gate, hosted(outside=AUTHENTICATED), authorization="Bearer letmein")).status == 401

    async def test_tokens_that_cannot_be_read_let_nobody_in(self, gate: Gate) -> None:
        whom = hosted(outside={**AUTHENTICATED, "tokensSecret": {"name": "missing"}})

        error = await refusal(gate, whom, authorization=f"Bearer {CI}")

        assert (error.code, error.status) == ("AccessUnavailable", 503)
        assert "Secret 'missing'" in error.message

    async def test_nobody_from_outside_gets_in_where_nobody_may(self, gate: Gate) -> None:
        whom = hosted(outside={"from": "Nobody"})

        assert (await refusal(gate, whom, authorization=f"Bearer {CI}")).code == "Forbidden"
        assert (await from_peer(gate, whom, caller="newsroom.default")).caller == "newsroom.default"

    @pytest.mark.parametrize(("outside", "allowed"), [("Anyone", True), ("Nobody", False)])
    async def test_a_node_that_hosts_nobody_lets_in_whom_its_mesh_does(self, outside: Any, allowed: bool) -> None:
        gate = Gate(NodeSettings(outside=outside), SharedToken(None), lambda _: ())

        with nullcontext() if allowed else pytest.raises(CallError, match="hosts nobody who could let in"):
            assert await gate.visible(Headers(), None, ()) == ()

    async def test_a_json_web_token_says_who_calls(self, gate: Gate) -> None:
        issuer = Issuer("one")
        jwt = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": issuer.key_set()}
        whom = hosted(outside={**AUTHENTICATED, "jwt": jwt})

        assert (await admitted(gate, whom, authorization=f"Bearer {issuer.token()}")).outsider == "jwt:ada"
        assert (await admitted(gate, whom, authorization=f"Bearer {CI}")).outsider == "token:ci"
        error = await refusal(gate, whom, authorization=f"Bearer {issuer.token(exp=1)}")
        assert "Signature has expired" in error.message
        assert error.response_headers["WWW-Authenticate"].endswith('error="invalid_token"')

    async def test_who_calls_too_often_is_told_when_to_call_again(self, gate: Gate) -> None:
        limited = {**AUTHENTICATED, "rateLimit": {"requestsPerMinute": 30, "burst": 2}}
        whom = hosted(outside=limited)
        for _ in range(2):
            await admitted(gate, whom, authorization=f"Bearer {CI}")

        error = await refusal(gate, whom, authorization=f"Bearer {CI}")

        assert (error.code, error.status, error.response_headers) == ("RateLimited", 429, {"Retry-After": "2"})
        assert (await admitted(gate, whom, authorization=f"Bearer {OPS}")).outsider == "token:ops"

    async def test_tokens_cannot_be_tried_at_any_speed(self, gate: Gate) -> None:
        limited = {**AUTHENTICATED, "rateLimit": {"requestsPerMinute": 1, "burst": 3}}
        whom = hosted(outside=limited)

        tried = [(await refusal(gate, whom, authorization="Bearer wrong-0123456789abcdef")).status for _ in range(5)]

        assert tried == [401, 401, 401, 429, 429]
        last = await refusal(gate, whom, authorization="Bearer wrong-0123456789abcdef")
        assert "were refused, the last one because the token is not accepted: nobody has such a token" in last.message
        assert last.hint.startswith("check the token (send the header Authorization: Bearer <token>), and ask again in")
        assert (await admitted(gate, whom, authorization=f"Bearer {CI}")).outsider == "token:ci"

    async def test_addresses_are_counted_where_nobody_shows_a_token(self, gate: Gate) -> None:
        whom = hosted(outside={"rateLimit": {"requestsPerMinute": 1, "burst": 1}})
        await admitted(gate, whom, "10.1.1.1")

        with pytest.raises(CallError, match="RateLimited"):
            await admitted(gate, whom, "10.1.1.1")
        await admitted(gate, whom, "10.1.1.2")


def clock_of(gate: Gate, folder: Path) -> list[float]:
    """The time of the gate's tokens in a folder, to be moved on."""
    now = [100.0]
    gate._tokens[folder.name] = Tokens(folder, lambda: now[0])
    return now
