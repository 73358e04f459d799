"""A bad network: two ends, what is sent between them is late, and some of it is lost.

The far end is a network namespace of its own, the near end belongs to the machine. Each has a TUN device, and this
process carries packets from one to the other. The kernel's own way to do it, netem, is not in every kernel.
"""

import asyncio
import fcntl
import os
import random
import shutil
import struct
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

TUN = Path("/dev/net/tun")
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
"""linux/if_tun.h: packets of IP, with nothing before them."""
LARGEST_PACKET = 2048


def why_no_lossy_link() -> str:
    """What is missing on this machine; empty: nothing."""
    if os.geteuid() != 0:
        return "network namespaces and TUN devices need root"
    if not TUN.exists():
        return f"{TUN} is not there"
    if shutil.which("ip") is None:
        return "ip of iproute2 is not there"
    name = f"isek-try-{os.getpid()}"
    try:
        _run("ip", "netns", "add", name)
        _run("ip", "netns", "del", name)
    except subprocess.CalledProcessError:
        return "network namespaces may not be made here"
    return ""


class LossyLink:
    """Both ends are up within the context.

    Args:
        seed: which packets are lost, and how late each is.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  (no secret)
        self._namespace = f"isek-far-{os.getpid()}"
        self._devices = (f"near{os.getpid()}", f"far{os.getpid()}")
        self._ends: list[int] = []
        self.near_host, self.far_host = "198.18.0.1", "198.18.0.2"  # RFC 2544: for tests of networks
        self.loss = 0.0
        """Of all packets, the share that is lost; 1: the link is cut."""
        self.delay_seconds = 0.0
        """Of each packet."""
        self.jitter_seconds = 0.0
        """That it may take longer: packets overtake each other."""
        self.lost = self.carried = 0

    @property
    def inside(self) -> tuple[str, ...]:
        """The beginning of a command that runs another one at the far end."""
        return ("ip", "netns", "exec", self._namespace)

    async def __aenter__(self) -> Self:
        near, far = self._devices
        _run("ip", "netns", "add", self._namespace)
        try:
            self._ends = [_tun(device) for device in self._devices]
            _run("ip", "link", "set", far, "netns", self._namespace)
            _run("ip", "addr", "add", self.near_host, "peer", self.far_host, "dev", near)
            _run("ip", "link", "set", near, "up")
            _run(*self.inside, "ip", "link", "set", "lo", "up")
            _run(*self.inside, "ip", "addr", "add", self.far_host, "peer", self.near_host, "dev", far)
            _run(*self.inside, "ip", "link", "set", far, "up")
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        for here, there in (self._ends, reversed(self._ends)):
            asyncio.get_running_loop().add_reader(here, self._carry, here, there)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        ends, self._ends = self._ends, []
        for end in ends:
            asyncio.get_running_loop().remove_reader(end)
            os.close(end)  # its device goes with it
        _run("ip", "netns", "del", self._namespace)

    def _carry(self, here: int, there: int) -> None:
        with suppress(BlockingIOError):
            while True:
                packet = os.read(here, LARGEST_PACKET)
                if self._random.random() < self.loss:
                    self.lost += 1
                    continue
                self.carried += 1
                late = self.delay_seconds + self._random.random() * self.jitter_seconds
                asyncio.get_running_loop().call_later(late, self._deliver, there, packet)

    def _deliver(self, there: int, packet: bytes) -> None:
        if there in self._ends:
            with suppress(BlockingIOError):  # a queue that is full loses packets as well
                os.write(there, packet)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _tun(device: str) -> int:
    end = os.open(TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    return end
