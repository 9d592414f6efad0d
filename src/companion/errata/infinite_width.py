"""Errata of the limit of infinite width and batch, eqs. 43-69."""

from __future__ import annotations

import math

import numpy as np

from companion.errata.erratum import Erratum, Errors, Setting
from companion.errata.gradient_flow import Flow, solve_flow
from neural_scaling.base.arrays import Array
from neural_scaling.dmft import infinite_limit
from neural_scaling.spectra import PowerLaw, Spectrum

_WEAK = 1e-4  # richness at which the order gamma is read off


def convolution_loss(spectrum: Spectrum, eta: float, gamma: float, steps: int, power: int = 2) -> Array:
    """Loss from the convolutions of eq. 44 with eta to the given power in the line for ``v^w``; 2 is right."""
    lam, target = spectrum.eigenvalues, spectrum.target
    v0, vw = np.zeros((2, steps + 1, lam.size))
    for t in range(steps + 1):
        v0[t] = target - vw[t] - eta * gamma * lam * ((vw[:t] @ vw[t]) @ v0[:t])
        if t < steps:
            c2 = v0[:t] @ (lam**2 * v0[t])
            vw[t + 1] = vw[t] + eta * lam * v0[t] + eta**power * gamma * (c2 @ vw[:t])
    return np.asarray(v0**2 @ lam)


def memory_step(setting: Setting) -> Errors:
    """Eq. 44: largest relative error of the loss against the Markovian form of the same dynamics."""
    spectrum = PowerLaw(setting.alpha, setting.hard, setting.modes).spectrum()
    run = (setting.eta, setting.gamma, setting.steps)
    reference = infinite_limit(spectrum.quadrature(), *run, record=np.arange(setting.steps + 1.0)).loss
    losses = (convolution_loss(spectrum, *run, power) for power in (1, 2))
    return Errors(*(float(np.max(np.abs(loss / reference - 1))) for loss in losses))


def descent_sign(setting: Setting) -> Errors:
    """Eq. 45, first line, at gamma = 0: relative error of the loss at eta*steps = 2 against simulated descent."""
    time, eta = 2.0, 1e-3
    quadrature = PowerLaw(setting.alpha, setting.hard, setting.modes).spectrum().quadrature()
    steps = round(time / eta)
    reference = float(infinite_limit(quadrature, eta, 0.0, steps, record=np.array([float(steps)])).loss[0])
    weight = quadrature.target_weights * quadrature.nodes
    return Errors(
        *(abs(float(weight @ np.exp(2 * sign * quadrature.nodes * time)) / reference - 1) for sign in (1, -1))
    )


def weight_growth(setting: Setting) -> Errors:
    """Eq. 45, second line: relative error of dC_w/dt at eta*steps = 100 in the flow at small gamma."""
    time = 100.0
    flow = solve_flow(setting.alpha, setting.hard, _WEAK, (0.99 * time, time, 1.01 * time))
    measured = (flow.weight_norm[2] - flow.weight_norm[0]) / (0.02 * time)
    q = flow.quadrature
    weight = q.target_weights * q.nodes**2
    rate = q.nodes
    local = float(weight @ np.exp(-2 * rate * time))
    # int_0^t C2(t, s) ds with C2(t, s) = sum_k (lambda_k w_k)^2 exp(-lambda_k (t + s))
    integral = float(weight @ (np.exp(-rate * time) * -np.expm1(-rate * time) / rate))
    return Errors(abs(local / measured - 1), abs(2 * integral / measured - 1))


def _rich_flow(setting: Setting, beta: float) -> Flow:
    times = tuple(np.geomspace(setting.horizon / 100, setting.horizon, 9))
    return solve_flow(setting.alpha, beta, setting.gamma, times)


def loss_rate_ratio(setting: Setting) -> float:
    """Return ``-dL/dt`` over ``Delta^T K Delta`` (eq. 53), in the rich flow at a tenth of the horizon."""
    time, step = setting.horizon / 10, 1e-3
    flow = solve_flow(setting.alpha, setting.hard, setting.gamma, tuple(time * np.exp([-step, 0.0, step])))
    q = flow.quadrature
    losses = flow.error**2 @ (q.target_weights * q.nodes)
    slope = (losses[2] - losses[0]) / (flow.time[2] - flow.time[0])
    return float(-slope / sum(_rate_terms(flow, 1, setting.gamma)))


def loss_rate(setting: Setting) -> Errors:
    """Eqs. 53, 54: error of the factor in dL/dt."""
    measured = loss_rate_ratio(setting)
    return Errors(abs(1 - measured), abs(2 - measured))


def _rate_terms(flow: Flow, index: int, gamma: float) -> tuple[float, float, float]:
    """Return the lazy, the middle and the last term of ``Delta^T K Delta`` (eq. 53, nothing dropped)."""
    q = flow.quadrature
    pull = q.nodes * flow.error[index]
    weighted = q.target_weights * pull
    lazy = float(weighted @ pull)
    return lazy, float(weighted @ flow.spike[index] @ weighted), gamma * float(flow.weight_norm[index]) * lazy


def spike_dropped(setting: Setting) -> Errors:
    """Eq. 54: relative error of dL/dt at the end of the flow without and with the middle term."""
    flow = _rich_flow(setting, setting.hard)
    q = flow.quadrature
    lazy, middle, last = _rate_terms(flow, -1, setting.gamma)
    pull = q.nodes * flow.error[-1]
    fall = pull + flow.spike[-1] @ (q.target_weights * pull) + setting.gamma * flow.weight_norm[-1] * pull
    exact = float((q.target_weights * pull) @ fall)  # dL/dt from the equation of motion itself
    return Errors(abs((lazy + last) / exact - 1), abs((lazy + middle + last) / exact - 1))


def spike_limit(setting: Setting) -> Errors:
    """Eq. 55, spike: error of its late entry (1, 1) in units of ``gamma y_1^2``, easy task at small gamma."""
    measured = float(solve_flow(setting.alpha, setting.easy, _WEAK, (setting.horizon,)).spike[0, 0, 0]) / _WEAK
    return Errors(abs(2 - measured), abs(1 - measured))


def scale_growth(setting: Setting) -> Errors:
    """Eqs. 55, 56, scale: relative error of ``gamma C_w`` late in the flow of an easy task at small gamma."""
    flow = solve_flow(setting.alpha, setting.easy, _WEAK, (setting.horizon,))
    q = flow.quadrature
    learned = -np.expm1(-q.nodes * setting.horizon)
    measured = float(flow.weight_norm[0])
    return Errors(
        abs(2 * float(q.target_weights @ learned) / measured - 1),
        abs(float(q.target_weights @ learned**2) / measured - 1),
    )


def scale_rates(setting: Setting) -> tuple[float, float, float, float]:
    """Rate of the scale of the kernel late in the rich flow, as measured and by three formulas."""
    time, step = setting.horizon, 1e-3
    flow = solve_flow(setting.alpha, setting.hard, setting.gamma, tuple(time * np.exp([-2 * step, -step, 0.0])))
    measured = setting.gamma * (flow.weight_norm[2] - flow.weight_norm[0]) / (flow.time[2] - flow.time[0])
    q, error = flow.quadrature, flow.error[1]
    plain = setting.gamma * float(q.target_weights @ (q.nodes * error))
    exact = 2 * setting.gamma * float(q.target_weights @ ((1 - error) * q.nodes * error))
    return float(measured), plain, exact, 2 * plain


def scale_rate(setting: Setting) -> Errors:
    """Eqs. 63, 64: largest error of the logarithm of the rate of the kernel's scale, for k = 1 and 10."""
    measured, printed, corrected, _ = scale_rates(setting)
    forms = (printed, 10.0**-setting.alpha * printed)
    return Errors(max(abs(math.log(form / measured)) for form in forms), abs(math.log(corrected / measured)))


ERRATA = (
    Erratum(
        "memory-step",
        "eq. 44",
        "misprint",
        r"$\eta\gamma \sum_{s<t} C_2(t,s)\, v^w_k(s)$, same for $w$",
        r"$\eta^2\gamma \sum_{s<t} C_2(t,s)\, v^w_k(s)$, same for $w$",
        r"Eqs. 20 and 25 have $\eta^2\gamma$: one $\eta$ from the step of $A$, one from that of $w$.",
        "largest relative error of the loss in unit steps",
        1e-9,
        memory_step,
        title=r"$\eta^2$ in unit steps",
    ),
    Erratum(
        "descent-sign",
        "eq. 45, line 1",
        "misprint",
        r"$\frac{d}{dt} v^0_k \approx \lambda_k v^0_k - \gamma \lambda_k C_w v^0_k$",
        r"$\frac{d}{dt} v^0_k \approx -\lambda_k v^0_k - \gamma \lambda_k C_w v^0_k$",
        r"As printed the error grows; eq. 46 has the right sign.",
        r"relative error of the loss at $\eta t = 2$, $\gamma = 0$",
        0.01,
        descent_sign,
        title="Sign of the rate of $v^0$",
    ),
    Erratum(
        "weight-growth",
        "eqs. 45, 47",
        "misprint",
        r"$C_2(t) \equiv C_2(t,t)$",
        r"$C_2(t) \equiv 2 \int_0^t C_2(t,s)\, ds$",
        r"$C_w(t,t) = \int_0^t \!\int_0^t C_2(s,s')\, ds\, ds'$ to leading order in $\gamma$. So defined, $\partial_t C_w = C_2$ "
        r"and $C_2 \sim t^{-\beta}$ hold as printed, and with them eqs. 48-50. The sum in eq. 47 is that of equal times, "
        r"which falls as $t^{-1-\beta}$.",
        r"relative error of $\partial_t C_w$ at $\eta t = 100$",
        0.02,  # the flow has a small gamma, not none
        weight_growth,
        title="Which $C_2$ drives $C_w$",
        pages=("kernel-page",),
    ),
    Erratum(
        "loss-rate",
        "eqs. 53, 54, factor",
        "constant",
        r"$\frac{dL}{dt} = -\Delta^\top K \Delta$",
        r"$\frac{dL}{dt} = -2 \Delta^\top K \Delta$",
        r"$L = |\Delta|^2$ and $\dot\Delta = -K\Delta$. Powers are unaffected.",
        r"error of the factor, rich flow",
        0.01,
        loss_rate,
        title="The rate of the loss",
        consequence="a factor 2",
        pages=("kernel-page",),
    ),
    Erratum(
        "spike-dropped",
        "eqs. 53, 54, spike",
        "constant",
        r"$2\gamma [y \cdot \Delta] \int \Delta^\top \Lambda \Delta(s)\, ds$ is subleading",
        r"It falls as fast as the last term, $t^{-1-\chi}$, for $\beta < 1$",
        r"With $\tau = t^{2-\chi}$ the modes that matter have $\lambda_k \tau \lesssim 1$ and do not decay over the "
        r"integral: $\int \sim t\, \tau^{-1-\beta} = t^{-1}$, times $y \cdot \Delta \sim t^{-\chi}$. A constant share of "
        r"$dL/dt$ is dropped; the exponent survives.",
        r"relative error of $dL/dt$ at the end of the flow",
        0.01,
        spike_dropped,
        title="The spike in the rate of the loss",
        consequence=r"a constant share of $dL/dt$ for $\beta < 1$; the exponent is right",
        pages=("kernel-page",),
    ),
    Erratum(
        "spike-limit",
        "eq. 55, spike",
        "constant",
        r"$\gamma\, y y^\top (1 - e^{-\Lambda t}) + \gamma\, (1 - e^{-\Lambda t})\, y y^\top$",
        r"$\gamma\, z z^\top$ with $z = (1 - e^{-\Lambda t})\, y$",
        r"$\Delta(s)$ may not be dropped beside $y$: $(1 - e^{-\lambda_k s})(1 - e^{-\lambda_l s})$ is what eq. 52 "
        r"integrates to. Only a constant is off: each printed term tends to $\gamma\, y y^\top$, their sum to twice that. The "
        r"text below names the right limit, $y y^\top$.",
        r"error of the late entry (1, 1) over $\gamma y_1^2$, $\beta = %(easy)g$, $\gamma \to 0$",
        0.02,
        spike_limit,
        title="The limit of the spike",
        consequence="half of what is printed",
        pages=("kernel-page",),
    ),
    Erratum(
        "scale-growth",
        "eqs. 55, 56, scale",
        "constant",
        r"$2\gamma\, y^\top \Lambda^{-1} (1 - e^{-\Lambda t})\, y$",
        r"$\gamma\, y^\top \Lambda^{-1} (1 - e^{-\Lambda t})^2\, y$",
        r"The same slip: $2 \int_0^t (1 - e^{-\lambda s})\, e^{-\lambda s} ds = (1 - e^{-\lambda t})^2 / \lambda$. "
        r"Only a constant is off: the limit is $\gamma |y|_H^2$, and the printed 2 doubles it.",
        r"relative error of $\gamma C_w$ late, $\beta = %(easy)g$, $\gamma \to 0$",
        0.02,
        scale_growth,
        title="The limit of the kernel's scale",
        consequence="half of what is printed",
        pages=("kernel-page",),
    ),
    Erratum(
        "scale-rate",
        "eqs. 63, 64",
        "misprint",
        r"$\frac{d}{dt} M \approx \gamma \lambda_k \sum_l w^*_l \lambda_l v^0_l$",
        r"$\frac{d}{dt} M \approx 2\gamma \sum_l (w^*_l - v^0_l)\, \lambda_l v^0_l$",
        r"$M$ multiplies every $\lambda_k$ in eq. 65 and has no index; eq. 64 has lost the $\lambda_k$. Eq. 51 has the "
        r"2 and $w^* - v^0$. The 2 alone would not do: for $\beta < 1$ the dropped $v^0$ takes most of it away. The power is "
        r"unaffected.",
        r"largest error of the logarithm of the rate, $k = 1$ and $10$",
        0.02,
        scale_rate,
        title=r"$\lambda_k$ and 2 in the rate of the scale",
        pages=("kernel-page",),
    ),
)
