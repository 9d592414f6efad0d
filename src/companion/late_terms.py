"""The mean-field theory at late times, where each term of the loss law stands alone in a limit of width and batch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import zeta

from companion.claims import Measurement
from neural_scaling.base.arrays import Array
from neural_scaling.base.grids import resampled
from neural_scaling.fits import fit_power_law, late_window
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import chi, kernel_scale, model_bottleneck, sgd_exponent, step_of_modes, transient_exponent

#: One term counts as alone where it is this many times the next (prefactors one).
DOMINANCE = 10.0
#: The transient of finite width is fitted at this many times the width of the figure, which leaves it alone for longer.
WIDER = 16

#: A loss, or what is left of it, at eta*steps.
Curve = tuple[Array, Array]
#: Name and words of a term, place in the paper, predicted exponent, curve, and first and last time at which it is alone.
Term = tuple[str, str, str, float, Curve, float, float]


@dataclass(frozen=True)
class Late:
    """The theory of one task with feature learning, and what its terms are at late times."""

    alpha: float  # capacity
    beta: float  # source
    gamma: float  # richness
    eta: float  # learning rate
    width: int  # N of the figure
    batches: tuple[int, ...]  # B of the figure, ascending
    curves: dict[tuple[float, float], Curve]  # by (N, B), infinity included

    def local_noise(self, batch: int, time: Array) -> Array:
        """Return the leading relative excess loss of a hard task, ``(eta/B) K sum_k lambda_k / 2``."""
        growth = kernel_scale(self.beta, self.gamma, 1.0, time)
        return np.asarray(0.5 * self.eta / batch * float(zeta(self.alpha)) * growth)

    def noise_share(self, batch: int) -> Curve:
        """Return the relative excess loss that a batch causes at infinite width, from eta*steps of 1 on."""
        time, noisy = self.curves[math.inf, batch]
        shown = time >= 1
        return time[shown], noisy[shown] / resampled(*self.curves[math.inf, math.inf], time[shown]) - 1

    def beyond_flow(self, time: Array, loss: Array) -> Array:
        """Subtract the loss of gradient flow, which is nothing once its curve has ended."""
        flow = self.curves[math.inf, math.inf]
        gradient = resampled(*flow, np.minimum(time, flow[0][-1]))
        return np.asarray(loss - np.where(time <= flow[0][-1], gradient, 0.0))

    def crossovers(self) -> pd.DataFrame:
        """Find when, from eta*steps of 1 on, SGD noise passes gradient flow, and finite width SGD noise; infinite if never."""
        narrow, rows = self.curves[self.width, math.inf], []
        for batch in (self.batches[0], self.batches[-1]):
            noisy = self.curves[math.inf, batch]
            time = np.geomspace(1.0, min(narrow[0][-1], noisy[0][-1]), 2000)
            noise, finite = (self.beyond_flow(time, resampled(*curve, time)) for curve in (noisy, narrow))
            gradient = resampled(*noisy, time) - noise
            passed = (noise > gradient, finite > noise)
            rows.append((batch, *(float(time[np.argmax(after)]) if after.any() else math.inf for after in passed)))
        return pd.DataFrame(rows, columns=["batch", "noise", "width"])

    def terms(self) -> pd.DataFrame:
        """Fit the exponent of every term while it is alone."""
        rows = []
        for name, term, location, predicted, (time, values), first, end in (
            self._hard_terms() if self.beta < 1 else self._super_easy_terms()
        ):
            window = first, min(end, float(time[-1]))
            # A window shorter than a factor of two holds no power.
            usable = window[1] > 2 * window[0] and bool(np.all(values[(time >= window[0]) & (time <= window[1])] > 0))
            fit = fit_power_law(time[values > 0], values[values > 0], window) if usable else None
            rows.append((name, term, location, predicted, *Measurement.exponent(fit).columns()))
        return pd.DataFrame(rows, columns=["name", "term", "location", "predicted", "exponent", "interval", "window"])

    def _hard_terms(self) -> list[Term]:
        """Return the loss of a hard task at infinite width and batch, and what SGD noise adds to it, relative to it.

        The paper's law has ``(eta/B) t^-(2-1/alpha)m`` beside ``t^-beta m``, a ratio that falls; the corrected one has a ratio
        that grows like the kernel, ``t^(1-chi)``. The largest batch is taken, for which the excess stays small. Both are fitted
        where the kernel has its late form.
        """
        flow, power = self.curves[math.inf, math.inf], float(chi(self.beta))
        start = late_window(self.alpha, self.beta, self.gamma, float(flow[0][-1])).start
        paper, share = sgd_exponent(self.alpha, self.beta, rich=True) - power, self.noise_share(self.batches[-1])
        return [
            ("limit", "loss at infinite batch", "caption", power, flow, start, math.inf),
            ("noise", "relative excess of the loss", "eq. 9", paper, share, start, math.inf),
        ]

    def _super_easy_terms(self) -> list[Term]:
        """Return the terms of a super-easy task, each in the limit that isolates it.

        By the loss law with prefactors one, a term is :data:`DOMINANCE` times the next one in its window, and at least ten modes
        are learned. The transient of finite width is what the loss has beyond gradient flow and its exact limit at late times.
        """
        alpha, beta, batch, width = self.alpha, self.beta, self.batches[0], WIDER * self.width
        learned = self.eta * step_of_modes(alpha, beta, self.gamma, self.eta, 10.0)
        sgd, transient = sgd_exponent(alpha, beta, rich=True), transient_exponent(alpha, beta, rich=True)
        sgd_start = max(learned, (DOMINANCE * batch / self.eta) ** (1 / (beta - sgd)))
        transient_start = max(learned, (DOMINANCE * width) ** (1 / (beta - transient)))
        # The bottleneck N^-alpha against (1/N) t^-e.
        transient_end = (width ** (alpha - 1) / DOMINANCE) ** (1 / transient)
        time, loss = self.curves[width, math.inf]
        end = model_bottleneck(PowerLaw(alpha, beta).quadrature(100 * width**alpha), width)
        left = time, self.beyond_flow(time, loss) - end
        flow, noisy = self.curves[math.inf, math.inf], self.curves[math.inf, batch]
        return [
            ("gradient-flow", "gradient flow", "eqs. 9, 10", beta, flow, learned, math.inf),
            ("sgd", "SGD transient", "eq. 9", sgd, noisy, sgd_start, math.inf),
            ("finite-width", "finite-N transient", "eq. 9", transient, left, transient_start, transient_end),
        ]
