from isek.api import IsekMesh
from isek_operator.manifests.isek_mesh import default_mesh

from tests.unit.manifests.samples import SETTINGS


def test_the_default_mesh_is_one_that_a_user_could_have_written() -> None:
    made = default_mesh("newsroom", SETTINGS)
    parsed = IsekMesh.model_validate(made)

    assert (parsed.namespace, parsed.name) == ("newsroom", "default")
    assert parsed.spec.etcd.replicas == 1
    assert parsed.metadata.labels == {"isek.io/made-by-default": "true"}
    assert "ownerReferences" not in made["metadata"]
