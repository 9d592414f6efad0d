"""Who computed a result: versions, commit, hardware, time."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from neural_scaling.base.checks import real, text
from neural_scaling.base.paths import own_checkout


@functools.cache
def commit() -> str:
    """Return the commit of the checkout that this package is imported from, with ``+changes`` if library files differ from it.

    ``unknown`` for an installed package, and for a copy that lies in the repository of something else.
    """
    root = own_checkout()
    if root is None:
        return "unknown"
    try:
        if not Path(_git(root, "rev-parse", "--show-toplevel")).samefile(root):
            return "unknown"
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = _git(root, "status", "--porcelain", "--", "src", "notebooks")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+changes" if changed else "")


@functools.cache
def hardware() -> str:
    """Return the processor's name and the number of cores this process may use."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


@functools.cache
def memory() -> str:
    """Return the memory of this machine, ``unknown`` where the system does not say."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # no sysconf on Windows
        return "unknown"
    return f"{size / 2**30:.0f} GiB"


def peak_memory() -> dict[str, int]:
    """Return the largest memory that this process has used so far, in MiB, or nothing where the system does not say."""
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:  # Windows
        return {}
    unit = 2**20 if platform.system() == "Darwin" else 2**10
    return {"peak_memory": round(getrusage(RUSAGE_SELF).ru_maxrss / unit)}


def provenance(seconds: float, device: str) -> dict[str, Any]:
    """Return the record that goes with a result.

    Parameters
    ----------
    seconds
        Wall time of the computation.
    device
        What it ran on, for example ``cpu``.

    Returns
    -------
    dict
        Plain values: commit, hardware, memory of the machine and the peak of this process, platform, versions, threads, wall
        time in seconds, date (UTC).
    """
    seconds, device = real(seconds, "seconds", least=0.0), text(device, "device")
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "jax", "torch")}
    return {
        "commit": commit(),
        "hardware": hardware(),
        "memory": memory(),
        **peak_memory(),
        "device": device,
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "seconds": round(seconds, 3),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _git(root: Path, *arguments: str) -> str:
    # Variables such as GIT_DIR, set within a hook, would name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()
