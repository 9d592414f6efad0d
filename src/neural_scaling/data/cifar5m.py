"""CIFAR-5M: six parts of a million images each, fetched one after the other and turned into one memory-mapped array.

A part is read from its archive in pieces and appended, then its archive is removed: neither memory nor disk ever holds more than
the result and one part. No checksum was published for the parts and none is known here, so the one seen at the first download
is written down and every later download is held to it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neural_scaling.base.files import write_atomically
from neural_scaling.data import formats
from neural_scaling.data.download import Say, fetch, sha256_of
from neural_scaling.data.folders import REMEDY, npy_header, write_array
from neural_scaling.data.images import Bytes
from neural_scaling.data.problems import SourceFailed
from neural_scaling.data.records import ImageRecord
from neural_scaling.data.sources import unavailable

ADDRESS = "https://storage.googleapis.com/gresearch/cifar5m"
_PIECE = 4096  # images read at once
_PROGRESS = "progress.json"


@dataclass(frozen=True)
class Parts:
    """Where the parts are and what each holds; the tests make small ones."""

    record: ImageRecord  # what is known of the dataset
    address: str = ADDRESS  # folder of part0.npz, part1.npz and so on
    # how many make the training set; the test images are the first ones of the part after them, as in the loader
    # that the dataset's authors published
    train_parts: int = 5

    @property
    def rows(self) -> int:
        """Images in each part."""
        return self.record.train // self.train_parts

    def build(self, folder: Path, downloads: Path, say: Say) -> str:
        """Make the dataset; goes on from the parts that are done (a build for :func:`~neural_scaling.data.folders.create`)."""
        try:
            return self._build(folder, downloads, say)
        except SourceFailed as reason:
            remedy = (
                f"Connect to the network ({self.record.size / 1e9:.0f} GB and one part more must fit on the disk; finished "
                "parts are kept), or use the stand-in, cifar10 with random crops and flips."
            )
            raise unavailable(self.record, [str(reason)], downloads, remedy) from reason

    def _build(self, folder: Path, downloads: Path, say: Say) -> str:
        done = _progress(folder)
        images = folder / "train_images.npy"
        shape = (self.record.train, *self.record.shape)
        header = npy_header(shape)
        part_bytes = self.rows * int(np.prod(self.record.shape))
        if not images.exists() or images.stat().st_size < len(header) + len(done) * part_bytes:
            done = []  # what was appended is not there: from the start
        for number in range(len(done), self.train_parts):
            with self._part(number, downloads, say) as path:
                labels = self._labels(path)
                if number == 0:
                    write_atomically(images, [header], REMEDY)
                with images.open("r+b") as file:
                    file.seek(len(header) + number * part_bytes)
                    file.truncate()  # an interrupted call may have appended a piece of this part
                    for piece in self._images(path):
                        file.write(piece.data.cast("B"))
                    file.flush()
                    os.fsync(file.fileno())
                write_array(folder / f"labels{number}.npy", labels.shape, [labels])
                done.append(path.name)
                write_atomically(folder / _PROGRESS, [json.dumps(done).encode()], REMEDY)
            say(f"{self.record.name}: part {number + 1} of {self.train_parts + 1} is in place")
        if not (folder / "test_labels.npy").exists():
            with self._part(self.train_parts, downloads, say) as path:
                test = np.concatenate(list(self._images(path, self.record.test)))
                labels = self._labels(path)[: self.record.test]
                write_array(folder / "test_images.npy", test.shape, [test])
                write_array(folder / "test_labels.npy", labels.shape, [labels])
        parts = [np.load(folder / f"labels{number}.npy") for number in range(self.train_parts)]
        write_array(folder / "train_labels.npy", (self.record.train,), parts)
        return f"the authors' bucket, {self.address}"

    @contextmanager
    def _part(self, number: int, downloads: Path, say: Say) -> Iterator[Path]:
        """Fetch a part whose hash is the one seen when it first came; it is removed when it has been used, or was of no use."""
        name = f"part{number}.npz"
        path = fetch(f"{self.address}/{name}", None, downloads, say)
        known_file = downloads.parent / f"{self.record.name}-parts.json"
        known: dict[str, str] = json.loads(known_file.read_text()) if known_file.exists() else {}
        found = sha256_of(path)
        try:
            if known.setdefault(name, found) != found:
                raise SourceFailed(
                    f"{name} is not the file that came first (sha256 {known[name][:16]}..., now {found[:16]}...): "
                    f"if the new one is to be trusted, remove {known_file}"
                )
            yield path
        except SourceFailed:
            path.unlink()
            raise
        write_atomically(known_file, [(json.dumps(known, indent=1, sort_keys=True) + "\n").encode()], REMEDY)
        path.unlink()

    def _images(self, path: Path, count: int | None = None) -> Iterator[Bytes]:
        expected = (self.rows, *self.record.shape)
        with formats.npz_member(path, "X") as (shape, dtype, read):
            if shape != expected or dtype != np.uint8:
                raise SourceFailed(f"{path.name}: X is {dtype} of shape {shape} instead of bytes of shape {expected}")
            wanted = self.rows if count is None else count
            for start in range(0, wanted, _PIECE):
                yield read(min(_PIECE, wanted - start)).astype(np.uint8, copy=False)

    def _labels(self, path: Path) -> Bytes:
        with formats.npz_member(path, "Y") as (shape, dtype, read):
            if shape != (self.rows,) or not np.issubdtype(dtype, np.integer):
                raise SourceFailed(f"{path.name}: Y is {dtype} of shape {shape} instead of {self.rows} whole numbers")
            labels = read(self.rows)
        if labels.min() < 0 or labels.max() >= len(self.record.classes):
            raise SourceFailed(f"{path.name}: labels from {labels.min()} to {labels.max()}")
        return labels.astype(np.uint8)


def _progress(folder: Path) -> list[Any]:
    try:
        return list(json.loads((folder / _PROGRESS).read_text()))
    except (OSError, ValueError):
        return []
