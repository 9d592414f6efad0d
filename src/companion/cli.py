"""The command line: what runs a page has, computing and shipping them.

``python -m companion runs fig02 --scale full`` lists, ``... --compute`` computes what is missing, ``runs promote fig02``
ships.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from companion.registry import experiments, keep_runs
from neural_scaling.base.checks import InputError
from neural_scaling.base.paths import shipped_scale
from neural_scaling.base.terminal import aligned
from neural_scaling.runs import Engine, Index, Lookup, obtain_all, promote
from neural_scaling.runs.commands import status_of
from neural_scaling.runs.engines import ENGINE_VARIABLE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command."""

    def command() -> None:
        options = _parser().parse_args(arguments)
        options.command(options)

    return status_of(command)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m companion", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    runs = commands.add_parser("runs", help="list, compute or ship the runs of an item")
    runs.add_argument("words", nargs="+", metavar="[promote] ITEM", help=f"one of {', '.join(keep_runs())}")
    runs.add_argument("--scale", choices=["reduced", "full"], help="default: that of the shipped results")
    runs.add_argument("--compute", action="store_true", help="compute what is missing")
    runs.add_argument("--force", action="store_true", help="compute everything anew; implies --compute")
    runs.add_argument("--engine", help="sequential, processes or dask; default from NEURAL_SCALING_ENGINE")
    runs.add_argument("--workers", type=int, help="number of local worker processes")
    runs.add_argument("--scheduler", help="address of a Dask scheduler, tcp://host:port")
    runs.set_defaults(command=_runs)
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
