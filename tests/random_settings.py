"""Random settings over the whole range that the theory is made for: each gives a result with an error, or says what to change.

``python tests/random_settings.py`` tries all 200, prints those that stand out and a tally; ``--keep`` writes the table.
``--finer`` solves those on a log grid once more in cells four times as fine, and compares the error with the stated one.
The tests take the first 30, and the finer grid for a few.
"""

import argparse
import json
import math
import re
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from neural_scaling.base.checks import InputError
from neural_scaling.dmft import DynamicsDiverged, NotConverged, TimeGrid, solve
from neural_scaling.runs.provenance import commit, hardware
from neural_scaling.spectra import PowerLaw

COUNT = 200
SEED = 20250424
KEPT = Path(__file__).resolve().parents[1] / "data" / "benchmarks" / "random_settings.json"
#: A result whose estimated error is larger says so, and counts as one that the reader must refine.
COARSE = 0.05


@dataclass(frozen=True)
class Drawn:
    """A setting; ``end`` is the number of unit steps, or the last eta * t of a log grid."""

    alpha: float
    beta: float
    gamma: float
    width: float
    batch: float
    samples: float
    eta: float
    unit_steps: bool
    end: float
    fourth_moment: bool


def drawn(count=COUNT):
    """Return the settings, the same ones every time."""
    generator = np.random.default_rng(SEED)
    return [_draw(generator) for _ in range(count)]


def _draw(generator):
    def log_uniform(low, high):
        return float(np.exp(generator.uniform(np.log(low), np.log(high))))

    reuse, finite_batch, unit_steps = generator.random(3) < (0.2, 0.8, 0.5)
    setting = Drawn(
        alpha=float(generator.uniform(1.05, 4)),
        beta=float(generator.uniform(0.1, 4)),
        gamma=float(generator.uniform(0, 4)) * float(generator.random() < 0.9),
        width=round(log_uniform(4, 4096)),
        batch=round(log_uniform(1, 4096)),
        samples=round(log_uniform(4, 4096)),
        eta=log_uniform(0.01, 2.5),
        unit_steps=bool(unit_steps),
        end=round(log_uniform(20, 300)) if unit_steps else log_uniform(10, 1e6),
        fourth_moment=bool(generator.random() < 0.25 and not reuse and finite_batch),
    )
    if reuse:
        return replace(setting, batch=math.inf)
    return replace(setting, samples=math.inf, batch=setting.batch if finite_batch else math.inf)


def solution(setting, grid=None, **options):
    """Solve a setting, on a grid of its own if there is none."""
    end = setting.eta * setting.end if setting.unit_steps else setting.end
    modes = PowerLaw(setting.alpha, setting.beta).quadrature(4 * end * (1 + 3 * setting.gamma), nodes_per_bin=8)
    if grid is None and setting.unit_steps:
        grid = TimeGrid.unit_steps(setting.eta, int(setting.end))
    elif grid is None:
        grid = TimeGrid.log_spaced(setting.eta, setting.end)
    return solve(
        modes,
        setting.gamma,
        grid,
        width=setting.width,
        batch=setting.batch,
        samples=setting.samples,
        fourth_moment=setting.fourth_moment,
        **options,
    )


def true_over_stated(setting):
    """Return how large the error of a log-spaced grid is in units of the stated one, at the row where it is largest."""
    found = solution(setting)
    finer = solution(setting, found.grid.refined(0.0).refined(0.0), estimate_error=False)
    rows = np.searchsorted(finer.time, found.time * (1 - 1e-9))[1:]
    error = np.abs(found.loss[1:] / finer.loss[rows] - 1)
    # Below the residual to which cells are solved there is nothing to estimate.
    return float(np.max(np.where(error > 1e-7, error / found.error[1:], 0.0)))


def outcome(setting, finer=False):
    """Return what became of a setting: kind, estimated error, seconds and message."""
    begin = time.perf_counter()
    try:
        found = solution(setting)
    except (InputError, DynamicsDiverged, NotConverged) as error:
        size, message = None, str(error)
        kind = f"{type(error).__name__}, {_remedy(setting, error)}"
    else:
        sound = np.all(np.isfinite(found.loss)) and np.all(found.loss > 0) and np.all(np.isfinite(found.error))
        size, message = float(found.error.max()), ""
        kind = ("result" if size <= COARSE else "coarse result") if sound else "UNSOUND"
    found = {"kind": kind, "error": size, "seconds": round(time.perf_counter() - begin, 2), "message": message}
    if finer and size is not None and not setting.unit_steps:
        try:
            found["true over stated"] = true_over_stated(setting)
        except NotConverged:
            found["true over stated"] = None
    return found


def _remedy(setting, error):
    """Say whether what an error suggests gives a result: a learning rate, or an earlier end."""
    suggested = re.search(r"eta <= ([0-9.]+(?:e-?[0-9]+)?)", str(error))
    if isinstance(error, NotConverged):
        changed = replace(setting, end=error.time)
    elif suggested is not None:
        changed = replace(setting, eta=float(suggested.group(1).rstrip(".")))
    else:
        return "NO REMEDY"
    try:
        solution(changed)
    except (InputError, DynamicsDiverged, NotConverged):
        return "REMEDY FAILS"
    return "remedy works"


def acceptable(kind):
    """Whether an outcome is one that a user can go on from."""
    return kind in {
        "result",
        "coarse result",
        "NotConverged, remedy works",
        "InputError, remedy works",
        "DynamicsDiverged, remedy works",
    }


def main():
    """Try all settings, print, keep if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help=f"write the outcomes to {KEPT.name}")
    parser.add_argument(
        "--finer", action="store_true", help="compare the stated errors with those against a finer grid"
    )
    parser.add_argument("--count", type=int, default=COUNT)
    asked = parser.parse_args()
    rows = []
    for setting in tqdm(drawn(asked.count), desc="random settings", unit="setting"):
        found = outcome(setting, asked.finer)
        rows.append({key: str(value) if value == math.inf else value for key, value in asdict(setting).items()} | found)
        if found["kind"] != "result":
            tqdm.write(f"{setting}\n  {found['kind']} {found['error'] or ''} {found['message']}")
    tally = dict(Counter(row["kind"] for row in rows).most_common())
    print(*(f"{count} x {kind}" for kind, count in tally.items()), sep="\n")
    ratios = [row["true over stated"] for row in rows if row.get("true over stated") is not None]
    if ratios:
        above = sum(ratio > 1 for ratio in ratios)
        print(f"true over stated error: largest {max(ratios):.2f}, above one in {above} of {len(ratios)}")
    print(f"longest {max(row['seconds'] for row in rows):.1f} s, together {sum(row['seconds'] for row in rows):.0f} s")
    if asked.keep:
        provenance = {"commit": commit(), "hardware": hardware(), "seed": SEED}
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        KEPT.write_text(json.dumps({"provenance": provenance, "tally": tally, "settings": rows}, indent=1) + "\n")
    return 0 if all(acceptable(row["kind"]) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
