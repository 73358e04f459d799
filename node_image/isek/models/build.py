"""From the ``model`` of a resource to the model."""

from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from isek.api.model import ModelSpec, OneModel
from isek.api.workload import SecretKeySelector
from isek.environment import BASE_URL, variable
from isek.extras import missing
from isek.models.api_key import key_of_environment
from isek.models.base import Model
from isek.models.echo import EchoModel
from isek.models.errors import ModelAuthenticationFailed
from isek.models.fallback import FallbackModel
from isek.models.scripted import ScriptedModel
from isek.secret_files import SecretUnreadableError, read_secret


def build_model(spec: ModelSpec, secrets_dir: Path) -> Model:
    """The model that ``spec`` describes. Secrets are files ``<secrets_dir>/<name>/<key>``, read when needed.

    Raises:
        ValueError: the class of one's own cannot be had.
    """
    first = _build_one(spec, secrets_dir, "spec.model")
    if not spec.fallbacks:
        return first
    others = [
        _build_one(each, secrets_dir, f"spec.model.fallbacks[{number}]") for number, each in enumerate(spec.fallbacks)
    ]
    return FallbackModel(first, *others)


def _build_one(spec: OneModel, secrets_dir: Path, field: str) -> Model:
    if spec.class_ is not None:
        return _custom(spec.class_, spec.parameters or {}, field)
    if spec.provider == "Echo":
        return EchoModel()
    if spec.provider == "Scripted":
        return ScriptedModel(spec.script or (), timeout_seconds=spec.timeout_seconds)

    key = _secret_reader(spec.api_key.secret_key_ref, secrets_dir) if spec.api_key else None
    instead = f"set {field}.apiKey"
    about: dict[str, Any] = {
        "base_url": spec.base_url,
        "parameters": spec.parameters,
        "timeout_seconds": spec.timeout_seconds,
        "max_retries": spec.max_retries,
    }
    if spec.provider == "LiteLLM":
        try:
            from isek.models.litellm import LiteLLMModel, environment_key  # noqa: PLC0415  (2 s and 130 MB that others need not spend)
        except ModuleNotFoundError as error:
            raise ValueError(
                f"{field}.provider: {missing('LiteLLM', error)}, or in a cluster name an image that holds it in "
                "spec.template.image"
            ) from None
        name = spec.name or ""
        key = key or environment_key(name, instead, needed=spec.base_url is None)
        return LiteLLMModel(name, api_key=key, **about)

    from isek.models.openai import OpenAIModel  # noqa: PLC0415  (1 s and 40 MB)

    key = key or key_of_environment(instead, needed=not (spec.base_url or variable(BASE_URL)))
    return OpenAIModel(spec.name or "", api="responses" if spec.api == "Responses" else "chat", api_key=key, **about)


def _custom(path: str, parameters: dict[str, Any], field: str) -> Model:
    module, _, name = path.partition(":")
    try:
        made = getattr(import_module(module), name)(**parameters)
    except Exception as error:
        raise ValueError(f"{field}.class: {path!r} cannot be had: {type(error).__name__}: {error}") from error
    if not isinstance(made, Model):
        raise ValueError(f"{field}.class: {path!r} is no subclass of isek.Model")  # noqa: TRY004  (a wrong document)
    return made


def _secret_reader(reference: SecretKeySelector, secrets_dir: Path) -> Callable[[], Awaitable[str]]:
    async def read() -> str:
        try:
            return read_secret(reference, secrets_dir)
        except SecretUnreadableError as error:
            raise ModelAuthenticationFailed(str(error), hint=error.hint) from None

    return read
