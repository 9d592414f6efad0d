"""Capacity and source of real tasks, from tangent kernels of convolutional networks at their start."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.claims import Claim, Measurement, bounded, judged
from companion.image_tasks import ImageRow, SourceRow, image_row, paper_source, source_row, title
from companion.parameters import Parameters
from companion.style import INK, MUTED, RICH, drawing, entries, plain_ticks, width_color
from companion.tables import Table
from neural_scaling.base.arrays import Array
from neural_scaling.networks.image_kernel import TIMES
from neural_scaling.networks.image_runs import ImageRun, KernelRun, MixingRun
from neural_scaling.runs import Experiment, Result

#: Colours of digits and of objects.
_TASKS = ("#1b3a6b", RICH)


class Plan(Parameters):
    """What the page on the source of real tasks computes."""

    def kernels(self, dataset: str) -> list[KernelRun]:
        """Return the kernels whose exponents are quoted, one per network."""
        return [KernelRun(dataset, self.images, self.test, False, self.width, seed) for seed in range(self.seeds)]

    def by_width(self, dataset: str) -> list[KernelRun]:
        """Return the kernels of the study of N."""
        return [replace(self.kernels(dataset)[0], width=width) for width in self.widths]

    def by_count(self, dataset: str) -> list[KernelRun]:
        """Return the kernels of the study of n."""
        return [replace(self.kernels(dataset)[0], images=count) for count in self.counts]

    def lazy(self, dataset: str) -> list[ImageRun]:
        """Return the linearised learning curves, one per width."""
        shape = (dataset, 0, self.test, False)
        how = (0.0, self.eta, self.batch, self.steps, self.networks)
        return [ImageRun(*shape, width, *how) for width in self.lazy_widths]

    def mixing(self, dataset: str) -> list[MixingRun]:
        """Return the kernels over images and outputs, one per linearised learning curve."""
        return [MixingRun(dataset, self.mixed_images, width, 0) for width in self.lazy_widths]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs: list[Experiment] = []
        for dataset in self.datasets:
            runs += [*self.kernels(dataset), *self.by_width(dataset), *self.by_count(dataset)]
            runs += [*self.lazy(dataset), *self.mixing(dataset)]
        return list(dict.fromkeys(runs))


@dataclass(frozen=True)
class Slowing:
    """How much slower a linearised network of finite width is than the mean kernel of its outputs."""

    run: MixingRun  # what was computed
    # train, test: losses of gradient flow at the images and at others by the kernels of KERNELS, shape (3, T)
    train: Array
    test: Array

    def estimates(self, time: Array, kernel: int = 2) -> tuple[Array, Array]:
        """Return the loss over that of the mean kernel, at other images and at the images themselves, shape (R,) each.

        Two estimates of the ratio at the population: late on the first tends to be too small and the second to be too large.
        """
        return self._ratio(self.test, kernel, time), self._ratio(self.train, kernel, time)

    @staticmethod
    def _ratio(losses: Array, kernel: int, time: Array) -> Array:
        # Losses at the images vanish at last, below what a number can hold.
        there = (losses[0] > 0) & (losses[kernel] > 0)
        ratio = np.log(losses[kernel, there] / losses[0, there])
        return np.asarray(np.exp(np.interp(np.log(time), np.log(TIMES[there]), ratio)))


@dataclass(frozen=True)
class Task:
    """What was measured of one dataset."""

    name: str  # of the dataset
    rows: Sequence[SourceRow]  # the quoted kernels, one per network
    # by_width, by_count: kernels of the studies
    by_width: Sequence[SourceRow]
    by_count: Sequence[SourceRow]
    lazy: Sequence[ImageRow]  # linearised learning curves, one per width
    slowing: Sequence[Slowing]  # what the mixing of outputs does to each of them

    def like(self, width: int) -> SourceRow:
        """Return the kernel of a width with the weights of seed 0; the widest there is, if there is none of that width."""
        rows = sorted([self.rows[0], *self.by_width], key=lambda row: row.run.width)
        return next((row for row in rows if row.run.width == width), rows[-1])

    def above(self, row: ImageRow, time: float) -> Array:
        """Return the losses of linearised networks over the lazy curve of :meth:`like`, at a time eta_0 t, one per seed."""
        step = math.log(time / row.run.eta)
        losses = np.exp([np.interp(step, np.log(row.step), np.log(loss)) for loss in row.loss])
        return np.asarray(losses / self.like(row.run.width).lazy(np.array([time]))[0])


def task(plan: Plan, dataset: str, results: Mapping[Experiment, Result]) -> Task:
    """Collect and fit what was measured of one dataset."""
    rows = [source_row(run, results) for run in plan.kernels(dataset)]
    return Task(
        dataset,
        rows,
        [source_row(run, results) for run in plan.by_width(dataset)],
        [source_row(run, results) for run in plan.by_count(dataset)],
        [image_row(run, rows[0], results) for run in plan.lazy(dataset)],
        [
            Slowing(run, *(results[run].arrays[name].astype(np.float64) for name in ("train", "test")))
            for run in plan.mixing(dataset)
        ],
    )


def exponents(rows: Sequence[SourceRow], caption: str = "") -> Table:
    """Return capacities and sources as a table."""
    found = []
    for row in rows:
        run, bounds = row.run, (row.tail_fits[1].exponent, row.tail_fits[0].exponent)
        values = (row.capacity, row.capacity_interval, row.source, row.source_interval, bounds)
        found.append((run.dataset, run.width, run.images, run.seed, *values, paper_source(run.dataset)))
    names = ["dataset", "width", "images", "seed", "capacity", "interval"]
    names += ["source", "source_interval", "bounds", "paper"]
    heads = {"images": "n", "capacity": "α", "source": "β", "source_interval": "95 % of β", "paper": "paper's β"}
    formats = {"capacity": ".2f", "interval": ".2f", "paper": "g"}
    formats |= dict.fromkeys(("source", "source_interval", "bounds"), ".3f")
    return Table(pd.DataFrame(found, columns=names), caption, {**heads, "interval": "95 % of α"}, formats)


def difficulty(tasks: Sequence[Task]) -> pd.DataFrame:
    """Return the datasets, the easiest first, and whether they are hard."""
    order = sorted(tasks, key=lambda one: one.rows[0].source, reverse=True)
    return pd.DataFrame({"dataset": [one.name for one in order], "hard": [one.rows[0].source < 1 for one in order]})


def sound(tasks: Sequence[Task]) -> dict[str, bool]:
    """Say whether bounds are bounds, and the kernel at the start tells how fast a linearised network learns."""
    measured = [row for one in tasks for row in (*one.rows, *one.by_count, *one.by_width)]
    bounds = [(row.train <= row.test * 1.02).all() for row in measured]
    ratios = [row.mean[-1] / one.rows[0].lazy(row.run.eta * row.step[-1:])[0] for one in tasks for row in one.lazy]
    return {
        "the training loss lies at most 2 % above the test loss": bool(np.all(bounds)),
        "linearised networks end at 0.8 to 2 times the prediction": all(0.8 < ratio < 2 for ratio in ratios),
    }


def lazy_exponents(tasks: Sequence[Task]) -> pd.DataFrame:
    """Return the exponents of linearised networks; ``ratio`` is their loss over the prediction at the end of the window.

    ``repeated`` is the share of samples seen before, ``noise`` that by which single batches raise the loss, eta_0 tr K/(2 B).
    """
    found = []
    for one in tasks:
        for row in one.lazy:
            run, ratio = row.run, math.nan
            if row.fitted:
                inside = (row.step >= row.window.start) & (row.step <= row.window.end)
                ratio = float(row.mean[inside][-1] / one.rows[0].lazy(run.eta * row.step[inside][-1:])[0])
            noise = float(run.eta * one.like(run.width).eigenvalues.sum() / (2 * run.batch))
            found.append((one.name, run.width, *row.measured.columns(), ratio, row.repeated, noise))
    names = ["dataset", "width", "exponent", "interval", "window", "ratio", "repeated", "noise"]
    return pd.DataFrame(found, columns=names)


def slowing(tasks: Sequence[Task]) -> pd.DataFrame:
    """Return how far linearised networks lie above the prediction, beside what the mixing of outputs lets expect.

    ``own`` and ``whole`` are estimates with the outputs' own kernels and with the whole kernel, at other images and at the images
    themselves.
    """
    found = []
    for one in tasks:
        for row, slower in zip(one.lazy, one.slowing, strict=True):
            last = row.run.eta * row.last_finite()
            for now in [*(time for time in (1.0, 10.0, 100.0) if time < 0.9 * last), last]:
                ratios = (slower.estimates(np.array([now]), kernel) for kernel in (1, 2))
                own, whole = ((float(test[0]), float(train[0])) for test, train in ratios)
                kernel = one.like(row.run.width).run.width
                found.append((one.name, row.run.width, kernel, now, float(one.above(row, now)[0]), own, whole))
    return pd.DataFrame(found, columns=["dataset", "width", "kernel_width", "time", "network", "own", "whole"])


def claims(plan: Plan, tasks: Sequence[Task]) -> list[Claim]:
    """Return the claims: at small scale which tasks are hard and which is harder, else exponents and lazy curves too."""
    found = [_hard_claim(plan, one) for one in tasks]
    if len(tasks) > 1:
        found.append(_harder_claim(plan, tasks))
    if plan.scale != "small":
        for one in tasks:
            found += [_source_claim(plan, one), _lazy_claim(plan, one)]
    return found


def _hard_claim(plan: Plan, one: Task) -> Claim:
    row = one.rows[0]
    return bounded(
        plan,
        f"source.{one.name}.hard",
        "Fig. 6, section 6",
        f"The task {title(one.name)} is hard for a convolutional network.",
        "source beta from eigenvalues and targets of the tangent kernel, window in modes",
        "below",
        1.0,
        _source(row),
        "network",
        runs=[row.run],
        needs="more images",
    )


def _harder_claim(plan: Plan, tasks: Sequence[Task]) -> Claim:
    """Judge whether the paper's order of the tasks is that of the measured sources; the first two are compared."""
    easy, hard = sorted(tasks[:2], key=lambda one: -paper_source(one.name))
    rows = easy.rows[0], hard.rows[0]
    half = math.hypot(*(_source(row).half for row in rows))
    return bounded(
        plan,
        "source.order",
        "Fig. 6, section 5.2",
        f"For convolutional networks {title(hard.name)} is harder than {title(easy.name)}.",
        f"source beta of {title(easy.name)} less that of {title(hard.name)}",
        "above",
        0.0,
        Measurement.around(rows[0].source - rows[1].source, half, meaning=_SOURCE),
        "network",
        runs=[row.run for row in rows],
        needs="more images",
    )


def _source_claim(plan: Plan, one: Task) -> Claim:
    row, paper = one.rows[0], paper_source(one.name)
    others = " and ".join(f"{other.source:.3f}" for other in one.rows[1:])
    return judged(
        plan,
        f"source.{one.name}.beta",
        "Fig. 6, section 5.2",
        f"The source exponent of {title(one.name)} for a convolutional network is {paper:g}.",
        "beta from eigenvalues and targets of the tangent kernel, window in modes",
        paper,
        _source(row),
        "network",
        runs=[other.run for other in one.rows],
        note=f"other networks give {others}" if others else "",
        needs=f"a kernel on {4 * row.run.images} images or more, hours of one core",
    )


def _lazy_claim(plan: Plan, one: Task) -> Claim:
    """Judge the exponent of the widest linearised networks by that of the predicted curve in the same window."""
    row, widest = one.rows[0], one.lazy[-1]
    predicted, measured = widest.among(row)
    last = widest.run.eta * widest.last_finite()
    above = float(one.above(widest, last).mean())
    least, most = (float(ratio[0]) for ratio in one.slowing[-1].estimates(np.array([last])))
    return judged(
        plan,
        f"source.{one.name}.lazy",
        "Fig. 6, eq. 10 (lazy)",
        f"The spectrum of the kernel at the start gives the lazy learning curve of {title(one.name)}.",
        "exponent of the test loss of linearised networks in steps; predicted: that of the curve in the same window",
        predicted,
        measured,
        "network",
        seeds=plan.networks,
        runs=[widest.run, row.run],
        note=f"width {widest.run.width}; the loss ends {above:.2f} times above that curve, and coupled outputs would give "
        f"{least:.2f} or {most:.2f}, at other images and at those they have seen",
        needs="more images for the kernel, whose two bounds of the prediction are too far apart",
    )


#: What the interval of a source is.
_SOURCE = "95 % interval from the bend, and the distance of the two bounds"


def _source(row: SourceRow) -> Measurement:
    return Measurement.of(row.source, row.source_interval, row.window, meaning=_SOURCE)


def spectrum_figure(tasks: Sequence[Task]) -> Figure:
    """Draw eigenvalues, and what the first k eigenfunctions leave of the targets."""
    with drawing(9.6, 2) as (figure, (upper, lower)):
        for color, one in zip(_TASKS, tasks, strict=False):
            row = one.rows[0]
            mode = np.arange(1, row.eigenvalues.size + 1)
            kept = row.eigenvalues > 0
            upper.loglog(mode[kept], row.eigenvalues[kept], color=color, label=title(one.name))
            x = np.array(row.window)
            fit = row.eigenvalue_fit
            upper.loglog(x, 1.6 * fit.prefactor * x**-fit.exponent, "--", color=MUTED)
            lower.fill_between(mode[:-1], row.left[:-1], row.rest[:-1], color=color, alpha=0.3, linewidth=0)
            middle = np.sqrt(row.left[:-1] * row.rest[:-1])
            lower.loglog(mode[:-1], middle, color=color, label=title(one.name))
            inside = (mode >= x[0]) & (mode <= x[1])
            place = math.exp(np.log(x).mean())
            level = math.exp(np.interp(math.log(place), np.log(mode[:-1]), np.log(middle)))
            fallen = row.eigenvalues[inside] / row.eigenvalues[int(place) - 1]
            lower.loglog(mode[inside], 1.12 * level * fallen**row.source, "--", color=MUTED)
            lower.loglog(mode[inside], 0.88 * level * fallen ** paper_source(one.name), ":", color=INK)
        upper.set(title="(a) eigenvalues of the tangent kernel", xlabel="mode $k$", ylabel=r"$\lambda_k$")
        dashed, dotted = {"color": MUTED, "linestyle": "--"}, {"color": INK, "linestyle": ":"}
        upper.legend(*entries(upper, {r"fit $k^{-\alpha}$": dashed}))
        lower.set(title=r"(b) targets beyond mode $k$", xlabel="mode $k$", ylabel=r"$\sum_{l > k} \lambda_l (w^*_l)^2$")
        low = min(float(np.min(one.rows[0].left[: int(one.rows[0].window[1]) * 3])) for one in tasks)
        lower.set_ylim(0.7 * low, 0.2)
        more = {r"fit $\lambda_k^\beta$": dashed, r"with the paper's $\beta$": dotted}
        lower.legend(*entries(lower, more), loc="lower left")
    return figure


def study_figure(tasks: Sequence[Task]) -> Figure:
    """Draw capacity and source against the number of images and against width."""
    with drawing(8.0, 2, 2, sharey="row") as (figure, panels):
        for color, one in zip(_TASKS, tasks, strict=False):
            for column, rows, name in ((0, one.by_count, "images"), (1, one.by_width, "width")):
                x = np.array([getattr(row.run, name) for row in rows], dtype=np.float64)
                for line, quantity in enumerate(("capacity", "source")):
                    axes = panels[line, column]
                    values = np.array([getattr(row, quantity) for row in rows])
                    ends = np.array([getattr(row, f"{quantity}_interval") for row in rows])
                    dots = {"fmt": "o-", "capsize": 3, "markersize": 5, "label": title(one.name)}
                    axes.errorbar(x, values, np.abs(ends.T - values), color=color, **dots)
                    axes.set_xscale("log")
                    axes.set_xticks(x, [f"{value:g}" for value in x], rotation=45)
                    axes.minorticks_off()
                panels[1, column].axhline(paper_source(one.name), color=color, linestyle=":", linewidth=1.4)
        panels[0, 0].set_ylabel(r"capacity $\alpha$")
        panels[1, 0].set(xlabel="images $n$", ylabel=r"source $\beta$")
        panels[1, 1].set_xlabel("width $N$")
        panels[0, 0].legend()
    return figure


def lazy_figure(tasks: Sequence[Task]) -> Figure:
    """Draw learning curves of linearised networks over what the spectrum predicts."""
    with drawing(4.6 * len(tasks), len(tasks)) as (figure, sheet):
        for axes, one in zip(sheet, tasks, strict=True):
            row = one.rows[0]
            steps = one.lazy[0].step
            time = one.lazy[0].run.eta * steps
            shown = (time >= TIMES[0]) & (time <= TIMES[-1])
            bounds = row.bounds(time[shown])
            axes.fill_between(steps[shown], *bounds, color=MUTED, alpha=0.3, linewidth=0, label="from the spectrum")
            widest = one.lazy[-1]
            middle = row.lazy(time[shown])
            mixed = [middle * factor for factor in one.slowing[-1].estimates(time[shown])]
            color = width_color(widest.run.width)
            name = f"with mixing of outputs, $N = {widest.run.width}$"
            axes.fill_between(steps[shown], *mixed, color=color, alpha=0.25, linewidth=0, label=name)
            for curve in one.lazy:
                width = curve.run.width
                axes.loglog(curve.step, curve.mean, color=width_color(width), label=f"$N = {width}$")
            axes.set_ylim(0.7 * float(np.min(bounds)), 0.115)  # a network that diverges leaves the figure
            plain_ticks(axes.yaxis)
            axes.set(title=title(one.name), xlabel="steps $t$", ylabel="test loss, linearised")
            axes.legend(loc="lower left")
    return figure
