"""The two bottlenecks of the loss law: what width and what data leave at the end of training."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.claims import MEAN, SLOPE, Claim, Kind, Measurement, Tolerance, bounded, judged
from companion.claims.measurement import Details
from companion.parameters import Parameters
from companion.style import CASES, INK, MUTED, drawing, richness_color
from neural_scaling.base.arrays import Array
from neural_scaling.dmft import TimeGrid, solve
from neural_scaling.fits import fit_power_law
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.limit_runs import LimitRun
from neural_scaling.models.sample_reuse import ReuseSimulation, simulate_reuse
from neural_scaling.models.toy_model import Simulation, simulate
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import ModeQuadrature, PowerLaw
from neural_scaling.theory import data_bottleneck, effective_scale, model_bottleneck, printed_bottleneck
from neural_scaling.theory.finite_size import within_reach

#: What theory says at a width or number of samples.
Form = Callable[[ModeQuadrature, float], float]
#: Agreement of simulated mean and deterministic equivalent, relative.
RATIO = Tolerance(0.1, "ratios: 10 %, since the deterministic equivalent is the leading order in 1/N and 1/P")
#: Distance from the limit of training that counts as none, relative: far above rounding, far below any change of the loss.
END = 1e-6
#: Agreement of the mean field theory at late times with its fixed point.
FIXED = Tolerance(0.01, "1 %: above the error of the solver and what the slowest mode has left to learn")


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
    beta: float  # source; the scale does not depend on it
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
    forms = {"limit": data_bottleneck if data else model_bottleneck, "printed": printed_bottleneck}
    found = []
    for index, beta in enumerate(plan.sources):
        losses = np.array([results[run].arrays["loss"][:, index] for run in plan.limits(data)])
        found.append(_curve(plan, data, beta, losses, forms))
    return found


def scale_curve(plan: Plan, data: bool, results: Mapping[Experiment, Result]) -> Curve:
    """Collect r_3 (N) or r_1 (P)."""
    scales = np.array([results[run].arrays["scale"] for run in plan.limits(data)])
    return _curve(plan, data, plan.sources[0], scales, {"limit": effective_scale})


def _curve(plan: Plan, data: bool, beta: float, values: Array, forms: Mapping[str, Form]) -> Curve:
    """Return values of all draws, shape (sizes, draws), as means beside the theory."""
    finite, _ = within_reach(PowerLaw(plan.alpha, beta, plan.modes), plan.sizes[-1], "sizes")
    infinite, _ = within_reach(PowerLaw(plan.alpha, beta), plan.largest, "largest")
    mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / math.sqrt(values.shape[1])
    expected, sizes = [forms["limit"](finite, size) for size in plan.sizes], np.array(plan.sizes, float)
    fine = np.geomspace(sizes[0], plan.largest, math.ceil(12 * math.log10(plan.largest / sizes[0])))
    theory = {name: [form(infinite, size) for size in fine] for name, form in forms.items()}
    draws = pd.DataFrame({"size": sizes, "mean": mean, "error": error, "theory": expected})
    return Curve(data, beta, draws, pd.DataFrame({"size": fine, **theory}))


def _simulated(plan: Plan, curve: Curve) -> Measurement:
    """Return the exponent of the simulated means."""
    sizes, mean, error = (curve.draws[name].to_numpy() for name in ("size", "mean", "error"))
    return Measurement.exponent(fit_power_law(sizes, mean, (plan.fit_from, float(plan.sizes[-1])), error))


def _agreement(plan: Plan, curve: Curve) -> Measurement:
    """Return simulated mean over theory, the mean over the fitted sizes; draws of different sizes are independent."""
    kept = curve.draws[curve.draws["size"] >= plan.fit_from]
    ratios, errors = (np.asarray(kept[name] / kept.theory) for name in ("mean", "error"))
    return Measurement.with_error(float(ratios.mean()), float(np.sqrt(np.sum(errors**2)) / ratios.size))


def exponents(plan: Plan, found: Sequence[Curve]) -> pd.DataFrame:
    """Fit the simulated means and the deterministic equivalent of every curve, and take the ratio of the two, ``agreement``."""
    rows = []
    for curve in found:
        size, limit = (curve.theory[name].to_numpy() for name in ("size", "limit"))
        equivalent = Measurement.exponent(fit_power_law(size, limit, plan.fit_equivalent))
        printed, corrected = (plan.alpha * min(most, curve.beta) for most in (2.0, 2.0 if curve.data else 1.0))
        fits = (*_simulated(plan, curve).columns(), *equivalent.columns(), *_agreement(plan, curve).columns()[:2])
        rows.append(("data" if curve.data else "width", curve.beta, printed, corrected, *fits))
    names = [f"{fit}{what}" for fit in ("simulated", "equivalent") for what in ("", "_interval", "_window")]
    first, last = ["limited", "beta", "printed", "corrected"], ["agreement", "agreement_interval"]
    return pd.DataFrame(rows, columns=[*first, *names, *last])


def ends(plan: Plan) -> list[End]:
    """Train small models to the end at every richness, on the population and on P samples."""
    spectrum = PowerLaw(plan.alpha, plan.sources[0], plan.end_modes).spectrum()
    kept = np.unique(np.geomspace(1, plan.end_steps, 120).astype(int))
    found = []
    for data, gamma in itertools.product((False, True), plan.gammas):
        outcome: Simulation | ReuseSimulation
        common = (plan.end_eta, gamma, plan.end_steps, [0])
        if data:
            outcome = simulate_reuse(spectrum, 2 * plan.end_width, plan.end_samples, *common)
        else:
            outcome = simulate(spectrum, plan.end_width, *common)
        found.append(End(data, gamma, kept.astype(float), np.abs(outcome.loss[0, kept] / outcome.floor[0] - 1)))
    return found


def distances(trained: Sequence[End]) -> pd.DataFrame:
    """Return the relative distance of the last loss from its limit, and whether it is that of rounding."""
    rows = [("samples" if end.data else "population", end.gamma, end.gap[-1], end.gap[-1] < 1e-10) for end in trained]
    return pd.DataFrame(rows, columns=["trained", "gamma", "gap", "reached"])


def bottleneck_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims about the powers of both bottlenecks, and that draws follow the deterministic equivalent."""
    claims = []
    for row in found.itertuples():
        data = row.limited == "data"
        # Eq. 12 prints the power -alpha beta, which is that of the others up to beta = 2.
        others = f"eqs. 8, 9, {'12, ' if row.beta <= 2 else ''}76, 80"
        name, symbol, place = ("data", "P", "eq. 78") if data else ("model", "N", others)
        draws = Measurement.of(row.simulated, row.simulated_interval, row.simulated_window, meaning=SLOPE)
        limit = Measurement.of(row.equivalent, row.equivalent_interval, row.equivalent_window, meaning=SLOPE)
        drawn: Details = {"seeds": plan.seeds, "runs": plan.limits(data), "needs": "more draws per size"}
        settled = "more draws per size; the equivalent, which the draws confirm in value, settles the power"
        fits: list[tuple[str, Kind, str, Measurement, Details]] = [
            ("simulation", "simulation", "simulated mean", draws, {**drawn, "needs": settled}),
            ("equivalent", "theory", "deterministic equivalent", limit, {"needs": settled}),
        ]
        claims += [
            judged(
                plan,
                f"bottleneck.{name}.beta-{row.beta:g}.{source}",
                place,
                f"The loss at the end of training falls as {symbol}^-(alpha min(2, beta)), beta = {row.beta:g}.",
                f"exponent in {symbol}, {how}, window in {symbol}",
                row.printed,
                measured,
                kind,
                corrected=row.corrected,
                **behind,
            )
            for source, kind, how, measured, behind in fits
        ]
        claims.append(
            judged(
                plan,
                f"bottleneck.{name}.beta-{row.beta:g}.agreement",
                place,
                f"The deterministic equivalent gives the mean loss at the end of training, beta = {row.beta:g}.",
                f"simulated mean over equivalent, mean over {symbol} >= {row.simulated_window[0]:g}",
                1.0,
                Measurement.of(row.agreement, row.agreement_interval, meaning=MEAN),
                "simulation",
                RATIO,
                **drawn,
            )
        )
    return claims


def scale_claims(plan: Plan, scales: Sequence[Curve]) -> list[Claim]:
    """Return the claims about the self-consistent scales r_3 and r_1, and the powers with which they grow."""
    claims = []
    for curve in scales:
        places = ("P", "r1", "App. E.4", "eq. 77") if curve.data else ("N", "r3", "eq. 75", "eq. 74")
        symbol, name, power, equation = places
        drawn: Details = {"seeds": plan.seeds, "runs": plan.limits(curve.data), "needs": "more draws per size"}
        claims += [
            judged(
                plan,
                f"bottleneck.{name}",
                power,
                f"The scale {name} of the response grows as {symbol}^alpha.",
                f"decay exponent of the trace of the inverse Gram matrix in {symbol} (negative: it grows)",
                -plan.alpha,
                _simulated(plan, curve),
                "simulation",
                **drawn,
            ),
            judged(
                plan,
                f"bottleneck.{name}.equation",
                equation,
                f"The sum over modes of lambda {name} / (1 + lambda {name}) is {symbol}.",
                f"trace of the inverse Gram matrix over the solution, mean over {symbol} >= {plan.fit_from:g}",
                1.0,
                _agreement(plan, curve),
                "simulation",
                RATIO,
                **drawn,
            ),
        ]
    return claims


def fixed_points(plan: Plan) -> pd.DataFrame:
    """Solve the mean field theory at finite width to late times, at every richness, and compare it with eqs. 70 to 74.

    ``settled`` is ``C_w`` at the end over that at a tenth of the time, ``quiet`` the integral of ``C_3(t', t)`` over t' at
    the last t over that at the first, ``modes`` the largest distance of a mode's mean error from ``1/(1 + lambda r_3)`` with
    r_3 of eq. 74, ``filled`` the learned parts of all modes, summed, over N.
    """
    width, law = 4 * plan.end_width, PowerLaw(plan.alpha, plan.sources[0], plan.end_modes)
    modes = law.spectrum().quadrature()
    r3 = effective_scale(modes, width)
    rows = []
    for gamma in plan.gammas:
        found = solve(modes, gamma, TimeGrid.log_spaced(1.0, 1e3 * r3), width=width, estimate_error=False)
        late = found.time >= found.time[-1] / 10
        learned, order = found.learned[:, -1], found.order
        first, last = found.grid.weight @ order.feature_correlation[:, [0, -1]]
        distance = float(np.max(np.abs(1 - learned - 1 / (1 + modes.nodes * r3))))
        settled = float(found.weight_norm[-1] / found.weight_norm[np.argmax(late)])
        # Rounding is not shown: it differs between machines.
        quiet, distance = round(float(abs(last / first)), 9), round(distance, 9)
        rows.append((gamma, settled, quiet, distance, float(modes.weights @ learned) / width))
    return pd.DataFrame(rows, columns=["gamma", "settled", "quiet", "modes", "filled"])


def fixed_point_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims about where the order parameters end at finite width, at all richnesses together."""
    across = f"gamma = {', '.join(f'{one:g}' for one in found.gamma)}, N = {4 * plan.end_width}"
    claims = []
    for name, place, statement, quantity, values, tends_to in (
        (
            "weights",
            "eq. 70, line 3",
            "At finite width the norm of the readout, C_w, tends to a constant.",
            "C_w at the end over C_w at a tenth of the time, worst of",
            found.settled,
            1.0,
        ),
        (
            "gradient",
            "eq. 70, line 4",
            "At finite width the integral of C_3(t', t) over t' tends to 0.",
            "integral of C_3(t', t) over t' at the last t over that at t = 0, largest of",
            found.quiet,
            0.0,
        ),
        (
            "modes",
            "eqs. 71, 72",
            "At late times the mean error of mode k is w*_k / (1 + lambda_k r3).",
            "largest distance over modes, relative to w*_k,",
            found.modes,
            0.0,
        ),
        (
            "filled",
            "eqs. 73, 74",
            "At late times the learned parts of all modes sum to N.",
            "sum over modes of the learned part over N, worst of",
            found.filled,
            1.0,
        ),
    ):
        words = (plan, f"bottleneck.fixed-point.{name}", place, statement, f"{quantity} {across}")
        if tends_to:
            claims.append(judged(*words, tends_to, Measurement.farthest_of(values, tends_to), "theory", FIXED))
        else:
            claims.append(bounded(*words, "below", FIXED.value, Measurement.exact(values.max()), "theory"))
    return claims


def end_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that the end of training does not depend on the richness."""
    claims = []
    for trained, name, equation, how in (
        ("population", "model", 17, "gradient descent on the population"),
        ("samples", "data", 41, "full batch on P samples"),
    ):
        rows = found[found.trained == trained]
        claims.append(
            bounded(
                plan,
                f"bottleneck.richness.{name}",
                f"section 3, eq. {equation}",
                f"The loss at the end of training does not depend on the richness, {how}.",
                f"largest relative distance from the limit over gamma = {', '.join(f'{one:g}' for one in rows.gamma)}",
                "below",
                END,
                Measurement.exact(float(rows.gap.max())),
                "simulation",
                seeds=1,
            )
        )
    return claims


def bottleneck_figure(model: Sequence[Curve], data: Sequence[Curve], table: pd.DataFrame) -> Figure:
    """Draw both bottlenecks against N and P, each power named once."""
    panels = ((model, "N", "(a) width $N$, fresh data"), (data, "P", "(b) $P$ samples, infinite width"))
    with drawing(8.8, 2) as (figure, sheet):
        for axes, (found, symbol, title) in zip(sheet, panels, strict=True):
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
            axes.set(title=title, xlabel=f"${symbol}$", ylabel="loss at the end of training")
            axes.plot([], [], ":", color=INK, linewidth=1.6, label="as printed")
            axes.legend(loc="lower left")
    return figure


def _circles(
    axes: Axes, curve: Curve, color: str, fmt: str = "o", shift: float = 1, unit: Any = 1, **style: Any
) -> None:
    """Draw means over draws with 95 % intervals, in a unit."""
    draws, error = curve.draws, NORMAL_95 * curve.draws.error
    style |= {"color": color, "markerfacecolor": "white", "capsize": 2}
    axes.errorbar(draws["size"] * shift, draws["mean"] / unit, error / unit, fmt=fmt, **style)


def scale_figure(plan: Plan, scales: Sequence[Curve]) -> Figure:
    """Draw r_3 against N and r_1 against P."""
    with drawing(4.2) as (figure, axes):
        for curve, color, marker in zip(scales, CASES, "os", strict=False):
            symbol, name = ("P", "r_1") if curve.data else ("N", "r_3")
            label, unit = rf"${name} / {symbol}^\alpha$, draws", curve.draws["size"] ** plan.alpha
            _circles(axes, curve, color, marker, 1.04 if curve.data else 0.96, unit, label=label)
        draws, theory = scales[0].draws, scales[0].theory
        limit, finite = theory.limit / theory["size"] ** plan.alpha, draws.theory / draws["size"] ** plan.alpha
        axes.semilogx(theory["size"], limit, color=INK, label=r"theory, $M = \infty$")
        axes.semilogx(draws["size"], finite, "--", color=INK, label="theory, $M$ of the draws")
        axes.set(xlabel="$N$ or $P$", ylabel=r"scale over size$^\alpha$")
        axes.legend(loc="best")
    return figure


def end_figure(trained: Sequence[End]) -> Figure:
    """Draw the distance of the loss from its limit for every richness."""
    with drawing(4.4, 1, 2, sharey=True) as (figure, panels):
        titles = ("(a) population", "(b) $P$ samples")
        for axes, data, title in zip(panels, (False, True), titles, strict=True):
            for end in (one for one in trained if one.data == data):
                label = rf"$\gamma = {end.gamma:g}$"
                axes.loglog(end.step, np.maximum(end.gap, 1e-16), color=richness_color(end.gamma), label=label)
            axes.axhline(1e-13, color=MUTED, linewidth=0.9, linestyle=":")
            axes.set(xlabel="steps", title=title)
        panels[0].set_ylabel("|loss / limit − 1|")
        panels[0].legend(loc="lower left")
    return figure
