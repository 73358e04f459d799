"""The Helm chart as Helm renders it."""

import functools
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support.cluster_tools import cluster_tool

CHART = Path(__file__).parents[2] / "charts" / "isek-operator"

Manifest = dict[str, Any]


def helm(command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run ``helm <command> <the chart> <arguments>``."""
    return subprocess.run(
        [cluster_tool("helm"), *command.split(), CHART, *arguments], capture_output=True, text=True, check=False
    )


@functools.cache
def render(*values: str, namespace: str = "isek-system", as_json: bool = False) -> tuple[Manifest, ...]:
    """Render the chart as release ``isek``, with values as ``--set``, or ``--set-json``, takes them."""
    setting = [argument for value in values for argument in ("--set-json" if as_json else "--set", value)]
    answer = helm("template isek", "--namespace", namespace, *setting)
    assert not answer.returncode, answer.stderr
    # the C parser: the definitions of the kinds are long, and this is done for every value
    return tuple(document for document in yaml.load_all(answer.stdout, Loader=yaml.CSafeLoader) if document)
