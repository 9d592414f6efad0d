"""The command ``predict``: a file in, sentences and a report out."""

from __future__ import annotations

import argparse
import csv
import importlib
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import InputError, require
from neural_scaling.base.files import write_atomically
from neural_scaling.base.terminal import say
from neural_scaling.predict.estimate import FIRST_MODE
from neural_scaling.predict.plots import svgs
from neural_scaling.predict.prediction import Options, Prediction
from neural_scaling.predict.problem import from_curves, from_kernel, from_network, from_spectrum
from neural_scaling.predict.report import save_report, sentences
from neural_scaling.runs.engines import Engine

_NAMES = {
    "eigenvalues": ("eigenvalues", "eigenvalue", "lambda"),
    "coefficients": ("coefficients", "coefficient", "w"),
    "data": ("data", "t", "time", "step", "steps", "d"),
    "loss": ("loss", "l"),
    "size": ("size", "n", "width", "parameters"),
    "run": ("run", "seed"),
}
_COLUMNS = "give 'eigenvalue,coefficient', or 't,loss' with 'N' and 'run' where they differ"
_ARRAYS = "give 'kernel' and 'targets', 'inputs' and 'targets' with --network, or 'eigenvalues' and 'coefficients'"


def run(options: argparse.Namespace) -> None:
    """Carry out the command."""
    prediction = predicted(options)
    for words in prediction.warnings:
        say(f"warning: {words}")
    if options.output is not None:
        say(f"report: {save_report(prediction, options.output) / 'report.html'}")
    if options.plot is not None:
        drawings = svgs(prediction)
        drawing = drawings.get("curves", drawings.get("points", ""))
        write_atomically(checks.path(options.plot, "plot"), [drawing.replace("currentColor", "#444444").encode()])
    print(prediction.to_json() if options.json else "\n".join(sentences(prediction)))


def predicted(options: argparse.Namespace) -> Prediction:
    """Return the prediction for a file."""
    path = Path(options.file)
    require(path.is_file(), "file", f"{path} is not there", "give a .csv or .npz file")
    engine = None if options.engine is None else Engine(options.engine, options.workers, options.scheduler)
    chosen = Options(
        richness=options.richness,
        gamma0=options.gamma0,
        width=math.inf if options.width is None else options.width,
        batch=math.inf if options.batch is None else options.batch,
        until=options.until,
        eta=options.eta,
        budgets=options.budget,
        store=not options.no_store,
        engine=engine,
    )
    require(path.suffix in (".csv", ".npz"), "file", f"got {path.name!r}", "give a .csv or .npz file")
    found = _table(path) if path.suffix == ".csv" else _archive(path)
    require(
        options.network is None or "inputs" in found,
        "network",
        f"given with {path.name}, which has no 'inputs'",
        "give an .npz file with 'inputs' and 'targets', or leave --network out",
    )
    first = FIRST_MODE if options.first is None else options.first
    require(
        options.first is None or "targets" in found,
        "first",
        f"given with {path.name}, which has no 'targets'",
        "leave --first out, or give a kernel or data",
    )
    if "eigenvalues" in found:
        return from_spectrum(found["eigenvalues"], found["coefficients"], options=chosen)
    if "loss" in found:
        size, number = found.get("size"), found.get("run")
        return from_curves(found["data"], found["loss"], size, number, law=options.law, options=chosen)
    if "kernel" in found:
        parts = {name: found.get(name) for name in ("across", "test_targets")}
        return from_kernel(found["kernel"], found["targets"], **parts, noise=options.noise, first=first, options=chosen)
    require(options.network is not None, "network", "not given", "add --network module:factory, or give a kernel")
    test = (found["test_inputs"], found["test_targets"]) if "test_inputs" in found else None
    return from_network(
        network(options.network),
        found["inputs"],
        found["targets"],
        test=test,
        samples=options.samples,
        noise=options.noise,
        first=first,
        options=chosen,
    )


def network(name: str) -> nn.Module:
    """Return what ``module:factory`` makes, the working directory being searched first."""
    module, colon, factory = name.partition(":")
    require(bool(module and colon and factory), "network", f"got {name!r}", "give module:factory")
    sys.path.insert(0, str(Path.cwd()))
    try:
        made = getattr(importlib.import_module(module), factory)()
    except (ImportError, AttributeError, TypeError) as error:
        raise InputError(
            f"network: {name!r} could not be made ({error}); give a function without arguments."
        ) from error
    finally:
        sys.path.pop(0)
    return checks.instance(made, "network", nn.Module, "give a function that returns a torch.nn.Module")


def _table(path: Path) -> dict[str, Array]:
    """Return the columns of a CSV file that are known."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row]
    require(len(rows) > 1, "file", f"{path.name} has no rows", _COLUMNS)
    places = {}
    for name, words in _NAMES.items():
        fitting = [place for place, cell in enumerate(rows[0]) if cell.strip().lower() in words]
        require(len(fitting) < 2, "file", f"{path.name} has two columns for {name}", "leave one")
        if fitting:
            places[name] = fitting[0]
    pairs = [pair for pair in (("eigenvalues", "coefficients"), ("data", "loss")) if all(one in places for one in pair)]
    head = ", ".join(cell.strip() for cell in rows[0])[:60]
    require(len(pairs) == 1, "file", f"{path.name} has the columns {head}", _COLUMNS)
    numbers = np.full((len(rows) - 1, len(places)), math.nan)
    for line, row in enumerate(rows[1:]):
        require(
            len(row) == len(rows[0]),
            "file",
            f"row {line + 2} of {path.name} has {len(row)} cells",
            f"give {len(rows[0])}",
        )
        for column, place in enumerate(places.values()):
            try:
                numbers[line, column] = float(row[place])
            except ValueError:
                problem = f"{row[place]!r} in column {rows[0][place].strip()}, row {line + 2} of {path.name}"
                require(False, "file", problem, "give numbers")
    return {name: numbers[:, column] for column, name in enumerate(places)}


def _archive(path: Path) -> dict[str, Any]:
    """Return the arrays of an NPZ file."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise InputError(f"file: {path.name} cannot be read ({error}); {_ARRAYS}.") from error
    known = [("kernel", "targets"), ("inputs", "targets"), ("eigenvalues", "coefficients")]
    good = any(all(name in found for name in pair) for pair in known)
    require(good, "file", f"{path.name} has {', '.join(sorted(found)) or 'nothing'}", _ARRAYS)
    return found
