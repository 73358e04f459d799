"""What ``isek`` offers by name."""

import isek


def test_all_names_can_be_had_whatever_extras_are_installed() -> None:
    names: dict[str, object] = {}
    exec("from isek import *", names)  # noqa: S102

    assert set(isek.__all__) <= names.keys()
    assert {"IsekAgent", "OpenAIModel", "__version__"} <= names.keys()
