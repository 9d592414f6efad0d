"""Batches made ahead of time by a thread, so that whoever uses them never waits for the disk."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

from neural_scaling.base.checks import require, whole

Item = TypeVar("Item")

_PATIENCE = 0.1  # seconds after which either side looks whether the other is still there
_FAREWELL = 5.0  # seconds for which the end of the thread is waited for


class Prefetched(Generic[Item]):
    """What a function of the step returns, one step after the other, made ahead of time by a thread.

    Use it as a context manager, or call :meth:`close`: the thread ends then, also when it waits for room. An exception of
    the function reaches the caller in the place of the item it belongs to, after the items before it; there are no items
    after it.

    Parameters
    ----------
    make
        Called in the thread, in turn, with each step.
    start, stop
        Steps, counted from 0; without ``stop`` there is no end.
    ahead
        Number of items kept ready.
    """

    def __init__(self, make: Callable[[int], Item], start: int = 0, stop: int | None = None, ahead: int = 4) -> None:
        require(callable(make), "make", f"got {type(make).__name__}", "give a function of the step")
        ahead = whole(ahead, "ahead", "keep at least one item ready")
        self._make, self._start = make, whole(start, "start", least=0)
        self._stop = None if stop is None else whole(stop, "stop", least=0)
        self._ready: queue.Queue[tuple[Item] | BaseException | None] = queue.Queue(ahead)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="prefetch", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        while not self._closed.is_set():
            try:
                found = self._ready.get(timeout=_PATIENCE)  # without a limit Ctrl-C would not be heard everywhere
            except queue.Empty:
                continue
            if isinstance(found, tuple):
                return found[0]
            self.close()
            if found is not None:
                raise found
        raise StopIteration

    def __enter__(self) -> Prefetched[Item]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the thread and drop what it has made; calling it again does nothing.

        A thread in the middle of an item that takes long is not waited for: it ends by itself after that item.
        """
        self._closed.set()
        self._thread.join(_FAREWELL)

    def _work(self) -> None:
        step = self._start
        while self._stop is None or step < self._stop:
            try:
                made: tuple[Item] | BaseException = (self._make(step),)
            except BaseException as error:
                self._put(error)
                return
            if not self._put(made):
                return
            step += 1
        self._put(None)

    def _put(self, item: tuple[Item] | BaseException | None) -> bool:
        """Hand over an item; return whether anybody still wants more."""
        while not self._closed.is_set():
            try:
                self._ready.put(item, timeout=_PATIENCE)
            except queue.Full:
                continue
            return True
        return False
