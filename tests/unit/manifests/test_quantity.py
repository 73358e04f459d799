import pytest
from hypothesis import given
from hypothesis import strategies as st
from isek_operator.manifests.quantity import canonical_quantity, canonical_resources, is_larger


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1", "1"),
        ("1000m", "1"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("1500m", "1500m"),
        ("1000", "1k"),
        ("1500", "1500"),
        ("2000k", "2M"),
        ("0.1m", "100u"),
        ("0", "0"),
        ("0Gi", "0"),
        ("1024Mi", "1Gi"),
        ("1000Mi", "1000Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("0.5Ki", "512"),
        ("1G", "1G"),
        ("1e3", "1e3"),
        ("plenty", "plenty"),
        ("", ""),
    ],
)
def test_a_quantity_is_written_as_the_api_server_stores_it(written: str, stored: str) -> None:
    assert canonical_quantity(written) == stored


@given(st.integers(0, 10**9), st.sampled_from(["n", "u", "m", "", "k", "M", "G", "Ki", "Mi", "Gi", "Ti"]))
def test_a_stored_quantity_stays_as_it_is(number: int, suffix: str) -> None:
    stored = canonical_quantity(f"{number}{suffix}")

    assert canonical_quantity(stored) == stored


def test_requests_and_limits_become_canonical_and_claims_stay() -> None:
    resources = {"requests": {"cpu": 1, "memory": "1024Mi"}, "limits": {"cpu": "0.5"}, "claims": [{"name": "gpu"}]}

    assert canonical_resources(resources) == {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"cpu": "500m"},
        "claims": [{"name": "gpu"}],
    }


@pytest.mark.parametrize(
    ("one", "other", "larger"),
    [("2Gi", "1Gi", True), ("1Gi", "1024Mi", False), ("1Gi", "1G", True), ("500M", "1Gi", False), ("lots", "1", False)],
)
def test_quantities_are_compared_by_what_they_say(one: str, other: str, larger: bool) -> None:
    assert is_larger(one, other) is larger
