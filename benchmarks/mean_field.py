"""The mean field solver beside the textbook solution, and how its cost grows: printed, and kept with --keep.

The textbook solution inverts one dense matrix per mode and iterates all order parameters to a global fixed point. At full size it
would take hours: its time is the measured cost of one mode and iteration at that number of steps, times the modes, times the
iterations that it needs at a smaller size, where it runs to the end and the two solutions are compared.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from neural_scaling.dmft import TimeGrid, solve
from neural_scaling.runs.provenance import commit, hardware
from neural_scaling.spectra import PowerLaw

ALPHA, BETA, ETA, GAMMA, WIDTH, BATCH = 1.5, 0.5, 0.2, 1.0, 64, 16
FULL_MODES, FULL_STEPS = 4096, 512
SMALL_MODES, SMALL_STEPS = 64, 48
KEPT = Path(__file__).resolve().parents[1] / "data" / "benchmarks" / "mean_field.json"


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


def solution(modes, steps):
    """Return the loss in unit steps by the library."""
    return solve(modes, GAMMA, TimeGrid.unit_steps(ETA, steps), width=WIDTH, batch=BATCH).loss


def growth(sizes, seconds):
    """Return the exponent of the last doubling."""
    return float(np.log(seconds[-1] / seconds[-2]) / np.log(sizes[-1] / sizes[-2]))


def main() -> None:
    """Measure, print, keep if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help=f"write the numbers to {KEPT.name}")
    keep = parser.parse_args().keep

    small = PowerLaw(ALPHA, BETA, SMALL_MODES).spectrum()
    expected, iterations = textbook(small, SMALL_STEPS)
    agreement = float(np.max(np.abs(solution(small, SMALL_STEPS) / expected - 1)))
    print(f"M = {SMALL_MODES}, T = {SMALL_STEPS}: {iterations} iterations, agreement {agreement:.1e}")

    few = PowerLaw(ALPHA, BETA, 4).spectrum()
    rows = FULL_STEPS + 1
    start = (np.eye(rows), 0.01 * np.eye(rows), np.eye(rows))
    _, seconds = timed(lambda: sweep(few, *start, rows))
    per_mode = seconds / few.modes
    law = PowerLaw(ALPHA, BETA, FULL_MODES)
    _, ours = timed(lambda: solution(law.quadrature(20 * ETA * FULL_STEPS), FULL_STEPS))
    theirs = per_mode * FULL_MODES * iterations
    print(f"M = {FULL_MODES}, T = {FULL_STEPS}: {ours:.2f} s; textbook, extrapolated from {1e3 * per_mode:.0f} ms")
    print(f"  a mode and iteration: {theirs:.0f} s; ratio {theirs / ours:.0f}")

    steps = [128, 256, 512, 1024, 2048]
    of_steps = [timed(lambda t=t: solution(law.quadrature(20 * ETA * t), t))[1] for t in steps]
    print(
        "T", *(f"{t}: {s:.2f} s" for t, s in zip(steps, of_steps, strict=True)), f"power {growth(steps, of_steps):.2f}"
    )
    modes = [64, 128, 256, 512]
    of_modes = [timed(lambda m=m: solution(PowerLaw(ALPHA, BETA, m).spectrum(), 256))[1] for m in modes]
    print(
        "M", *(f"{m}: {s:.2f} s" for m, s in zip(modes, of_modes, strict=True)), f"power {growth(modes, of_modes):.2f}"
    )

    quadrature = PowerLaw(ALPHA, BETA).quadrature(1e7)
    long = []
    for gamma, batch in ((0.0, np.inf), (1.0, np.inf), (1.0, 16)):
        grid = TimeGrid.log_spaced(0.1, 1e6)
        got, seconds = timed(lambda g=gamma, b=batch, t=grid: solve(quadrature, g, t, width=WIDTH, batch=b))
        long.append({"gamma": gamma, "batch": str(batch), "seconds": seconds, "error": float(got.error.max())})
        print(f"eta t = 1e6, gamma = {gamma:g}, B = {batch:g}: {seconds:.2f} s, error {got.error.max():.1e}")

    if keep:
        numbers = {
            "textbook": {"iterations": iterations, "agreement": agreement, "seconds_per_mode_and_iteration": per_mode},
            "full": {"modes": FULL_MODES, "steps": FULL_STEPS, "seconds": ours, "textbook_seconds": theirs},
            "steps": dict(zip(map(str, steps), of_steps, strict=True)),
            "modes": dict(zip(map(str, modes), of_modes, strict=True)),
            "long": long,
            "provenance": {"commit": commit(), "hardware": hardware()},
        }
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        KEPT.write_text(json.dumps(numbers, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
