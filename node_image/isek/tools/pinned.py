"""What the tools of an MCP server are taken to be. A server that was looked at, and trusted, may later tell models
something else by the same names."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from isek.errors import RunError
from isek.log import log

if TYPE_CHECKING:
    from mcp.types import Tool as Described


class PinnedTools:
    """The tools of one server, as far as they may be used.

    Args:
        where: the server, for people.
        allow: the only tools to take; None: all.
        pins: the digest of each tool; None: that of when it is first seen.
    """

    def __init__(self, where: str, allow: Iterable[str] | None, pins: Mapping[str, str] | None) -> None:
        self._where = where
        self._allow = None if allow is None else tuple(allow)
        self._given = pins is not None
        self._pins = dict(pins or {})
        self._offered: frozenset[str] | None = None
        self._changed: dict[str, str] = {}

    @property
    def pins(self) -> Mapping[str, str]:
        """The digest of each tool."""
        return dict(self._pins)

    @property
    def changed(self) -> Sequence[str]:
        """What is wrong with each tool that is not what it has to be."""
        return tuple(self._changed.values())

    def offers(self, name: str) -> bool:
        """Whether the tool is there, and what it has to be."""
        return self._offered is not None and name in self._offered

    def unchanged(self, described: "Sequence[Described]") -> "list[Described]":
        """The tools that may be used, of all that the server has now. What is new is pinned, unless pins were given.

        Raises:
            RunError: ``ToolsUnavailable``: at first sight, one that is allowed is not there.
        """
        there = {tool.name: tool for tool in described}
        if self._offered is None:
            self._check_all_there(there)
        wrong = {name: self._wrong(tool) for name, tool in there.items() if self._allow is None or name in self._allow}
        for name in sorted(self._pins.keys() - there.keys()):
            wrong[name] = f"has no tool {name!r} any more: start the one that has it, or take it out of pins and allow"
        self._tell({name: f"the MCP server {self._where} {what}" for name, what in wrong.items() if what})
        taken = [there[name] for name, what in wrong.items() if not what]
        self._offered = frozenset(tool.name for tool in taken)
        return taken

    def _check_all_there(self, there: "Mapping[str, Described]") -> None:
        if lacking := set(self._allow or ()) - there.keys():
            others = ", ".join(sorted(there)) or "none"
            raise RunError(
                "ToolsUnavailable",
                f"the MCP server {self._where} has no tool {min(lacking)!r}; it has: {others}",
                hint="mend allow",
                status=502,
            )

    def _wrong(self, tool: "Described") -> str:
        """What is wrong with a tool, and what to do; empty: nothing."""
        digest = digest_of(tool)
        pin = self._pins.get(tool.name)
        if pin is None and self._given and self._allow is None:
            return (
                f"has a new tool {tool.name!r}, which is not used: look at it, then add {tool.name}: {digest} to pins"
            )
        if pin is None:
            self._pins[tool.name] = pin = digest
            log().info("the MCP server {} has tool {}", self._where, tool.name, digest=digest)
        if pin == digest:
            return ""
        return (
            f"has changed tool {tool.name!r}, which is not used now: look at it, then set {tool.name}: {digest} in pins"
        )

    def _tell(self, changed: dict[str, str]) -> None:
        for name, what in changed.items():
            if self._changed.get(name) != what:
                log().warning("{}", what)
        self._changed = changed


def digest_of(tool: "Described") -> str:
    """The digest of what a model is told of a tool: ``sha256:`` and 64 hexadecimal digits."""
    told = [tool.name, tool.description or "", tool.input_schema]
    return f"sha256:{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()}"
