"""Who may call an agent or a team: other agents of its mesh, and callers from outside of it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from isek.api.fields import LongText, Namespace, ObjectName, ResourceName, ShortText
from isek.api.schema import Model, Rule


class AllowedAgent(Model):
    """An agent or a team, or all of a namespace."""

    name: ResourceName | None = None
    """Its name; default: every one of the namespace."""
    namespace: Namespace | None = None
    """Its namespace; default: that of whom it calls."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.name) || has(self.__namespace__)",
            message="set name, namespace, or both",
            holds=lambda allowed: bool(allowed.name or allowed.namespace),
        ),
    )


class AgentAccess(Model):
    """Which agents and teams of the mesh may call."""

    from_: Annotated[Literal["Mesh", "Namespace", "Selected"], Field(alias="from")] = "Mesh"
    """Mesh: all of the mesh. Namespace: those of the same namespace. Selected: those that `allow` names."""
    allow: Annotated[tuple[AllowedAgent, ...], Field(min_length=1, max_length=64)] | None = None
    """Who may call, each by name, by namespace, or by both."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(has(self.from) && self.from == 'Selected') == has(self.allow)",
            message="allow goes with from: Selected, and with no other",
            holds=lambda access: (access.from_ == "Selected") == (access.allow is not None),
        ),
    )


class TokensSecret(Model):
    """A Secret in the namespace of whom is called, each key of which holds tokens."""

    name: ObjectName
    """Its name."""


class Jwt(Model):
    """JSON Web Tokens (RFC 7519) that somebody else issues, signed by an asymmetric key, and not for ever."""

    issuer: Annotated[ShortText, Field(min_length=1)]
    """What has to stand in `iss`."""
    audiences: Annotated[tuple[Annotated[ShortText, Field(min_length=1)], ...], Field(min_length=1, max_length=8)]
    """One of these has to stand in `aud`."""
    jwks_url: Annotated[str | None, Field(alias="jwksURL", max_length=2048, pattern=r"^https://[^\s]+$")] = None
    """Where the issuer's keys are to be had; they are fetched again as they change."""
    jwks: LongText | None = None
    """These keys themselves, a JSON Web Key Set (RFC 7517)."""
    scopes: Annotated[tuple[Annotated[ShortText, Field(min_length=1)], ...], Field(max_length=16)] = ()
    """All of these have to stand in `scope`, or in `scp`."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.jwksURL) != has(self.jwks)",
            message="set exactly one of jwksURL, jwks",
            holds=lambda jwt: (jwt.jwks_url is None) != (jwt.jwks is None),
        ),
    )


class RateLimit(Model):
    """How often one caller may call one agent on one replica; further calls are answered with 429."""

    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)]
    """Calls that come back within a minute."""
    burst: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """Calls at once."""


class OutsideAccess(Model):
    """Who may call that is no agent of the mesh: programs and people, over HTTP, gRPC and MCP."""

    from_: Annotated[Literal["Anyone", "Authenticated", "Nobody"], Field(alias="from")] = "Anyone"
    """Anyone: whom the NetworkPolicies let reach the pods. Authenticated: who shows a token. Nobody: agents alone."""
    tokens_secret: TokensSecret | None = None
    """Bearer tokens: in each key of the Secret one token a line, all called by the key. The lines and keys that are
    there now are good, those that are gone are not: no restart is needed."""
    jwt: Jwt | None = None
    """JSON Web Tokens."""
    rate_limit: RateLimit | None = None
    """How often each may call. A caller is whom the token names, else an address. Default: no bound."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(has(self.from) && self.from == 'Authenticated') == (has(self.tokensSecret) || has(self.jwt))",
            message="from: Authenticated needs tokensSecret, jwt, or both, and they go with no other",
            holds=lambda outside: (
                (outside.from_ == "Authenticated") == (outside.tokens_secret is not None or outside.jwt is not None)
            ),
        ),
    )


class Access(Model):
    """Who may call."""

    agents: AgentAccess | None = None
    """Which agents and teams of the mesh; default: all."""
    outside: OutsideAccess | None = None
    """Who else; default: whom the NetworkPolicies let reach the pods."""

    @property
    def anyone(self) -> bool:
        """Whether anyone from outside may call."""
        return self.outside is None or self.outside.from_ == "Anyone"

    def beside(self, default: "Access | None") -> "Access":
        """This, with the parts that it leaves out as in ``default``."""
        if default is None:
            return self
        return Access(agents=self.agents or default.agents, outside=self.outside or default.outside)
