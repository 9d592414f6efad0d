"""Losses of the mean field theory at finite width under gradient flow, at known capacity and source: points for fits.

``python -m oracles.mean_field_losses`` in ``tests`` computes the table anew (minutes); tests read it.
"""

import itertools
import json
from pathlib import Path

import numpy as np

from neural_scaling.dmft import TimeGrid, solve
from neural_scaling.fits import theory_window
from neural_scaling.spectra import PowerLaw

TABLE = Path(__file__).with_suffix(".json")
WIDTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384)
LAST, POINTS = 1e4, 16
BETAS = (0.4, 0.8, 1.2, 1.6)
#: Richness, capacity, source.
CASES = [*itertools.product((0.0,), (1.25, 1.5, 2.0), BETAS), *itertools.product((1.0,), (1.25, 1.5), BETAS)]


def solved(gamma, alpha, beta, widths=WIDTHS):
    """Return times, even in log t over the asymptotic window, shape (T,), and losses between those solved, (widths, T)."""
    time = np.geomspace(theory_window(alpha, beta, 1.0, gamma, LAST).start, LAST, POINTS)
    rows = []
    for width in widths:
        one = solve(
            PowerLaw(alpha, beta), gamma, TimeGrid.log_spaced(1.0, LAST), width=float(width), estimate_error=False
        )
        rows.append(np.exp(np.interp(np.log(time), np.log(one.time[1:]), np.log(one.loss[1:]))))
    return time, np.array(rows)


def stored(case):
    """Return width, time, loss and number of the run of each point of a case, shape (n,) each."""
    time, losses = (np.array(one) for one in json.loads(TABLE.read_text())[_name(case)])
    width, data = np.broadcast_arrays(np.array(WIDTHS, dtype=float)[:, None], time)
    return width.ravel(), data.ravel(), losses.ravel(), np.repeat(np.arange(len(WIDTHS)), time.size)


def _name(case):
    return " ".join(f"{one:g}" for one in case)


def main():
    """Write the table, to six digits."""
    found = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    for case in CASES:
        if _name(case) not in found:
            found[_name(case)] = [np.vectorize(lambda x: float(f"{x:.6g}"))(one).tolist() for one in solved(*case)]
            rows = (
                f"{json.dumps(name)}: {json.dumps(values, separators=(',', ':'))}" for name, values in found.items()
            )
            TABLE.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
