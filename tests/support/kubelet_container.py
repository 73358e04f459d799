"""A container without an image: a process in a file system of its own, made of this machine's and the pod's volumes."""

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.binaries import binary
from tests.support.control_plane_process import ServerProcess

# the machine's own file system but for what a pod has of its own: /etc, /var, /dev hold its volumes and its names
_ROOT = """
mount -t tmpfs tmpfs "$ROOT"
for path in /*; do
  case $path in /etc | /var | /dev) continue ;; esac
  if [ -L "$path" ]; then cp -P "$path" "$ROOT/"
  elif [ -d "$path" ]; then mkdir "$ROOT$path" && mount --rbind "$path" "$ROOT$path"; fi
done
"""


def privileged() -> list[str]:
    """The start of a command that may mount: what it mounts, only it and its children see.

    As root, or in a user namespace. Where those are restricted (Ubuntu 24.04), as root:
    ``sysctl kernel.apparmor_restrict_unprivileged_userns=0``.
    """
    user_namespace = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user_namespace, "--mount", "--"]


def with_hosts(hosts: Path, command: Sequence[str]) -> list[str]:
    """A command that resolves names as the file says, which may be rewritten in place while it runs."""
    return [*privileged(), "sh", "-ec", 'mount --bind "$0" /etc/hosts; exec "$@"', str(hosts), *command]


def container_process(
    container: Mapping[str, Any],
    *,
    root: Path,
    hosts: Path,
    environment: Mapping[str, str],
    mounts: Mapping[str, Path],
    termination_log: Path,
    log: Path,
    address: str,
) -> ServerProcess:
    """What runs a container of a pod, not started yet.

    Args:
        container: as in a pod's specification, with its command.
        root: a folder to put its file system together in.
        hosts: what it sees as ``/etc/hosts``.
        environment: its variables, which ``$(NAME)`` in its command stands for.
        mounts: the files and folders that it sees at its mount paths.
        termination_log: what it sees at its ``terminationMessagePath``.
        log: where its output goes.
        address: the pod's own, where a container would listen on all.
    """
    root.mkdir(exist_ok=True)
    message_path = container.get("terminationMessagePath", "/dev/termination-log")
    devices = {f"/dev/{name}": Path("/dev", name) for name in ("null", "urandom")}
    files = {"/etc/hosts": hosts, message_path: termination_log, **devices}
    script = [f"ROOT={shlex.quote(str(root))}", _ROOT]
    for target, source in {**mounts, **files}.items():
        inside = shlex.quote(f"{root}{target}")
        make = f"mkdir -p {inside}" if source.is_dir() else f'mkdir -p "$(dirname {inside})" && touch {inside}'
        script.append(f"{make} && mount --bind {shlex.quote(str(source))} {inside}")
    words = [expand(word, environment) for word in (*container["command"], *container.get("args", ()))]
    command = [_program(words[0]), *(word.replace("0.0.0.0", address) for word in words[1:])]
    variables = [f"{name}={value}" for name, value in environment.items()]
    script.append(f"exec chroot {shlex.quote(str(root))} {shlex.join(['/usr/bin/env', '-i', *variables, *command])}")
    return ServerProcess([*privileged(), "sh", "-ec", "\n".join(script)], log=log)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Put in the value for each ``$(NAME)`` that is known (Kubernetes API, Container, ``args``)."""
    return re.sub(r"\$\((\w+)\)", lambda found: variables.get(found[1], found[0]), text)


def _program(name: str) -> str:
    """The program of this machine for what the image would bring."""
    return {"etcd": str(binary("etcd")), "python": sys.executable}.get(Path(name).name, name)
