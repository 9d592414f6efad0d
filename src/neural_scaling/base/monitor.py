"""What a long computation says and asks while it runs.

The numerical modules know this interface only. They call :meth:`Monitor.advance` as work gets done and
:meth:`Monitor.safe_point` where their state can be written down; :mod:`neural_scaling.runs` turns that into progress,
checkpoints and clean interruption. Both cost next to nothing and may be called at every step.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from neural_scaling.base.checks import instance

__all__ = ["Monitor"]

Arrays = dict[str, npt.NDArray[Any]]
Given = TypeVar("Given")

_PACE = 1.0  # seconds that a portion of steps should take


class Monitor:
    """A monitor that says nothing, keeps nothing and never interrupts; the base of those that do."""

    def advance(self, units: int) -> None:
        """Count units of work as done."""

    def safe_point(self, state: Callable[[], Arrays]) -> None:
        """Offer the state of the computation.

        Parameters
        ----------
        state
            Called only if the state is wanted. Everything needed to go on: arrays, positions, random streams.
        """

    def restored(self) -> Arrays | None:
        """Return the state to go on from, or None to start afresh."""
        return None

    def waiting(self, call: Callable[[], Given], state: Callable[[], Arrays]) -> Given:
        """Return what a call gives that is long and has no safe points; the state before it may be wanted at any moment.

        Parameters
        ----------
        call
            Changes nothing of what ``state`` returns.
        state
            As for :meth:`safe_point`.
        """
        self.safe_point(state)
        return call()


class Parts:
    """Parts of a computation in a row: results of finished ones stand in the state beside that of the part under way."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._finished: dict[str, Arrays] = {}
        self._begun: dict[str, Arrays] = {}
        for name, array in (monitor.restored() or {}).items():
            part, mark, own = re.split("([=:])", name, maxsplit=1)
            (self._finished if mark == "=" else self._begun).setdefault(part, {})[own] = array

    def run(self, name: str, part: Callable[[Monitor], Arrays], counted: bool = True) -> Arrays:
        """Return what a part gives, from the state if it is there."""
        if name not in self._finished:
            self._finished[name] = part(_PartMonitor(self, name, counted))
            self._begun.pop(name, None)
            self._monitor.safe_point(self.state)
        return self._finished[name]

    def call(self, name: str, function: Callable[[], Arrays]) -> Arrays:
        """Return what a part gives that has no safe points."""
        return self.run(name, lambda monitor: monitor.waiting(function, dict))

    def last(self, name: str, counted: bool = True) -> Monitor:
        """Return the monitor of a part after which there is nothing to keep."""
        return _PartMonitor(self, name, counted)

    def state(self) -> Arrays:
        """Return what finished parts have given."""
        return {f"{part}={name}": array for part, arrays in self._finished.items() for name, array in arrays.items()}


class _PartMonitor(Monitor):
    def __init__(self, parts: Parts, name: str, counted: bool) -> None:
        self._parts, self._name, self._counted = parts, name, counted

    def advance(self, units: int) -> None:
        if self._counted:
            self._parts._monitor.advance(units)

    def safe_point(self, state: Callable[[], Arrays]) -> None:
        self._parts._monitor.safe_point(self._within(state))

    def waiting(self, call: Callable[[], Given], state: Callable[[], Arrays]) -> Given:
        return self._parts._monitor.waiting(call, self._within(state))

    def restored(self) -> Arrays | None:
        return self._parts._begun.get(self._name)

    def _within(self, state: Callable[[], Arrays]) -> Callable[[], Arrays]:
        return lambda: self._parts.state() | {f"{self._name}:{name}": array for name, array in state().items()}


def paced(first: int, end: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield where portions of steps start and how many they are: one at first, later as many as take about a second."""
    portion = 1
    while first < end:
        taken, started = min(portion, end - first), time.monotonic()
        yield first, taken
        first += taken
        in_time = taken * _PACE / max(time.monotonic() - started, 1e-9)
        portion = max(1, min(most, 2 * portion, int(in_time)))


def or_silent(monitor: Monitor | None) -> Monitor:
    """Return the monitor given, or one that says nothing."""
    return Monitor() if monitor is None else instance(monitor, "monitor", Monitor, "give a Monitor, or None")


def scalar(value: float) -> npt.NDArray[Any]:
    """Return a number as an array without dimensions, as states hold it."""
    return np.asarray(value)
