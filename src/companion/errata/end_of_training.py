"""Errata of the limits of long training, eqs. 12 and 70-78."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd

from companion.errata.erratum import Erratum, Errors, Setting
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import data_bottleneck, effective_scale, model_bottleneck, printed_bottleneck

#: Widths of the exact projections.
WIDTHS = (16, 32, 64, 128, 256)
_MODES = 3000
_RUNS = 24


@cache
def projection_floors(alpha: float, beta: float) -> pd.DataFrame:
    """Mean loss of the best predictor in the span of N random features, the exact limit of training."""

    def floor(random: np.random.Generator, width: int, root: Array, target: Array) -> float:
        columns = [random.standard_normal((_MODES, width)), target[:, None]]
        factor = np.asarray(np.linalg.qr(root[:, None] * np.hstack(columns), mode="r"))
        return float(factor[-1, -1] ** 2)

    return _means(floor, alpha, beta)


def _means(draw: Callable[[np.random.Generator, int, Array, Array], float], alpha: float, beta: float) -> pd.DataFrame:
    """Average draws at every size: mean and standard error of it."""
    spectrum = PowerLaw(alpha, beta, _MODES).spectrum()
    root, rows = np.sqrt(spectrum.eigenvalues), []
    for size in WIDTHS:
        losses = [draw(np.random.default_rng([seed, size]), size, root, spectrum.target) for seed in range(_RUNS)]
        rows.append((size, np.mean(losses), np.std(losses, ddof=1) / math.sqrt(_RUNS)))
    return pd.DataFrame(rows, columns=["size", "mean", "error"])


def floor_forms(setting: Setting) -> tuple[Array, Array]:
    """Evaluate eq. 76 as printed and as corrected, easy task, r3 from eq. 74."""
    modes = PowerLaw(setting.alpha, setting.easy, _MODES).spectrum()
    printed, corrected = (
        np.array([form(modes, width) for width in WIDTHS]) for form in (printed_bottleneck, model_bottleneck)
    )
    return printed, corrected


def floor_errors(setting: Setting) -> Errors:
    """Eq. 76: largest relative error of the limit of training against exact projections, easy task."""
    floors = projection_floors(setting.alpha, setting.easy)["mean"].to_numpy()
    return Errors(*(float(np.max(np.abs(form / floors - 1))) for form in floor_forms(setting)))


def floor_exponent(setting: Setting) -> Errors:
    """Eqs. 8, 9, 12, 76, 80: error of the exponent of the bottleneck in N, easy task."""
    alpha, beta = setting.alpha, setting.easy
    found = projection_floors(alpha, beta)
    measured = fit_power_law(found["size"], found["mean"], (WIDTHS[0], WIDTHS[-1]), found["error"]).exponent
    return Errors(abs(alpha * min(2.0, beta) - measured), abs(alpha * min(1.0, beta) - measured))


def product_of_responses(setting: Setting) -> Errors:
    """Before eq. 74: error of ``r3 r24 / N`` from eqs. 73 and 74."""
    spectrum = PowerLaw(setting.alpha, setting.hard, _MODES).spectrum()
    r3 = effective_scale(spectrum, setting.width)
    r24 = -float(np.sum(spectrum.eigenvalues / (1 + spectrum.eigenvalues * r3)))
    product = r3 * r24 / setting.width
    return Errors(abs(setting.width / _MODES - product), abs(-1 - product))


@cache
def interpolation_losses(alpha: float, beta: float) -> pd.DataFrame:
    """Mean loss of the minimum-norm interpolation of P samples, the exact limit of training at infinite width."""

    def loss(random: np.random.Generator, samples: int, root: Array, target: Array) -> float:
        psi = random.standard_normal((samples, _MODES)) * root
        # Training moves the error in the span of the samples only.
        basis = np.linalg.qr(psi.T)[0]
        return float(np.sum((root * (target - basis @ (basis.T @ target))) ** 2))

    return _means(loss, alpha, beta)


def data_floor(setting: Setting) -> Errors:
    """Eq. 78: weighted mean relative error of the limit of full-batch training on P samples, infinite width."""
    modes = PowerLaw(setting.alpha, setting.easy, _MODES).spectrum()
    found = interpolation_losses(setting.alpha, setting.easy)
    weights = (found["error"] / found["mean"]) ** -2  # draws differ most at small P
    forms = ([form(modes, size) for size in WIDTHS] for form in (printed_bottleneck, data_bottleneck))
    return Errors(*(abs(float(np.average(form / found["mean"] - 1, weights=weights))) for form in forms))


ERRATA = (
    Erratum(
        "product-of-responses",
        "before eq. 74",
        "misprint",
        r"$\frac1N r_3 r_{2,4} = \nu$",
        r"$\frac1N r_3 r_{2,4} = -1$",
        r"Integrated over time eq. 23 reads $1 = -\frac1N r_{2,4}\, r_3$ at late times, which with eq. 73 is eq. 74.",
        "error of the product, eqs. 73 and 74 solved",
        1e-9,
        product_of_responses,
        title="Product of the late responses",
        pages=("bottleneck-page",),
    ),
    Erratum(
        "floor-value",
        "eq. 76",
        "law",
        r"$\sum_k \frac{\lambda_k (w^*_k)^2}{(1 + \lambda_k N^\alpha)^2}$",
        r"$\sum_k \frac{\lambda_k (w^*_k)^2}{1 + \lambda_k r_3}$",
        r"Eq. 72 contains $\int u^4$, of variance $c/N$; eq. 76 drops it. Three lines from eqs. 28-31 give its part of the "
        r"loss, and both together are the residual of an orthogonal projection on the $N$ features, first power. (Checked with "
        r"$r_3$ for $N^\alpha$, which favours the printed form.)",
        r"largest relative error against exact projections, $\beta = %(easy)g$, $N = 16$ to $256$",
        0.1,
        floor_errors,
        title="The sum behind it",
        consequence=r"first power of $1 + \lambda_k r_3$ in place of the second",
        pages=("floor-proof", "bottleneck-page"),
    ),
    Erratum(
        "floor-exponent",
        "eqs. 8, 9, 12, 76, 80 and Fig. 1, floor",
        "law",
        r"$N^{-\alpha \min\{2, \beta\}}$; eq. 12: $N^{-\alpha\beta}$",
        r"$N^{-\alpha \min\{1, \beta\}}$",
        r"$\sum_k k^{-\alpha\beta-1}/(1 + k^{-\alpha} N^\alpha)$ is dominated by small $k$ once $\beta > 1$. Random "
        r"features do not single out the first $N$ modes: the top $N$ components of eq. 12 are what they can reach at best, a "
        r"lower bound of the loss. For $\beta < 1$ nothing changes. $P$ keeps $\min(2, \beta)$. The lazy model of "
        r"{cite:t}`bordelon2024dynamical` has the same $N^{-\min\{a-1,\, 2b\}}$, with $a - 1 = \alpha\beta$ and $b = \alpha$, in "
        r"its authors' [summary](https://kempnerinstitute.harvard.edu/research/deeper-learning/"
        r"a-dynamical-model-of-neural-scaling-laws/).",
        r"error of the exponent of exact projections, $\beta = %(easy)g$",
        0.15,
        floor_exponent,
        title="Width bottleneck of easy tasks",
        consequence=r"$N^{-\alpha}$ in place of $N^{-\alpha\min(2,\beta)}$ for $\beta > 1$; hard tasks and Table 1 keep theirs",
        pages=("bottleneck-page", "losslaw-page", "fig-1-page"),
    ),
    Erratum(
        "data-prefactor",
        "eq. 78",
        "constant",
        r"$\sum_k \frac{\lambda_k (w^*_k)^2}{(1 + \lambda_k P^\alpha)^2}$",
        r"$\frac{1}{1 - \mathrm{df}_2/P} \sum_k \frac{\lambda_k (w^*_k)^2}{(1 + \lambda_k r_1)^2}$, "
        r"$\mathrm{df}_2 = \sum_k \big(\tfrac{\lambda_k r_1}{1 + \lambda_k r_1}\big)^2$",
        r"$u^2_k$ has the variance $\lambda_k C_1/P$; summed it returns $\mathrm{df}_2/P$ of the loss. The factor tends "
        r"to $\alpha$; the exponent $\alpha \min(2, \beta)$ in $P$ is right. (Checked with $r_1$ for $P^\alpha$, "
        r"which favours the printed form.)",
        r"mean relative error against exact interpolation, $\beta = %(easy)g$, $P = 16$ to $256$",
        0.08,
        data_floor,
        title="Prefactor of the sample bottleneck",
        consequence=r"a factor that tends to $\alpha$; the exponent in $P$ is right",
        pages=("reuse-limit", "bottleneck-page"),
    ),
)
