"""The command line: what runs a figure has, computing and shipping them, and the cache.

``python -m neural_scaling runs fig02 --scale full`` lists, ``... --compute`` computes what is missing, ``runs promote fig02``
ships, ``cache`` lists and clears, ``data mnist`` fetches a dataset.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from neural_scaling.checks import InputError
from neural_scaling.commands import status_of
from neural_scaling.datasets import commands as dataset_commands
from neural_scaling.items.registry import EXPERIMENTS, experiments
from neural_scaling.paths import cache_root, shipped_scale
from neural_scaling.runs import Engine, Index, Lookup, obtain_all, promote
from neural_scaling.runs.engines import ENGINE_VARIABLE
from neural_scaling.runs.execution import nothing_running
from neural_scaling.terminal import aligned


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments
        Words after the program's name; by default those of the process.

    Returns
    -------
    int
        Exit status, see :func:`~neural_scaling.commands.status_of`.
    """

    def command() -> None:
        options = _parser().parse_args(arguments)
        options.command(options)

    return status_of(command)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m neural_scaling", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    runs = commands.add_parser("runs", help="list, compute or ship the runs of an item")
    runs.add_argument("words", nargs="+", metavar="[promote] ITEM", help=f"one of {', '.join(EXPERIMENTS)}")
    runs.add_argument("--scale", choices=["reduced", "full"], help="default: that of the shipped results")
    runs.add_argument("--compute", action="store_true", help="compute what is missing")
    runs.add_argument("--force", action="store_true", help="compute everything anew; implies --compute")
    runs.add_argument("--engine", help="sequential, processes or dask; default from NEURAL_SCALING_ENGINE")
    runs.add_argument("--workers", type=int, help="number of local worker processes")
    runs.add_argument("--scheduler", help="address of a Dask scheduler, tcp://host:port")
    runs.set_defaults(command=_runs)
    cache = commands.add_parser("cache", help="list or clear the user's cache of results")
    cache.add_argument("action", nargs="?", choices=["list", "clear"], default="list")
    cache.add_argument("item", nargs="?", help="only this item")
    cache.set_defaults(command=_cache)
    dataset_commands.add_to(commands)
    return parser


def _runs(options: argparse.Namespace) -> None:
    *verb, item = options.words
    if verb not in ([], ["promote"]):
        raise InputError(f"runs: got {' '.join(options.words)!r}; use 'runs ITEM' or 'runs promote ITEM'.")
    scale = options.scale or shipped_scale(item)
    wanted = experiments(item, scale)
    if verb:
        copied, size = promote(wanted, item)
        print(f"{len(copied)} runs copied to the shipped results of {item}, {size / 1000:.0f} kB in all")
        return
    engine = Engine.from_environment()
    if (options.engine, options.workers, options.scheduler) != (None, None, None):
        kind = options.engine or os.environ.get(ENGINE_VARIABLE) or "sequential"
        engine = Engine(kind, options.workers, options.scheduler)  # type: ignore[arg-type]
    if options.compute or options.force:
        obtain_all(wanted, item, scale, engine, options.force)
    index = Index(item)
    _table([index.look_up(experiment) for experiment in wanted])


def _table(looked: Sequence[Lookup]) -> None:
    rows = [("key", "run", "state", "seconds", "kB", "date", "hardware", "commit")]
    for seen in looked:
        if seen.found is None:
            rows.append((seen.key, seen.experiment.label, seen.reason, "", "", "", "", ""))
            continue
        record = seen.found.provenance
        numbers = (f"{record['seconds']:.1f}", f"{seen.found.size / 1000:.0f}")
        origin = (str(record["date"])[:10], str(record["hardware"]), str(record["commit"]))
        rows.append((seen.key, seen.experiment.label, seen.reason, *numbers, *origin))
    print(aligned(rows))


def _cache(options: argparse.Namespace) -> None:
    root = cache_root()
    print(f"cache: {root}")
    if options.action == "list":
        _list(root / "results", options.item)
        return
    with nothing_running():
        for folder in _list(root / "results", options.item):
            shutil.rmtree(folder)
        if options.item is None:
            shutil.rmtree(root / "running", ignore_errors=True)
    print("cleared")


def _list(results: Path, item: str | None) -> list[Path]:
    """Print what is in the cache, and return its folders."""
    found = sorted(path for path in results.iterdir() if path.is_dir()) if results.is_dir() else []
    folders = [folder for folder in found if item in (None, folder.name)]
    for folder in folders:
        files = list(folder.iterdir())
        size = sum(path.stat().st_size for path in files if path.exists())
        print(f"{folder.name}: {sum(path.suffix == '.json' for path in files)} runs, {size / 1000:.0f} kB")
    return folders
