"""Progress goes to the terminal, as sparse lines to a log, and never into a notebook's output."""

import functools
import os
import struct
import sys
import time

import pytest
from tqdm import tqdm

from neural_scaling.base import terminal

pty = pytest.importorskip("pty", reason="pseudo-terminals exist on Linux and macOS only")
fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")


@pytest.fixture
def screen(monkeypatch):
    """The reading end of a terminal that the environment names."""
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    os.set_blocking(reading, False)
    monkeypatch.setenv(terminal.TERMINAL_VARIABLE, os.ttyname(writing))
    terminal._opened.cache_clear()
    yield reading
    terminal._opened(os.ttyname(writing)).close()
    terminal._opened.cache_clear()
    os.close(reading)
    os.close(writing)


def read_until(screen, *wanted):
    """Return what the terminal shows once all of ``wanted`` is there; the system hands it over bit by bit."""
    seen, deadline = "", time.monotonic() + 10
    while not all(text in seen for text in wanted):
        assert time.monotonic() < deadline, seen
        try:
            seen += os.read(screen, 100_000).decode(errors="replace")
        except BlockingIOError:
            time.sleep(0.01)
    return seen


def test_a_bar_is_drawn_on_the_named_terminal_only(screen, capsys):
    with terminal.progress(10, "counting") as bar:
        bar.update(10)
    terminal.say("a line")
    read_until(screen, "counting", "a line")
    assert capsys.readouterr() == ("", "")


def test_a_sweep_shows_runs_work_and_time_left(screen, monkeypatch):
    monkeypatch.setattr(
        terminal, "tqdm", functools.partial(tqdm, mininterval=0)
    )  # draws at every call, not by the clock
    with terminal.SweepProgress("fig02", 2, 100) as sweep:
        sweep.running("first run", 60)
        sweep.advance(30)
        sweep.advance(20)
        sweep.finished()
    read_until(screen, "fig02 0/2", "first run 83 %, 0.0 min left", "50%")


def test_a_log_gets_sparse_lines_with_an_estimate(monkeypatch, capsys):
    monkeypatch.delenv(terminal.TERMINAL_VARIABLE, raising=False)
    monkeypatch.setattr(terminal, "_SPARSE_SECONDS", 0.0)
    with terminal.SweepProgress("fig02", 4, 100) as sweep:
        sweep.advance(25)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["fig02: 0 of 4 runs, 25 %, 0.0 min left"]


def test_a_short_sweep_leaves_a_log_alone(monkeypatch, capsys):
    monkeypatch.delenv(terminal.TERMINAL_VARIABLE, raising=False)
    with terminal.SweepProgress("fig02", 1, 10) as sweep:
        for _ in range(10):
            sweep.advance(1)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["", "/no/such/terminal"])
def test_a_kernel_without_a_terminal_stays_silent(monkeypatch, capsys, name):
    class Kernel:
        kernel = object()

    class IPython:
        @staticmethod
        def get_ipython():
            return Kernel()

    monkeypatch.setitem(sys.modules, "IPython", IPython)
    monkeypatch.setenv(terminal.TERMINAL_VARIABLE, name)
    terminal._opened.cache_clear()
    with terminal.SweepProgress("fig02", 1, 10) as sweep:
        sweep.advance(10)
    terminal.say("unseen")
    assert capsys.readouterr() == ("", "")
