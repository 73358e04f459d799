from pathlib import Path
from typing import Any

import pytest
from isek import EchoModel, Message
from isek.api.model import ModelSpec
from isek.models.base import Model
from isek.models.build import build_model


def built(**spec: Any) -> Model:
    return build_model(ModelSpec.model_validate(spec), Path("/nowhere"))


async def test_a_model_that_fails_has_the_next_one_asked() -> None:
    broken = {"provider": "Scripted", "script": [{"error": "no mind today"}]}

    reply = await built(**broken, fallbacks=[broken, {"provider": "Echo"}]).invoke([Message("user", "tea")])

    assert reply.text == "tea"


def test_a_class_of_ones_own_is_made_with_the_parameters() -> None:
    model = built(provider="Custom", **{"class": "isek.models.openai:OpenAIModel"}, parameters={"name": "m"})

    assert (type(model).__name__, model.name) == ("OpenAIModel", "m")
    assert isinstance(built(provider="Custom", **{"class": "isek.models.echo:EchoModel"}), EchoModel)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("isek.nowhere:Own", "ModuleNotFoundError: No module named 'isek.nowhere'"),
        ("isek.models.echo:Own", "has no attribute 'Own'"),
        ("isek.models.openai:OpenAIModel", "missing 1 required positional argument: 'name'"),
        ("pathlib:Path", "is no subclass of isek.Model"),
    ],
)
def test_a_class_that_cannot_be_had_is_named_with_its_field_and_the_reason(path: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"^spec\.model\.class: ") as failed:
        built(provider="Custom", **{"class": path})

    assert why in str(failed.value)


def test_litellm_says_how_to_get_it_where_it_is_missing() -> None:
    with pytest.raises(ValueError, match=r"^spec\.model\.fallbacks\[0\]\.provider: LiteLLM needs ") as failed:
        built(provider="Echo", fallbacks=[{"provider": "LiteLLM", "name": "anthropic/claude-sonnet-4-5"}])

    assert "pip install 'isek-operator[litellm]', or in a cluster name an image" in str(failed.value)


def test_what_a_plain_install_lacks_is_told_where_it_is_imported() -> None:
    with pytest.raises(ModuleNotFoundError) as failed:
        from isek import LiteLLMModel  # noqa: F401, PLC0415

    assert str(failed.value) == "LiteLLMModel needs the package litellm: pip install 'isek-operator[litellm]'"
