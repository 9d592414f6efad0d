"""Signals end a run at its next safe point, with a checkpoint, and everything else at once, with a word.

Imports nothing but the standard library: a program that is still importing answers too.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

# Slurm sends the last two some time before the end of a job if asked to (sbatch --signal).
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2") if hasattr(signal, name))


class Interrupted(KeyboardInterrupt):
    """A run was asked to stop and has written its checkpoint; the same command goes on from there."""


class Ended(KeyboardInterrupt):
    """A signal came while no run was under way."""

    def __init__(self, number: int) -> None:
        super().__init__(f"{signal.Signals(number).name}: ended; no run was under way.")
        self.status = 128 + number


class StopRequest:
    """Whether a stop was asked for."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def stop_on_signal(request: StopRequest | None = None) -> Iterator[StopRequest]:
    """Turn stop signals into a request inside the ``with`` block of a main thread; a second SIGINT acts as usual."""
    request = StopRequest() if request is None else request

    def note(number: int) -> None:
        request.signal = number
        # A second Ctrl-C is a person who will not wait. A second signal of a scheduler is part of its course.
        signal.signal(signal.SIGINT, usual)

    with _handling(note) as previous:
        usual = previous.get(signal.SIGINT, signal.SIG_DFL)
        yield request


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """Raise :class:`Ended` at a signal, inside the ``with`` block."""

    def end(number: int) -> NoReturn:
        raise Ended(number)

    with _handling(end):
        yield


@contextmanager
def importing() -> Iterator[None]:
    """End the process with a word at a signal inside ``with``: some foreign imports would catch an exception."""

    def end(number: int) -> NoReturn:
        os.write(2, f"{Ended(number)}\n".encode())
        os._exit(128 + number)

    with _handling(end):
        yield


@contextmanager
def _handling(act: Callable[[int], object]) -> Iterator[dict[int, Any]]:
    if threading.current_thread() is not threading.main_thread():
        yield {}
        return
    previous = {number: signal.getsignal(number) for number in _SIGNALS}

    def handler(number: int, frame: FrameType | None) -> None:
        act(number)

    for number in _SIGNALS:
        signal.signal(number, handler)
    try:
        yield dict(previous)
    finally:
        for number, before in previous.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)
