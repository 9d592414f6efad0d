"""The commands ``python -m neural_scaling data ...``: fetch, list, verify, say where."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from neural_scaling.base.checks import InputError
from neural_scaling.base.paths import datasets_root
from neural_scaling.base.terminal import aligned
from neural_scaling.data import folders
from neural_scaling.data.loading import find, folder_of, obtain, records, state, verify
from neural_scaling.data.records import Record
from neural_scaling.runs import Interrupted


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command ``data`` to the command line."""
    data = commands.add_parser("data", help="fetch, list or check the datasets of images and text")
    data.add_argument(
        "words", nargs="+", metavar="[list | verify | path] NAME", help="list and verify without a name: all"
    )
    data.add_argument("--size", help="for datasets that come in several sizes")
    data.add_argument("--force", action="store_true", help="fetch or make it anew although it is there")
    data.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Carry out a command."""
    first, *rest = options.words
    action, names = (first, rest) if first in _ACTIONS else ("get", options.words)
    if action == "list" and not names:
        _list()
        return
    if action == "verify" and not names:
        _verify_all()
        return
    if len(names) != 1:
        words = " ".join(options.words)
        raise InputError(
            f"data: got {words!r}; use 'data NAME', 'data path NAME', 'data list [NAME]' or 'data verify [NAME]'."
        )
    try:
        _ACTIONS[action](names[0], options)
    except KeyboardInterrupt as stop:
        raise Interrupted(f"{names[0]}: interrupted") from stop


def _list() -> None:
    rows = [("name", "contents", "MB", "on disk", "what")]
    for record in records():
        now = _ON_DISK[state(record.name)]
        rows.append((record.name, record.contents, f"{record.size / 1e6:.0f}", now, record.title))
    print(aligned(rows))
    print(f"folder: {datasets_root()}")


def _describe(name: str, options: argparse.Namespace) -> None:
    record = find(name, options.size).record
    folder, there = datasets_root() / record.name, state(record.name)
    lines = {
        "contents": f"{record.contents}, {record.details}, {record.size / 1e6:.0f} MB",
        "sources": "; ".join(record.obtained),
        "on disk": f"{folder}, from {folders.read_record(folder)['origin']}" if there == "whole" else _ON_DISK[there],
        "sha256": "known" if record.sha256 else "not known beforehand: that of the first copy is kept",
        "licence": record.licence,
        "cite": record.citation,
    }
    print(f"{record.name}: {record.title}")
    print(aligned([(f"  {label}", text) for label, text in lines.items()]))


def _verify(name: str, options: argparse.Namespace) -> None:
    _print_verified(find(name, options.size).record, verify(name, options.size))


def _verify_all() -> None:
    for record in records():
        now = state(record.name)
        if now == "outdated":
            print(f"{record.name}: {_ON_DISK[now]} than would be made now")
        elif now != "missing":
            _print_verified(record, folders.verify(datasets_root() / record.name, record))


def _print_verified(record: Record[Any], found: dict[str, str]) -> None:
    for array, sha256 in found.items():
        print(f"{sha256}  {record.name}/{array}.npy")
    print(f"{record.name}: every byte is {'that of the original' if record.sha256 else 'as it was written'}")


def _path(name: str, options: argparse.Namespace) -> None:
    print(folder_of(name, options.size))


def _get(name: str, options: argparse.Namespace) -> None:
    folder = obtain(name, options.size, force=options.force)
    record = find(name, options.size).record
    folders.read(folder, record)
    print(f"{record.name}: {record.contents} in {folder}")


_ON_DISK: dict[folders.State, str] = {
    "missing": "no",
    "whole": "yes",
    "outdated": "of another version",
    "damaged": "damaged",
}

_ACTIONS: dict[str, Callable[[str, argparse.Namespace], None]] = {
    "get": _get,
    "list": _describe,
    "verify": _verify,
    "path": _path,
}
