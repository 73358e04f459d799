"""Two clusters whose pods cannot reach each other (their addresses are even the same), one mesh: the guide, run."""

import json
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import TOP, ClusterScript, Figure
from tests.support.kubectl import CommandFailedError, run
from tests.support.waiting import until

GUIDE = (TOP / "docs" / "guides" / "two-clusters.md").read_text()
VARIABLES, *SETTING_UP, ASKING = re.findall(r"^```bash\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
NORTH, SOUTH = "isek-north", "isek-south"
DEADLINE_SECONDS = 10
MARGIN_SECONDS = 30
"""For the command itself, on a machine that has other things to do."""
UNREACHABLE = ("AgentUnreachable", "AgentNotFound", "DeadlineExceeded")


@dataclass
class Pair:
    """The two clusters, to a shell that works in ``folder``."""

    folder: Path
    environment: dict[str, str]

    async def shell(self, script: str) -> str:
        """Run commands as a reader of the guide does, and stop at the first that fails."""
        environment = self.environment | {"HERE": str(self.folder)}
        return await run("bash", "-eu", "-o", "pipefail", "-c", f'cd "$HERE"\n{VARIABLES}{script}', env=environment)

    async def ask(self, agent: str, cluster: str) -> dict[str, Any]:
        """Ask from the outside of a cluster; the trace."""
        command = f"isek ask {agent} hello --context kind-{cluster} --namespace default"
        answer = json.loads(await self.shell(f"{command} --timeout {DEADLINE_SECONDS} -o json"))
        trace: dict[str, Any] = answer["trace"]
        return trace


@pytest.fixture(scope="module")
def pair(cluster_script: ClusterScript, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The clusters, without an operator, with the images of this checkout."""
    folder = tmp_path_factory.mktemp("two-clusters")
    kubeconfig = str(folder / "kubeconfig")
    images = [line.split()[0] for line in cluster_script("images", "operator", "node", "p2p").splitlines()]
    for name in (NORTH, SOUTH):
        # of a run that was interrupted: the guide begins with new ones
        cluster_script("down", name, KUBECONFIG=kubeconfig)
        cluster_script("up", name, KUBECONFIG=kubeconfig)
        cluster_script("load", name, *images, KUBECONFIG=kubeconfig)
    for part in ("examples", "charts"):
        (folder / part).symlink_to(TOP / part)
    path = os.pathsep.join((str(tools), str(TOP / ".venv" / "bin"), os.environ["PATH"]))
    yield Pair(folder, {"KUBECONFIG": kubeconfig, "PATH": path})
    for name in (NORTH, SOUTH):
        cluster_script("down", name, KUBECONFIG=kubeconfig)


async def test_an_agent_asks_one_of_another_cluster_and_a_cut_link_heals_by_itself(pair: Pair, figure: Figure) -> None:
    began = time.monotonic()
    await pair.shell("\n".join(SETTING_UP))
    figure(f"two clusters became one mesh in {time.monotonic() - began:.0f} s")

    answer = await until(lambda: pair.shell(ASKING), what="the other cluster answers", within=60)
    assert re.search(r"researcher\.default .* relay ", answer), answer

    async with cut():
        began = time.monotonic()
        with pytest.raises(CommandFailedError) as failed:
            await pair.ask("newsroom", NORTH)
        assert time.monotonic() - began < DEADLINE_SECONDS + MARGIN_SECONDS
        assert any(code in failed.value.output for code in UNREACHABLE), failed.value.output
        assert "Traceback" not in failed.value.output
        assert (await pair.ask("researcher", SOUTH)).get("error") is None

    began = time.monotonic()
    trace = await until(lambda: pair.ask("newsroom", NORTH), what="the link heals", within=120)
    figure(f"healed {time.monotonic() - began:.0f} s after the link was there again")
    asked = trace["children"][-1]  # before it there may be tries of the team that came too early
    assert (asked["agent"], asked["path"], asked.get("error")) == ("researcher.default", "relay", None)


@asynccontextmanager
async def cut() -> AsyncIterator[None]:
    """Drop all that the machine of one cluster hears from that of the other."""
    machine, other = f"{NORTH}-control-plane", f"{SOUTH}-control-plane"
    address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    source = (await run("docker", "inspect", "-f", address, other)).strip()
    rule = ("PREROUTING", "-s", source, "-j", "DROP")
    await run("docker", "exec", machine, "iptables", "-t", "raw", "-I", *rule)
    try:
        yield
    finally:
        await run("docker", "exec", machine, "iptables", "-t", "raw", "-D", *rule)
