"""Weak richness: networks on the circle that learn more slowly than their linearised twins, and what makes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.claims import MEAN, Claim, Measurement, Tolerance, bounded, judged
from companion.parameters import Parameters
from companion.style import INK, MUTED, SERIES, drawing
from neural_scaling.base.arrays import Array
from neural_scaling.networks.weak_runs import BANDS, KINDS, WeakRun, displaced
from neural_scaling.runs import Experiment, Result

#: Bands that make up modes 4 to 15.
MIDDLE = slice(2, 4)
#: The octave in which networks of every sharpness are compared, modes 4 to 7: smooth networks learn no higher ones in time.
OCTAVE = slice(2, 3)
#: Agreement of a linear flow with the linearised twin.
SAME = Tolerance(0.1, "logs of residuals: a tenth, small beside what networks do")


class Plan(Parameters):
    """Parameters of the notebook and the runs they make."""

    def run(
        self,
        richness: float | None = None,
        sharpness: float = math.inf,
        steps: int | None = None,
        angles: int | None = None,
        finer: int = 1,
    ) -> WeakRun:
        """Return the run with the values of the page unless others are given, in steps as many times finer."""
        return WeakRun(
            self.beta,
            self.depth,
            self.width,
            self.richness if richness is None else richness,
            sharpness,
            self.eta / finer,
            (self.steps if steps is None else steps) * finer,
            self.seeds,
            self.angles if angles is None else angles,
        )

    def by_richness(self) -> list[WeakRun]:
        """Return the runs of ReLU networks at every richness."""
        return [self.run(richness) for richness in self.richnesses]

    def by_sharpness(self) -> list[WeakRun]:
        """Return the runs at every sharpness, ReLU last."""
        self.require_same_length("sharpnesses", "steps_smooth")
        pairs = zip(self.sharpnesses, self.steps_smooth, strict=True)
        return [*(self.run(sharpness=sharpness, steps=steps) for sharpness, steps in pairs), self.run()]

    def by_angles(self) -> list[WeakRun]:
        """Return the runs on fewer, as many and more angles."""
        return [self.run(angles=angles) for angles in self.angles_study]

    def by_step(self) -> list[WeakRun]:
        """Return the runs at the learning rate of the page and at half of it, on the fewest angles."""
        return [self.run(angles=self.angles_study[0], finer=finer) for finer in (1, 2)]

    def chance(self) -> WeakRun:
        """Return whose initial weights are moved by chance."""
        return replace(self.run(), seeds=self.chance_networks)

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs = [*self.by_richness(), *self.by_angles(), *self.by_step(), *self.by_sharpness()]
        return [*dict.fromkeys(runs)]


def excess(result: Result, kind: str, bands: slice | None = MIDDLE, over: str = "twin") -> Array:
    """Return the log ratio of mean squares of two residuals in some bands, or in all modes, shape (seeds, R)."""
    loss, power = result.arrays["loss"], result.arrays["power"]
    one, other = (
        (loss if bands is None else power[..., bands].sum(-1))[KINDS.index(name)].astype(np.float64)
        for name in (kind, over)
    )
    return np.asarray(np.log(one / other))


def last(values: Array) -> Measurement:
    """Return the mean over seeds on the last step."""
    return Measurement.mean_of(values[:, -1])


def table(runs: Sequence[WeakRun], results: Mapping[Experiment, Result], middle: bool = True) -> pd.DataFrame:
    """Return the excess of residuals over the twin's on the last step, in modes 4 to 15 or in all, with what was varied."""
    rows = []
    for run in runs:
        found = [last(excess(results[run], kind, MIDDLE if middle else None)) for kind in KINDS if kind != "twin"]
        cells = [cell for one in found for cell in one.columns()[:2]]
        rows.append((run.richness, run.sharpness, run.angles, run.eta, *cells))
    names = [name for kind in KINDS if kind != "twin" for name in (kind, f"{kind}_interval")]
    return pd.DataFrame(rows, columns=["gamma0", "sharpness", "angles", "eta", *names])


def features(runs: Sequence[WeakRun], results: Mapping[Experiment, Result]) -> pd.DataFrame:
    """Return what has become of kernel, features and kinks on the last step, means over seeds; modes 4 to 15."""
    rows = []
    for run in runs:
        arrays = results[run].arrays
        kernel, overlap = (last(arrays[name][..., MIDDLE].mean(-1)) for name in ("kernel", "overlap"))
        counts = [float(arrays[name][:, -1].mean()) for name in ("moved", "crossed")]
        varied = (run.richness, run.sharpness, run.angles, run.eta)
        rows.append((*varied, *kernel.columns()[:2], *overlap.columns()[:2], *counts))
    names = ["kernel", "kernel_interval", "overlap", "overlap_interval", "moved", "crossed"]
    return pd.DataFrame(rows, columns=["gamma0", "sharpness", "angles", "eta", *names])


def by_chance(plan: Plan) -> pd.DataFrame:
    """Move initial weights at random, by several sizes: what that does to kernel, features and the flow of the kernel."""
    rows = []
    for size in plan.displacements:
        arrays = displaced(plan.chance(), size)
        power = arrays["power"][..., MIDDLE].sum(-1)
        excess = Measurement.mean_of(np.log(power[0] / power[1]))
        kernel, overlap = (Measurement.mean_of(arrays[name][:, MIDDLE].mean(1)) for name in ("kernel", "overlap"))
        rows.append((size, *kernel.columns()[:2], *overlap.columns()[:2], *excess.columns()[:2]))
    names = ["kernel", "kernel_interval", "overlap", "overlap_interval", "excess", "interval"]
    return pd.DataFrame(rows, columns=["size", *names])


def left(result: Result) -> Array:
    """Return what the twins have left of the target in :data:`OCTAVE`, mean over seeds, shape (R,)."""
    power = result.arrays["power"][KINDS.index("twin"), ..., OCTAVE].sum(-1).astype(np.float64)
    return np.asarray((power / power[:, :1]).mean(axis=0))


def matched(plan: Plan, results: Mapping[Experiment, Result]) -> dict[float, tuple[float, Array, Array]]:
    """Compare smooth networks with ReLU networks where their twins have as much left, as late as both runs reach.

    By sharpness: what is left, and the excess in modes 4 to 7 of the smooth networks and of ReLU, each of shape (seeds,).
    """
    *smooth, relu = plan.by_sharpness()
    found = {}
    for run in smooth:
        pair = [results[one] for one in (run, relu)]
        level = max(float(left(one)[-1]) for one in pair)
        curves = [(-np.log(left(one)), excess(one, "network", OCTAVE)) for one in pair]
        own, rectifier = (np.array([np.interp(-math.log(level), x, y) for y in values]) for x, values in curves)
        found[run.sharpness] = (level, own, rectifier)
    return found


def sharpness_table(found: Mapping[float, tuple[float, Array, Array]]) -> pd.DataFrame:
    """Return what :func:`matched` found, means over seeds with their intervals."""
    rows = []
    for sharpness, (level, smooth, relu) in found.items():
        cells = [cell for values in (smooth, relu) for cell in Measurement.mean_of(values).columns()[:2]]
        rows.append((sharpness, level, *cells))
    return pd.DataFrame(rows, columns=["sharpness", "left", "smooth", "smooth_interval", "relu", "relu_interval"])


def claims_of(
    plan: Plan,
    results: Mapping[Experiment, Result],
    chance: pd.DataFrame,
    compared: Mapping[float, tuple[float, Array, Array]],
) -> list[Claim]:
    """Return the claims of the page; at small scale there are too few networks and steps for any."""
    if plan.scale == "small":
        return []
    run = plan.run()
    smallest = plan.by_sharpness()[0]
    _, smooth, relu = compared[smallest.sharpness]
    overlap = float(results[run].arrays["overlap"][:, -1, MIDDLE].mean())
    farther = chance[chance.overlap < overlap]
    # The least displacement by which features lose as much.
    moved = farther.iloc[0] if len(farther) else chance.iloc[-1]
    task = f"(gamma_0 = {plan.richness:g}, beta = {plan.beta:g}, N = {plan.width})"
    quantity = "log of the mean square in modes 4 to 15 over that of the linearised twin, last step"
    place, more = "ours, beside Fig. 5", "more networks would decide it"
    return [
        bounded(
            plan,
            "weak.slower",
            place,
            f"Weakly rich ReLU networks learn modes 4 to 15 more slowly than their linearised twins {task}.",
            f"{quantity}, residual of the network",
            "above",
            0.0,
            last(excess(results[run], "network")),
            "network",
            seeds=plan.seeds,
            runs=[run],
            needs=more,
        ),
        judged(
            plan,
            "weak.diagonal",
            place,
            f"The changed eigenvalues of the kernel, its diagonal in Fourier modes, do not delay them {task}.",
            f"{quantity}, flow of the first kernel with the present diagonal",
            0.0,
            last(excess(results[run], "diagonal")),
            "network",
            SAME,
            seeds=plan.seeds,
            runs=[run],
            needs=more,
        ),
        judged(
            plan,
            "weak.chance",
            place,
            f"Features that chance moves as far from the initial ones do not delay the flow of their kernel {task}.",
            f"{quantity}, flow of the kernel after a displacement of {moved['size']:g} of all weights",
            0.0,
            Measurement.of(moved.excess, moved.interval, meaning=MEAN),
            "network",
            SAME,
            seeds=plan.chance_networks,
            needs=more,
        ),
        bounded(
            plan,
            "weak.kinks",
            place,
            f"Softplus networks of sharpness {smallest.sharpness:g} are delayed less than ReLU networks {task}.",
            "log excess in modes 4 to 7 of ReLU less that of softplus, where their twins have as much left",
            "above",
            0.0,
            Measurement.mean_of(relu - smooth),
            "network",
            seeds=plan.seeds,
            runs=[run, smallest],
            needs=more,
        ),
    ]


def delay_figure(plan: Plan, results: Mapping[Experiment, Result]) -> Figure:
    """Draw how the excess of the networks over their twins grows, at every richness and every sharpness."""
    panels: list[tuple[str, Sequence[WeakRun], Callable[[WeakRun], str]]] = [
        ("(a) ReLU", plan.by_richness(), lambda run: rf"$\gamma_0 = {run.richness:g}$"),
        (
            rf"(b) $\gamma_0 = {plan.richness:g}$",
            plan.by_sharpness(),
            lambda run: "ReLU" if math.isinf(run.sharpness) else rf"$s = {run.sharpness:g}$",
        ),
    ]
    with drawing(7.6, 2, sharex=True) as (figure, sheet):
        for axes, (title, runs, name) in zip(sheet, panels, strict=True):
            for run, color in zip(runs, SERIES, strict=False):
                time = run.eta * results[run].arrays["step"][1:]
                _draw(axes, time, excess(results[run], "network")[:, 1:], color, name(run))
            axes.axhline(0.0, color=MUTED, linewidth=1.0)
            axes.set(title=title, xscale="log", ylabel="log excess, modes 4 to 15")
            axes.legend()
        axes.set_xlabel(r"$\eta_0 t$")
    return figure


def band_figure(plan: Plan, results: Mapping[Experiment, Result]) -> Figure:
    """Draw by modes the excess of network, replay and diagonal, and what has become of features and kernel at every richness."""
    names = {"network": "network", "replayed": "flow of $K(t)$", "diagonal": "diagonal of $K(t)$ alone"}
    with drawing(7.6, 2, sharex=True) as (figure, (upper, lower)):
        for (kind, label), color in zip(names.items(), SERIES, strict=False):
            found = [excess(results[plan.run()], kind, slice(band, band + 1)) for band in range(len(BANDS))]
            _draw(upper, np.array(BANDS) * 1.0, np.stack([one[:, -1] for one in found], axis=1), color, label)
        upper.axhline(0.0, color=MUTED, linewidth=1.0)
        upper.set(ylabel="log excess", title=rf"(a) ReLU, $\gamma_0 = {plan.richness:g}$")
        for run, color in zip(plan.by_richness(), SERIES, strict=False):
            arrays = results[run].arrays
            _draw(lower, np.array(BANDS) * 1.0, arrays["overlap"][:, -1], color, rf"$\gamma_0 = {run.richness:g}$")
            lower.plot(BANDS, arrays["kernel"][:, -1].mean(0), ":", color=color)
        lower.plot([], [], ":", color=INK, label="diagonal of the kernel")
        lower.set(ylabel="overlap of features", title="(b) features and kernel over those at the start", xscale="log")
        lower.set_xticks(BANDS, [f"{first}" if first == 1 else f"{first}-{2 * first - 1}" for first in BANDS])
        lower.minorticks_off()
        lower.set_xlabel("modes $k$")
        for axes in (upper, lower):
            axes.legend()
    return figure


def _draw(axes: Axes, x: Array, values: Array, color: str, label: str) -> None:
    """Draw the mean over seeds with its 95 % interval."""
    found = [Measurement.mean_of(one) for one in values.T]
    axes.plot(x, values.mean(axis=0), "o-", color=color, markersize=4, label=label)
    axes.fill_between(x, *np.array([one.interval for one in found]).T, color=color, alpha=0.2, linewidth=0)
