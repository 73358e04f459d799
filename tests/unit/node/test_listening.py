"""Where servers listen: real sockets of this machine."""

import socket

import pytest
from isek.node.listening import EVERYWHERE, listen


def answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_everywhere_is_ipv4_and_ipv6(address: str) -> None:
    with listen(EVERYWHERE, 0) as listening:
        assert answers(address, listening.getsockname()[1])


def test_everywhere_is_ipv4_where_the_kernel_has_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)

    with listen(EVERYWHERE, 0) as listening:
        port = listening.getsockname()[1]
        assert answers("127.0.0.1", port)
        assert listening.family is socket.AF_INET


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_an_address_is_listened_at_alone() -> None:
    with listen("::1", 0) as listening:
        port = listening.getsockname()[1]
        assert answers("::1", port)
        assert not answers("127.0.0.1", port)
