"""Checkpoints: the state of one unfinished run in one file that is whole or not there."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from neural_scaling.base.files import make_folder, write_atomically
from neural_scaling.base.monitor import Arrays
from neural_scaling.runs.store import IF_NOT_WRITTEN

#: Environment variable with the seconds between checkpoints.
INTERVAL_VARIABLE = "NEURAL_SCALING_CHECKPOINT_SECONDS"
_INTERVAL = 30.0
_IDENTITY = "experiment identity"
_FORMAT = "format"
#: Raised when the states that runs offer change: those of another format are not used.
FORMAT = 2


class Checkpoint:
    """The checkpoint of one run."""

    def __init__(self, path: Path, identity: str) -> None:
        self.path, self.identity = path, identity
        self.interval = float(os.environ.get(INTERVAL_VARIABLE, _INTERVAL))
        self._due = time.monotonic() + self.interval

    @property
    def due(self) -> bool:
        """Whether the interval since the last checkpoint is over."""
        return time.monotonic() >= self._due

    def save(self, state: Callable[[], Arrays], units: int) -> None:
        """Write a state, keeping the previous one until the new one is complete."""
        started = time.monotonic()
        buffer = io.BytesIO()
        np.savez(
            buffer,
            allow_pickle=False,
            **{_IDENTITY: np.array(self.identity), _FORMAT: np.array(FORMAT), "units": np.array(units)},
            **state(),
        )
        content = buffer.getbuffer()
        make_folder(self.path.parent, IF_NOT_WRITTEN)
        write_atomically(self.path, [hashlib.sha256(content).hexdigest().encode(), content], IF_NOT_WRITTEN)
        spent = time.monotonic() - started
        # A state of gigabytes must not eat the run: at most a twentieth of the time goes into writing.
        self._due = time.monotonic() + max(self.interval, 20 * spent)

    def load(self) -> tuple[Arrays, int] | None:
        """Return the kept state and its units of work, or None. A damaged file is named and set aside, never used."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            if hashlib.sha256(content[64:]).hexdigest().encode() != content[:64]:
                raise ValueError("checksum does not match")
            with np.load(io.BytesIO(content[64:]), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            if str(arrays.pop(_IDENTITY)) != self.identity:
                raise ValueError("belongs to another experiment")
            if int(arrays.pop(_FORMAT, np.array(1))) != FORMAT:
                raise ValueError("written by another version of the library")
            return arrays, int(arrays.pop("units"))
        except (ValueError, KeyError, zipfile.BadZipFile, OSError) as error:
            aside = self.path.with_name(self.path.name + ".damaged")
            os.replace(self.path, aside)
            print(f"checkpoint not used, kept as {aside}: {error}", file=sys.stderr)
            return None

    def remove(self) -> None:
        """Remove the file, after the result is stored."""
        self.path.unlink(missing_ok=True)
