"""`isek explain` names what the operator makes, and nothing else."""

from pathlib import Path

import pytest
import yaml
from isek_operator.local.plan import plan
from isek_operator.local.python_files import PythonFiles

from tests.integration.operator.resources import CHILD_KINDS, OURS, agent, mesh, node, team
from tests.support.kube import KubeClient
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("operator")


async def test_what_is_explained_is_what_is_made(kube: KubeClient, tmp_path: Path) -> None:
    resources = [
        mesh("default"),
        node("shared"),
        agent("writer", nodeRef={"name": "shared"}),
        agent("friend", memory={"provider": "SQLite"}),
        team("newsroom", "writer", "friend"),
    ]
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(resources))
    explained = {child for children in plan([file], PythonFiles()).children.values() for child in children}

    for resource in resources:
        await kube.apply(resource)

    async def made() -> set[str]:
        return {
            f"{kind} {each['metadata']['name']}" for kind in CHILD_KINDS for each in await kube.list(kind, labels=OURS)
        }

    async def all_of_them() -> bool:
        assert await made() == explained
        return True

    await until(all_of_them, what="all that was explained is made", within=60)
