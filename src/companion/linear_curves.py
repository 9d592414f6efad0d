"""Two-layer linear networks (Figures 11 and 12): windows that theory and the edge of stability fix, exponents, theory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import zeta

from companion.agreement import mean_exponent
from companion.claims import Measurement
from neural_scaling.base.arrays import Array
from neural_scaling.dmft import kernel_flow
from neural_scaling.fits import Window, fit_power_law
from neural_scaling.models.linear_networks import power_window
from neural_scaling.models.runs import LinearNetworkRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import chi

#: What is fitted: two losses that decay, two sizes of the readout that grow.
LOSS, ALL_MODES, NORM, CHANGE = QUANTITIES = ("loss", "loss, all modes", "|w|^2", "|w - w(0)|^2")
GROWING = (NORM, CHANGE)
#: Columns of a fit.
FIT = ("lazy", "rich", "exponent", "interval", "window")


@dataclass(frozen=True)
class Curves:
    """The networks of one width on one task."""

    run: LinearNetworkRun  # of the first seed
    step: Array  # recorded steps, shape (R,)
    values: Mapping[str, Array]  # each recorded quantity, shape (seeds, G, R)
    diverged_at: Array  # step at which a network diverged, or -1, shape (seeds, G)

    @property
    def tail(self) -> float:
        """Return the variance of the target beyond the M modes: what unlearned modes there would add to the loss."""
        return float(zeta(1 + self.run.alpha * self.run.beta, self.run.modes + 1))

    def quantity(self, name: str, gamma: float) -> Array:
        """Return a curve that is fitted, from step 1 on, one per seed, shape (seeds, R - 1)."""
        # The change is recorded over gamma0^2, which no exponent feels.
        recorded = {NORM: "weight_norm", CHANGE: "readout_change"}.get(name, "loss")
        curves = self.values[recorded][:, self.run.gammas.index(gamma), 1:]
        return curves + self.tail if name == ALL_MODES else curves

    def diverged(self, gamma: float) -> float | None:
        """Return the first step at which the network of some seed diverged, or None."""
        steps = self.diverged_at[:, self.run.gammas.index(gamma)]
        return float(steps[steps >= 0].min()) if np.any(steps >= 0) else None

    def window(self, gamma: float) -> Window:
        """Return the window of the fits, which ends where eta0 times the sharpness reaches 2 for some seed."""
        run = self.run
        sharpness = run.eta0 * self.values["sharpness"][:, run.gammas.index(gamma)].max(axis=0)
        beyond = np.flatnonzero(sharpness >= 2)
        edge, last = float(self.step[beyond[0]]) if beyond.size else None, float(self.step[-1])
        return power_window(run.alpha, run.beta, run.eta0, gamma, run.width, run.batch, last, edge)

    def theory(self, gamma: float) -> dict[str, Array]:
        """Return loss and ``|w|^2``, from step 1 on, in the limit of infinite width and small steps.

        There the network is the projected model, whose projection does nothing at infinite width, with a kernel that starts at 2
        instead of 1: gradient flow (eqs. 51, 52) with ``gamma = gamma0^2 / 4`` on the clock ``2 eta0 t``.
        """
        run = self.run
        flow = kernel_flow(PowerLaw(run.alpha, run.beta, run.modes), gamma**2 / 4, 2 * run.eta0 * self.step[1:])
        return {LOSS: flow.loss, NORM: 1 + gamma**2 / 2 * flow.weight_norm}


def collected(runs: Sequence[LinearNetworkRun], results: Mapping[Experiment, Result]) -> Curves:
    """Return the networks of runs that differ in their seeds alone."""
    arrays = [results[run].arrays for run in runs]
    recorded = [key for key in arrays[0] if key not in ("step", "diverged_at")]
    values = {key: np.stack([each[key] for each in arrays]).astype(np.float64) for key in recorded}
    return Curves(runs[0], arrays[0]["step"], values, np.stack([each["diverged_at"] for each in arrays]))


def exponents(networks: Mapping[str, Curves]) -> pd.DataFrame:
    """Fit all quantities of all networks: ``exponent`` is of decay for losses, of growth for weights.

    It is NaN where the window is empty or a network diverged, and ``missing`` says so.
    """
    rows = []
    for name, data in networks.items():
        run, decays = data.run, (data.run.beta, float(chi(data.run.beta)))
        for gamma in run.gammas:
            window, diverged = data.window(gamma), data.diverged(gamma)
            missing = window.empty or ("" if diverged is None else f"diverged at step {diverged:.0f}")
            for quantity in QUANTITIES:
                grows = quantity in GROWING
                predicted = [max(0.0, 1 - power) for power in decays] if grows else decays
                found = Measurement(None, None)
                if not missing:
                    found = _fitted(data.step[1:], data.quantity(quantity, gamma), window.span, grows)
                rows.append((name, run.beta, run.width, gamma, quantity, *predicted, *found.columns(), missing))
    return pd.DataFrame(rows, columns=["network", "beta", "width", "gamma0", "quantity", *FIT, "missing"])


def _fitted(step: Array, curves: Array, window: tuple[float, float], grows: bool) -> Measurement:
    """Return the exponent of several seeds, or of one with the error of its fit."""
    if len(curves) > 1:
        return mean_exponent(step, curves, window, grows)
    return Measurement.exponent(fit_power_law(step, curves[0], window), grows)


def first_layer(networks: Mapping[str, Curves]) -> pd.DataFrame:
    """Return overlaps of the first layer, means over seeds at the last step, and the largest imbalance ever."""
    shown = ("weight_norm", "spike_readout", "spike_learned", "rank_one", "change_readout", "change_target_seen")
    rows = []
    for data in (networks["easy"], networks["hard"], networks["strong"]):
        for g, gamma in enumerate(data.run.gammas):
            last = [float(data.values[name][:, g, -1].mean()) for name in shown]
            rows.append((data.run.beta, gamma, *last, float(data.values["imbalance"][:, g].max())))
    return pd.DataFrame(rows, columns=["beta", "gamma0", *shown, "imbalance"])
