"""Texts by name."""

from __future__ import annotations

from neural_scaling.checks import require
from neural_scaling.datasets import store
from neural_scaling.datasets.download import Say
from neural_scaling.datasets.loading import find, obtain
from neural_scaling.datasets.records import TextRecord
from neural_scaling.datasets.text_data import TextDataset
from neural_scaling.terminal import say as say_on_terminal


def load(name: str, size: str | None = None, say: Say = say_on_terminal) -> TextDataset:
    """Return a text as tokens, fetched on first use and kept on disk.

    Parameters
    ----------
    name
        ``speeches-books`` or ``c4``.
    size
        For those that come in several.
    say
        Prints a line about what is fetched.

    Returns
    -------
    TextDataset
        Tokens are memory-mapped and cannot be written.

    Raises
    ------
    InputError
        If there is no such text or size.
    DatasetUnavailable
        If no source of it can be used; the message lists them and says what to do.
    DatasetDamaged
        If a file on disk is not as it was written.
    OSError
        If the disk is full or cannot be written.
    """
    record = find(name, size).record
    require(isinstance(record, TextRecord), "name", f"{name} is no text", "use neural_scaling.datasets.load")
    dataset: TextDataset = store.read(obtain(name, size, say), record, say)
    return dataset
