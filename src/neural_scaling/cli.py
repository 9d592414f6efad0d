"""The command line: ``cache`` lists and clears the user's results, ``data mnist`` fetches a dataset."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from neural_scaling.base.paths import cache_root
from neural_scaling.data import command_line as dataset_commands
from neural_scaling.runs.commands import status_of
from neural_scaling.runs.execution import nothing_running


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command."""

    def command() -> None:
        options = _parser().parse_args(arguments)
        options.command(options)

    return status_of(command)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m neural_scaling", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    cache = commands.add_parser("cache", help="list or clear the user's cache of results")
    cache.add_argument("action", nargs="?", choices=["list", "clear"], default="list")
    cache.add_argument("item", nargs="?", help="only this item")
    cache.set_defaults(command=_cache)
    dataset_commands.add_to(commands)
    return parser


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
