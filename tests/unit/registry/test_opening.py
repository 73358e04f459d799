import pytest
from isek.node.settings import NodeSettings
from isek.registry import RegistryUrlError, open_registry
from isek.registry.center_client import CenterRegistry
from isek.registry.default import DefaultRegistry
from isek.registry.etcd import EtcdRegistry


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory:", DefaultRegistry),
        ("etcd://default-etcd:2379", EtcdRegistry),
        ("etcds://a:2379,b:2379", EtcdRegistry),
        ("etcd://a:2379,b:2379,[fd00::1]:2379", EtcdRegistry),
        ("http://127.0.0.1:9100", CenterRegistry),
        ("http://127.0.0.1:9100/", CenterRegistry),
    ],
)
async def test_the_url_says_which_registry(url: str, kind: type) -> None:
    registry = open_registry(NodeSettings(registry_url=url, mesh_id="m.n"))

    assert type(registry) is kind
    assert registry.mesh_id == "m.n"


@pytest.mark.parametrize(
    "url",
    ["", "etcd:", "etcd://", "etcd://host", "etcd://host:0", "etcd://host:port", "etcd://a:1,", "etcd://a:1/path",
     "etcd://user@a:1", "https://host:1", "redis://host:1", "http://host", "memory"],
)  # fmt: skip
def test_an_unusable_url_is_named_with_those_that_can_be_used(url: str) -> None:
    with pytest.raises(RegistryUrlError) as caught:
        open_registry(NodeSettings(registry_url=url))

    assert repr(url) in str(caught.value)
    assert "etcd://host:2379" in str(caught.value)
