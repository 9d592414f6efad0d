"""Training on the same P samples over and over: test loss, training loss and the gap between them (Appendix D)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.agreement import LOSS, draw_mean, log_average
from companion.claims import MEAN, Claim, Measurement, Tolerance, judged
from companion.parameters import Parameters
from companion.style import INK, MUTED, SIZES, THEORY, drawing, entries, plain_ticks, richness_color
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law
from neural_scaling.models.finite_data_runs import SampleReuseDMFTRun, SampleReuseFlowRun, SampleReuseRun
from neural_scaling.models.sample_reuse import reuse_limit
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import ModeQuadrature, PowerLaw

#: The training loss is compared until the theory has it at this fraction of its first value: below, single seeds decide the mean.
TRAINED = 0.05
#: Window of the fit of the limit in P: two decades past the first hundred modes.
BOTTLENECK_WINDOW = (1e2, 1e4)


class Plan(Parameters):
    """What the page on sample reuse computes: the parameters of its notebook and the runs they make."""

    def simulation(self, gamma: float, plateau: bool = False) -> list[SampleReuseRun]:
        """Return the simulations at one richness, one per number of samples."""
        common = (self.alpha, self.beta, self.modes, self.eta, gamma, self.steps)
        width, values, seeds = self._chosen(plateau)
        return [SampleReuseRun(*common, width=width, seeds=seeds, samples=samples) for samples in values]

    def theory(self, gamma: float, plateau: bool = False) -> list[SampleReuseDMFTRun]:
        """Return the mean-field runs at one richness, one per number of samples."""
        common = (self.alpha, self.beta, self.modes, self.eta, gamma, self.steps_theory)
        width, values, _ = self._chosen(plateau)
        return [SampleReuseDMFTRun(*common, width=width, samples=samples) for samples in values]

    def flow(self, gamma: float, plateau: bool = False) -> list[SampleReuseFlowRun]:
        """Return the theory as gradient flow to the last step of the simulations, one run per number of samples."""
        common = (self.alpha, self.beta, self.modes, self.eta, gamma, self.steps)
        width, values, _ = self._chosen(plateau)
        return [SampleReuseFlowRun(*common, width=width, samples=samples) for samples in values]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        cases = list(itertools.product(self.gammas, (False, True)))
        simulations: list[Experiment] = [run for case in cases for run in self.simulation(*case)]
        theories = [run for case in cases for run in (*self.theory(*case), *self.flow(*case))]
        return list(dict.fromkeys([*simulations, *theories]))

    def quadrature(self) -> ModeQuadrature:
        """Return the modes for the limit t -> infinity."""
        return PowerLaw(self.alpha, self.beta, self.modes).spectrum().quadrature()

    @property
    def power(self) -> float:
        """Predicted exponent of the limit in P."""
        return float(self.alpha * min(2.0, self.beta))

    def _chosen(self, plateau: bool) -> tuple[int, Sequence[int], int]:
        if plateau:
            return self.width_plateau, self.samples_plateau, self.seeds_plateau
        return self.width, self.samples, self.seeds


@dataclass(frozen=True)
class Curves:
    """All curves at one richness."""

    gamma: float  # richness
    width: int  # N
    samples: tuple[int, ...]  # P of each curve
    # theory, flow, simulation: results of SampleReuseDMFTRun, SampleReuseFlowRun and SampleReuseRun, one per P
    theory: tuple[Result, ...]
    flow: tuple[Result, ...]
    simulation: tuple[Result, ...]

    def expected(self, index: int, name: str) -> tuple[Array, Array]:
        """Return steps from 1 on and the theory of the P of that index: step by step, then gradient flow."""
        exact, flow = self.theory[index].arrays, self.flow[index].arrays
        later = flow["step"] > exact["step"][-1]
        steps = np.concatenate([exact["step"][1:], flow["step"][later]])
        return steps, np.concatenate([exact[name][1:], flow[name][later]])


def curves(plan: Plan, gamma: float, results: Mapping[Experiment, Result], plateau: bool = False) -> Curves:
    """Collect the curves at one richness."""
    simulations = plan.simulation(gamma, plateau)
    return Curves(
        gamma,
        simulations[0].width,
        tuple(run.samples for run in simulations),
        tuple(results[run] for run in plan.theory(gamma, plateau)),
        tuple(results[run] for run in plan.flow(gamma, plateau)),
        tuple(results[run] for run in simulations),
    )


def agreement(found: Curves) -> pd.DataFrame:
    """Compare simulation and theory at every P: the mean over seeds of loss / theory, averaged over the logarithm of the step."""
    rows = []
    for samples, theory, simulation in zip(found.samples, found.theory, found.simulation, strict=True):
        reached = theory.arrays["step"] > 0
        trained = reached & (theory.arrays["train_loss"] > TRAINED * theory.arrays["train_loss"][0])
        test = _averaged_ratio(theory, simulation, "loss", reached)
        train = _averaged_ratio(theory, simulation, "train_loss", trained)
        rows.append((found.gamma, found.width, samples, test.value, test.interval, train.value, train.interval))
    columns = ["gamma", "width", "samples", "test", "test_interval", "train", "train_interval"]
    return pd.DataFrame(rows, columns=columns)


def _averaged_ratio(theory: Result, simulation: Result, name: str, kept: npt.NDArray[np.bool_]) -> Measurement:
    step = theory.arrays["step"]
    _, first, second = np.intersect1d(step[kept], simulation.arrays["step"], return_indices=True)
    ratios = simulation.arrays[name][:, second].astype(np.float64) / theory.arrays[name][kept][first]
    return Measurement.mean_of(log_average(ratios, step[kept][first]))


def stopping(found: Curves) -> pd.DataFrame:
    """Find the recorded step with the lowest mean test loss for every P; that loss, the last and the limit, beside the theory."""
    rows = []
    for index, (samples, simulation) in enumerate(zip(found.samples, found.simulation, strict=True)):
        steps, expected = found.expected(index, "loss")
        lowest = int(np.argmin(expected))
        mean = simulation.arrays["loss"].mean(axis=0, dtype=np.float64)
        best = int(np.argmin(mean))
        limit = math.inf if samples == found.width else float(simulation.arrays["floor"].mean())
        step = float(simulation.arrays["step"][best])
        pairs = (step, float(steps[lowest]), mean[best], expected[lowest], mean[-1], expected[-1])
        rows.append((found.gamma, samples, *pairs, limit))
    names = ["best_step", "expected_step", "best", "expected_best", "last", "expected_last"]
    return pd.DataFrame(rows, columns=["gamma", "samples", *names, "limit"])


def limits(plan: Plan, found: Curves) -> pd.DataFrame:
    """Compare the exact limits of the simulated draws with the theory's and with eq. 78, at every P except P = N."""
    rows = []
    for samples, simulation in zip(found.samples, found.simulation, strict=True):
        if samples != found.width:
            floor, theory = simulation.arrays["floor"], reuse_limit(plan.quadrature(), found.width, samples)
            mean, error = float(floor.mean()), float(floor.std(ddof=1) / math.sqrt(floor.size))
            ratio = Measurement.with_error(mean / theory.loss, error / theory.loss)
            rows.append((found.width, samples, mean, error, theory.loss, ratio.value, ratio.interval, theory.printed))
    names = ["simulated", "error", "theory", "ratio", "interval", "printed"]
    return pd.DataFrame(rows, columns=["width", "samples", *names])


def bottleneck(plan: Plan) -> pd.DataFrame:
    """Fit the limit t -> infinity at infinite width and infinitely many modes against P from 1e2 to 1e4."""
    samples = np.geomspace(*BOTTLENECK_WINDOW, 25)
    # sum_k K_k = P has y below P^alpha; the modes must be resolved beyond it.
    quadrature = PowerLaw(plan.alpha, plan.beta).quadrature(100 * BOTTLENECK_WINDOW[1] ** plan.alpha)
    found = [reuse_limit(quadrature, math.inf, float(value)) for value in samples]
    exponent = fit_power_law(samples, [limit.loss for limit in found], BOTTLENECK_WINDOW).exponent
    rows = [
        ("exponent of the limit in P, P from 1e2 to 1e4", exponent, plan.power),
        ("limit over paper eq. 78 as printed, P = 1e4", found[-1].loss / found[-1].printed, plan.alpha),
    ]
    return pd.DataFrame(rows, columns=["quantity", "found", "predicted"])


def agreement_claims(plan: Plan, rows: pd.DataFrame) -> list[Claim]:
    """Return the claims that the theory gives test and training loss, at the smallest and the largest P."""
    return [
        judged(
            plan,
            f"reuse.{name}.gamma-{row.gamma:g}.{which}",
            "App. D, eq. 41",
            f"The theory gives the mean {words} loss on P = {row.samples} fixed samples, N = {row.width}, "
            f"gamma = {row.gamma:g}.",
            "simulated mean over theory, averaged over log steps",
            1.0,
            Measurement.of(getattr(row, name), getattr(row, f"{name}_interval"), meaning=MEAN),
            "simulation",
            LOSS,
            seeds=plan.seeds,
            runs=[plan.simulation(row.gamma)[at], plan.theory(row.gamma)[at]],
            needs="more seeds, or more samples: the theory is the leading order in 1/N and 1/P",
        )
        for row, which, at in zip(rows.iloc[[0, -1]].itertuples(), ("fewest", "most"), (0, -1), strict=True)
        for name, words in (("test", "test"), ("train", "training"))
    ]


def limit_claim(plan: Plan, rows: pd.DataFrame) -> Claim:
    """Return the claim about the bottleneck in P as printed, at the largest P of the study."""
    row = rows.loc[rows.samples.idxmax()]  # the theory is the leading order in 1/P
    corrected = float(row.theory / row.printed)
    return judged(
        plan,
        "reuse.bottleneck.prefactor",
        "eq. 78",
        "Trained to the end on P samples at large width, the test loss is the sum over modes of lambda w*^2 / "
        "(1 + lambda r)^2.",
        f"simulated limit over that sum, N = {row.width}, P = {row.samples}",
        1.0,
        Measurement.with_error(row.simulated / row.printed, row.error / row.printed),
        "simulation",
        Tolerance(LOSS.value * corrected, f"{LOSS.reason}; relative to the corrected value, which is the larger one"),
        corrected=corrected,
        seeds=plan.seeds_plateau,
        runs=plan.simulation(plan.gammas[0], plateau=True)[-1:],
        note="eq. 78 leaves out a factor 1/(1 - d/P), of order one, and the finite width",
    )


def richness_claim(plan: Plan, found: Sequence[Curves]) -> Claim:
    """Return the claim that the limit of long training does not depend on the richness."""
    # Only runs that have arrived can be asked: their training loss has come within a millionth of the first one of its limit.
    ratios: list[float] = []
    for one in (one for one in found if one.gamma > 0):
        for simulation in one.simulation:
            arrays = simulation.arrays
            arrived = arrays["train_loss"][:, -1] - arrays["train_floor"] < 1e-6 * arrays["train_loss"][:, 0]
            ratios += list(arrays["loss"][arrived, -1] / arrays["floor"][arrived])
    return judged(
        plan,
        "reuse.limit.richness",
        "App. D, eq. 41",
        "Where training ends on P samples does not depend on the richness.",
        "test loss of rich runs that have arrived over the limit of lazy training, median and extremes over seeds",
        1.0,
        Measurement.median_of(np.array(ratios)),
        "simulation",
        LOSS,
        seeds=len(ratios) or None,
        needs="rich runs that arrive",
    )


def curves_figure(found: Sequence[Curves]) -> Figure:
    """Draw test and training loss against steps, one row per richness."""
    shape = {"sharex": True, "sharey": "col", "squeeze": False}
    with drawing(3.9 * len(found) + 0.9, len(found), 2, **shape) as (figure, panels):
        for row, one in zip(panels, found, strict=True):
            for axes, name, title in zip(row, ("loss", "train_loss"), ("test", "training"), strict=True):
                for index, color, simulation in _colored(one):
                    draw_mean(axes, simulation, color, f"$P = {one.samples[index]}$", name=name)
                    axes.loglog(*one.expected(index, name), **THEORY)
                axes.set_title(rf"{title} loss, $\gamma = {one.gamma:g}$")
        first = _first(found)
        lowest = min(_mean_loss(simulation).min() for one in found for simulation in one.simulation)
        panels[0][0].set_ylim(0.6 * lowest, 2 * first)
        # Training losses fall to zero for P < N: only a few decades are shown.
        panels[0][1].set_ylim(2e-3 * first, 2 * first)
        for axes in panels[-1]:
            axes.set_xlabel("steps $t$")
        for axes in panels[:, 0]:
            axes.set_ylabel("loss")
            plain_ticks(axes.yaxis)
        figure.legend(*entries(panels[0][0], {"theory": THEORY}), loc="outside lower center", ncols=3)
    return figure


def gap_figure(found: Sequence[Curves]) -> Figure:
    """Draw test minus training loss against steps, one panel per richness."""
    with drawing(7.6, len(found), sharex=True, sharey=True) as (figure, panels):
        for axes, one in zip(panels, found, strict=True):
            for index, color, simulation in _colored(one):
                arrays = simulation.arrays
                step, gaps = arrays["step"][1:], arrays["loss"][:, 1:].astype(np.float64) - arrays["train_loss"][:, 1:]
                mean, error = gaps.mean(axis=0), gaps.std(axis=0, ddof=1) / math.sqrt(gaps.shape[0])
                axes.semilogx(step, mean, color=color, label=f"$P = {one.samples[index]}$")
                axes.fill_between(step, mean - 2 * error, mean + 2 * error, color=color, alpha=0.2, linewidth=0)
                steps, test = one.expected(index, "loss")
                axes.semilogx(steps, test - one.expected(index, "train_loss")[1], **THEORY)
            axes.set(title=rf"$\gamma = {one.gamma:g}$", ylabel="test $-$ training loss")
        panels[0].set_ylim(-0.1 * _first(found), 0.6 * _first(found))
        panels[-1].set_xlabel("steps $t$")
        panels[0].legend(*entries(panels[0], {"theory": THEORY}), loc="upper left", ncols=2)
    return figure


def peak_figure(plan: Plan, found: Sequence[Curves], steps: Sequence[float]) -> Figure:
    """Draw the test loss against P at several steps and in the limit, one panel per richness."""
    shades, quadrature = SIZES[4::-2], plan.quadrature()  # early to late
    with drawing(8.2, len(found), sharex=True, sharey=True) as (figure, panels):
        for axes, one in zip(panels, found, strict=True):
            # Leaving out P = N, where the limit is infinite, cuts the line there.
            dense = np.unique(np.round(np.geomspace(min(one.samples), max(one.samples), 200)))
            limit = [math.nan if p == one.width else reuse_limit(quadrature, one.width, float(p)).loss for p in dense]
            axes.loglog(dense, limit, color=MUTED, label=r"$t \to \infty$")
            for color, step in zip(shades, steps, strict=False):
                points = []
                for index, simulation in enumerate(one.simulation):
                    at = int(np.argmin(np.abs(simulation.arrays["step"] - step)))
                    losses = simulation.arrays["loss"][:, at].astype(np.float64)
                    times, values = (np.log(axis) for axis in one.expected(index, "loss"))
                    expected = math.exp(np.interp(math.log(simulation.arrays["step"][at]), times, values))
                    points.append((losses.mean(), 2 * losses.std(ddof=1) / math.sqrt(losses.size), expected))
                mean, error, expected_all = np.array(points).T
                axes.errorbar(one.samples, mean, error, fmt="o", color=color, label=f"$t = {step:.0f}$")
                axes.loglog(one.samples, expected_all, "--", color=color, linewidth=1.3)
            axes.axvline(one.width, color=MUTED, linestyle=":", linewidth=1.2)
            axes.annotate(
                "$P = N$", (one.width, 0.03), (4, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
                color=MUTED,
            )  # fmt: skip
            axes.set(title=rf"$\gamma = {one.gamma:g}$, $N = {one.width}$", ylabel="test loss")
            plain_ticks(axes.yaxis)
        lowest = min(_mean_loss(one.simulation[-1]).min() for one in found)
        panels[0].set_ylim(0.6 * lowest, 1.5 * _first(found))
        panels[-1].set_xticks(found[0].samples, labels=[str(samples) for samples in found[0].samples])
        panels[-1].set_xticks([], minor=True)
        panels[-1].set_xlabel("samples $P$")
        figure.legend(*entries(panels[0], {"theory": THEORY}), loc="outside lower center", ncols=3)
    return figure


def plateau_figure(plan: Plan, found: Sequence[Curves]) -> Figure:
    """Draw test loss against steps at few samples and large width, and the limit against P."""
    quadrature = plan.quadrature()
    with drawing(8.8, 2) as (figure, (upper, lower)):
        for one in found:
            for index, color, simulation in _colored(one):
                label = f"$P = {one.samples[index]}$" if one is found[0] else None
                mean = simulation.arrays["loss"].mean(axis=0, dtype=np.float64)
                style = "-" if one.gamma == 0 else ":"
                upper.loglog(simulation.arrays["step"][1:], mean[1:], style, color=color, label=label)
                upper.loglog(*one.expected(index, "loss"), "--", color=INK, linewidth=1.1)
                if one is found[0]:
                    limit = reuse_limit(quadrature, one.width, one.samples[index]).loss
                    upper.axhline(limit, 0.8, color=MUTED, linewidth=1.2)
        solid, dotted = (rf"$\gamma = {one.gamma:g}$" for one in (found[0], found[-1]))
        upper.set_title(rf"$N = {found[0].width}$, {solid} solid, {dotted} dotted")
        upper.set_xlabel("steps $t$")
        upper.set_ylabel("test loss")
        plain_ticks(upper.yaxis)
        upper.legend(loc="lower left", ncols=2)
        _limit_panel(lower, found[0], quadrature, plan.power)
    return figure


def _limit_panel(axes: Axes, found: Curves, quadrature: ModeQuadrature, power: float) -> None:
    dense = np.geomspace(min(found.samples) / 2, 4 * max(found.samples), 60)
    wide = [reuse_limit(quadrature, math.inf, float(p)) for p in dense]
    axes.loglog(dense, [one.loss for one in wide], color=INK, label=r"theory, $N \to \infty$")
    axes.loglog(dense, [one.printed for one in wide], "--", color=richness_color(2.0), label="paper eq. 78 as printed")
    narrow = dense[dense < found.width / 2]  # towards P = N the limit rises without bound
    finite = [reuse_limit(quadrature, found.width, float(p)).loss for p in narrow]
    axes.loglog(narrow, finite, color=MUTED, label=f"theory, $N = {found.width}$")
    floors = [simulation.arrays["floor"] for simulation in found.simulation]
    means = [floor.mean() for floor in floors]
    errors = [2 * floor.std(ddof=1) / math.sqrt(floor.size) for floor in floors]
    axes.errorbar(found.samples, means, errors, fmt="o", color=SIZES[1], label="exact limit of the draws")
    x = np.array([dense[-1] / 12, dense[-1]])
    y = 0.55 * wide[-1].printed * (x / x[-1]) ** -power
    axes.loglog(x, y, ":", color=MUTED, linewidth=1.6)
    label, place = rf"$P^{{-{power:.3g}}}$", (float(x[0]), float(y[0]))
    axes.annotate(label, place, (-34, -6), textcoords="offset points", color=MUTED)
    axes.set(xlabel="samples $P$", ylabel=r"test loss, $t \to \infty$")
    axes.legend(loc="lower left")


def _colored(one: Curves) -> Iterator[tuple[int, str, Result]]:
    """Yield index, colour and simulation of each number of samples."""
    for index, (color, simulation) in enumerate(zip(SIZES, one.simulation, strict=False)):
        yield index, color, simulation


def _mean_loss(simulation: Result) -> Array:
    return np.asarray(simulation.arrays["loss"].mean(axis=0))


def _first(found: Sequence[Curves]) -> Any:
    """Return the mean loss before the first step."""
    return found[0].simulation[0].arrays["loss"][:, 0].mean()
