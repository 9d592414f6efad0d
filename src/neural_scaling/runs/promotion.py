"""From the user's cache into the shipped results, and the check that shipped results can still be reproduced."""

from __future__ import annotations

from collections.abc import Sequence

from neural_scaling.checks import InputError
from neural_scaling.monitor import Monitor
from neural_scaling.paths import data_root
from neural_scaling.runs.experiment import Experiment, canonical_json, experiment_key
from neural_scaling.runs.lookup import Index
from neural_scaling.runs.store import write_result


def promote(experiments: Sequence[Experiment], item: str) -> tuple[list[str], int]:
    """Copy the finished runs of an item from the cache into ``data/results``; drop shipped runs that are not among them.

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
    index = Index(item)
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
    for path in folder.iterdir():
        if path.name.split(".")[0] not in current:
            path.unlink()
    return copied, sum(path.stat().st_size for path in folder.iterdir())


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
