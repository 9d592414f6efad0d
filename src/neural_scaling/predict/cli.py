"""The command ``predict``: a file in, sentences and a report out."""

from __future__ import annotations

import argparse
import csv
import importlib
import math
import sys
import zipfile
import zlib
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
_TEST = {"kernel": ("across", "test_targets"), "inputs": ("test_inputs", "test_targets"), "eigenvalues": ()}
_CURVE = {"loss": ("size", "run")}  # columns that go with others
#: What options are of no use for: the array or column that a file of the kind has.
_USELESS = {
    "network": ("eigenvalues", "loss", "kernel"),
    "first": ("eigenvalues", "loss"),
    "noise": ("eigenvalues", "loss"),
    "law": ("eigenvalues", "kernel", "inputs"),
    "samples": ("eigenvalues", "loss", "kernel"),
} | dict.fromkeys(("richness", "gamma0", "width", "batch", "until", "eta"), ("loss",))
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
    for name in ("workers", "scheduler"):
        given = options.engine is not None or getattr(options, name) is None
        require(given, name, "given without an engine", "add --engine, or leave it out")
    engine = None if options.engine is None else Engine(options.engine, options.workers, options.scheduler)
    chosen = Options(
        richness=1.0 if options.richness is None else options.richness,
        gamma0=options.gamma0,
        width=math.inf if options.width is None else options.width,
        batch=math.inf if options.batch is None else options.batch,
        until=options.until,
        eta=options.eta,
        budgets=options.budget,
        store=not options.no_store,
        engine=engine,
    )
    require(path.suffix.lower() in (".csv", ".npz"), "file", f"got {path.name!r}", "give a .csv or .npz file")
    found = _table(path) if path.suffix.lower() == ".csv" else _archive(path, options.network is not None)
    (start,) = {"eigenvalues", "loss", "kernel", "inputs"} & found.keys()
    for name, kinds in _USELESS.items():
        good = getattr(options, name) is None or start not in kinds
        require(good, name, f"given with {path.name}, whose {start} it is of no use for", f"leave --{name} out")
    first = FIRST_MODE if options.first is None else options.first
    if "eigenvalues" in found:
        return from_spectrum(found["eigenvalues"], found["coefficients"], options=chosen)
    if "loss" in found:
        after = found["data"] != 0  # training logs begin before the first step
        if not after.all():
            say("warning: points at time 0 are left out; a power law has no value there.")
            found = {name: values[after] for name, values in found.items()}
        size, number = found.get("size"), found.get("run")
        return from_curves(found["data"], found["loss"], size, number, law=options.law or "rich", options=chosen)
    if "kernel" in found:
        parts = {name: found.get(name) for name in ("across", "test_targets")}
        return from_kernel(found["kernel"], found["targets"], **parts, noise=options.noise, first=first, options=chosen)
    require(options.network is not None, "network", "not given", "add --network module:factory, or give a kernel")
    test = tuple(found[name] for name in _TEST["inputs"] if name in found)
    require(
        len(test) in (0, 2), "file", f"{path.name} has one of {' and '.join(_TEST['inputs'])}", "give both, or none"
    )
    return from_network(
        network(options.network),
        found["inputs"],
        found["targets"],
        test=(test[0], test[1]) if test else None,
        samples=1000 if options.samples is None else options.samples,
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
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"file: {path.name} cannot be read ({error}); save it as CSV in UTF-8.") from error
    require(len(rows) > 1, "file", f"{path.name} has no rows", _COLUMNS)
    places = {}
    for name, words in _NAMES.items():
        fitting = [place for place, cell in enumerate(rows[0]) if cell.strip().lower() in words]
        require(len(fitting) < 2, "file", f"{path.name} has two columns for {name}", "leave one")
        if fitting:
            places[name] = fitting[0]
    pairs = [pair for pair in (("eigenvalues", "coefficients"), ("data", "loss")) if all(one in places for one in pair)]
    head = ", ".join(cell.strip() for cell in rows[0])[:60]
    apart = len(rows[0]) > 1 or not any(mark in head for mark in ";\t")
    require(
        apart, "file", f"{path.name} has the one column {head!r}", "separate columns by commas, and write 0.5, not 0,5"
    )
    require(len(pairs) == 1, "file", f"{path.name} has the columns {head}", _COLUMNS)
    places = {name: place for name, place in places.items() if name in {*pairs[0], *_CURVE.get(pairs[0][1], ())}}
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
                require(False, "file", problem, "give numbers, or leave the row out")
    columns = {name: numbers[:, column] for column, name in enumerate(places)}
    if "size" in columns and "run" in columns and rows[0][places["run"]].strip().lower() == "seed":
        both = np.stack([columns["size"], columns["run"]])  # seeds are the same at every size
        columns["run"] = np.unique(both, axis=1, return_inverse=True)[1].ravel().astype(np.float64)
    return columns


def _archive(path: Path, network: bool) -> dict[str, Any]:
    """Return the arrays of an NPZ file that make a start, of kernel and inputs those that a network needs or does not."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"file: {path.name} cannot be read ({error}); {_ARRAYS}.") from error
    known = [("kernel", "targets"), ("inputs", "targets"), ("eigenvalues", "coefficients")]
    good = [pair for pair in known if all(name in found for name in pair)]
    require(len(good) > 0, "file", f"{path.name} has {', '.join(sorted(found)) or 'nothing'}", _ARRAYS)
    if {known[0], known[1]} <= set(good):
        good.remove(known[0] if network else known[1])
    starts = " and ".join(pair[0] for pair in good)
    require(len(good) == 1, "file", f"{path.name} has {starts}", "give one of them")
    kept = {*good[0], *_TEST[good[0][0]]}
    return {name: values for name, values in found.items() if name in kept}
