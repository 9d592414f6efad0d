"""The command line: ``cache`` lists and clears the user's results, ``data mnist`` fetches a dataset, ``predict`` takes a file."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from neural_scaling.base.paths import cache_root
from neural_scaling.data import command_line as dataset_commands
from neural_scaling.runs.commands import leave, status_of
from neural_scaling.runs.execution import nothing_running


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command."""

    def command() -> None:
        options = _parser().parse_args(arguments)
        options.command(options)

    return status_of(command)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="neural-scaling", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    cache = commands.add_parser("cache", help="list or clear the user's cache of results")
    cache.add_argument("action", nargs="?", choices=["list", "clear"], default="list")
    cache.add_argument("item", nargs="?", help="only this item")
    cache.set_defaults(command=_cache)
    dataset_commands.add_to(commands)
    _add_predict(commands)
    return parser


def entry() -> NoReturn:
    """Run the command of the console."""
    leave(main())


def _add_predict(commands: argparse._SubParsersAction[Any]) -> None:
    predict = commands.add_parser("predict", help="what to expect of your own spectrum, kernel, network or loss curves")
    predict.add_argument("file", help="spectrum.csv, curves.csv, kernel.npz or data.npz")
    predict.add_argument(
        "--network", metavar="MODULE:FACTORY", help="function that returns a torch.nn.Module, for data.npz"
    )
    predict.add_argument("--richness", type=float, help="without units; 1 by default")
    predict.add_argument("--gamma0", type=float, help="that of your network, whose square is then taken for gamma")
    predict.add_argument("--width", type=int, help="N of the curves; infinite by default")
    predict.add_argument("--batch", type=int, help="B of the curves; infinite by default")
    predict.add_argument("--first", type=int, help="first mode that the exponents of a kernel are fitted in")
    predict.add_argument("--until", type=float, help="last time of the curves, eta * steps")
    predict.add_argument("--eta", type=float, help="learning rate of SGD, and at which the edge is looked for")
    predict.add_argument("--budget", type=float, action="append", metavar="C", help="compute N t; may be repeated")
    predict.add_argument("--noise", type=float, help="variance of the noise of the targets")
    predict.add_argument("--samples", type=int, help="at most so many of the data are used; 1000 by default")
    predict.add_argument(
        "--law", choices=["rich", "lazy"], help="features of the networks of curves.csv; rich by default"
    )
    predict.add_argument("--json", action="store_true", help="print all numbers as JSON instead of sentences")
    predict.add_argument("--plot", metavar="FILE", help="write the learning curves as SVG")
    predict.add_argument("--output", metavar="FOLDER", help="write the report, the numbers and the plots")
    predict.add_argument(
        "--no-store", action="store_true", help="compute curves and kernels anew, and do not keep them"
    )
    predict.add_argument("--engine", help="sequential, processes or dask")
    predict.add_argument("--workers", type=int)
    predict.add_argument("--scheduler")
    predict.set_defaults(command=_predict)


def _predict(options: argparse.Namespace) -> None:
    from neural_scaling.predict import cli  # seconds of imports that the other commands can do without

    cli.run(options)


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
