"""The custom resource definitions, judged by a real API server."""

import pytest
from isek.api import KINDS

from tests.support.api_examples import RULES, SCHEMA, RuleExample, SchemaExample, agent
from tests.support.kube import KubeClient, KubeError


@pytest.mark.parametrize("example", RULES, ids=str)
async def test_a_rule_refuses_and_accepts(kube: KubeClient, example: RuleExample) -> None:
    with pytest.raises(KubeError) as refusal:
        await kube.create(example.refused)
    assert refusal.value.code == 422
    assert example.message in refusal.value.message

    await kube.create(example.accepted)


@pytest.mark.parametrize("example", SCHEMA, ids=str)
async def test_the_schema_refuses_a_broken_field_and_names_it(kube: KubeClient, example: SchemaExample) -> None:
    with pytest.raises(KubeError) as refusal:
        await kube.create(example.refused)

    assert example.field in refusal.value.message


async def test_defaults_are_those_of_the_models(kube: KubeClient) -> None:
    created = await kube.create(agent())

    assert created["spec"] == KINDS["IsekAgent"].model_validate(agent()).to_manifest()["spec"]


async def test_kubectl_scale_finds_the_replicas(kube: KubeClient) -> None:
    await kube.create(agent("scaled"))

    await kube.patch("IsekAgent", "scaled", {"spec": {"replicas": 3}}, subresource="scale")

    assert (await kube.get("IsekAgent", "scaled"))["spec"]["replicas"] == 3
