"""What the command lines share: a problem is one line and an exit status, and so is a signal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from neural_scaling.base.checks import Explained
from neural_scaling.base.interruption import Ended, Interrupted, ended_by_signal
from neural_scaling.runs.execution import left_behind


def status_of(command: Callable[[], object]) -> int:
    """Run a command; return 0, 2 for bad input, 130 stopped with a checkpoint, 128 + another signal, 141 if nobody reads on."""
    try:
        with ended_by_signal():
            try:
                command()
            finally:
                sys.stdout.flush()
    except Interrupted as stop:
        return _said(f"{stop}; the same command goes on from there.", 130)
    except Ended as end:
        return _said(str(end), end.status)
    except BrokenPipeError:
        # What is still in the buffer would be written at the end, into the same broken pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (Explained, OSError) as error:
        return _said(f"error: {error}", 2)
    return 0


def leave(status: int) -> NoReturn:
    """End the process, without waiting for calls that a stopped run has left behind."""
    if any(thread.is_alive() for thread in left_behind):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _said(words: str, status: int) -> int:
    print(words, file=sys.stderr)
    return status
