"""Where results, checkpoints, locks and the status of runs lie."""

from __future__ import annotations

from pathlib import Path

from neural_scaling.base.paths import cache_root, find_data_root


def shipped_results() -> Path | None:
    """Return the folder of shipped results, one folder per item inside, or None without a data root."""
    root = find_data_root()
    return None if root is None else root / "results"


def cached_results() -> Path:
    """Return the folder of the user's results, one folder per item inside."""
    return cache_root() / "results"


def checkpoint_file(key: str) -> Path:
    """Return the checkpoint of the run with this key."""
    return cache_root() / "running" / f"{key}.checkpoint"


def status_file(key: str) -> Path:
    """Return the file in which a running process says how far it is."""
    return cache_root() / "running" / f"{key}.status"


def lock_file(key: str) -> Path:
    """Return the lock that the process computing this key holds."""
    return cache_root() / "running" / f"{key}.lock"


def gate_file() -> Path:
    """Return the lock that is held while a run takes its own, and while the cache is cleared."""
    return cache_root() / "cache.lock"
