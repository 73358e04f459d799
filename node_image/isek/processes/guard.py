"""Kills its process group once its standard input ends: no process outlives the one that started them all.

A kernel has no portable word for that. All processes of a mesh join the group of this one; the other end of its
standard input is held by ``isek up`` alone, and is closed by the kernel however that ends.
"""

import os
import signal
import sys

if __name__ == "__main__":
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)
