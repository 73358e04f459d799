"""What only the machine under a pod can do to it. The machines of a kind cluster are containers."""

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
    """The resident set of a container's first process, in KiB (proc(5), VmRSS)."""
    found = await kubectl.get("pod", pod)
    statuses = [
        status
        for part in ("containerStatuses", "initContainerStatuses")
        for status in found["status"].get(part, ())
        if status["name"] == container
    ]
    container_id = statuses[0]["containerID"].rpartition("//")[2]
    # a container's cgroup is named by its id; of its processes the oldest is the first
    script = f"grep -l '{container_id}' /proc/[0-9]*/cgroup | sort -t/ -k3 -n | head -1"
    group = (await run("docker", "exec", found["spec"]["nodeName"], "sh", "-c", script)).strip()
    status = await run("docker", "exec", found["spec"]["nodeName"], "cat", group.replace("cgroup", "status"))
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])
