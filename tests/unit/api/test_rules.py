import pytest
from isek.api import KINDS, IsekAgent
from isek.api.schema import explain
from pydantic import ValidationError

from tests.support.api_examples import RULES, SCHEMA, RuleExample, SchemaExample


@pytest.mark.parametrize("example", RULES, ids=str)
def test_the_models_refuse_what_a_rule_refuses(example: RuleExample) -> None:
    with pytest.raises(ValidationError) as refusal:
        KINDS[example.refused["kind"]].model_validate(example.refused)

    complaints = "\n".join(explain(refusal.value))
    if example.message.startswith("metadata.name"):
        assert complaints.startswith("metadata.name:")
    else:
        assert example.message in complaints


@pytest.mark.parametrize("example", RULES, ids=str)
def test_the_models_accept_what_a_rule_accepts(example: RuleExample) -> None:
    resource = KINDS[example.accepted["kind"]].model_validate(example.accepted)

    assert resource.name == example.accepted["metadata"]["name"]


@pytest.mark.parametrize("example", SCHEMA, ids=str)
def test_a_broken_field_is_named(example: SchemaExample) -> None:
    with pytest.raises(ValidationError) as refusal:
        KINDS[example.refused["kind"]].model_validate(example.refused)

    assert any(example.field in line for line in explain(refusal.value))


def test_every_rule_of_every_model_has_an_example() -> None:
    told = {example.message for example in RULES}

    for kind in KINDS.values():
        for rule in _rules(kind.model_json_schema()):
            assert any(message in rule or rule.startswith(message) for message in told), rule


def test_a_document_read_from_an_object_gives_the_same_object() -> None:
    agent = IsekAgent.model_validate(
        {
            "metadata": {"name": "a", "namespace": "n"},
            "spec": {"model": {"provider": "OpenAI", "name": "m", "baseURL": "http://m/v1"}},
        }
    )

    assert IsekAgent.model_validate(agent.to_document()).spec == agent.spec


def _rules(schema: dict[str, object]) -> list[str]:
    found: list[str] = []
    for key, value in schema.items():
        if key == "x-kubernetes-validations" and isinstance(value, list):
            found += [rule["message"] for rule in value]
        elif isinstance(value, dict):
            found += _rules(value)
    return found
