"""What only the machine under a pod can do to it. The machines of a kind cluster are containers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.kubectl import Kubectl, run


async def kill_for_good(kubectl: Kubectl, pod: str) -> None:
    """Take a pod away as a machine that dies does: SIGKILL for all its processes, none of which can say good-bye."""
    found = await kubectl.get("pod", pod)
    machine, uid = found["spec"]["nodeName"], found["metadata"]["uid"]
    # the name of a pod's cgroup holds its uid, with underscores where systemd makes it
    pattern = uid.replace("-", "[-_]")
    script = (
        f"for group in $(grep -l 'pod{pattern}' /proc/[0-9]*/cgroup); do kill -9 $(basename $(dirname $group)); done"
    )
    # deleted first: a pod that is on its way out is not started again. What runs has its preStop pause to live.
    await kubectl("delete", "pod", pod, "--force", "--grace-period=0", "--wait=false")
    await run("docker", "exec", machine, "sh", "-c", script)


async def resident_kilobytes(kubectl: Kubectl, pod: str, container: str) -> int:
    """The resident sets of a container's processes together, in KiB (proc(5), VmRSS)."""
    found = await kubectl.get("pod", pod)
    statuses = [
        status
        for part in ("containerStatuses", "initContainerStatuses")
        for status in found["status"].get(part, ())
        if status["name"] == container
    ]
    container_id = statuses[0]["containerID"].rpartition("//")[2]
    # a container's cgroup is named by its id
    statuses_of = f"grep -l '{container_id}' /proc/[0-9]*/cgroup | sed s/cgroup$/status/"
    script = f"{statuses_of} | xargs grep -hs VmRSS: | grep -o '[0-9]*'"
    sizes = await run("docker", "exec", found["spec"]["nodeName"], "sh", "-c", script)
    return sum(map(int, sizes.split()))


class Process:
    """A process of a pod, as its machine sees it."""

    def __init__(self, machine: str, pid: str) -> None:
        self._machine, self._pid = machine, pid

    async def signal(self, name: str) -> None:
        """Send it a signal, such as ``KILL`` or ``STOP``."""
        await self.run("kill", f"-{name}", self._pid)

    @asynccontextmanager
    async def cut_off(self, *ports: int) -> AsyncIterator[None]:
        """Drop all that its pod sends to these ports of anybody, or receives at its own, and the answers."""
        rules = [
            (chain, "-p", "tcp", "-m", "multiport", f"--{side}s", ",".join(map(str, ports)), "-j", "DROP")
            for chain in ("INPUT", "OUTPUT")
            for side in ("sport", "dport")
        ]
        inside = ("nsenter", "--target", self._pid, "--net", "iptables")
        for rule in rules:
            await self.run(*inside, "-A", *rule)
        try:
            yield
        finally:
            for rule in rules:
                await self.run(*inside, "-D", *rule)

    async def run(self, *command: str) -> str:
        """Run a command on the machine."""
        return await run("docker", "exec", self._machine, *command)


async def process_in(kubectl: Kubectl, pod: str, name: str) -> Process:
    """The process of a pod whose program has this name."""
    found = await kubectl.get("pod", pod)
    machine, uid = found["spec"]["nodeName"], found["metadata"]["uid"]
    pattern = uid.replace("-", "[-_]")
    script = (
        f"for group in $(grep -l 'pod{pattern}' /proc/[0-9]*/cgroup); do"
        f' folder=$(dirname $group); if [ "$(cat $folder/comm)" = {name} ]; then basename $folder; fi; done'
    )
    pids = (await run("docker", "exec", machine, "sh", "-c", script)).split()
    assert len(pids) == 1, f"{pod} runs {len(pids)} processes {name!r}"
    return Process(machine, pids[0])
