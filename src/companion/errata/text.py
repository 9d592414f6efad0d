"""Errata of the text, the captions and the references between them."""

from __future__ import annotations

import math

import numpy as np

from companion.errata.erratum import Erratum, Errors, Setting
from neural_scaling.fits import fit_power_law
from neural_scaling.theory import SelfConsistentCurve, frontier, loss_terms, self_consistent_curve

_LOG_COMPUTE = 1e4  # natural logarithm of the compute at which only the balancing terms are left


def _late_curve(setting: Setting, beta: float) -> SelfConsistentCurve:
    last = setting.late[1]
    time = np.geomspace(1e-2, last, 8 * round(math.log10(last) + 2) + 1)
    return self_consistent_curve(setting.alpha, beta, setting.gamma, time)


def easy_label(setting: Setting) -> Errors:
    """Fig. 1: error of the compute exponent that follows from the two terms of the label of the easy phase."""
    alpha, beta = 2.0, 1.25
    exact = float(frontier(loss_terms(alpha, beta, True, "paper"), _LOG_COMPUTE, B=1.0).r)
    # N^-1 t^-(1-1/alpha) = N^-(alpha beta), N t = C
    slope = (1 - 1 / alpha) / (alpha * beta - 1)
    printed = alpha * beta * slope / (1 + slope)
    # t^-beta = N^-1 t^-(1-1/alpha), N t = C
    corrected = beta / (beta + 1 / alpha)
    return Errors(abs(printed - exact), abs(corrected - exact))


def level_limit(setting: Setting) -> Errors:
    """Fig. 10: error of the exponent of the loss in the limit of infinitely many levels."""
    beta = setting.hard
    curve = _late_curve(setting, beta)
    measured = fit_power_law(curve.time, curve.loss, setting.late).exponent
    return Errors(abs(2 / (1 + beta) - measured), abs(2 * beta / (1 + beta) - measured))


def first_level(setting: Setting) -> Errors:
    """Fig. 8: error of the exponent predicted for feature learning."""
    beta = setting.hard
    curve = _late_curve(setting, beta)
    measured = fit_power_law(curve.time, curve.loss, setting.late).exponent
    return Errors(abs(beta * (2 - beta) - measured), abs(2 * beta / (1 + beta) - measured))


def spike_growth(setting: Setting) -> Errors:
    """Fig. 12: error of the exponent of the growth of the kernel at the source of the figure."""
    beta = 0.2
    curve = _late_curve(setting, beta)
    measured = -fit_power_law(curve.time, curve.kernel, setting.late).exponent
    return Errors(abs(1 - 2 * beta * (1 + beta) - measured), abs(1 - 2 * beta / (1 + beta) - measured))


ERRATA = (
    Erratum(
        "names-of-exponents",
        "p. 2, item 1",
        "note",
        reason=r"$(\alpha, \beta)$ are called source and capacity; section 4 has it the other way round.",
    ),
    Erratum(
        "easy-label",
        "Fig. 1 (b, c), easy",
        "misprint",
        r"$\frac1N t^{-1+1/\alpha} \to N^{-\alpha\beta}$",
        r"$t^{-\beta} \to \frac1N t^{-1+1/\alpha}$",
        r"Section 4 and Table 1 balance gradient flow and the finite-$N$ transient. The figure itself was not seen, only the "
        r"text in the PDF. If the label means what follows at fixed $N$ as $t \to \infty$, it ends at $N^{-\alpha}$.",
        r"error of the compute exponent, $\alpha = 2$, $\beta = 1.25$",
        0.01,
        easy_label,
        title="Label of the easy phase",
        pages=("fig-1-page",),
    ),
    Erratum(
        "fixed-compute",
        "p. 7, below Table 1",
        "note",
        reason=r"For the optimal choice of $N$ and $t$ at fixed $t$ read fixed $C$.",
    ),
    Erratum(
        "frontier-reference",
        "p. 7",
        "note",
        reason=r"The law $C^{-1+1/(2\alpha)}$ is seen in Figure 4 (c), not in Figure 3.",
    ),
    Erratum("panel-letters", "Fig. 6, caption", "note", reason=r"MNIST-1M is panel (a) and CIFAR-5M panel (b)."),
    Erratum(
        "first-level",
        "Fig. 8, legend and caption",
        "misprint",
        r"new exponent $\beta(2-\beta)$",
        r"$2\beta/(1+\beta)$",
        r"$\beta(2-\beta)$ is level 1 of eq. 62, which the paper itself says overestimates. At the small $\beta$ of "
        r"language, near 0.03, the two differ by under 2 %, so the figure looks the same.",
        r"error of the exponent, $\beta = %(hard)g$",
        0.01,
        first_level,
        title="Rich exponent of the transformer",
    ),
    Erratum(
        "level-limit",
        "Fig. 10, caption",
        "misprint",
        r"$\frac{2}{1+\beta}$",
        r"$\frac{2\beta}{1+\beta}$",
        r"The caption gives the factor on $\beta$, not the exponent (eqs. 62, 68).",
        r"error of the exponent, $\beta = %(hard)g$",
        0.01,
        level_limit,
        title="Limit of the levels",
        pages=("fig-10-page",),
    ),
    Erratum(
        "finite-norm",
        "Fig. 12 (a), caption",
        "note",
        reason=r"For $w^*$ is finite read $|w^*|$: the norm of eq. 7 is what $\beta > 1$ makes finite.",
        pages=("kernel-page",),
    ),
    Erratum(
        "spike-growth",
        "Fig. 12 (b), caption",
        "misprint",
        r"$t^{1-2\beta(1+\beta)}$",
        r"$t^{1-2\beta/(1+\beta)}$",
        r"$|w|^2 \sim t^{1-\chi}$; the legend of the figure has the bar.",
        r"error of the exponent, $\beta = 0.2$",
        0.01,
        spike_growth,
        title="Growth of the norm",
        pages=("kernel-page",),
    ),
)
