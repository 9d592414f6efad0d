"""Errata of the order-parameter equations, eqs. 18-31 and 41.

The corrected equations are solved; then one equation is put back as printed, the solution substituted once, and what
comes out compared with simulated runs. So a failure is that of one equation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.stats import wishart

from companion.errata.dense import Forms, OrderParameters, Problem, solve_dense, substitute
from companion.errata.erratum import Erratum, Errors, Setting
from companion.errata.simulation import SimulatedMean, simulate_descent
from neural_scaling.base.arrays import Array
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import lazy_loss, lazy_sgd_loss, transient_coefficient


def _online(setting: Setting) -> Problem:
    spectrum = PowerLaw(setting.alpha, setting.hard, setting.modes).spectrum()
    return Problem(spectrum, setting.eta, 2 * setting.gamma, setting.steps, setting.width)


def _reused(setting: Setting) -> Problem:
    spectrum = PowerLaw(setting.alpha, setting.hard, setting.modes).spectrum()
    # Long enough for the training loss to leave the test loss: the memory in R1 shows.
    steps, eta = round(1.6 * setting.steps), 5 * setting.eta
    return Problem(spectrum, eta, setting.gamma / 2, steps, setting.width, setting.samples)


@cache
def _simulated(setting: Setting, reuse: bool) -> SimulatedMean:
    return simulate_descent(_reused(setting) if reuse else _online(setting), setting.seeds)


def _substituted(setting: Setting, forms: Forms, pick: Callable[[OrderParameters], Array], target: Array) -> Errors:
    problem = _online(setting)
    known = solve_dense(problem)
    values = [pick(substitute(problem, known, variant)) for variant in (forms, Forms())]
    return Errors(*(_distance(value, target) for value in values))


def _distance(value: Array, reference: Array) -> float:
    return float(np.linalg.norm(value - reference) / np.linalg.norm(reference))


def weight_memory(setting: Setting) -> Errors:
    """Eq. 20: relative error of ``v^w`` in one run of eq. 4, where the equation is an identity."""
    random = np.random.default_rng(0)
    problem = _online(setting)
    lam, n = problem.spectrum.eigenvalues, setting.width
    a0 = random.standard_normal((n, lam.size))
    a, w = a0.copy(), np.zeros(n)
    vw, v3, v4 = [], [], []
    for _ in range(setting.steps + 1):
        v2 = lam * (problem.spectrum.target - a.T @ w / n)
        vw.append(a0.T @ w / n)
        v3.append(a0 @ v2)
        v4.append(a0.T @ v3[-1] / n)
        a, w = a + problem.eta * problem.gamma * np.outer(w, v4[-1]), w + problem.eta * a @ v2
    t = setting.steps - 1
    rate = problem.eta**2 * problem.gamma
    c3 = [v3[t] @ v3[s] / n for s in range(t)]
    start = vw[t] + problem.eta * v4[t]
    printed = start + rate * sum(c3) * vw[t]
    corrected = start + rate * sum((c * past for c, past in zip(c3, vw[:t], strict=True)), start=np.zeros_like(start))
    return Errors(_distance(printed, vw[t + 1]), _distance(corrected, vw[t + 1]))


def equal_times(setting: Setting) -> Errors:
    """Eqs. 23, 26, 41: relative error of the loss when the sum over R3 leaves out s = t."""
    forms = Forms(response_at_equal_times=False)
    return _substituted(setting, forms, lambda p: np.diag(p.c0), _simulated(setting, False).loss)


def strictly_lower(setting: Setting) -> Errors:
    """Eqs. 27-31: relative error of C_w when C3 stands in full in the response."""
    return _substituted(setting, Forms(causal=False), lambda p: p.c_w, _simulated(setting, False).c_w)


def integrated_memory(setting: Setting) -> Errors:
    """Eq. 30: relative error of C_w without Theta in the inverse."""
    return _substituted(setting, Forms(integrated_memory=False), lambda p: p.c_w, _simulated(setting, False).c_w)


def squared_eigenvalue(setting: Setting) -> Errors:
    """Eq. 31: relative error of C3 without the square of the eigenvalue in C2."""
    return _substituted(setting, Forms(squared_eigenvalue=False), lambda p: p.c3, _simulated(setting, False).c3)


def past_error(setting: Setting) -> Errors:
    """Eq. 41: relative error of C_w under sample reuse with v0(t) in place of v0(s)."""
    problem, target = _reused(setting), _simulated(setting, True).c_w
    return Errors(
        *(_distance(solve_dense(problem, forms).c_w, target) for forms in (Forms(error_in_the_past=False), Forms()))
    )


@cache
def fourth_moment_losses(setting: Setting, steps: int = 6, runs: int = 20_000) -> tuple[float, float, float, float]:
    """Loss of SGD at small batch, gamma = 0 and infinite width: the paper's theory, the exact one, simulation."""
    modes, eta, batch = 60, 2 * setting.eta, setting.batch
    spectrum = PowerLaw(setting.alpha, setting.easy, modes).spectrum()
    lam = spectrum.eigenvalues
    printed, corrected = (
        float(lazy_sgd_loss(spectrum, eta, batch, steps, fourth_moment=which)[-1]) for which in (False, True)
    )
    random = np.random.default_rng(0)
    error = np.tile(spectrum.target, (runs, 1))
    for _ in range(steps):
        psi = random.standard_normal((runs, batch, modes)) * np.sqrt(lam)
        error -= eta / batch * np.einsum("rbm,rb->rm", psi, np.einsum("rbm,rm->rb", psi, error))
    losses = error**2 @ lam
    return printed, corrected, float(losses.mean()), float(losses.std(ddof=1) / math.sqrt(runs))


def fourth_moment(setting: Setting) -> Errors:
    """Eqs. 21, 26, 31: relative error of the loss of SGD at small batch."""
    printed, corrected, measured, _ = fourth_moment_losses(setting)
    return Errors(abs(printed / measured - 1), abs(corrected / measured - 1))


@cache
def width_coefficients(setting: Setting, runs: int = 20_000) -> tuple[float, float, float, float]:
    """Coefficient of 1/N at gamma = 0 and eta*steps = 1: the paper's theory, the exact one, simulation."""
    modes, width, time = 16, 2000, 1.0
    spectrum = PowerLaw(setting.alpha, setting.easy, modes).spectrum()
    printed, corrected = (
        float(transient_coefficient(spectrum, [time], fourth_moment=which)[0]) for which in (False, True)
    )
    root, eye = np.sqrt(spectrum.eigenvalues), np.eye(modes)
    deviation = wishart.rvs(width, eye, size=runs, random_state=0) / width - eye
    # Deviations of both signs: what is odd in them cancels, and the next order is N^-2.
    losses = np.zeros(runs)
    for sign in (1, -1):
        rates, vectors = np.linalg.eigh(root[:, None] * (eye + sign * deviation) * root)
        losses += np.sum(np.exp(-2 * time * rates) * ((root * spectrum.target) @ vectors) ** 2, axis=1) / 2
    excess = width * (losses - float(lazy_loss(spectrum, [time])[0]))
    return printed, corrected, float(excess.mean()), float(excess.std(ddof=1) / math.sqrt(runs))


def fourth_moment_width(setting: Setting) -> Errors:
    """Eqs. 23, 26: relative error of the coefficient of 1/N."""
    printed, corrected, measured, _ = width_coefficients(setting)
    return Errors(abs(printed / measured - 1), abs(corrected / measured - 1))


ERRATA = (
    Erratum(
        "fields-listed",
        "p. 17",
        "note",
        reason=r"The list $\mathcal V = \{v^0, v^1, v^2, v^3\}$ lacks $v^4$, which drives eqs. 19 and 20; section 3 has it.",
    ),
    Erratum(
        "initial-values",
        "eqs. 26-31",
        "note",
        reason=r"They presuppose $w(0) = 0$, which is stated nowhere, and entries of $A(0)$ of unit variance, which only "
        r"the remark that $N \to \infty$ recovers $K_\infty$ implies.",
    ),
    Erratum(
        "weight-memory",
        "eq. 20",
        "misprint",
        r"$\eta^2\gamma \sum_{s<t} v^w(t)\, C_3(t,s)$",
        r"$\eta^2\gamma \sum_{s<t} v^w(s)\, C_3(t,s)$",
        r"Eq. 19 has $w(s)$ in the sum; eqs. 26 have $v^w_k(s)$.",
        r"relative error of $v^w(t+1)$ in one run",
        1e-9,
        weight_memory,
        title="Time of $v^w$ in the sum",
    ),
    Erratum(
        "equal-times",
        "eqs. 23, 26, 41",
        "misprint",
        r"$v^4_k(t) = u^4_k(t) + \sum_{s<t} R_3(t,s)\, v^2_k(s)$",
        r"$v^4_k(t) = u^4_k(t) + \sum_{s \le t} R_3(t,s)\, v^2_k(s)$",
        r"$v^3(t)$ contains $u^3(t)$, so $R_3(t,t) = 1$. Without it $R_3 \to I$ (eq. 43) would leave "
        r"$v^4_k = 0$ and nothing would be learned.",
        "relative error of the loss",
        0.05,
        equal_times,
        title="Equal times in the sum over $R_3$",
    ),
    Erratum(
        "strictly-lower",
        "eqs. 27-31",
        "misprint",
        r"$H^w = [I - \eta\gamma\Theta C_3]^{-1}\Theta$, $H^w + \eta\gamma C_w$",
        r"$H^w = [I - \eta\gamma\Theta \mathcal L[C_3]]^{-1}\Theta$, $H^w + \eta\gamma \mathcal L[C_w]$, "
        r"$\mathcal L$ the strictly lower triangle",
        r"The sums in eqs. 26 run over $s < t$. Correlations are symmetric, so in full they would let the future act "
        r"on the past.",
        r"relative error of $C_w$ from $C_3$",
        0.02,
        strictly_lower,
        title="Strictly lower triangles",
    ),
    Erratum(
        "integrated-memory",
        "eq. 30",
        "misprint",
        r"$C_w = [I - \eta\gamma C_3]^{-1} \Theta C_3 \Theta^\top [\dots]^{-1\top}$",
        r"$C_w = [I - \eta\gamma \Theta C_3]^{-1} \Theta C_3 \Theta^\top [\dots]^{-1\top}$",
        r"$w = H^w v^3$ with $H^w$ of eq. 27. $C_3$ stands for its strictly lower triangle in both.",
        r"relative error of $C_w$ from $C_3$",
        0.02,
        integrated_memory,
        title=r"$\Theta$ in the inverse",
    ),
    Erratum(
        "squared-eigenvalue",
        "eq. 31, $C_2$",
        "misprint",
        r"$\sum_k H^0_k \big[ (w^*_k)^2 1 1^\top + \dots \big] H_k^{0\top}$",
        r"$\sum_k \lambda_k^2 H^0_k \big[ (w^*_k)^2 1 1^\top + \dots \big] H_k^{0\top}$",
        r"$v^2_k = u^2_k + \lambda_k v^0_k$ enters twice. For $\beta < 1$ the printed sum does not converge as "
        r"$M \to \infty$.",
        r"relative error of $C_3 = R_3 C_2 R_3^\top$",
        0.05,
        squared_eigenvalue,
        title=r"$\lambda_k^2$ in $C_2$",
    ),
    Erratum(
        "past-error",
        "eq. 41, $v^2$",
        "misprint",
        r"$\lambda_k \int ds\, R_1(t,s)\, v^0_k(t)$",
        r"$\lambda_k \int_0^t ds\, R_1(t,s)\, v^0_k(s)$",
        r"Eq. 37 has $v^0_k(s)$ and the limits of the integral.",
        r"relative error of $C_w$ on $P$ samples",
        0.02,
        past_error,
        title="Time of $v^0$ under the integral",
        pages=("reuse-page",),
    ),
    Erratum(
        "mixed-times",
        "eq. 41",
        "note",
        reason=r"Appendix D works with gradient flow, but three lines, those of $v^3$, $w$ and $v^4$, are sums over steps as in "
        r"eqs. 26; read integrals, as in eqs. 37-40.",
        pages=("reuse-page",),
    ),
    Erratum(
        "fourth-moment",
        "eqs. 21, 26, 31",
        "constant",
        r"$\langle u^2_k u^2_k \rangle = \frac{\lambda_k}{B}\, C_0$",
        r"$\langle u^2_k u^2_k \rangle = \frac{\lambda_k}{B} \big( C_0 + \lambda_k \langle (v^0_k)^2 \rangle \big)$ "
        r"at $\gamma = 0$",
        r"For Gaussian $\psi$ Wick's theorem gives $\langle \psi_k^2 (\psi \cdot v^0)^2 \rangle = \lambda_k C_0 + "
        r"2 \lambda_k^2 (v^0_k)^2$; one of the two is the mean squared, the other is dropped. This limits validity rather "
        r"than being a slip: in the proportional limit of footnote 2 no single mode matters and the equations are exact; with "
        r"a power law and a small batch a few modes carry the loss.",
        r"relative error of the loss after 6 steps, $B = %(batch)d$, $\gamma = 0$, $N = \infty$",
        0.01,
        fourth_moment,
        title="The fourth moment of a batch",
        consequence="losses at batches of a few samples are above the theory",
        pages=("batch-page",),
    ),
    Erratum(
        "fourth-moment-width",
        "eqs. 23, 26, 79",
        "constant",
        r"$\langle u^4_k u^4_k \rangle = \frac1N C_3$; $R_3$ acts alike on every mode",
        r"$+\frac1N \langle v^2_k \rangle^2$ in the variance, $-\frac1N \lambda_k e^{-\lambda_k (t-s)}$ in the response of mode "
        r"$k$, to first order in $1/N$ at $\gamma = 0$",
        r"The same for $A(0)$: $\langle (A^\top A/N - 1)_{kk}^2 \rangle = 2/N$, twice that of the other entries. It adds "
        r"$\frac2N t^2 \sum_k \lambda_k^3 (w^*_k)^2 e^{-2 \lambda_k t}$ to the loss, half by either term: smaller than the "
        r"transient by the number of modes learned.",
        r"relative error of the coefficient of $1/N$ at $\eta t = 1$, 16 modes, $\gamma = 0$",
        0.02,  # four standard errors of the simulated mean
        fourth_moment_width,
        title="The fourth moment of $A(0)$",
        consequence="a small part of the transient in $1/N$ is missing",
        pages=("transient-page",),
    ),
)
