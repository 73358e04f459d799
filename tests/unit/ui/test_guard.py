import pytest
from isek_ui.guard import Guard, policy
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient, WebSocketDenialResponse

HTML = "<html><script>\nlet inline\n</script><script type='module' src='/x.js'></script></html>"


def guarded(*hosts: str) -> Guard:
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("the page"))])
    return Guard(app, hosts=hosts, html=HTML)


def asked_as(host: str, *hosts: str) -> tuple[int, str]:
    answer = TestClient(guarded(*hosts)).get("/", headers={"Host": host})
    return answer.status_code, answer.text


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "chat.example.com"])
def test_the_page_is_there_by_its_names(host: str) -> None:
    assert asked_as(host, "chat.example.com") == (200, "the page")


@pytest.mark.parametrize("host", ["evil.example.com", "localhost.example.com:8000", "", "[", "127.0.0.1@evil"])
def test_by_any_other_name_it_is_refused(host: str) -> None:
    status, said = asked_as(host)

    assert status == 421
    assert "the page" not in said


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost:8000", 200), ("http://localhost:3000", 403), ("https://evil.example.com", 403), ("null", 403)],
)
def test_other_sites_ask_for_nothing(origin: str, status: int) -> None:
    headers = {"Host": "localhost:8000", "Origin": origin}

    assert TestClient(guarded()).get("/", headers=headers).status_code == status


def test_other_sites_open_no_websocket() -> None:
    headers = {"Host": "localhost:8000", "Origin": "http://localhost:3000"}

    with pytest.raises(WebSocketDenialResponse), TestClient(guarded()).websocket_connect("/", headers=headers):
        pass


def test_the_browser_is_told_to_fetch_nothing_elsewhere() -> None:
    headers = TestClient(guarded(), base_url="http://localhost").get("/").headers

    assert headers["content-security-policy"] == policy(HTML)
    assert headers["referrer-policy"] == "no-referrer"


def test_the_policy_names_no_other_site_and_the_page_s_own_scripts_alone() -> None:
    rules = dict(each.strip().split(" ", 1) for each in policy(HTML).split(";"))

    assert rules["default-src"] == "'self'"
    assert rules["img-src"] == "'self' data: blob:"
    assert rules["script-src"] == "'self' 'sha256-RqXYktS3nyU5n+nF9MgWsKEeIdFM1gm1feYiwbRiBKc='"
