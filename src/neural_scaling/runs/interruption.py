"""SIGTERM and Ctrl-C end a run at its next safe point, with a checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A run was asked to stop and has written its checkpoint; the same command goes on from there."""


class StopRequest:
    """Whether a stop was asked for."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def stop_on_signal(request: StopRequest | None = None) -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a request, inside the ``with`` block; a second one acts as usual.

    Outside the main thread, where Python delivers no signals, the request stays as it is.

    Parameters
    ----------
    request
        The request to note it in; a new one by default.

    Yields
    ------
    StopRequest
    """
    request = StopRequest() if request is None else request
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    previous = {number: signal.getsignal(number) for number in _SIGNALS}

    def note(number: int, frame: FrameType | None) -> None:
        request.signal = number
        for each in _SIGNALS:
            signal.signal(each, previous[each])

    for number in _SIGNALS:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
