"""From the user's cache into the shipped results, and the check that shipped results can still be reproduced."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from neural_scaling.base.checks import InputError
from neural_scaling.base.monitor import Monitor
from neural_scaling.base.paths import data_root
from neural_scaling.runs.experiment import Experiment, canonical_json, experiment_key, several_runs
from neural_scaling.runs.lookup import Index, size_of
from neural_scaling.runs.store import DamagedResult, read_body, read_result, write_result


def promote(experiments: Sequence[Experiment], item: str) -> tuple[list[str], int]:
    """Copy the finished runs of an item from the cache into ``data/results``; drop shipped runs that are not among them.

    Nothing else in that folder is touched, damaged results included.

    Parameters
    ----------
    experiments
        All full-scale runs of the item.
    item
        For example ``fig02``.

    Returns
    -------
    keys : list of str
        What was copied.
    size : int
        Bytes of all shipped results of the item.

    Raises
    ------
    InputError
        If a run is missing; nothing is copied then.
    """
    index, experiments = Index(item), several_runs(experiments, fewest=1)
    looked = [index.look_up(experiment) for experiment in experiments]
    missing = [seen for seen in looked if seen.found is None]
    if missing:
        names = "; ".join(f"{seen.experiment.label} ({seen.key})" for seen in missing[:5])
        raise InputError(
            f"item: {len(missing)} of {len(looked)} full-scale runs of {item} are missing: {names}; compute them first."
        )
    folder = data_root() / "results" / item
    copied = []
    for seen in looked:
        assert seen.found is not None
        if seen.found.origin == "cached":
            write_result(folder, seen.key, canonical_json(seen.experiment), seen.found.arrays, seen.found.provenance)
            copied.append(seen.key)
    current = {seen.key for seen in looked}
    for described in sorted(folder.glob("*.json")):
        if described.stem not in current and _is_result(described):
            described.unlink()
            described.with_suffix(".npz").unlink()
    return copied, sum(size_of(folder, key) for key in current)


def _is_result(described: Path) -> bool:
    """Return whether a JSON and the arrays beside it were written here as a whole."""
    try:
        body = read_body(described)
        return (
            body is not None
            and read_result(described.parent, described.stem, json.dumps(body["experiment"])) is not None
        )
    except (DamagedResult, OSError):
        return False


def recompute_slice(experiment: Experiment, item: str) -> float:
    """Recompute a cheap part of a shipped run and return its largest relative deviation from what is shipped.

    Parameters
    ----------
    experiment
        A run that is shipped.
    item
        Its item.

    Returns
    -------
    float
        As :meth:`~neural_scaling.runs.Experiment.deviation` defines it.

    Raises
    ------
    InputError
        If the run is not shipped.
    """
    found = Index(item).look_up(experiment).found
    if found is None or found.origin != "shipped":
        raise InputError(f"experiment: {experiment_key(experiment)} is not shipped; promote it first.")
    part = experiment.slice()
    return experiment.deviation(found.arrays, part.run(Monitor()))
