"""A dataset of a given size, what builds it, and where it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neural_scaling.base.checks import InputError, flag, require
from neural_scaling.base.paths import datasets_root
from neural_scaling.base.terminal import say as say_on_terminal
from neural_scaling.data import catalogue, folders, sources
from neural_scaling.data.download import Say
from neural_scaling.data.problems import DatasetUnavailable
from neural_scaling.data.records import Record


@dataclass(frozen=True)
class Entry:
    """A dataset of a given size and what builds it."""

    record: Record[Any]
    build: folders.Build
    resumable: bool = False  # an interrupted build is continued
    version: Callable[[], str] | None = None  # of a generated dataset: digest of everything that makes it

    def obtain(self, say: Say = say_on_terminal, *, force: bool = False) -> Path:
        """Return its folder, fetched or made now unless it is there."""
        record, force = self.record, flag(force, "force")
        require(callable(say), "say", f"got {type(say).__name__}", "give a function of a line, such as print")
        if self.version is not None:
            try:
                record = replace(record, version=self.version())
            except InputError as error:
                raise DatasetUnavailable(f"{record.name} cannot be made. {error}") from error
        return folders.create(datasets_root(), record, self.build, say, force=force, resumable=self.resumable)

    def load(self, say: Say = say_on_terminal) -> Any:
        """Return it, memory-mapped."""
        return folders.read(self.obtain(say), self.record, say)


MNIST = Entry(catalogue.MNIST, sources.MNIST)
