"""Figure 6: convolutional networks on real images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.circle_curves import FLOW
from companion.claims import Claim, Measurement, bounded, judged
from companion.image_tasks import EDGE, ImageRow, SourceRow, image_row, paper_source, source_row, title
from companion.parameters import Parameters
from companion.style import INK, MUTED, drawing, plain_ticks, richness_colors
from neural_scaling.base.arrays import Array
from neural_scaling.networks.image_kernel import TIMES
from neural_scaling.networks.image_runs import ImageRun, KernelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import chi

_LEAST = 1e-9  # source at which an interval that reaches below zero ends
#: Claims on linearised networks that the page on the source records, by dataset.
CITED = {"mnist": "source.mnist.lazy", "cifar10": "source.cifar10.lazy"}


class Plan(Parameters):
    """What Figure 6 computes: the parameters of its notebook and the runs they make."""

    def datasets(self) -> list[str]:
        """Return the datasets, digits first."""
        return [*self.digits, *self.objects]

    def kernel(self, dataset: str) -> KernelRun:
        """Return the kernel that fixes windows and gives the measured source."""
        return KernelRun(dataset, self.kernel_images, self.kernel_test, _crops(dataset), self.kernel_width, 0)

    def runs(self, dataset: str) -> list[ImageRun]:
        """Return the learning curves on one dataset, one per richness."""
        kind = "digits" if dataset in self.digits else "objects"
        names = ("richness", "width", "eta", "batch", "steps")
        gammas, width, eta, batch, steps = (getattr(self, f"{name}_{kind}") for name in names)
        data = (dataset, 0, self.test, _crops(dataset))
        return [ImageRun(*data, width, gamma0, eta, batch, steps, self.seeds) for gamma0 in gammas]

    def experiments(self) -> list[Experiment]:
        """Return all runs."""
        return [run for dataset in self.datasets() for run in (self.kernel(dataset), *self.runs(dataset))]


@dataclass(frozen=True)
class Curves:
    """Learning curves of one dataset."""

    dataset: str
    source: SourceRow  # spectrum of the kernel
    rows: Sequence[ImageRow]  # one per richness

    @property
    def paper(self) -> float:
        """The source that the paper gives."""
        return paper_source(self.dataset)

    @property
    def title(self) -> str:
        """The dataset, and whether its images are shifted and mirrored."""
        return title(self.dataset) + (" with crops" if _crops(self.dataset) else "")

    @property
    def richest(self) -> ImageRow:
        """The network of largest richness."""
        return max(self.rows, key=lambda row: row.run.richness)

    @property
    def linearised(self) -> ImageRow | None:
        """The linearised network, if there is one."""
        return next((row for row in self.rows if not row.run.richness), None)

    @property
    def judged(self) -> ImageRow:
        """The rich network whose window is longest, or the richest where none has a window."""
        rich = [row for row in self.rows if row.kind == "rich" and row.fitted]
        return max(rich, key=lambda row: row.window.decades, default=self.richest)

    def bounds(self, row: ImageRow) -> tuple[float, float] | None:
        """Return the exponents of the bounds of the predicted curve in the window of a lazy network; None for others."""
        if row.kind != "lazy" or not row.fitted:
            return None
        inside = row.inside(*row.window.span)
        middle, error = self.source.slope(row.step[inside], row.run.eta * row.clock()[inside])
        return middle - error, middle + error

    @property
    def chi(self) -> tuple[float, float]:
        """The exponent of rich networks that the measured source predicts, and its error, half a 95 % interval."""
        low, high = (float(chi(max(beta, _LEAST))) for beta in self.source.source_interval)
        return float(chi(self.source.source)), (high - low) / 2


def curves(plan: Plan, dataset: str, results: Mapping[Experiment, Result]) -> Curves:
    """Collect and fit the curves of one dataset."""
    source = source_row(plan.kernel(dataset), results)
    return Curves(dataset, source, [image_row(run, source, results) for run in plan.runs(dataset)])


#: What :func:`exponents` says of exponents; the rest is of networks and windows.
EXPONENTS = ("exponent", "interval", "paper", "own", "curve", "window")


def exponents(found: Curves) -> pd.DataFrame:
    """Return exponents of a dataset: from the ``paper``'s source, the measured one and the bounds of the predicted ``curve``."""
    own, rows = found.source.source, []
    for row in found.rows:
        exponent, interval, window = row.measured.columns()
        between = row.kind == "between"
        paper, measured = (math.nan if between else row.predicted(beta) for beta in (found.paper, own))
        curve = found.bounds(row)
        head = (row.run.richness, float(row.growth.max()), row.kind)
        ends = row.window.end_reason
        predicted = (paper, measured if own > 0 else math.nan, curve)
        rows.append((*head, exponent, interval, *predicted, window, ends, row.repeated, row.memory))
    names = ["gamma0", "growth", "kind", "exponent", "interval", "paper", "own", "curve", "window", "ends"]
    return pd.DataFrame(rows, columns=[*names, "repeated", "memory"])


def halves(row: ImageRow) -> tuple[Array, Array]:
    """Return the exponents of each seed in the two halves, in log steps, of the window of a curve; NaN where there is none."""
    if not row.fitted:
        none = np.full(len(row.loss), math.nan)
        return none, none
    start, end = row.window.span
    middle = math.sqrt(start * end)
    return row.slopes(start, middle), row.slopes(middle, end)


def departures(found: Curves) -> pd.DataFrame:
    """Return the exponents in the two halves of the window of every curve, mean over seeds, and the change from seed to seed."""
    rows = []
    for row in found.rows:
        before, late = halves(row)
        change = Measurement.mean_of(late - before)
        rows.append((row.run.richness, float(before.mean()), float(late.mean()), *change.columns()[:2]))
    return pd.DataFrame(rows, columns=["gamma0", "before", "late", "difference", "interval"])


def sound(found: Sequence[Curves]) -> dict[str, bool]:
    """Say whether feature learning helps on every dataset, and moves the kernel of networks that learn features only."""
    rows = [sorted(one.rows, key=lambda row: row.run.richness) for one in found]
    growths = [[row.growth.max() for row in one] for one in rows]
    return {
        "the kernel grows more the richer the network": all(growth == sorted(growth) for growth in growths),
        "the richest network ends below the linearised one": all(one[-1].mean[-1] < one[0].mean[-1] for one in rows),
        "the kernel of the richest network grows by more than a quarter": all(growth[-1] > 1.25 for growth in growths),
        "the kernel of the linearised network keeps its size": all(abs(one[0].growth[-1] - 1) < 1e-3 for one in rows),
    }


def claims(plan: Plan, found: Curves) -> list[Claim]:
    """Return the claims about one dataset: at small scale that feature learning helps, else exponents as well."""
    lazy, richest = found.linearised, found.richest
    name, place = f"fig06.{found.dataset}", "Fig. 6b" if found.dataset in plan.objects else "Fig. 6a"
    made = []
    if lazy is not None:
        made.append(
            bounded(
                plan,
                f"{name}.order",
                place,
                f"On {found.title}, networks of richness gamma0 = {richest.run.richness:g} learn faster than linearised ones.",
                "loss at the last step over that of the linearised network, mean over seeds",
                "below",
                1.0,
                Measurement.mean_of(richest.loss[:, -1] / lazy.loss[:, -1]),
                "network",
                seeds=plan.seeds,
                runs=[richest.run, lazy.run],
                needs="more seeds",
            )
        )
    if plan.scale == "small":
        return made
    if lazy is not None:
        made.append(_steeper_claim(plan, found, lazy, name, place))
        if found.dataset not in CITED:
            made.append(_lazy_claim(plan, found, lazy, name, place))
    made.append(_rich_claim(plan, found, name, place))
    if found.dataset in plan.objects:
        made.append(departure_claim(plan, found))
    return made


def _steeper_claim(plan: Plan, found: Curves, lazy: ImageRow, name: str, place: str) -> Claim:
    """Judge whether the loss of the richest network falls as a larger power than that of the linearised one."""
    richest, last = found.richest, float(lazy.step[-1])
    return bounded(
        plan,
        f"{name}.steeper",
        f"{place}, section 5.2",
        f"On {found.title}, networks of richness gamma0 = {richest.run.richness:g} have a larger exponent than linearised ones.",
        "exponent in steps less that of the linearised network, last decade of steps, mean over seeds",
        "above",
        0.0,
        Measurement.mean_of(richest.slopes(last / 10, last) - lazy.slopes(last / 10, last), (last / 10, last)),
        "network",
        seeds=plan.seeds,
        runs=[richest.run, lazy.run],
        needs="more seeds",
    )


def _lazy_claim(plan: Plan, found: Curves, lazy: ImageRow, name: str, place: str) -> Claim:
    """Judge the exponent of the linearised network by the spectrum of its own task."""
    predicted, measured = lazy.among(found.source)
    return judged(
        plan,
        f"{name}.gamma0-0",
        f"{place}, eq. 10 (lazy)",
        f"On {found.title}, the loss of linearised networks falls as the spectrum of their kernel on these images predicts.",
        "exponent of the test loss in steps, mean over seeds; predicted: that of the curve from the spectrum in the same window",
        predicted,
        measured,
        "network",
        seeds=plan.seeds,
        runs=[lazy.run, found.source.run],
        note=f"the source measured on these images is {found.source.source:.3f}, the paper's {found.paper:g}",
        needs="more images for the kernel, whose two bounds of the prediction are too far apart",
    )


def _rich_claim(plan: Plan, found: Curves, name: str, place: str) -> Claim:
    """Judge the exponent of a rich network by the source of its own task."""
    row, (predicted, error) = found.judged, found.chi
    return judged(
        plan,
        f"{name}.rich",
        f"{place}, eq. 10",
        f"On {found.title}, the loss of rich networks falls as t^(-2 beta/(1+beta)), beta the source measured on these images.",
        f"exponent of the test loss in steps, gamma0 {row.run.richness:g}, mean over seeds",
        predicted,
        row.measured.widened(error, "of the source"),
        "network",
        seeds=plan.seeds,
        runs=[row.run, found.source.run],
        note=f"the paper's source {found.paper:g} gives {float(chi(found.paper)):.3f}",
        needs="a learning rate some four times smaller, with as much smaller batches and more steps, so that a decade lies "
        "between the doubling of the kernel and eta0 sharpness = 1"
        if not row.fitted
        else "a window of a decade or more, and more images for the source",
    )


def departure_claim(plan: Plan, found: Curves) -> Claim:
    """Judge whether a rich network falls faster than its source predicts, late in its window."""
    row, (predicted, error) = found.judged, found.chi
    late = halves(row)[1] - predicted
    start, end = row.window.span
    measured = row.measured if not row.fitted else Measurement.mean_of(late, (math.sqrt(start * end), end))
    return bounded(
        plan,
        f"fig06.{found.dataset}.departure",
        "Fig. 6b, section 5.2",
        f"Late in training, rich networks on {found.title} fall faster than t^(-2 beta/(1+beta)).",
        f"exponent in the second half of the window less 2 beta/(1+beta) of the measured source, gamma0 {row.run.richness:g}",
        "above",
        0.0,
        measured.widened(error, "of the source"),
        "network",
        seeds=plan.seeds,
        runs=[row.run, found.source.run],
        note=f"{row.run.steps} steps, the paper has 100000",
        needs="the paper's number of steps, half a day of one core at this width, on images that do not come again",
    )


def _colors(found: Sequence[Curves]) -> dict[float, str]:
    """Return the colour of each richness, the same in all panels."""
    return richness_colors(row.run.richness for one in found for row in one.rows)


def loss_figure(found: Sequence[Curves]) -> Figure:
    """Draw the losses of networks of several richness, one panel per dataset."""
    colors = _colors(found)
    with drawing(5.4 * len(found), len(found)) as (figure, sheet):
        for letter, axes, one in zip("abcdef", sheet, found, strict=False):
            last = float(one.rows[0].step[-1])
            time = one.rows[0].run.eta * one.rows[0].step
            shown = (time >= TIMES[0]) & (time <= TIMES[-1])
            bounds = one.source.bounds(time[shown])
            axes.fill_between(one.rows[0].step[shown], *bounds, color=MUTED, alpha=0.25, linewidth=0)
            for row in one.rows:
                row.draw(axes, colors[row.run.richness], row.name)
            handles = [Line2D([], [], color=MUTED, linewidth=6, alpha=0.4)]
            names = ["predicted, lazy"]
            start = min(row.window.start for row in one.rows)
            x = np.array([min(start, last / 10), last])
            finite = sorted((row for row in one.rows if np.isfinite(row.mean[-1])), key=lambda row: row.mean[-1])
            for line, exponent, text, beside, factor in (
                ("--", one.paper, r"$t^{-\beta}$", finite[-1:], 1.12),
                ("-.", float(chi(one.paper)), r"$t^{-2\beta/(1+\beta)}$", finite[:1], 0.88),
            ):
                for other in beside:
                    middle = math.sqrt(x.prod())
                    level = factor * other.at(middle)
                    axes.loglog(x, level * (x / middle) ** -exponent, line, color=INK, linewidth=1.2)
                handles += axes.plot([], [], line, color=INK, linewidth=1.2)
                names.append(text)
            lowest = min((float(row.mean[-1]) for row in finite), default=0.01)
            axes.set_ylim(0.6 * lowest, 0.115)
            plain_ticks(axes.yaxis)
            axes.set(title=f"({letter}) {one.title}", xlabel="steps $t$", ylabel="test loss, mean over outputs")
            own, titles = axes.get_legend_handles_labels()
            axes.legend([*own, *handles], [*titles, *names], loc="lower left", ncols=2)
    return figure


def kernel_figure(found: Sequence[Curves]) -> Figure:
    """Draw how tangent kernels grow and how near they come to the edge of stability, one column per dataset."""
    colors = _colors(found)
    with drawing(6.4, 2, len(found), sharex="col", sharey="row", squeeze=False) as (figure, panels):
        named: dict[float, Line2D] = {}
        for number, one in enumerate(found):
            upper, lower = panels[:, number]
            for row in one.rows:
                color = colors[row.run.richness]
                (named[row.run.richness],) = upper.loglog(row.step, row.growth, color=color, label=row.name)
                lower.loglog(row.step, row.sharpness, color=color)
            lower.axhline(EDGE, color=MUTED, linestyle="--", linewidth=1.2)
            lower.axhline(FLOW, color=MUTED, linestyle=":", linewidth=1.2)
            upper.set_title(title(one.dataset).replace(" (", "\n("), fontsize="medium")
            lower.set_xlabel("steps $t$")
            plain_ticks(upper.yaxis)
            plain_ticks(lower.yaxis)
        figure.legend(handles=[named[gamma] for gamma in sorted(named)], loc="outside lower center", ncols=4)
        panels[0, 0].set_ylabel(r"kernel $K(t)/K(0)$")
        panels[1, 0].set_ylabel(r"$\eta_0 \times$ largest eigenvalue")
    return figure


def _crops(dataset: str) -> bool:
    """Return whether images are shifted and mirrored: the stand-in for five million images."""
    return dataset == "cifar10"
