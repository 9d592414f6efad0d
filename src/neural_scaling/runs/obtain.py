"""Find a result or compute it, and say which.

Small scale is always computed: it is what shows that the code still produces the numbers, so it reads no store. Full and
reduced scale look in the shipped results of the item, then in the user's cache, then compute and keep the result in
the cache.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neural_scaling.checks import require
from neural_scaling.notebook import progress
from neural_scaling.paths import cache_root, find_data_root
from neural_scaling.runs.experiment import Arrays, Experiment, canonical_json, experiment_key
from neural_scaling.runs.provenance import provenance
from neural_scaling.runs.store import DamagedResult, read_result, set_aside, write_result

SCALES = ("small", "reduced", "full")


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


def obtain(experiment: Experiment, item: str, scale: str) -> Result:
    """Return the result of an experiment, found or computed.

    Parameters
    ----------
    experiment
        What to run.
    item
        Figure or table it belongs to, for example ``fig02``.
    scale
        ``small`` (always computed), ``reduced`` or ``full``.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If the scale is unknown.
    OSError
        If a computed result cannot be stored (for example a full disk).
    """
    require(scale in SCALES, "scale", f"got {scale!r}", f"use one of {', '.join(SCALES)}")
    key, identity = experiment_key(experiment), canonical_json(experiment)
    if scale == "small":
        return _compute(experiment, "small scale is always computed")
    cache = cache_root() / "results" / item
    for folder, origin in _layers(item, cache):
        try:
            found = read_result(folder, key, identity)
        except DamagedResult as error:
            _say(f"{experiment.label}: damaged result not used: {error}")
            if origin == "cached":
                set_aside(folder, key)
            continue
        if found is not None:
            return Result(*found, origin)
    result = _compute(experiment, f"missing (key {key})")
    write_result(cache, key, identity, result.arrays, result.provenance)
    return result


def obtain_all(experiments: Sequence[Experiment], item: str, scale: str) -> list[Result]:
    """Return the results of several experiments, in order; see :func:`obtain`."""
    return [obtain(experiment, item, scale) for experiment in experiments]


def _layers(item: str, cache: Path) -> list[tuple[Path, str]]:
    root = find_data_root()
    shipped = [] if root is None else [(root / "results" / item, "shipped")]
    return [*shipped, (cache, "cached")]


def _compute(experiment: Experiment, reason: str) -> Result:
    started = time.perf_counter()
    with progress(experiment.work, f"{experiment.label}: {reason}") as bar:
        arrays = experiment.run(bar.update)
    return Result(arrays, provenance(time.perf_counter() - started), "computed")


def _say(message: str) -> None:
    print(message, file=sys.stderr)
