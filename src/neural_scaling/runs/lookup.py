"""What is known about a run before computing it, and in words why it will or will not be computed."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from neural_scaling.base.checks import text
from neural_scaling.base.monitor import Arrays
from neural_scaling.base.terminal import say
from neural_scaling.runs.experiment import UNKNOWN, Experiment, canonical_json, key_of, without_versions
from neural_scaling.runs.locations import cached_results, checkpoint_file, lock_file, shipped_results
from neural_scaling.runs.store import DamagedResult, read_body, read_result, set_aside


@dataclass(frozen=True)
class Result:
    """Arrays of a run with where they come from.

    Attributes
    ----------
    arrays
        Name to array.
    provenance
        Commit, hardware, wall time and versions of the computation.
    origin
        ``computed``, ``shipped`` or ``cached``.
    """

    arrays: Arrays
    provenance: dict[str, Any]
    origin: str


@dataclass(frozen=True)
class Found(Result):
    """A stored result.

    Attributes
    ----------
    size
        Bytes on disk.
    """

    size: int


@dataclass(frozen=True)
class Lookup:
    """Outcome of looking for a run.

    Attributes
    ----------
    experiment, key
        The run.
    found
        Its result, or None.
    reason
        One line: found where, or missing and how it differs from the nearest stored run, or damaged.
    """

    experiment: Experiment
    key: str
    found: Found | None
    reason: str


class Index:
    """Stored runs of one item, read once for a whole sweep.

    Parameters
    ----------
    item
        For example ``fig02``.
    """

    def __init__(self, item: str) -> None:
        self.item = text(item, "item")
        shipped = shipped_results()
        self._layers: list[tuple[Path, str]] = [] if shipped is None else [(shipped / item, "shipped")]
        self._layers.append((cached_results() / item, "cached"))
        self._neighbours: list[dict[str, Any]] | None = None

    def look_up(self, experiment: Experiment) -> Lookup:
        """Look for a run: shipped first, then the cache. Damaged results are named, set aside if cached, never used."""
        identity = canonical_json(experiment)
        key = key_of(identity)
        damage = ""
        for folder, origin in self._layers:
            try:
                stored = read_result(folder, key, identity)
            except DamagedResult as error:
                damage += f"; {origin} result damaged and not used ({error})"
                if origin == "cached":
                    _set_aside(folder, key, identity)
                continue
            if stored is not None:
                return Lookup(experiment, key, Found(*stored, origin, size_of(folder, key)), f"found, {origin}{damage}")
        if UNKNOWN in experiment.inputs.values():
            known = self._shipped_with_some_version(experiment, identity)
            if known is not None:
                return known
        if checkpoint_file(key).exists():
            return Lookup(experiment, key, None, f"unfinished, has a checkpoint{damage}")
        return Lookup(experiment, key, None, self._missing(json.loads(identity)) + damage)

    def _shipped_with_some_version(self, experiment: Experiment, identity: str) -> Lookup | None:
        """Return a shipped result of a run on data that cannot be made here, so that nobody can tell another version."""
        wanted = json.loads(identity)
        wanted["values"] = without_versions(wanted["values"])
        for folder in (folder for folder, origin in self._layers if origin == "shipped"):
            for body in _bodies(folder):
                key, told = body["key"], body["experiment"]
                if {**told, "values": without_versions(told["values"])} != wanted:
                    continue
                with contextlib.suppress(DamagedResult):
                    if (stored := read_result(folder, key, json.dumps(told))) is not None:
                        reason = "found, shipped; the version of its data cannot be checked here"
                        return Lookup(experiment, key, Found(*stored, "shipped", size_of(folder, key)), reason)
        return None

    def _missing(self, identity: dict[str, Any]) -> str:
        """Say how a run differs from the nearest stored one of its kind, the newest among equally near ones."""
        if self._neighbours is None:
            self._neighbours = [body for folder, _ in self._layers for body in _bodies(folder)]
        of_kind = [body for body in self._neighbours if body["experiment"]["kind"] == identity["kind"]]
        if not of_kind:
            return "missing"
        newest_first = sorted(of_kind, key=lambda body: str(body["provenance"].get("date", "")), reverse=True)
        nearest = min(newest_first, key=lambda body: len(_changes(body["experiment"], identity)))
        changes = "; ".join(_changes(nearest["experiment"], identity))
        return f"missing, changed against {nearest['key']}: {changes}"


def size_of(folder: Path, key: str) -> int:
    """Return the bytes of a stored result."""
    return sum((folder / f"{key}{suffix}").stat().st_size for suffix in (".npz", ".json"))


def _bodies(folder: Path) -> list[dict[str, Any]]:
    """Return what is written down about the results in a folder; what cannot be read is named and left out."""
    bodies = []
    for path in sorted(folder.glob("*.json")):
        try:
            body = read_body(path)
        except (DamagedResult, OSError) as error:
            say(f"not used: {error}")
            continue
        if body is not None:
            bodies.append(body)
    return bodies


def _set_aside(folder: Path, key: str, identity: str) -> None:
    """Set a damaged result aside unless a run is just about to replace it, or nothing can be written there."""
    lock = FileLock(lock_file(key))
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return
    try:
        read_result(folder, key, identity)
    except DamagedResult:
        set_aside(folder, key)
    finally:
        lock.release()


def _changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    changed = [
        f"{name} {old.get(name)} -> {new[name]}" for name in ("algorithm", "schema") if old.get(name) != new[name]
    ]
    before, after = old["values"], new["values"]
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            changed.append(f"{name} {before.get(name)} -> {after.get(name)}")
    return changed
