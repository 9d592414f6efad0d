"""On a plateau the noise of SGD wears the learned features off: the norm of the readout in theory and simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from neural_scaling.dmft import TimeGrid, solve
from neural_scaling.models.direct_model import initial_features, train_directly
from neural_scaling.spectra import PowerLaw


def wear(
    law: PowerLaw, gamma: float, eta: float, width: int, batch: float, times: Sequence[float], seeds: int
) -> pd.DataFrame:
    """Follow ``|w|^2/N`` onto the plateau of a finite width: theory without noise and with it, simulated mean and its error."""
    spectrum = law.spectrum()
    grid = TimeGrid.log_spaced(eta, float(times[-1]), 8)
    theory = {b: solve(spectrum, gamma, grid, width=width, batch=b, estimate_error=False) for b in (math.inf, batch)}
    rows = []
    for time in times:
        # The same seed follows the same path, so a run up to an earlier time is its beginning.
        norms, steps = [], round(time / eta)
        for seed in range(seeds):
            initial = initial_features(spectrum, width, seed)
            run = train_directly(spectrum, initial, eta, gamma, steps, batch=batch, seed=seeds + seed)
            norms.append(float(np.sum(run.weights**2)) / width)
        at = {b: float(np.interp(math.log(time), np.log(s.time[1:]), s.weight_norm[1:])) for b, s in theory.items()}
        error = float(np.std(norms, ddof=1)) / math.sqrt(seeds)
        rows.append((float(time), at[math.inf], at[batch], float(np.mean(norms)), error))
    return pd.DataFrame(rows, columns=["time", "without_noise", "theory", "simulated", "error"])
