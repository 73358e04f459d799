from pathlib import Path

import pytest
from isek.agent.build import build_agent
from isek.agent.limits import Budget, Limits
from isek.api import IsekAgent as Resource
from isek.tools.base import RiskLevel

from tests.support.api_examples import agent
from tests.support.asking import Directory


@pytest.mark.parametrize("level", RiskLevel)
def test_the_threshold_of_risk_is_that_of_the_resource(level: RiskLevel) -> None:
    spec = agent(guardrails={"riskThreshold": level.name.capitalize()})

    built = build_agent(Resource.model_validate(spec), Directory({}), Path("/nowhere"), Path("/nowhere"))

    assert built.guardrails.risk_threshold is level


def test_what_a_resource_leaves_out_is_as_in_a_script() -> None:
    built = build_agent(Resource.model_validate(agent()), Directory({}), Path("/nowhere"), Path("/nowhere"))

    assert (built.limits, built.budget, built.guardrails.blocked_patterns) == (Limits(), Budget(), ())
    assert built.guardrails.risk_threshold is RiskLevel.MEDIUM
