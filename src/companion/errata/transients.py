"""Errata of the transients of finite width and batch, eqs. 79-83 and the terms of eqs. 8 and 9 that follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy.linalg import solve_triangular
from scipy.optimize import linprog

from companion.errata.erratum import Erratum, Errors, Setting
from neural_scaling.base.arrays import Array
from neural_scaling.dmft import TimeGrid, solve
from neural_scaling.fits import PowerLawFit, fit_power_law
from neural_scaling.spectra import ModeQuadrature, PowerLaw
from neural_scaling.theory import chi, loss_terms, mode_sum, noise_coefficient, time_multiplier, transient_coefficient
from neural_scaling.theory.loss_law import VERSIONS

#: The rich solution at infinite width: steps small enough for the limit of gradient flow, to t = 20.
_ETA, _STEPS = 0.05, 400


@dataclass(frozen=True)
class RichResponse:
    """Response of a rich hard task at infinite width, of the last step t to the steps s from t/8 to t/2."""

    quadrature: ModeQuadrature  # modes, K nodes
    # now, then: effective times tau(t) and tau(s), shape () and (S,); tau' = K = 1 + gamma C_w
    now: float
    then: Array
    time: Array  # s, shape (S,)
    speed: Array  # sqrt(K(t) K(s)), shape (S,)
    mode: Array  # (H_k X)(t, s) per unit of eta*steps, shape (K, S)


@cache
def rich_response(setting: Setting) -> RichResponse:
    """Solve eq. 44 and form the response matrices of eqs. 27 and 28."""
    eta, gamma = _ETA, setting.gamma
    quadrature = PowerLaw(setting.alpha, setting.hard).quadrature(20 * eta * _STEPS)
    solution = solve(quadrature, gamma, TimeGrid.unit_steps(eta, _STEPS))
    eye = np.eye(_STEPS + 1)
    theta = eta * np.tril(np.ones_like(eye), -1)
    memory = np.tril(solution.order.feature_correlation, -1)
    drive = np.linalg.solve(eye - eta * gamma * theta @ memory, theta)
    drive += eta * gamma * np.tril(solution.order.weight_correlation, -1)
    last = eye[-1]
    rows = [solve_triangular((eye + lam * drive).T, last) @ drive for lam in quadrature.nodes]
    kernel = 1 + gamma * np.diag(solution.order.weight_correlation)
    clock = np.concatenate([[0.0], np.cumsum(eta * kernel)[:-1]])
    past = slice(_STEPS // 8, _STEPS // 2)
    speed = np.sqrt(kernel[-1] * kernel[past])
    time = eta * np.arange(_STEPS + 1, dtype=np.float64)[past]
    return RichResponse(quadrature, float(clock[-1]), clock[past], time, speed, np.array(rows)[:, past] / eta)


def response_speed(setting: Setting) -> Errors:
    """Eq. 79, line 1: largest error of the logarithm of the correction to R3, without and with sqrt(K(t) K(s))."""
    r = rich_response(setting)
    q = r.quadrature
    exact = (q.weights * q.nodes) @ r.mode
    printed = np.exp(-np.outer(r.now - r.then, q.nodes)) @ (q.weights * q.nodes)
    return Errors(*(_log_error(form, exact) for form in (printed, printed * r.speed)))


def response_sign(setting: Setting) -> Errors:
    """Eq. 79, line 2: share of pairs s < t at which the sign differs from that of R3(t, s) at finite N."""
    quadrature = PowerLaw(setting.alpha, setting.hard).quadrature(20 * setting.eta * setting.steps)
    solution = solve(quadrature, setting.gamma, TimeGrid.unit_steps(setting.eta, setting.steps), width=setting.width)
    pairs = np.tril_indices(setting.steps + 1, -1)
    positive = float(np.mean(solution.order.response[pairs] > 0))
    return Errors(1 - positive, positive)


def _noise_kernels(setting: Setting) -> tuple[Array, Array, Array, Array, Array]:
    """Return the exact kernel of SGD noise and four forms: three slips put back one at a time, and none."""
    r = rich_response(setting)
    q = r.quadrature
    exact = (q.weights * q.nodes**2) @ r.mode**2
    fall = np.exp(-2 * np.outer(r.now - r.then, q.nodes))
    # Printed, s - gamma s^(2-chi) stands for s + gamma s^(2-chi) = tau(s): the sign of the second part is turned.
    turned = np.exp(-2 * np.outer(r.now - (2 * r.time - r.then), q.nodes))
    square = q.weights * q.nodes**2
    right = (fall @ square) * r.speed**2
    return exact, (turned @ square) * r.speed**2, (fall @ (q.weights * q.nodes)) * r.speed**2, fall @ square, right


def noise_sign(setting: Setting) -> Errors:
    """Eq. 82: largest error of the logarithm of the kernel with the sign before ``gamma s^(2-chi)`` turned."""
    exact, turned, _, _, right = _noise_kernels(setting)
    return Errors(_log_error(turned, exact), _log_error(right, exact))


def noise_square(setting: Setting) -> Errors:
    """Eq. 82: largest error of the logarithm of the kernel with ``lambda_k`` in place of its square."""
    exact, _, single, _, right = _noise_kernels(setting)
    return Errors(_log_error(single, exact), _log_error(right, exact))


def noise_speed(setting: Setting) -> Errors:
    """Eq. 82: largest error of the logarithm of the kernel without ``K(t) K(s)``."""
    exact, _, _, slow, right = _noise_kernels(setting)
    return Errors(_log_error(slow, exact), _log_error(right, exact))


def _log_error(form: Array, exact: Array) -> float:
    return float(np.max(np.abs(np.log(form / exact))))


def noise_power(setting: Setting) -> Errors:
    """Eq. 82, line 2, lazy: error of the logarithm of the kernel at s = t/2 over that at s = 0."""
    time = setting.window[1]
    q = PowerLaw(setting.alpha, setting.hard).quadrature(4 * time)
    half, whole = (float(np.exp(-2 * q.nodes * gap) @ (q.weights * q.nodes**2)) for gap in (time / 2, time))
    exact = math.log(half / whole)
    printed = -(setting.alpha - 1) * math.log(1 - 0.5 ** (1 / setting.alpha))
    corrected = (2 - 1 / setting.alpha) * math.log(2)
    return Errors(abs(printed - exact), abs(corrected - exact))


def effective_time_power(setting: Setting) -> Errors:
    """Eq. 81: error of the exponent of the first term, which must be chi."""
    expected = float(chi(setting.hard))
    time = np.geomspace(1e20, 1e30, 21)
    errors = []
    for power in (2 + expected, 2 - expected):
        value = mode_sum(setting.alpha, setting.hard, 2 * (time + setting.gamma * time**power))
        errors.append(abs(fit_power_law(time, value).exponent - expected))
    return Errors(*errors)


def correction_fit(setting: Setting, beta: float, term: str) -> PowerLawFit:
    """Fit the exponent of a lazy leading correction, from its closed form."""
    quadrature = PowerLaw(setting.alpha, beta).quadrature(4 * setting.window[1])
    time = np.geomspace(setting.window[0], setting.window[1], 21)
    correction = {"width": transient_coefficient, "batch": noise_coefficient}[term]
    return fit_power_law(time, correction(quadrature, time))


def transient_exponent(setting: Setting) -> Errors:
    """Eqs. 8, 9, 80: error of the exponent of the finite-N transient of a hard task, lazy."""
    measured = correction_fit(setting, setting.hard, "width").exponent
    return Errors(abs(1 - 1 / setting.alpha - measured), abs(setting.hard - 1 / setting.alpha - measured))


@cache
def power_sums(setting: Setting) -> pd.DataFrame:
    """Largest factor between the lazy loss at infinite batch and eq. 8 with its best constants, by source."""
    widths, end = (16.0, 256.0, 4096.0, math.inf), 1e6  # the widest ends well before
    grid, first = TimeGrid.log_spaced(1.0, end), 10**setting.alpha  # ten modes learned
    rows = []
    for beta in (setting.hard, setting.easy, setting.super_easy):
        quadrature = PowerLaw(setting.alpha, beta).quadrature(4 * end)
        curves = []
        for width in widths:
            found = solve(quadrature, 0.0, grid, width=width, estimate_error=False)
            late = found.time >= first
            curves.append((found.time[late], np.full(np.sum(late), width), found.loss[late]))
        time, size, loss = (np.concatenate(parts) for parts in zip(*curves, strict=True))
        laws = (loss_terms(setting.alpha, beta, False, version)[:3] for version in VERSIONS)
        factors = (_best_factor(np.stack([term(time, size) / loss for term in law], axis=1)) for law in laws)
        rows.append((beta, *factors))
    return pd.DataFrame(rows, columns=["beta", "printed", "corrected"])


def _best_factor(ratios: Array) -> float:
    """Return the least f for which some ``ratios @ c`` with c >= 0 lies between 1/f and f, by linear programming."""
    ratios = ratios / np.max(ratios, axis=0)
    count, terms = ratios.shape
    # 1 <= ratios @ c <= top, the least top is f^2.
    above, below = np.hstack([-ratios, np.zeros((count, 1))]), np.hstack([ratios, -np.ones((count, 1))])
    bounds = np.concatenate([-np.ones(count), np.zeros(count)])
    found = linprog([0.0] * terms + [1.0], np.vstack([above, below]), bounds)
    return float(np.sqrt(np.asarray(found.x, dtype=np.float64)[-1]))


def noise_exponent(setting: Setting) -> Errors:
    """Eqs. 82, 83: error of the exponent of the SGD term of a super-easy task, lazy."""
    measured = correction_fit(setting, setting.super_easy, "batch").exponent
    forms = (1 - 1 / setting.alpha, 2 - 1 / setting.alpha)
    return Errors(*(abs(form * float(time_multiplier(setting.super_easy, False)) - measured) for form in forms))


def local_noise(setting: Setting) -> Errors:
    """Eqs. 8, 9: error of the exponent of the SGD term of a hard task, lazy."""
    measured = correction_fit(setting, setting.hard, "batch").exponent
    return Errors(abs(2 - 1 / setting.alpha - measured), abs(setting.hard - measured))


ERRATA = (
    Erratum(
        "response-speed",
        "eq. 79, line 1",
        "constant",
        r"$-\frac1N \sum_k \lambda_k e^{-\lambda_k (\tau(t) - \tau(s))}$, $\tau = t^{\chi/\beta}$",
        r"$-\frac1N \sqrt{\tau'(t)\, \tau'(s)} \sum_k \lambda_k e^{-\lambda_k (\tau(t) - \tau(s))}$",
        r"In the limit of gradient flow the kernel through which a push at time $s$ acts at time $t$ is "
        r"$X(t, s) = \sqrt{K(t)\, K(s)}$, and $K = \tau'$.",
        r"largest error of the logarithm, rich, $t/8 \leq s \leq t/2$",
        0.01,
        response_speed,
        title="The response at finite width",
        consequence=r"a factor $\sqrt{\tau'(t)\,\tau'(s)}$",
        pages=("transient-page",),
    ),
    Erratum(
        "response-sign",
        "eq. 79, line 2",
        "misprint",
        r"$\delta(t-s) + \frac1N (\dots)^{-1+1/\alpha}$",
        r"$\delta(t-s) - \frac1N \sqrt{\tau'(t)\, \tau'(s)}\, (\dots)^{-1+1/\alpha}$",
        r"The sum in line 1 is positive.",
        r"share of pairs $s<t$ at which the sign of $R_3$ is wrong",
        0.0,
        response_sign,
        title="Sign of the correction to $R_3$",
        pages=("transient-page",),
    ),
    Erratum(
        "effective-time",
        "eq. 81",
        "misprint",
        r"$t + \gamma t^{2+\chi}$",
        r"$t + \gamma t^{2-\chi}$",
        r"Eqs. 10 and 69 have $2 - \chi$; only so does the first term fall as $t^{-\chi}$.",
        "error of the exponent of the first term",
        0.01,
        effective_time_power,
        title="Power of $t$ in the effective time",
        pages=("losslaw-page",),
    ),
    Erratum(
        "noise-sign",
        "eq. 82, line 1, sign",
        "misprint",
        r"$(t + \gamma t^{2-\chi}) - (s - \gamma s^{2-\chi})$",
        r"$(t + \gamma t^{2-\chi}) - (s + \gamma s^{2-\chi})$",
        r"The exponent is $\tau(t) - \tau(s)$ and vanishes at $s = t$.",
        r"largest error of the logarithm, rich, $t/8 \leq s \leq t/2$",
        0.01,
        noise_sign,
        title="Sign of the effective time at $s$",
        pages=("sgdnoise-page",),
    ),
    Erratum(
        "noise-square",
        "eq. 82, line 1, square",
        "misprint",
        r"$\sum_k \lambda_k \exp(\dots)$",
        r"$\sum_k \lambda_k^2 \exp(\dots)$",
        r"One $\lambda_k$ from the variance of $u^2_k$ (eq. 21), one from the loss.",
        r"largest error of the logarithm, rich, $t/8 \leq s \leq t/2$",
        0.01,
        noise_square,
        title=r"$\lambda_k^2$ in the kernel of SGD noise",
        pages=("sgdnoise-page",),
    ),
    Erratum(
        "noise-speed",
        "eq. 82, line 1, kernel",
        "constant",
        r"$\sum_k \lambda_k \exp(\dots)$",
        r"$K(t)\, K(s) \sum_k \lambda_k^2 \exp(\dots)$, $K = \tau'$",
        r"As in eq. 79 a push is multiplied by $\sqrt{K(t)\, K(s)}$; a variance by its square.",
        r"largest error of the logarithm, rich, $t/8 \leq s \leq t/2$",
        0.01,
        noise_speed,
        title="The kernel of SGD noise",
        consequence=r"a factor $K(t)\,K(s)$",
        pages=("sgdnoise-page",),
    ),
    Erratum(
        "noise-power",
        "eq. 82, line 2",
        "misprint",
        r"$\big( \tau(t)^{1/\alpha} - \tau(s)^{1/\alpha} \big)^{-(\alpha-1)}$",
        r"$\big( \tau(t) - \tau(s) \big)^{-(2 - 1/\alpha)}$",
        r"$\sum_k \lambda_k^2 e^{-2\lambda_k x} \sim x^{-(2-1/\alpha)}$ with $x = \tau(t) - \tau(s)$. The root of a "
        r"difference is not the difference of roots, and the exponent is that of line 1 without the square.",
        r"error of the logarithm of $\mathcal K(t, t/2) / \mathcal K(t, 0)$, lazy",
        0.02,
        noise_power,
        title="Power of that kernel",
        pages=("sgdnoise-page",),
    ),
    Erratum(
        "noise-exponent",
        "eq. 83",
        "misprint",
        r"$\frac{\eta}{B}\, t^{-(1-1/\alpha) m}$",
        r"$\frac{\eta}{B}\, t^{-(2-1/\alpha) m}$",
        r"Eqs. 8, 9 and Figure 3 have $2 - 1/\alpha$; what is printed is that of the finite-$N$ transient.",
        r"error of the exponent, $\beta = %(super_easy)g$, lazy",
        0.01,
        noise_exponent,
        title="Exponent of SGD noise",
        pages=("sgdnoise-page",),
    ),
    Erratum(
        "transient-exponent",
        "eqs. 8, 9, 80, finite $N$",
        "law",
        r"$\frac1N\, t^{-(1 - 1/\alpha) m}$ for all $\beta$",
        r"$\frac1N\, t^{-(\min\{1,\beta\} - 1/\alpha) m}$",
        r"What was learned returns through the random overlaps of the features: $\delta L$ is $\frac1N C_w(t)$ times "
        r"$\sum_k \lambda_k e^{-2\lambda_k t} \sim t^{-1+1/\alpha}$. For $\beta > 1$ the norm $C_w$ saturates, for "
        r"$\beta < 1$ it grows like $t^{1-\beta}$. The product, $t^{1/\alpha - \beta}$, grows if $\alpha\beta < 1$. This is the "
        r"coefficient of $1/N$. As a sum of powers with free constants eq. 8 holds for $\beta < 1$, where the first two terms "
        r"dominate, and fails for $\beta > 1$ by its floor (table below).",
        r"error of the exponent, $\beta = %(hard)g$, lazy",
        0.01,
        transient_exponent,
        title="The transient of finite width for hard tasks",
        consequence=r"$\frac1N t^{-(\beta - 1/\alpha) m}$: it falls more slowly than printed, and grows if $\alpha\beta < 1$",
        pages=("transient-page", "losslaw-page"),
    ),
    Erratum(
        "local-noise",
        "eqs. 8, 9, 83, SGD",
        "law",
        r"$\frac{\eta}{B}\, t^{-(2-1/\alpha) m}$ for all $\beta$",
        r"$c\, \frac{\eta}{B}\, K(t)\, L(t)\, \frac12 \sum_k \lambda_k$ for $\beta < 2 - 1/\alpha$, $c = 1$ lazy, "
        r"$1 < c < 2$ rich",
        r"$\delta L = \frac{\eta}{B} \int \mathcal K(t,s)\, L(s)\, ds$ is dominated by $s \approx t$ once $L$ falls more "
        r"slowly than $\mathcal K$. Lazy, this multiplies the loss by a constant, which a sum of powers does not feel. Rich and "
        r"hard, the factor grows like $t^{1-\chi}$; it stays below 2 where the first order in $\eta/B$ applies.",
        r"error of the exponent, $\beta = %(hard)g$, lazy",
        0.01,
        local_noise,
        title="SGD noise on hard and easy tasks",
        consequence="a factor on the loss in place of a power; for rich hard tasks it grows",
        pages=("sgdnoise-page", "losslaw-page"),
    ),
)
