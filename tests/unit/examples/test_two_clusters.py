"""The resources of the guide to two clusters, with what its commands fill in."""

from pathlib import Path

import pytest
import yaml
from isek.api import KINDS, IsekMesh

FOLDER = Path(__file__).parents[3] / "examples" / "two-clusters"
RELAY = "/ip4/192.0.2.4/tcp/31000/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"
FILLED_IN = {"NORTH_HOST": "192.0.2.4", "NORTH_ETCD": "https://192.0.2.4:32000", "NORTH_RELAYS": f'["{RELAY}"]'}


def resources(file: str) -> list[object]:
    text = (FOLDER / file).read_text()
    for word, value in FILLED_IN.items():
        text = text.replace(word, value)
    return [KINDS[each["kind"]].model_validate(each) for each in yaml.safe_load_all(text)]


def mesh(file: str) -> IsekMesh:
    (found,) = [each for each in resources(file) if isinstance(each, IsekMesh)]
    return found


@pytest.mark.parametrize("file", ["north.yaml", "south.yaml"])
def test_what_the_guide_applies_is_accepted(file: str) -> None:
    assert len(resources(file)) == 2


def test_both_clusters_mean_one_mesh_and_one_network() -> None:
    north, south = mesh("north.yaml"), mesh("south.yaml")

    assert north.mesh_id == south.mesh_id == "world"
    assert north.spec.p2p.private_network_key == south.spec.p2p.private_network_key
    assert south.spec.p2p.relays.addresses == (RELAY,)
