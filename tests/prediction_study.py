"""How often predictions of made-up tasks are right: intervals of both exponents, warnings of bends, bands of loss curves.

``python tests/prediction_study.py`` prints the tables of the page of the library on predictions, and ``--keep`` writes them. It
takes ten minutes on two cores; the tests take a few of the same tasks.
"""

import argparse
import itertools
import json
import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from neural_scaling import dmft
from neural_scaling.predict import Options, from_kernel
from neural_scaling.predict.estimate import estimate_kernel, estimate_spectrum
from neural_scaling.predict.tail import TailedModes
from neural_scaling.runs.provenance import commit, hardware
from neural_scaling.spectra import PowerLaw
from predict.problems import kernel_of, recovery

KEPT = Path(__file__).resolve().parents[1] / "data" / "benchmarks" / "predictions.json"
SEED = 20261130
SAMPLES, MODES = 1000, 3000
SHAPES = ("power", "kink", "logarithm")
FIRSTS = (10, 5, 3)
RECOVERED = 50


@dataclass(frozen=True)
class Task:
    """Modes that follow a law, or have normal coefficients around it; what lies behind them follows it."""

    law: PowerLaw
    eigenvalues: np.ndarray
    coefficients: np.ndarray

    def sampled(self, random, noise):
        """Return kernel and targets of Gaussian features, with noise as a share of the variance of the targets."""
        kernel, targets = kernel_of(self.law, SAMPLES, random, self.eigenvalues.size, self.coefficients)
        return kernel, targets + math.sqrt(noise * np.mean(targets**2)) * random.standard_normal(SAMPLES)

    def modes(self, horizon):
        """Return the quadrature of the task up to a time."""
        tail = (self.law.alpha, self.law.beta, 1.0, 1.0)
        return TailedModes.of(self.eigenvalues, self.eigenvalues * self.coefficients**2, tail).quadrature(horizon)[0]


def drawn(study, number, *, normal=False, shape="power", modes=MODES, middle=None):
    """Return a task, its random numbers, and of a bent one the coefficients changed by 0.5 at a mode, or a logarithm squared."""
    random = np.random.default_rng([SEED, study, number])
    law = PowerLaw(random.uniform(1.2, 3), random.uniform(0.2, 2))
    side = random.choice([-1, 1])
    first, k = PowerLaw(law.alpha, law.beta, modes).spectrum(), np.arange(1, modes + 1.0)
    bend = {"power": 1.0, "kink": np.maximum(1, k / (middle or 1)) ** (side / 4), "logarithm": np.log(k + 2) ** side}[
        shape
    ]
    coefficients = first.target * bend * (random.standard_normal(modes) if normal else 1)
    return Task(law, first.eigenvalues, coefficients), random


def bend_is_told(number, *, normal, shape, exact):
    """Return whether the target of a task is said to follow no power, from so many exact modes or, for 0, a kernel on samples."""
    known = exact or SAMPLES
    task, random = drawn(0, number, normal=normal, shape=shape, modes=exact or MODES, middle=math.sqrt(10 * known / 3))
    if exact:
        found = estimate_spectrum(task.eigenvalues, task.coefficients)
    else:
        kernel, targets = task.sampled(random, 0.0)
        found = estimate_kernel(kernel, targets)
    return any("powers of the target" in words for words in found.warnings)


def bands(number, *, normal, noise):
    """Return of the frozen and then the learned curve: share of the times held, and the mean half-width in the logarithm.

    Times on the clock end at ten times that of the last known mode.
    """
    task, random = drawn(1, number, normal=normal)
    prediction = from_kernel(*task.sampled(random, noise), options=Options(store=False))
    found = []
    for curve in (prediction.lazy, prediction.rich):
        there = curve.clock <= 10 / prediction.estimate.eigenvalues[-1]
        gamma = prediction.gamma if curve.rich else 0.0
        truth = dmft.kernel_flow(task.modes(8 * curve.clock[-1]), gamma, curve.time).loss[there]
        low, high = curve.low[there], curve.high[there]
        found.append((float(np.mean((truth >= low) & (truth <= high))), float(np.mean(np.log(high / low)) / 2)))
    return found


def source_intervals(number, *, noise):
    """Return of each first mode the width of the interval of the source, and whether it holds."""
    task, random = drawn(2, number)
    kernel, targets = task.sampled(random, noise)
    ends = [estimate_kernel(kernel, targets, first=first).source_interval for first in FIRSTS]
    return [(high - low, low <= task.law.beta <= high) for low, high in ends]


def recovered(number):
    """Return of one draw whether it has noise, and of capacity and source whether the interval holds it and its width."""
    one = recovery(number)
    found = estimate_kernel(one.kernel, one.targets)
    pairs = ((one.capacity, found.capacity_interval), (one.source, found.source_interval))
    return [one.noise > 0, *(number for true, (low, high) in pairs for number in (low <= true <= high, high - low))]


def recovery_rows(count, each):
    """Return how many intervals of exponents hold them, and their median widths: without noise, with it, and of all draws."""
    found = np.array(each(recovered, range(count)), dtype=np.float64)
    noisy, rows = found[:, 0] > 0, []
    for noise, there in (("none", ~noisy), ("1 %", noisy), ("either", np.full(count, True))):
        row = {"noise": noise, "draws": int(there.sum())}
        for name, (held, width) in (("capacity", found[there, 1:3].T), ("source", found[there, 3:5].T)):
            row[name] = {"held": int(held.sum()), "width": round(float(np.median(width)), 4)}
        rows.append(row)
    return rows


def bend_rows(count, each, given=("modes", "kernel")):
    """Return how many of the tasks were told to be bent, by what is given and how the coefficients are."""
    rows = []
    for what, normal in itertools.product(given, (False, True)):
        row = {"given": what, "normal": normal}
        sizes, many = ((300, MODES), count) if what == "modes" else ((0,), count // 2)
        for shape in SHAPES:
            tasks = [partial(bend_is_told, normal=normal, shape=shape, exact=exact) for exact in sizes]
            told = [one for task in tasks for one in each(task, range(many if shape != "power" else 2 * many))]
            row[shape] = [sum(told), len(told)]
        rows.append(row)
    return rows


def band_rows(count, each):
    """Return what the bands hold, with the standard error over tasks."""
    rows = []
    for normal, noise in itertools.product((False, True), (0.0, 0.01)):
        found = np.array(each(partial(bands, normal=normal, noise=noise), range(count)))  # (tasks, features, 2)
        for learned, one in zip((False, True), found.transpose(1, 0, 2), strict=True):
            held, half = one.mean(0).round(4).tolist()
            error = round(float(one[:, 0].std(ddof=1) / math.sqrt(count)), 4)
            rows.append(
                {"normal": normal, "noise": noise, "learned": learned, "held": held, "error": error, "half": half}
            )
    return rows


def source_rows(count, each):
    """Return median widths of the intervals of the source, and how many hold it."""
    rows = []
    for noise in (0.0, 0.01):
        found = np.array(each(partial(source_intervals, noise=noise), range(count)))  # (tasks, firsts, 2)
        for first, (widths, held) in zip(FIRSTS, found.transpose(1, 2, 0), strict=True):
            rows.append(
                {
                    "noise": noise,
                    "first": first,
                    "width": round(float(np.median(widths)), 3),
                    "held": [int(held.sum()), count],
                }
            )
    return rows


def main():
    """Measure everything, print, keep if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help=f"write the tables to {KEPT.name}")
    parser.add_argument("--count", type=int, default=40, help="tasks of each kind")
    asked = parser.parse_args()
    # Taken first: the code that runs is that of now, whatever is edited meanwhile.
    provenance = {"commit": commit(), "hardware": hardware(), "seed": SEED}
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as processes:

        def each(task, numbers):
            found = processes.map(task, numbers)
            name = f"{getattr(task, 'func', task).__name__} {getattr(task, 'keywords', '')}"
            return list(tqdm(found, desc=name, total=len(numbers), leave=False))

        tables = {
            "recovery": recovery_rows(RECOVERED, each),
            "bends": bend_rows(asked.count, each),
            "sources": source_rows(asked.count, each),
            "bands": band_rows(asked.count, each),
        }
    for name, rows in tables.items():
        print(name, *rows, sep="\n")
    if asked.keep:
        KEPT.write_text(json.dumps({"provenance": provenance} | tables, indent=1) + "\n")


if __name__ == "__main__":
    main()
