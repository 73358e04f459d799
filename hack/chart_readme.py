"""Writes the table of values into the chart's README.md: ``python hack/chart_readme.py [--check] CHART``.

What a value means stands in values.schema.json, its default in values.yaml.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from isek.generated import write_or_check

MARK = "<!-- written by `make generate` from values.schema.json and values.yaml -->\n"
TITLES = "| value | default | means |\n|---|---|---|\n"


def table(chart: Path) -> str:
    """The table of values, which the page ends with."""
    schema = json.loads((chart / "values.schema.json").read_text())
    defaults = yaml.safe_load((chart / "values.yaml").read_text())
    return TITLES + "".join(
        f"| `{name}` | {_default(default)} | {_meaning(below)} |\n" for name, below, default in values(schema, defaults)
    )


def values(
    schema: dict[str, Any], defaults: dict[str, Any], above: str = ""
) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Name, schema and default of each value that holds no others."""
    for name, below in schema["properties"].items():
        if name not in defaults:
            continue  # `global`, which is Helm's
        if "properties" in below:
            yield from values(below, defaults[name], f"{above}{name}.")
        elif "description" in below:
            yield f"{above}{name}", below, defaults[name]
        else:
            raise SystemExit(f"the value {above}{name} has no `description` in values.schema.json: say what it means")


def _default(value: Any) -> str:
    return f"`{json.dumps(value)}`" if value != "" else ""


def _meaning(schema: dict[str, Any]) -> str:
    options = f" One of {', '.join(f'`{option}`' for option in schema['enum'])}." if "enum" in schema else ""
    return f"{schema['description']}{options}"


def files(chart: Path) -> dict[Path, str]:
    """The chart's README.md, with the table at its end."""
    path = chart / "README.md"
    return {path: path.read_text().partition(MARK)[0] + MARK + table(chart)}


if __name__ == "__main__":
    sys.exit(write_or_check(sys.argv[1:], files))
