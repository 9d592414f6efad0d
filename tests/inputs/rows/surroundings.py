"""Notebooks, terminal, paths and checks."""

import dataclasses

from companion import notebook
from companion.errata import Setting
from inputs.kinds import Fresh, choice, instance, kind_of, real, seeds, several, text, texts, whole
from inputs.table import row
from neural_scaling.base import checks, monitor, paths, terminal
from neural_scaling.models.runs import ToyModelRun

SWEEP = Fresh(lambda: terminal.SweepProgress("sweep", 1, 10))

RUN = ToyModelRun(1.5, 0.5, 20, 0.1, 1.0, 10)
VALUES = {"scale": "full", **dataclasses.asdict(Setting())}

word = text("words")
units = whole(3, 0)

ROWS = [
    row(notebook.plan, kind=kind_of(Setting), values=instance(VALUES)),
    row(
        notebook.provenance,
        scale=choice("small"),
        seeds=seeds().without(lambda wrong: wrong == 0).or_none(),
        plan=instance(Setting()).or_none(),
    ),
    row(notebook.needs_data, experiments=several([RUN], empty=True), item=word, scale=choice("full")),
    row(notebook.shipped_plan, plan=kind_of(Setting), item=text("errata").also("no such page")),
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
    notebook.dataset: "hands its arguments to datasets.load",
    notebook.text: "hands its arguments to text.load",
    **dict.fromkeys(
        (getattr(checks, name) for name in checks.__all__ if name != "InputError"),
        "refuses the values of others; tested by itself in test_checks.py",
    ),
    **dict.fromkeys(
        (monitor.Monitor.advance, monitor.Monitor.safe_point, monitor.Monitor.waiting),
        "called by computations at every step; the base does nothing",
    ),
}
