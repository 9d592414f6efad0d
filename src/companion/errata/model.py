"""Errata of the definitions, eqs. 2-17."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import zeta

from companion.errata.erratum import Erratum, Errors, Setting
from neural_scaling.fits import fit_power_law
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import chi, self_consistent_curve

_INPUTS = 20_000  # inputs in the empirical test loss: its standard error is about one per cent


def loss_normalisation(setting: Setting) -> Errors:
    """Eq. 5: relative error of the loss of a random student against an average over inputs (eq. 3)."""
    random = np.random.default_rng(0)
    spectrum = PowerLaw(setting.alpha, setting.easy, setting.modes).spectrum()
    a = random.standard_normal((setting.width, setting.modes))
    w = random.standard_normal(setting.width)
    psi = random.standard_normal((_INPUTS, setting.modes)) * np.sqrt(spectrum.eigenvalues)
    measured = np.mean((psi @ spectrum.target - psi @ (a.T @ w) / setting.width) ** 2)
    forms = [np.sum(spectrum.eigenvalues * (spectrum.target - c * (a.T @ w)) ** 2) for c in (1.0, 1 / setting.width)]
    return Errors(*(float(abs(form / measured - 1)) for form in forms))


def source_condition(setting: Setting) -> Errors:
    """Eq. 6: exponent of the tail of the target's variance, as a power of the eigenvalue."""
    k = np.geomspace(1e3, 1e5, 9)
    tail = zeta(1 + setting.alpha * setting.hard, k + 1)  # sum of l^(-alpha beta - 1) over l > k
    inverse = k**setting.alpha
    power = fit_power_law(inverse, tail, (inverse[0], inverse[-1])).exponent
    return Errors(abs(-setting.hard - power), abs(setting.hard - power))


def easy_exponent(setting: Setting) -> Errors:
    """Eq. 11: exponent of the loss for an easy task, fitted to the self-consistent curve (eq. 67)."""
    beta = 1.2
    time = np.geomspace(1e-2, setting.late[1], 8 * round(math.log10(setting.late[1]) + 2) + 1)
    curve = self_consistent_curve(setting.alpha, beta, setting.gamma, time)
    measured = fit_power_law(time, curve.loss, setting.late).exponent
    power = 2 - float(chi(beta))
    return Errors(abs(beta * power - measured), abs(beta * max(1.0, power) - measured))


def matrix_step(setting: Setting) -> Errors:
    """Eq. 17: relative difference between the losses of eq. 17 and of eq. 4 after the last step, gamma not 1."""
    gamma = 2 * setting.gamma
    random = np.random.default_rng(0)
    spectrum = PowerLaw(setting.alpha, setting.easy, setting.modes).spectrum()
    lam, n = spectrum.eigenvalues, setting.width
    a0 = random.standard_normal((n, setting.modes))

    def train(richness: float, matrix: bool) -> float:
        w, a, b = np.zeros(n), a0.copy(), np.eye(n)
        for _ in range(setting.steps):
            features = b @ a0 if matrix else a
            v2 = lam * (spectrum.target - features.T @ w / n)
            v4 = a0.T @ (a0 @ v2) / n
            if matrix:
                b = b + setting.eta * richness * np.outer(w, a0 @ v2) / n
            else:
                a = a + setting.eta * richness * np.outer(w, v4)
            w = w + setting.eta * features @ v2
        features = b @ a0 if matrix else a
        return float(np.sum(lam * (spectrum.target - features.T @ w / n) ** 2))

    reference = train(gamma, matrix=False)
    return Errors(*(abs(train(richness, matrix=True) / reference - 1) for richness in (1.0, gamma)))


ERRATA = (
    Erratum(
        "student-normalisation",
        "eq. 5",
        "misprint",
        r"$\psi \cdot w^* - \tilde\psi \cdot w$",
        r"$\psi \cdot w^* - \frac1N \tilde\psi \cdot w$",
        r"Eq. 3 defines $f = \frac1N w \cdot \tilde\psi$, and only so is the right-hand side of eq. 5 "
        r"$v^{0\top} \Lambda v^0$ with $v^0 = w^* - \frac1N A^\top w$.",
        "relative error of the loss of a random student",
        0.05,
        loss_normalisation,
        title="$1/N$ of the student",
    ),
    Erratum(
        "source-condition",
        "eq. 6",
        "misprint",
        r"$\sum_{l>k} \lambda_l (w^*_l)^2 \sim \lambda_k^{-\beta}$",
        r"$\sum_{l>k} \lambda_l (w^*_l)^2 \sim \lambda_k^{\beta}$",
        r"$\lambda_k^{\beta} = k^{-\alpha\beta}$, which is what the same line says; $\lambda_k^{-\beta}$ grows with $k$.",
        r"error of the exponent of $\lambda_k$",
        0.01,
        source_condition,
        title=r"Sign of the exponent $\beta$",
    ),
    Erratum(
        "easy-exponent",
        "eq. 11",
        "misprint",
        r"$t^{-\beta(2-\chi)}$ and $k_\star \sim t^{(2-\chi)/\alpha}$",
        r"$t^{-\beta \max(1,\, 2-\chi)}$ and $k_\star \sim t^{\max(1,\, 2-\chi)/\alpha}$",
        r"The forms hold for $\beta \le 1$. Beyond, $\chi = \beta > 1$ and $2 - \chi < 1$: in eq. 10 $t$ wins over "
        r"$t^{2-\chi}$. Eq. 68 has the maximum.",
        r"error of the exponent of the loss at $\beta = 1.2$",
        0.01,
        easy_exponent,
        title="The maximum for easy tasks",
        pages=("kernel-page",),
    ),
    Erratum(
        "richness-in-b",
        "eq. 17",
        "misprint",
        r"$B(t+1) - B(t) = \eta\, w\, v^{0\top} \dots$",
        r"$B(t+1) - B(t) = \eta\gamma\, w\, v^{0\top} \dots$",
        r"Times $A(0)$ from the right this must be eq. 4; the text below names the factor.",
        r"relative difference to eq. 4 in the last loss",
        1e-9,
        matrix_step,
        title=r"$\gamma$ in the step of $B$",
        pages=("kernel-page",),
    ),
)
