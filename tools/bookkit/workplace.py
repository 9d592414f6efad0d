"""One process at a time in a folder, and a place of its own for what it is at.

Kernels and builders write into the temporary folder of the process that started them. Only that process moves what they
made to where it belongs, while it holds the folder. So one that outlives its process can spoil nothing.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from bookkit.project import IF_NOT_WRITTEN
from bookkit.terminal import say
from neural_scaling.base.files import make_folder

_PREFIX = "at-work-"


@contextlib.contextmanager
def held(work: Path) -> Iterator[None]:
    """Hold a folder; wait while another process does, and say which. What a killed one left in it is removed."""
    make_folder(work, IF_NOT_WRITTEN)
    lock, holder = FileLock(work / "lock"), work / "holder"  # the system frees the lock of a process that is no more
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = holder.read_text("utf-8") if holder.is_file() else "another process"
        say(f"waiting for {who}, which works in {work.parent}")
        lock.acquire()
    try:
        for left in work.glob(f"{_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
        words = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
        holder.write_text(f"`{words}` (process {os.getpid()} on {socket.gethostname()})", "utf-8")
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def temporary(work: Path) -> Iterator[Path]:
    """Make an empty folder that is removed afterwards; its name has the process."""
    make_folder(work, IF_NOT_WRITTEN)
    # Windows may hold a file of a kernel that is just closing; what is left goes when the folder is held next.
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", dir=work, ignore_cleanup_errors=True) as name:
        yield Path(name)
