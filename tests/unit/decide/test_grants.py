from typing import Any

import pytest
from isek.api.mesh import LabelSelector
from isek_operator.decide.grants import selects

LABELS = {"team": "press", "tier": "gold"}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({}, True),
        ({"matchLabels": {"team": "press"}}, True),
        ({"matchLabels": {"team": "press", "tier": "silver"}}, False),
        ({"matchLabels": {"team": "press", "owner": "x"}}, False),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["lab", "press"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["lab"]}]}, False),
        ({"matchExpressions": [{"key": "owner", "operator": "In", "values": ["lab"]}]}, False),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["lab"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["press"]}]}, False),
        ({"matchExpressions": [{"key": "owner", "operator": "NotIn", "values": ["lab"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "owner", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "owner", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, False),
        (
            {
                "matchLabels": {"team": "press"},
                "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["gold"]}],
            },
            False,
        ),
    ],
    ids=str,
)
def test_a_selector_means_what_it_means_to_kubernetes(selector: dict[str, Any], selected: bool) -> None:
    assert selects(LabelSelector.model_validate(selector), LABELS) is selected
