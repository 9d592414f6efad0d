"""The two bottlenecks of the loss law: what width and what data leave at the end of training."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from matplotlib.figure import Figure

from companion.claims import Claim, Judgement, Measurement, Page, fact, judge, number
from companion.parameters import Parameters
from companion.style import INK, MUTED, book_style, new_figure, richness_color
from neural_scaling.base.arrays import Array
from neural_scaling.base.monitor import Arrays, Monitor
from neural_scaling.fits import PowerLawFit, fit_power_law
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.toy_model import simulate
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import data_bottleneck, effective_scale, model_bottleneck, printed_bottleneck

#: Agreement of exponents: a fifth of the smallest gap between the printed and the corrected power that is measured (0.75).
EXPONENT_TOLERANCE = 0.15
#: Agreement of simulated mean and deterministic equivalent, relative; the latter is the leading order in 1/N and 1/P.
RATIO_TOLERANCE = 0.1
#: Agreement of the ends of training at different richness, relative.
END_TOLERANCE = 1e-6


@dataclass(frozen=True)
class LimitRun(Experiment):
    """Limits of training by linear algebra, for several targets at once."""

    kind: ClassVar[str] = "limit of training"
    algorithm: ClassVar[int] = 1
    # alpha, sources: capacity, and a source for each target
    alpha: float
    sources: tuple[float, ...]
    modes: int  # M
    size: int  # N random directions, or P samples
    seeds: int  # number of draws; they are 0, 1, ..., seeds - 1
    # false: residual of the projection onto N directions. True: test error of the interpolant of least norm on P
    # samples
    data: bool

    @property
    def work(self) -> int:
        """Draws, weighted by the cost of one."""
        return self.seeds * self.size**2

    @property
    def label(self) -> str:
        """Kind and size."""
        return f"{'P' if self.data else 'N'} = {self.size}"

    def slice(self) -> Self:
        """Return the first draw."""
        return replace(self, seeds=1)

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare loss and scale of the draws that both hold."""
        count = recomputed["scale"].size
        gaps = [np.max(np.abs(recomputed[name] / arrays[name][:count] - 1)) for name in ("loss", "scale")]
        return float(max(gaps))

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``loss``, shape (seeds, targets), and ``scale``, shape (seeds,), the trace of the inverse Gram matrix."""
        spectra = [PowerLaw(self.alpha, beta, self.modes).spectrum() for beta in self.sources]
        eigenvalues = spectra[0].eigenvalues
        targets = np.stack([spectrum.target for spectrum in spectra], axis=1)
        losses, scales = [], []
        if (restored := monitor.restored()) is not None:
            losses, scales = list(restored["loss"]), list(restored["scale"])

        def state() -> Arrays:
            return {"loss": np.array(losses), "scale": np.array(scales)}

        for seed in range(len(scales), self.seeds):
            random = np.random.default_rng(np.random.SeedSequence([seed, self.size, int(self.data)]))
            draw = functools.partial(
                _interpolation if self.data else _projection, eigenvalues, targets, self.size, random
            )
            loss, scale = monitor.waiting(draw, state)
            losses.append(loss)
            scales.append(scale)
            monitor.advance(self.size**2)
            monitor.safe_point(state)
        return {"loss": np.array(losses), "scale": np.array(scales)}


def _projection(eigenvalues: Array, targets: Array, size: int, random: np.random.Generator) -> tuple[Array, float]:
    """Residuals of the targets outside N random directions, and the trace of the inverse of ``A Lambda A^T``."""
    block = 4 * (size + targets.shape[1])
    factor = np.zeros((0, size + targets.shape[1]))
    for first in range(0, eigenvalues.size, block):
        part = slice(first, first + block)
        rows = np.concatenate([random.standard_normal((eigenvalues[part].size, size)), targets[part]], axis=1)
        rows *= np.sqrt(eigenvalues[part])[:, None]
        factor = np.asarray(np.linalg.qr(np.concatenate([factor, rows]), mode="r"))
    inverse = np.linalg.inv(factor[:size, :size])
    return np.asarray(np.sum(factor[size:, size:] ** 2, axis=0)), float(np.sum(inverse**2))


def _interpolation(eigenvalues: Array, targets: Array, size: int, random: np.random.Generator) -> tuple[Array, float]:
    """Test errors of the interpolants of least norm on P samples, and the trace of the inverse Gram matrix."""
    samples = random.standard_normal((eigenvalues.size, size)) * np.sqrt(eigenvalues)[:, None]
    basis, factor = np.linalg.qr(samples)
    error = targets - basis @ (basis.T @ targets)
    inverse = np.linalg.inv(factor)
    return np.asarray(eigenvalues @ error**2), float(np.sum(inverse**2))


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
    """One bottleneck at one source."""

    data: bool  # true for the bottleneck in P, False for that in N
    beta: float  # source
    # sizes, mean, error: N or P, mean over draws and its standard error, shape (S,) each
    sizes: Array
    mean: Array
    error: Array
    theory: Array  # deterministic equivalent at the same sizes and number of modes, shape (S,)
    # fine, limit, printed: sizes of a fine grid, the equivalent for infinitely many modes on it, and the printed
    # sum, shape (F,) each
    fine: Array
    limit: Array
    printed: Array
    # fit, fit_limit: fits to the simulated means and to limit
    fit: PowerLawFit
    fit_limit: PowerLawFit
    # paper, corrected: exponents
    paper: float
    corrected: float


@dataclass(frozen=True)
class ScaleCurve:
    """The scale r_3 or r_1 against N or P."""

    data: bool  # true for r_1, False for r_3
    # sizes, mean, error: as in Curve, for the trace of the inverse Gram matrix
    sizes: Array
    mean: Array
    error: Array
    theory: Array  # solution of the self-consistent equation at the same sizes and number of modes, shape (S,)
    # fine, limit: sizes and solution of the self-consistent equation for infinitely many modes, shape (F,)
    fine: Array
    limit: Array
    fit: PowerLawFit  # fit to the simulated means


@dataclass(frozen=True)
class EndRow:
    """One model trained to the end."""

    data: bool  # true for full-batch descent on P samples, False for descent on the population
    gamma: float  # richness
    # step, loss: shape (R,)
    step: Array
    loss: Array
    floor: float  # loss at the end by linear algebra

    @property
    def gap(self) -> float:
        """Relative distance of the last loss from the limit."""
        return float(abs(self.loss[-1] / self.floor - 1))


def curves(plan: Plan, data: bool, results: Mapping[Experiment, Result]) -> list[Curve]:
    """Collect one bottleneck, a curve per source."""
    equivalent = data_bottleneck if data else model_bottleneck
    sizes = np.array(plan.sizes, dtype=np.float64)
    fine = _fine(plan)
    found = []
    for index, beta in enumerate(plan.sources):
        losses = np.array([results[run].arrays["loss"][:, index] for run in plan.limits(data)])
        mean, error = losses.mean(axis=1), losses.std(axis=1, ddof=1) / math.sqrt(losses.shape[1])
        finite = PowerLaw(plan.alpha, beta, plan.modes).quadrature(_horizon(plan.alpha, float(sizes[-1])))
        infinite = PowerLaw(plan.alpha, beta).quadrature(_horizon(plan.alpha, plan.largest))
        limit = np.array([equivalent(infinite, size) for size in fine])
        first, last = plan.fit_equivalent
        found.append(
            Curve(
                data=data,
                beta=beta,
                sizes=sizes,
                mean=mean,
                error=error,
                theory=np.array([equivalent(finite, size) for size in sizes]),
                fine=fine,
                limit=limit,
                printed=np.array([printed_bottleneck(infinite, size) for size in fine]),
                fit=fit_power_law(sizes, mean, (plan.fit_from, float(sizes[-1])), error),
                fit_limit=fit_power_law(fine, limit, (first, last)),
                paper=plan.alpha * min(2.0, beta),
                corrected=plan.alpha * min(2.0 if data else 1.0, beta),
            )
        )
    return found


def agreement(curve: Curve) -> tuple[float, float]:
    """Return the mean over the fitted sizes of simulated mean over theory, and its standard error (draws are independent)."""
    kept = curve.sizes >= curve.fit.window[0]
    ratios, errors = (curve.mean / curve.theory)[kept], (curve.error / curve.theory)[kept]
    return float(ratios.mean()), float(np.sqrt(np.sum(errors**2)) / ratios.size)


def scale_curve(plan: Plan, data: bool, results: Mapping[Experiment, Result]) -> ScaleCurve:
    """Collect r_3 (N) or r_1 (P)."""
    sizes, fine = np.array(plan.sizes, dtype=np.float64), _fine(plan)
    values = np.array([results[run].arrays["scale"] for run in plan.limits(data)])
    mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / math.sqrt(values.shape[1])
    modes = PowerLaw(plan.alpha, plan.sources[0]).quadrature(_horizon(plan.alpha, plan.largest))
    limit = np.array([effective_scale(modes, size) for size in fine])
    fit = fit_power_law(sizes, mean, (plan.fit_from, float(sizes[-1])), error)
    finite = PowerLaw(plan.alpha, plan.sources[0], plan.modes).quadrature(_horizon(plan.alpha, float(sizes[-1])))
    theory = np.array([effective_scale(finite, size) for size in sizes])
    return ScaleCurve(data, sizes, mean, error, theory, fine, limit, fit)


def ends(plan: Plan) -> list[EndRow]:
    """Train small models to the end at every richness, on the population and on P samples."""
    spectrum = PowerLaw(plan.alpha, plan.sources[0], plan.end_modes).spectrum()
    kept = np.unique(np.geomspace(1, plan.end_steps, 120).astype(int))
    rows = []
    for gamma in plan.gammas:
        outcome = simulate(spectrum, plan.end_width, plan.end_eta, gamma, plan.end_steps, [0])
        rows.append(EndRow(False, gamma, kept.astype(float), outcome.loss[0, kept], float(outcome.floor[0])))
    for gamma in plan.gammas:
        loss, floor = _train_on_samples(plan, gamma)
        rows.append(EndRow(True, gamma, kept.astype(float), loss[kept], floor))
    return rows


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


def claims(
    model: Sequence[Curve],
    data: Sequence[Curve],
    scales: Sequence[ScaleCurve],
    trained: Sequence[EndRow],
    alpha: float,
    page: Page,
) -> list[Claim]:
    """Judge everything on the page."""
    found = []
    for curve in (*model, *data):
        name, symbol, place = ("data", "P", "eq. 78") if curve.data else ("model", "N", "eqs. 8, 9, 12, 76")
        for source, fit in (("simulation", curve.fit), ("equivalent", curve.fit_limit)):
            judged = judge(curve.paper, fit.exponent, fit.interval, EXPONENT_TOLERANCE, _differs(curve))
            how = "simulated mean" if source == "simulation" else "deterministic equivalent"
            found.append(
                fact(
                    page,
                    f"bottleneck.{name}.beta-{curve.beta:g}.{source}",
                    place,
                    f"The loss at the end of training falls as {symbol}^-(alpha min(2, beta)), beta = {curve.beta:g}.",
                    f"exponent in {symbol}, {how}, window in {symbol}",
                    judged.verdict,
                    judged.reason,
                    curve.paper,
                    Measurement(fit.exponent, fit.interval, fit.window),
                )
            )
        ratio, error = agreement(curve)
        interval = (ratio - NORMAL_95 * error, ratio + NORMAL_95 * error)
        agreed = judge(1.0, ratio, interval, RATIO_TOLERANCE)
        found.append(
            fact(
                page,
                f"bottleneck.{name}.beta-{curve.beta:g}.agreement",
                place,
                f"The deterministic equivalent gives the mean loss at the end of training, beta = {curve.beta:g}.",
                f"simulated mean over equivalent, mean over {symbol} >= {curve.fit.window[0]:g}",
                agreed.verdict,
                agreed.reason,
                1.0,
                Measurement(ratio, interval),
            )
        )
    for one in scales:
        symbol, name, place = ("P", "r1", "eq. 77") if one.data else ("N", "r3", "eq. 75")
        judged = judge(-alpha, one.fit.exponent, one.fit.interval, EXPONENT_TOLERANCE)
        found.append(
            fact(
                page,
                f"bottleneck.{name}",
                place,
                f"The scale {name} of the response grows as {symbol}^alpha.",
                f"decay exponent of the trace of the inverse Gram matrix in {symbol} (negative: it grows)",
                judged.verdict,
                judged.reason,
                -alpha,
                Measurement(one.fit.exponent, one.fit.interval, one.fit.window),
            )
        )
    found += [_end_claim([row for row in trained if row.data == kind], page) for kind in (False, True)]
    return found


def _end_claim(rows: Sequence[EndRow], page: Page) -> Claim:
    worst = max(row.gap for row in rows)
    data = rows[0].data
    judged = judge(0.0, worst, (0.0, worst), END_TOLERANCE)
    if judged.verdict == "confirmed":
        judged = Judgement("confirmed", f"largest relative distance below {END_TOLERANCE:g}")
    return fact(
        page,
        f"bottleneck.richness.{'data' if data else 'model'}",
        "section 3 with eqs. 17, 41",
        "The loss at the end of training does not depend on the richness, "
        + ("full batch on P samples." if data else "gradient descent on the population."),
        f"largest relative distance from the limit over gamma = {', '.join(f'{row.gamma:g}' for row in rows)}",
        judged.verdict,
        judged.reason,
        0.0,
        Measurement(worst, (0.0, worst)),
    )


def exponent_text(fit: PowerLawFit) -> str:
    """Return an exponent with its interval for a table."""
    return f"{number(fit.exponent, 3)} [{number(fit.interval[0], 3)}, {number(fit.interval[1], 3)}]"


def _differs(curve: Curve) -> float | None:
    return float(curve.corrected) if curve.corrected != curve.paper else None


def _fine(plan: Plan) -> Array:
    count = math.ceil(12 * math.log10(plan.largest / min(plan.sizes)))
    return np.asarray(np.geomspace(min(plan.sizes), plan.largest, count))


def _horizon(alpha: float, size: float) -> float:
    """Time that resolves all modes with ``lambda_k r > 1``, r being about ``size^alpha`` times a number below 3."""
    return float(4.0 * (3.0 * size) ** alpha)


_COLORS = ("#0072b2", "#c2410c", "#0d8577", "#8e1a4f")


def bottleneck_figure(model: Sequence[Curve], data: Sequence[Curve]) -> Figure:
    """Draw both bottlenecks against N and P."""
    with book_style():
        figure = new_figure(8.8)
        for axes, found, symbol, letter in zip(figure.subplots(2, 1), (model, data), "NP", "ab", strict=True):
            named: set[float] = set()
            for curve, color in zip(found, _COLORS, strict=False):
                axes.loglog(curve.fine, curve.limit, color=color, label=rf"$\beta = {curve.beta:g}$")
                axes.loglog(curve.fine, curve.printed, ":", color=color, linewidth=1.6)
                axes.errorbar(
                    curve.sizes,
                    curve.mean,
                    NORMAL_95 * curve.error,
                    fmt="o",
                    color=color,
                    markerfacecolor="white",
                    markersize=5,
                    capsize=2,
                    elinewidth=1.2,
                )
                if curve.corrected in named:
                    continue
                named.add(curve.corrected)
                end = int(0.62 * curve.fine.size)
                axes.annotate(
                    rf"${symbol}^{{-{curve.corrected:g}}}$",
                    (curve.fine[end], curve.limit[end]),
                    xytext=(4, 6),
                    textcoords="offset points",
                    color=color,
                )
            axes.set_xlabel(f"${symbol}$")
            axes.set_ylabel("loss at the end of training")
            what = "width $N$, fresh data" if symbol == "N" else "$P$ samples, infinite width"
            axes.set_title(f"({letter}) {what}")
            axes.plot([], [], ":", color=INK, linewidth=1.6, label="as printed")
            axes.legend(loc="lower left")
    return figure


def scale_figure(scales: Sequence[ScaleCurve], alpha: float) -> Figure:
    """Draw r_3 against N and r_1 against P."""
    with book_style():
        figure = new_figure(4.2)
        axes = figure.subplots()
        for curve, color, marker in zip(scales, _COLORS, "os", strict=False):
            symbol, name = ("P", "r_1") if curve.data else ("N", "r_3")
            unit = curve.sizes**alpha
            axes.errorbar(
                curve.sizes * (1.04 if curve.data else 0.96),
                curve.mean / unit,
                NORMAL_95 * curve.error / unit,
                fmt=marker,
                color=color,
                markerfacecolor="white",
                capsize=2,
                label=rf"${name} / {symbol}^\alpha$, draws",
            )
        curve = scales[0]
        axes.semilogx(curve.fine, curve.limit / curve.fine**alpha, color=INK, label=r"theory, $M = \infty$")
        axes.semilogx(curve.sizes, curve.theory / curve.sizes**alpha, "--", color=INK, label="theory, $M$ of the draws")
        axes.set_xlabel("$N$ or $P$")
        axes.set_ylabel(r"scale over size$^\alpha$")
        axes.legend(loc="best")
    return figure


def end_figure(rows: Sequence[EndRow]) -> Figure:
    """Draw the distance of the loss from its limit for every richness."""
    with book_style():
        figure = new_figure(4.4)
        panels = figure.subplots(1, 2, sharey=True)
        titles = ("(a) population", "(b) $P$ samples")
        for axes, data, title in zip(panels, (False, True), titles, strict=True):
            for row in rows:
                if row.data == data:
                    gap = np.maximum(np.abs(row.loss / row.floor - 1), 1e-16)
                    axes.loglog(row.step, gap, color=richness_color(row.gamma), label=rf"$\gamma = {row.gamma:g}$")
            axes.axhline(1e-13, color=MUTED, linewidth=0.9, linestyle=":")
            axes.set_xlabel("steps")
            axes.set_title(title)
        panels[0].set_ylabel("|loss / limit − 1|")
        panels[0].legend(loc="lower left")
    return figure
