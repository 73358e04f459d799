"""What a plain install lacks, and how to get it."""

EXTRAS = {"litellm": "litellm", "openai": "openai"}
"""By the package that is missing; what is not among them comes with the node's."""


def missing(what: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    """The same error, telling what to install."""
    extra = EXTRAS.get(error.name or "", "node")
    return ModuleNotFoundError(
        f"{what} needs the package {error.name}: pip install 'isek-operator[{extra}]'", name=error.name
    )
