"""The two bottlenecks of the loss law: what width and what data leave at the end of training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.claims import Claim, Measurement, fact, judge, judged
from companion.parameters import Parameters
from companion.style import CASES, INK, MUTED, book_style, new_figure, richness_color
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.limit_runs import LimitRun
from neural_scaling.models.toy_model import simulate
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import ModeQuadrature, PowerLaw
from neural_scaling.theory import data_bottleneck, effective_scale, model_bottleneck, printed_bottleneck

#: Agreement of exponents: a fifth of the smallest gap between the printed and the corrected power that is measured (0.75).
EXPONENT_TOLERANCE = 0.15
#: Agreement of simulated mean and deterministic equivalent, relative; the latter is the leading order in 1/N and 1/P.
RATIO_TOLERANCE = 0.1
#: Agreement of the ends of training at different richness, relative.
END_TOLERANCE = 1e-6


class Plan(Parameters):
    """Parameters of the notebook and the runs they make."""

    def limits(self, data: bool) -> list[LimitRun]:
        """Return the runs of one bottleneck, one per size."""
        return [LimitRun(self.alpha, tuple(self.sources), self.modes, size, self.seeds, data) for size in self.sizes]

    def experiments(self) -> list[Experiment]:
        """Return all runs."""
        return [*self.limits(False), *self.limits(True)]


@dataclass(frozen=True)
class Curve:
    """A quantity against N or P: the loss at the end of training at one source, or the scale of the response."""

    data: bool  # true for P, False for N
    beta: float  # source; NaN for the scale
    draws: pd.DataFrame  # size, mean over draws and its standard error, and the theory for as many modes
    theory: pd.DataFrame  # size, the limit of infinitely many modes, and as printed


@dataclass(frozen=True)
class End:
    """One model trained to the end, on P samples or on the population."""

    data: bool
    gamma: float  # richness
    # step, gap: steps and relative distance of the loss from its end by linear algebra, shape (R,)
    step: Array
    gap: Array


def curves(plan: Plan, data: bool, results: Mapping[Experiment, Result]) -> list[Curve]:
    """Collect one bottleneck, a curve per source."""
    equivalent = data_bottleneck if data else model_bottleneck
    fine, found = _fine(plan), []
    for index, beta in enumerate(plan.sources):
        losses = np.array([results[run].arrays["loss"][:, index] for run in plan.limits(data)])
        finite, infinite = _modes(plan, beta)
        limit = {"limit": [equivalent(infinite, size) for size in fine]}
        printed = {"printed": [printed_bottleneck(infinite, size) for size in fine]}
        draws = _draws(plan, losses, [equivalent(finite, size) for size in plan.sizes])
        found.append(Curve(data, beta, draws, pd.DataFrame({"size": fine, **limit, **printed})))
    return found


def scale_curve(plan: Plan, data: bool, results: Mapping[Experiment, Result]) -> Curve:
    """Collect r_3 (N) or r_1 (P)."""
    scales = np.array([results[run].arrays["scale"] for run in plan.limits(data)])
    (finite, infinite), fine = _modes(plan, plan.sources[0]), _fine(plan)
    theory = pd.DataFrame({"size": fine, "limit": [effective_scale(infinite, size) for size in fine]})
    return Curve(data, math.nan, _draws(plan, scales, [effective_scale(finite, size) for size in plan.sizes]), theory)


def _draws(plan: Plan, values: Array, theory: Sequence[float]) -> pd.DataFrame:
    mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / math.sqrt(values.shape[1])
    return pd.DataFrame({"size": np.array(plan.sizes, float), "mean": mean, "error": error, "theory": theory})


def _modes(plan: Plan, beta: float) -> tuple[ModeQuadrature, ModeQuadrature]:
    """Return as many modes as the draws have, and infinitely many, resolved to the largest size of each."""
    finite = PowerLaw(plan.alpha, beta, plan.modes).quadrature(_horizon(plan.alpha, float(plan.sizes[-1])))
    return finite, PowerLaw(plan.alpha, beta).quadrature(_horizon(plan.alpha, plan.largest))


def _simulated(plan: Plan, curve: Curve) -> Measurement:
    draws = curve.draws
    sizes, mean, error = (draws[name].to_numpy() for name in ("size", "mean", "error"))
    return Measurement.exponent(fit_power_law(sizes, mean, (plan.fit_from, float(plan.sizes[-1])), error))


def exponents(plan: Plan, found: Sequence[Curve]) -> pd.DataFrame:
    """Fit the simulated means and the deterministic equivalent of every curve.

    ``agreement`` is the mean over the fitted sizes of simulated mean over equivalent; draws of different sizes are independent.
    """
    rows = []
    for curve in found:
        size, limit = (curve.theory[name].to_numpy() for name in ("size", "limit"))
        equivalent = Measurement.exponent(fit_power_law(size, limit, plan.fit_equivalent))
        kept = curve.draws[curve.draws["size"] >= plan.fit_from]
        ratios, errors = (np.asarray(kept[name] / kept.theory) for name in ("mean", "error"))
        agreement = Measurement.with_error(float(ratios.mean()), float(np.sqrt(np.sum(errors**2)) / ratios.size))
        printed, corrected = (plan.alpha * min(most, curve.beta) for most in (2.0, 2.0 if curve.data else 1.0))
        fits = (*_simulated(plan, curve).columns(), *equivalent.columns(), agreement.value, agreement.interval)
        rows.append(("data" if curve.data else "width", curve.beta, printed, corrected, *fits))
    names = [f"{fit}{what}" for fit in ("simulated", "equivalent") for what in ("", "_interval", "_window")]
    first, last = ["limited", "beta", "printed", "corrected"], ["agreement", "agreement_interval"]
    return pd.DataFrame(rows, columns=[*first, *names, *last])


def ends(plan: Plan) -> list[End]:
    """Train small models to the end at every richness, on the population and on P samples."""
    spectrum = PowerLaw(plan.alpha, plan.sources[0], plan.end_modes).spectrum()
    kept = np.unique(np.geomspace(1, plan.end_steps, 120).astype(int))
    found = []
    for gamma in plan.gammas:
        outcome = simulate(spectrum, plan.end_width, plan.end_eta, gamma, plan.end_steps, [0])
        found.append((False, gamma, outcome.loss[0], float(outcome.floor[0])))
    found += [(True, gamma, *_train_on_samples(plan, gamma)) for gamma in plan.gammas]
    return [End(data, gamma, kept.astype(float), np.abs(loss[kept] / floor - 1)) for data, gamma, loss, floor in found]


def distances(trained: Sequence[End]) -> pd.DataFrame:
    """Return the relative distance of the last loss from its limit, and whether it is that of rounding."""
    rows = [("samples" if end.data else "population", end.gamma, end.gap[-1], end.gap[-1] < 1e-10) for end in trained]
    return pd.DataFrame(rows, columns=["trained", "gamma", "gap", "reached"])


def _fine(plan: Plan) -> Array:
    count = math.ceil(12 * math.log10(plan.largest / min(plan.sizes)))
    return np.asarray(np.geomspace(min(plan.sizes), plan.largest, count))


def _horizon(alpha: float, size: float) -> float:
    """Time that resolves all modes with ``lambda_k r > 1``, r being about ``size^alpha`` times a number below 3."""
    return float(4.0 * (3.0 * size) ** alpha)


def _train_on_samples(plan: Plan, gamma: float) -> tuple[Array, float]:
    """Full-batch descent on P < N samples: test loss at every step, and that of the interpolant of least norm."""
    law = PowerLaw(plan.alpha, plan.sources[0], plan.end_modes).spectrum()
    random = np.random.default_rng(0)
    width, count = plan.end_width * 2, plan.end_samples
    features = random.standard_normal((width, plan.end_modes))
    samples = random.standard_normal((count, plan.end_modes)) * np.sqrt(law.eigenvalues)
    seen, answers = samples @ features.T / width, samples @ law.target
    solution = features.T @ np.linalg.lstsq(seen, answers, rcond=None)[0] / width
    floor = float(law.eigenvalues @ (law.target - solution) ** 2)
    # The test loss is quadratic in what the model has learned.
    gram = (features * law.eigenvalues) @ features.T / width**2
    cross = (features * law.eigenvalues) @ law.target / width
    constant = float(law.eigenvalues @ law.target**2)
    w, b = np.zeros(width), np.eye(width)
    losses = np.empty(plan.end_steps + 1)
    for step in range(plan.end_steps + 1):
        learned = b.T @ w
        losses[step] = learned @ gram @ learned - 2 * learned @ cross + constant
        v3 = width / count * ((answers - seen @ learned) @ seen)
        b_v3 = b @ v3
        b += (plan.end_eta * gamma / width) * np.outer(w, v3)
        w = w + plan.end_eta * b_v3
    return losses, floor


def bottleneck_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims about the powers of both bottlenecks, and that draws follow the deterministic equivalent."""
    claims = []
    for row in found.itertuples():
        data = row.limited == "data"
        name, symbol, place = ("data", "P", "eq. 78") if data else ("model", "N", "eqs. 8, 9, 12, 76")
        fits = {
            "simulation": ("simulated mean", row.simulated, row.simulated_interval, row.simulated_window),
            "equivalent": ("deterministic equivalent", row.equivalent, row.equivalent_interval, row.equivalent_window),
        }
        claims += [
            judged(
                plan,
                f"bottleneck.{name}.beta-{row.beta:g}.{source}",
                place,
                f"The loss at the end of training falls as {symbol}^-(alpha min(2, beta)), beta = {row.beta:g}.",
                f"exponent in {symbol}, {how}, window in {symbol}",
                row.printed,
                Measurement(*measured),
                EXPONENT_TOLERANCE,
                row.corrected,
            )
            for source, (how, *measured) in fits.items()
        ]
        claims.append(
            judged(
                plan,
                f"bottleneck.{name}.beta-{row.beta:g}.agreement",
                place,
                f"The deterministic equivalent gives the mean loss at the end of training, beta = {row.beta:g}.",
                f"simulated mean over equivalent, mean over {symbol} >= {row.simulated_window[0]:g}",
                1.0,
                Measurement.of(row.agreement, row.agreement_interval),
                RATIO_TOLERANCE,
            )
        )
    return claims


def scale_claims(plan: Plan, scales: Sequence[Curve]) -> list[Claim]:
    """Return the claims about the powers with which r_3 and r_1 grow."""
    claims = []
    for curve in scales:
        symbol, name, place = ("P", "r1", "eq. 77") if curve.data else ("N", "r3", "eq. 75")
        claims.append(
            judged(
                plan,
                f"bottleneck.{name}",
                place,
                f"The scale {name} of the response grows as {symbol}^alpha.",
                f"decay exponent of the trace of the inverse Gram matrix in {symbol} (negative: it grows)",
                -plan.alpha,
                _simulated(plan, curve),
                EXPONENT_TOLERANCE,
            )
        )
    return claims


def end_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that the end of training does not depend on the richness."""
    claims = []
    for trained, name, how in (
        ("population", "model", "gradient descent on the population."),
        ("samples", "data", "full batch on P samples."),
    ):
        rows = found[found.trained == trained]
        worst = float(rows.gap.max())
        verdict, reason = judge(0.0, worst, (0.0, worst), END_TOLERANCE)
        claims.append(
            fact(
                plan,
                f"bottleneck.richness.{name}",
                "section 3 with eqs. 17, 41",
                f"The loss at the end of training does not depend on the richness, {how}",
                f"largest relative distance from the limit over gamma = {', '.join(f'{one:g}' for one in rows.gamma)}",
                verdict,
                f"largest relative distance below {END_TOLERANCE:g}" if verdict == "confirmed" else reason,
                0.0,
                Measurement(worst, (0.0, worst)),
            )
        )
    return claims


def bottleneck_figure(model: Sequence[Curve], data: Sequence[Curve], table: pd.DataFrame) -> Figure:
    """Draw both bottlenecks against N and P, each power named once."""
    with book_style():
        figure = new_figure(8.8)
        for axes, found, symbol, letter in zip(figure.subplots(2, 1), (model, data), "NP", "ab", strict=True):
            powers = table.corrected[table.limited == ("data" if symbol == "P" else "width")]
            named: set[float] = set()
            for curve, power, color in zip(found, powers, CASES, strict=False):
                size, limit = curve.theory["size"], curve.theory.limit
                axes.loglog(size, limit, color=color, label=rf"$\beta = {curve.beta:g}$")
                axes.loglog(size, curve.theory.printed, ":", color=color, linewidth=1.6)
                _circles(axes, curve, color, markersize=5, elinewidth=1.2)
                if power not in named:
                    at, name = int(0.62 * size.size), rf"${symbol}^{{-{power:g}}}$"
                    axes.annotate(name, (size[at], limit[at]), (4, 6), textcoords="offset points", color=color)
                named.add(power)
            axes.set_xlabel(f"${symbol}$")
            axes.set_ylabel("loss at the end of training")
            what = "width $N$, fresh data" if symbol == "N" else "$P$ samples, infinite width"
            axes.set_title(f"({letter}) {what}")
            axes.plot([], [], ":", color=INK, linewidth=1.6, label="as printed")
            axes.legend(loc="lower left")
    return figure


def _circles(
    axes: Axes, curve: Curve, color: str, fmt: str = "o", shift: float = 1.0, unit: Any = 1.0, **style: Any
) -> None:
    """Draw means over draws with 95 % intervals, in a unit."""
    draws, error = curve.draws, NORMAL_95 * curve.draws.error
    style |= {"color": color, "markerfacecolor": "white", "capsize": 2}
    axes.errorbar(draws["size"] * shift, draws["mean"] / unit, error / unit, fmt=fmt, **style)


def scale_figure(plan: Plan, scales: Sequence[Curve]) -> Figure:
    """Draw r_3 against N and r_1 against P."""
    with book_style():
        figure = new_figure(4.2)
        axes = figure.subplots()
        for curve, color, marker in zip(scales, CASES, "os", strict=False):
            symbol, name = ("P", "r_1") if curve.data else ("N", "r_3")
            label, unit = rf"${name} / {symbol}^\alpha$, draws", curve.draws["size"] ** plan.alpha
            _circles(axes, curve, color, marker, 1.04 if curve.data else 0.96, unit, label=label)
        draws, theory = scales[0].draws, scales[0].theory
        limit, finite = theory.limit / theory["size"] ** plan.alpha, draws.theory / draws["size"] ** plan.alpha
        axes.semilogx(theory["size"], limit, color=INK, label=r"theory, $M = \infty$")
        axes.semilogx(draws["size"], finite, "--", color=INK, label="theory, $M$ of the draws")
        axes.set_xlabel("$N$ or $P$")
        axes.set_ylabel(r"scale over size$^\alpha$")
        axes.legend(loc="best")
    return figure


def end_figure(trained: Sequence[End]) -> Figure:
    """Draw the distance of the loss from its limit for every richness."""
    with book_style():
        figure = new_figure(4.4)
        panels = figure.subplots(1, 2, sharey=True)
        titles = ("(a) population", "(b) $P$ samples")
        for axes, data, title in zip(panels, (False, True), titles, strict=True):
            for end in (one for one in trained if one.data == data):
                label = rf"$\gamma = {end.gamma:g}$"
                axes.loglog(end.step, np.maximum(end.gap, 1e-16), color=richness_color(end.gamma), label=label)
            axes.axhline(1e-13, color=MUTED, linewidth=0.9, linestyle=":")
            axes.set_xlabel("steps")
            axes.set_title(title)
        panels[0].set_ylabel("|loss / limit − 1|")
        panels[0].legend(loc="lower left")
    return figure
