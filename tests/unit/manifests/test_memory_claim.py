from isek.api import IsekAgent
from isek_operator.manifests.memory_claim import memory_claim
from isek_operator.manifests.meta import Manifest

from tests.unit.manifests.samples import agent, parsed, valid


def built(size: str = "1Gi", class_name: str | None = None, *, kept: bool = False) -> Manifest:
    owner = parsed(agent())
    assert isinstance(owner, IsekAgent)
    return valid(memory_claim(owner, size, class_name, kept=kept))


def test_one_pod_at_a_time_may_write_to_it() -> None:
    claim = built("1024Mi", "fast")

    assert claim["metadata"]["name"] == "researcher-agent-memory"
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "fast",
    }


def test_the_class_is_the_clusters_where_none_is_named() -> None:
    assert "storageClassName" not in built()["spec"]


def test_it_goes_with_its_agent_unless_it_is_to_be_kept() -> None:
    gone, kept = built()["metadata"], built(kept=True)["metadata"]

    assert [owner["name"] for owner in gone["ownerReferences"]] == ["researcher"]
    assert "ownerReferences" not in kept
    assert kept["labels"] == gone["labels"]
    assert kept["labels"]["isek.io/agent"] == "researcher"
