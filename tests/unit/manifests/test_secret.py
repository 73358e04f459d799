from isek_operator.decide.outcome import NetworkKey
from isek_operator.manifests.secret import private_network_secret

from tests.unit.manifests.samples import a_mesh, valid


def test_the_key_of_a_mesh_is_generated_and_kubelets_read_it_anew() -> None:
    secret = private_network_secret(a_mesh())
    manifest = valid(secret.manifest)

    assert (manifest["metadata"]["name"], secret.content) == ("default-p2p", NetworkKey("private-network.key"))
    assert "immutable" not in manifest
    assert "data" not in manifest
    assert "stringData" not in manifest
