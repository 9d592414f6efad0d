"""The mean field solver beside the textbook solution, and how its cost grows: printed, and kept with --keep.

The textbook solution inverts one dense matrix per mode and iterates all order parameters to a global fixed point. At full size it
would take hours: its time is the measured cost of one mode and iteration at that number of steps, times the modes, times the
iterations that it needs at a smaller size, where it runs to the end and the two solutions are compared.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from neural_scaling.dmft import Case, TimeGrid, solve, solve_many
from neural_scaling.runs.provenance import commit, hardware
from neural_scaling.spectra import PowerLaw

ALPHA, BETA, ETA, GAMMA, WIDTH, BATCH = 1.5, 0.5, 0.2, 1.0, 64, 16
FULL_MODES, FULL_STEPS = 4096, 512
SMALL_MODES, SMALL_STEPS = 64, 48
LONG = 1e6  # eta * t
KEPT = Path(__file__).resolve().parents[1] / "data" / "benchmarks" / "mean_field.json"
PEAK = """
from pathlib import Path
from mean_field import BATCH, ETA, GAMMA, WIDTH, law_of_steps
from neural_scaling.dmft import TimeGrid, solve
def peak():  # kB since this program began; what getrusage says includes the program that started it
    return next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")).split()[1]
before = peak()
solve(law_of_steps({steps}), GAMMA, TimeGrid.unit_steps(ETA, {steps}), width=WIDTH, batch=BATCH)
print(peak(), before)
"""


def sweep(modes, c0, c3, r3, rows):
    """Return the order parameters that follow from others, one dense inverse per mode."""
    eye, lower = np.eye(rows), np.tril(np.ones((rows, rows)), -1)
    theta = ETA * lower
    s = np.linalg.solve(eye - ETA * GAMMA * theta @ (lower * c3), theta)
    x = s + ETA * GAMMA * lower * (s @ c3 @ s.T)
    driven, noise = x @ r3, np.diag(np.diag(c0)) / BATCH
    new_r3, new_c0, c2 = eye.copy(), np.zeros_like(eye), np.zeros_like(eye)
    for eigenvalue, target in zip(modes.eigenvalues, modes.target, strict=True):
        h = np.linalg.inv(eye + eigenvalue * driven)
        signal = target**2 + x @ c3 @ x.T / WIDTH
        new_r3 -= eigenvalue / WIDTH * h @ driven
        new_c0 += eigenvalue * h @ (signal + eigenvalue * driven @ noise @ driven.T) @ h.T
        c2 += h @ (eigenvalue * noise + eigenvalue**2 * signal) @ h.T
    return new_c0, new_r3 @ c2 @ new_r3.T, new_r3


def textbook(modes, steps):
    """Return the loss at the global fixed point, to 1e-10, and the number of iterations."""
    rows = steps + 1
    c0 = np.full((rows, rows), float(modes.eigenvalues @ modes.target**2))
    c3, r3 = np.zeros((rows, rows)), np.eye(rows)
    for iteration in range(1, 500):
        new = sweep(modes, c0, c3, r3, rows)
        change = max(np.max(np.abs(a - b)) / np.max(np.abs(a)) for a, b in zip(new, (c0, c3, r3), strict=True))
        c0, c3, r3 = new
        if change < 1e-10:
            return np.diag(c0), iteration
    raise ArithmeticError("the textbook iteration did not converge")


def timed(run):
    """Return the result of a call and its seconds."""
    started = time.perf_counter()
    return run(), time.perf_counter() - started


def solution(modes, steps, width=WIDTH):
    """Return the loss in unit steps by the library."""
    return solve(modes, GAMMA, TimeGrid.unit_steps(ETA, steps), width=width, batch=BATCH).loss


def law_of_steps(steps):
    """Return the modes that resolve a number of unit steps."""
    return PowerLaw(ALPHA, BETA, FULL_MODES).quadrature(20 * ETA * steps)


def against_textbook():
    """Agreement at a small size; time at full size, and the textbook's, extrapolated."""
    small = PowerLaw(ALPHA, BETA, SMALL_MODES).spectrum()
    expected, iterations = textbook(small, SMALL_STEPS)
    agreement = float(np.max(np.abs(solution(small, SMALL_STEPS) / expected - 1)))
    print(f"M = {SMALL_MODES}, T = {SMALL_STEPS}: {iterations} iterations, agreement {agreement:.1e}")

    few = PowerLaw(ALPHA, BETA, 4).spectrum()
    rows = FULL_STEPS + 1
    start = (np.eye(rows), 0.01 * np.eye(rows), np.eye(rows))
    _, seconds = timed(lambda: sweep(few, *start, rows))
    per_mode = seconds / few.modes
    _, ours = timed(lambda: solution(law_of_steps(FULL_STEPS), FULL_STEPS))
    theirs = per_mode * FULL_MODES * iterations
    print(f"M = {FULL_MODES}, T = {FULL_STEPS}: {ours:.2f} s; textbook, extrapolated from {1e3 * per_mode:.0f} ms")
    print(f"  a mode and iteration: {theirs:.0f} s; ratio {theirs / ours:.0f}")
    return {
        "textbook": {"iterations": iterations, "agreement": agreement, "seconds_per_mode_and_iteration": per_mode},
        "full": {"modes": FULL_MODES, "steps": FULL_STEPS, "seconds": ours, "textbook_seconds": theirs},
    }


def growth():
    """Seconds against the number of steps, of modes, the width and the last time."""
    series = {
        "steps": [(t, lambda t=t: solution(law_of_steps(t), t)) for t in (128, 256, 512, 1024, 2048)],
        "modes": [(m, lambda m=m: solution(PowerLaw(ALPHA, BETA, m).spectrum(), 256)) for m in (64, 128, 256, 512)],
        "width": [(n, lambda n=n: solution(law_of_steps(256), 256, n)) for n in (4, 16, 64, 256, 1024, 4096)],
        "time": [(end, lambda end=end: long(GAMMA, BATCH, end)) for end in (1e2, 1e3, 1e4, 1e5, 1e6)],
    }
    found = {}
    for name, calls in series.items():
        found[name] = [[size, timed(call)[1]] for size, call in calls]
        print(name, *(f"{size:g}: {seconds:.2f} s" for size, seconds in found[name]))
    return found


def long(gamma, batch, end=LONG):
    """Solve on a logarithmic grid of times, error estimate included."""
    modes = PowerLaw(ALPHA, BETA).quadrature(10 * end, nodes_per_bin=8)
    return solve(modes, gamma, TimeGrid.log_spaced(0.1, end), width=WIDTH, batch=batch)


def long_times():
    """Seconds and estimated error to eta t = 1e6."""
    rows = []
    for gamma, batch in ((0.0, np.inf), (0.0, 16), (1.0, np.inf), (1.0, 16), (1.0, 2)):
        got, seconds = timed(lambda g=gamma, b=batch: long(g, b))
        rows.append({"gamma": gamma, "batch": str(batch), "seconds": seconds, "error": float(got.error.max())})
        print(f"eta t = {LONG:g}, gamma = {gamma:g}, B = {batch:g}: {seconds:.2f} s, error {got.error.max():.1e}")
    return rows


def memory(steps=2048):
    """Largest resident memory of a process that solves unit steps, MiB; on Linux."""
    command = [sys.executable, "-c", PEAK.format(steps=steps)]
    folder = str(Path(__file__).resolve().parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])}
    printed = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    peak, before = (int(kib) / 1024 for kib in printed.split())
    print(f"T = {steps}: {peak:.0f} MiB at most, {before:.0f} MiB of it the libraries")
    return {"steps": steps, "mebibytes": peak, "of_it_libraries": before}


def side_by_side():
    """Twelve long solutions one after the other, and with a process on each core."""
    cases = [
        Case(gamma, width=width, batch=batch) for gamma in (0.5, 1.0) for width in (32, 64, 128) for batch in (4, 16)
    ]
    modes, grid = PowerLaw(ALPHA, BETA).quadrature(1e5, nodes_per_bin=8), TimeGrid.log_spaced(0.1, 1e4)
    solve_many(modes, cases[:2], grid, workers=2)  # the processes start
    alone, together = (timed(lambda w=w: solve_many(modes, cases, grid, workers=w))[1] for w in (1, 2))
    print(f"{len(cases)} long solutions: {alone:.1f} s one by one, {together:.1f} s on two cores")
    return {"cases": len(cases), "one_by_one": alone, "two_workers": together}


def main() -> None:
    """Measure, print, keep if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help=f"write the numbers to {KEPT.name}")
    keep = parser.parse_args().keep
    numbers = against_textbook()
    numbers |= {"growth": growth(), "long": long_times(), "memory": memory(), "side_by_side": side_by_side()}
    numbers["provenance"] = {"commit": commit(), "hardware": hardware()}
    if keep:
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        KEPT.write_text(json.dumps(numbers, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
