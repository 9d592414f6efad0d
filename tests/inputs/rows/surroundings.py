"""Terminal, paths and checks."""

from inputs.kinds import Fresh, real, several, text, texts, whole
from inputs.table import row
from neural_scaling.base import checks, monitor, paths, terminal

SWEEP = Fresh(lambda: terminal.SweepProgress("sweep", 1, 10))

word = text("words")
units = whole(3, 0)

ROWS = [
    row(terminal.say, message=word),
    row(terminal.progress, work=units.without(lambda wrong: isinstance(wrong, list)), description=word),
    row(terminal.share, label=word, units=units, work=units, seconds=real(2.0, least=0)),
    row(terminal.aligned, rows=several([("a", "b"), ("c", "d")], [("a", "b"), ("c",)], [(1, 2)])),
    row(terminal.SweepProgress, name=word, runs=units, work=units),
    row(terminal.SweepProgress.advance, SWEEP, units=units),
    row(terminal.SweepProgress.at, SWEEP, units=units),
    row(terminal.SweepProgress.running, SWEEP, label=word, work=units),
    row(terminal.SweepProgress.running_elsewhere, SWEEP, shares=texts(["a", "b"])),
    row(paths.shipped_scale, item=word),
]

EXEMPT = {
    **dict.fromkeys(
        (getattr(checks, name) for name in checks.__all__ if name != "InputError"),
        "refuses the values of others; tested by itself in test_checks.py",
    ),
    **dict.fromkeys(
        (monitor.Monitor.advance, monitor.Monitor.safe_point, monitor.Monitor.waiting),
        "called by computations at every step; the base does nothing",
    ),
}
