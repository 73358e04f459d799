import pytest
from isek.protocol.push_sender import MAX_URL, check_url

ALLOWED = ("hooks.newsroom:8080", "10.0.0.7:443")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/hook",
        "https://example.org:8443/hook?task=1",
        "https://8.8.8.8/hook",
        "http://hooks.newsroom:8080/hook",
        "https://10.0.0.7/hook",
    ],
)
def test_public_hosts_over_tls_and_allowed_ones_may_be_told(url: str) -> None:
    check_url(url, ALLOWED)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "begin with https"),
        ("hook", "begin with https"),
        ("ftp://example.org", "begin with https"),
        ("https:///hook", "begin with https"),
        ("file:///etc/passwd", "begin with https"),
        ("http://example.org/hook", "without TLS"),
        ("http://hooks.newsroom:8081/hook", "without TLS"),
        ("http://10.0.0.7/hook", "without TLS"),
        ("https://user:password@example.org", "credentials"),
        ("https://10.0.0.8/hook", "not an address of the public internet"),
        ("https://127.0.0.1/hook", "not an address of the public internet"),
        ("https://169.254.169.254/latest", "not an address of the public internet"),
        ("https://[::1]/hook", "not an address of the public internet"),
        ("https://[::ffff:10.0.0.7]/hook", "not an address of the public internet"),
        ("https://224.0.0.1/hook", "not an address of the public internet"),
        *(
            (f"https://{host}/hook", "not an address of the public internet")
            for host in ("127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "8.8.8", "a.0x")
        ),
        ("https://example.org:99999/", "."),
        (f"https://example.org/{'a' * MAX_URL}", "longer than 2048 characters"),
    ],
)
def test_others_are_refused_with_why(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_url(url, ALLOWED)
