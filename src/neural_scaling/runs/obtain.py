"""Find results or compute them, and say which.

Small scale is always computed: it is what shows that the code still produces the numbers, so it reads no store. Full and
reduced scale look in the shipped results of the item, then in the user's cache, then compute and keep the result in
the cache.
"""

from __future__ import annotations

from collections.abc import Sequence

from neural_scaling.base.checks import choice, flag, instance, instances, text
from neural_scaling.base.paths import SCALES
from neural_scaling.base.terminal import SweepProgress, say
from neural_scaling.runs.engines import Engine, compute_all
from neural_scaling.runs.execution import compute
from neural_scaling.runs.experiment import Experiment, a_run, several_runs
from neural_scaling.runs.lookup import Index, Result


def obtain_all(
    experiments: Sequence[Experiment],
    item: str,
    scale: str,
    engine: Engine | None = None,
    force: bool = False,
    *,
    together: str = "",
) -> dict[Experiment, Result]:
    """Return the results of several experiments, found or computed; a line on the terminal for each says which and why.

    Parameters
    ----------
    experiments
        What to run.
    item
        Figure or table they belong to, for example ``fig02``.
    scale
        ``small`` (always computed, nothing read or kept), ``reduced`` or ``full``.
    engine
        Where to compute what is missing; by default what the environment names. Small scale ignores it.
    force
        Compute even what is found.
    together
        What to call them all in one line that says how many are found, in place of a line for each.

    Raises
    ------
    InputError
        If the scale is unknown.
    Interrupted
        After SIGINT or SIGTERM, with checkpoints written.
    OSError
        If a computed result cannot be stored (for example a full disk).
    """
    experiments, force = several_runs(experiments), flag(force, "force")
    together = instance(together, "together", str, "give a few words")
    engine = None if engine is None else instance(engine, "engine", Engine, "give an Engine, or None")
    scale, item = choice(scale, "scale", SCALES), text(item, "item")
    results: dict[Experiment, Result] = {}
    if scale == "small":
        with SweepProgress(item, len(experiments), sum(experiment.work for experiment in experiments)) as progress:
            for experiment in experiments:
                progress.running(experiment.label, experiment.work)
                results[experiment] = compute(experiment, progress.advance)
                progress.finished()
        return results
    index = Index(item)
    wanted = []
    for experiment in experiments:
        seen = index.look_up(experiment)
        if seen.found is not None and not force:
            results[experiment] = seen.found
        else:
            wanted.append(experiment)
        if not together:
            say(f"{item}  {seen.key}  {experiment.label}: {'forced' if force else seen.reason}")
    if together:
        say(f"{item}: {together}, {len(results)} found, {len(wanted)} to compute")
    if wanted:
        computed = compute_all(wanted, item, engine or Engine.from_environment(), force)
        results.update(zip(wanted, computed, strict=True))
    return results


def obtain(experiment: Experiment, item: str, scale: str) -> Result:
    """Return the result of one experiment; see :func:`obtain_all`."""
    return obtain_all([a_run(experiment)], item, scale)[experiment]


def describe(results: Sequence[Result]) -> str:
    """Return in one line where results come from, who computed them and when.

    Parameters
    ----------
    results
        At least one.

    Returns
    -------
    str
        For example ``46 runs, shipped: 2026-11-22, AMD EPYC, 2 cores, commit 0123, 1200 s in all``.
    """
    results = instances(results, "results", Result, "give a list of results, as obtain_all returns them")
    lines = []
    for origin in dict.fromkeys(result.origin for result in results):
        records = [result.provenance for result in results if result.origin == origin]
        days = sorted({str(record["date"])[:10] for record in records})
        when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        hardware = "; ".join(sorted({str(record["hardware"]) for record in records}))
        commits = ", ".join(sorted({str(record["commit"]) for record in records}))
        seconds = sum(float(record["seconds"]) for record in records)
        lines.append(f"{len(records)} runs {origin}: {when}, {hardware}, commit {commits}, {seconds:.0f} s in all")
    return "\n".join(lines)
