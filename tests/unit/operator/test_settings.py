import pytest
from isek_operator.settings import OperatorSettings


@pytest.mark.parametrize(
    ("written", "watched"), [("", ()), ("newsroom", ("newsroom",)), ("newsroom, press,", ("newsroom", "press"))]
)
def test_namespaces_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, written: str, watched: tuple[str, ...]
) -> None:
    monkeypatch.setenv("ISEK_OPERATOR_WATCH_NAMESPACES", written)

    assert OperatorSettings().watch_namespaces == watched


def test_images_are_of_the_operators_own_version() -> None:
    settings = OperatorSettings()

    assert settings.node_image.partition(":")[2] == settings.p2p_image.partition(":")[2] != ""
