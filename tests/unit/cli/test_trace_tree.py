from click import unstyle
from isek.cli.trace_tree import trace_lines
from isek.trace import Trace


def trace(agent: str, *children: Trace, milliseconds: float = 12.3, error: str | None = None) -> Trace:
    return Trace(
        agent=f"{agent}.default",
        node=f"{agent}-0.default",
        peer_id=f"12D3KooWabcdefgh{agent}",
        path="libp2p",
        started_at="2026-01-01T00:00:00Z",
        duration_ms=milliseconds,
        error=error,
        children=list(children),
    )


def test_the_tree_shows_who_asked_whom() -> None:
    lines = trace_lines(trace("a", trace("b", trace("c")), trace("d", milliseconds=2345.6)))

    assert [unstyle(line).rstrip() for line in lines] == [
        "ASKED             NODE          PEER        PATH     TIME",
        "a.default         a-0.default   …bcdefgha   libp2p   12 ms",
        "├─ b.default      b-0.default   …bcdefghb   libp2p   12 ms",
        "│  └─ c.default   c-0.default   …bcdefghc   libp2p   12 ms",
        "└─ d.default      d-0.default   …bcdefghd   libp2p   2.3 s",
    ]


def test_who_failed_is_named_with_the_code() -> None:
    lines = trace_lines(trace("a", trace("b", error="ModelTimeout", milliseconds=0.4), error="MemberFailed"))

    assert unstyle(lines[1]).endswith("12 ms  MemberFailed")
    assert unstyle(lines[2]).endswith("0.4 ms  ModelTimeout")
