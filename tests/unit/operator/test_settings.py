from pathlib import Path

import pytest
from isek_operator.settings import OperatorSettings, name_servers


@pytest.mark.parametrize(
    ("written", "watched"), [("", ()), ("newsroom", ("newsroom",)), ("newsroom, press,", ("newsroom", "press"))]
)
def test_namespaces_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, written: str, watched: tuple[str, ...]
) -> None:
    monkeypatch.setenv("ISEK_OPERATOR_WATCH_NAMESPACES", written)

    assert OperatorSettings().watch_namespaces == watched


def test_name_servers_are_those_of_resolv_conf_but_its_own_machine(tmp_path: Path) -> None:
    written = tmp_path / "resolv.conf"
    servers = ("127.0.0.53", "10.96.0.10", "fe80::1%eth0", "x")
    written.write_text("".join(["search svc\n", *(f"nameserver {each}\n" for each in servers)]))

    assert list(map(str, name_servers(written))) == ["10.96.0.10", "fe80::1"]
    assert name_servers(tmp_path / "none") == ()


def test_images_are_of_the_operators_own_version() -> None:
    settings = OperatorSettings()

    assert settings.node_image.partition(":")[2] == settings.p2p_image.partition(":")[2] != ""
