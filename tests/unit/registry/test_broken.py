import pytest
from isek.registry.broken import MAX_MESSAGE, BrokenAgent, BrokenRecord, broken_prefix, sayable
from isek.registry.record import MAX_RECORD_BYTES, RecordError
from isek_operator.decide.etcd.gathering import managed_access

from tests.unit.decide.scene import Scene
from tests.unit.manifests.samples import SETTINGS, a_mesh


def record(*messages: str) -> BrokenRecord:
    agents = (BrokenAgent(kind="IsekAgent", name=f"a-{number}", message=each) for number, each in enumerate(messages))
    return BrokenRecord(node_id="pod-1.press", namespace="press", config_hash="abc", agents=tuple(agents))


def test_what_a_node_says_is_read_as_it_was_written() -> None:
    said = record("line 3: no such module")
    key = said.key("press.default")

    assert key == "/isek/press.default/broken/press/pod-1"
    assert BrokenRecord.decode(key, said.encode()) == said


def test_as_many_agents_are_named_as_fit() -> None:
    many = record(*["x" * MAX_MESSAGE] * 10)

    encoded = many.encode()

    assert len(encoded) <= MAX_RECORD_BYTES
    assert BrokenRecord.decode(many.key("m"), encoded).agents == many.agents[:3]


def test_what_is_said_of_changed_tools_makes_room_as_well() -> None:
    said = BrokenAgent(kind="IsekAgent", name="poet", message="no such module")
    wordy = BrokenAgent(kind="IsekAgent", name="clerk", message="x" * MAX_MESSAGE)
    many = record().model_copy(update={"agents": (said,), "changed": (wordy,) * 5})

    read = BrokenRecord.decode(many.key("m"), many.encode())

    assert (read.agents, read.changed) == ((said,), (wordy,) * 3)


@pytest.mark.parametrize("unusual", ["\0", "\N{GRINNING FACE}", '"', "\udcff"])
def test_whatever_an_exception_says_fits_and_takes_no_room_from_others(unusual: str) -> None:
    said = record(sayable(unusual * 2 * MAX_MESSAGE), "no such module")

    assert BrokenRecord.decode(said.key("m"), said.encode()) == said


@pytest.mark.parametrize(
    "value",
    [
        b"[]",
        b'{"nodeId": "pod-1.press", "namespace": "stage", "agents": []}',
        record("no").encode() + b" " * MAX_RECORD_BYTES,
    ],
)
def test_nonsense_who_speaks_for_another_namespace_and_what_is_too_large_is_refused(value: bytes) -> None:
    with pytest.raises(RecordError):
        BrokenRecord.decode("/isek/m/broken/press/pod-1", value)


def test_the_operator_looks_where_nodes_write() -> None:
    mesh = a_mesh()

    assert managed_access(mesh, Scene().store, SETTINGS).broken_prefix == broken_prefix(mesh.mesh_id)
