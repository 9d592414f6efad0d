"""What the person at the terminal sees while notebooks run."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Self


def terminal_name() -> str:
    """Return the name of the terminal device behind standard error, or an empty text if there is none."""
    try:
        return os.ttyname(sys.stderr.fileno()) if sys.stderr.isatty() else ""
    except (OSError, ValueError, AttributeError):  # AttributeError: Windows names no terminals
        return ""


def say(text: str) -> None:
    """Print a line at once, even into a pipe."""
    print(text, flush=True)


class CellLine:
    """One line that says which cell of a notebook runs and since when; nothing where output is no terminal."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = sys.stderr.isatty()
        self._start = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write("")

    def __call__(self, cell: int, cells: int) -> None:
        """Show that ``cell`` of ``cells`` starts."""
        self._write(f"  {self._name}: cell {cell}/{cells}, {time.perf_counter() - self._start:.0f} s")

    def _write(self, text: str) -> None:
        if self._shown:
            sys.stderr.write(f"\r\x1b[2K{text}")
            sys.stderr.flush()
