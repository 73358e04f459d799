"""Argo CD's health checks, run as Argo CD does: Lua 5.1, with the resource as ``obj``."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from isek.api import GROUP, KINDS
from lupa.lua51 import LuaRuntime

from tests.support.kstatus import Status
from tests.unit.decide.situations import Situation, situations

EXAMPLES = Path(__file__).parents[3] / "examples" / "argocd"
CHECKS: dict[str, str] = yaml.safe_load((EXAMPLES / "argocd-cm.yaml").read_text())["data"]
SITUATIONS = situations()
HEALTH: dict[Status, str] = {"Current": "Healthy", "InProgress": "Progressing", "Failed": "Degraded"}


def health(resource: dict[str, Any]) -> tuple[str, str]:
    """Status and message."""
    lua = LuaRuntime(register_eval=False, unpack_returned_tuples=True)
    script = CHECKS[f"resource.customizations.health.{GROUP}_{resource['kind']}"]
    check = lua.eval(f"function(obj)\n{script}\nend")
    result = check(lua.table_from(resource, recursive=True))
    return result["status"], result["message"]


def message(situation: Situation, type_: str) -> str:
    (found,) = [each["message"] for each in situation.conditions if each["type"] == type_]
    return str(found)


def test_each_kind_has_a_health_check() -> None:
    assert set(CHECKS) == {f"resource.customizations.health.{GROUP}_{kind}" for kind in KINDS}


@pytest.mark.parametrize("situation", SITUATIONS, ids=str)
def test_argo_cd_knows_how_a_resource_stands_and_says_why(situation: Situation) -> None:
    expected = "Suspended" if situation.suspended else HEALTH[situation.kstatus]

    assert health(situation.resource) == (expected, message(situation, "Ready"))


@pytest.mark.parametrize("situation", SITUATIONS, ids=str)
def test_a_changed_resource_is_progressing_until_it_has_been_looked_at(situation: Situation) -> None:
    changed = {**situation.resource, "metadata": {**situation.resource["metadata"], "generation": 2}}

    assert health(changed)[0] == "Progressing"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [{}, {"status": {"observedGeneration": -1, "conditions": []}}], ids=["none", "new"])
def test_a_resource_without_conditions_is_progressing(kind: str, status: dict[str, Any]) -> None:
    assert health({"kind": kind, "metadata": {"generation": 1}, **status})[0] == "Progressing"


def test_every_health_of_a_running_application_is_shown() -> None:
    shown = {health(situation.resource)[0] for situation in SITUATIONS}

    assert shown == {"Healthy", "Progressing", "Degraded", "Suspended"}
