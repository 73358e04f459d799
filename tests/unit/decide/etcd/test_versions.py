import pytest
from isek_operator.decide.etcd.versions import refusal
from isek_operator.decide.reasons import Reason

REGISTRY = "registry.k8s.io/etcd"


@pytest.mark.parametrize(
    "image",
    [
        f"{REGISTRY}:3.6.9-0",
        f"{REGISTRY}:3.6.1-0",
        f"{REGISTRY}:v3.7.0",
        f"{REGISTRY}:3.7.0@sha256:0123",
        "mirror:5000/etcd@sha256:0123",
        "mirror:5000/etcd:latest",
    ],
)
def test_the_same_and_the_next_minor_version_and_what_nobody_can_tell_are_taken(image: str) -> None:
    assert refusal("3.6.8", image) is None


def test_an_etcd_whose_version_is_not_known_takes_any_image() -> None:
    assert refusal("", f"{REGISTRY}:3.4.0") is None


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("3.4.9-0", "3.4 goes back, which etcd cannot; set spec.etcd.image to an image of etcd 3.6 or 3.7"),
        ("3.8.0", "3.8 skips a minor version; set spec.etcd.image to an image of etcd 3.7 first"),
        ("4.0.0", "4.0 skips a minor version; set spec.etcd.image to an image of etcd 3.7 first"),
    ],
)
def test_a_version_that_goes_back_or_too_far_is_refused(tag: str, message: str) -> None:
    problem = refusal("3.6.8", f"{REGISTRY}:{tag}")

    assert problem is not None
    assert problem.reason is Reason.UPGRADE_REFUSED
    assert problem.message == f"refused: etcd 3.6 -> {message}"
