"""Figure 6: convolutional networks on real images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.claims import Claim, Measurement, fact, judged
from companion.claims.claim import Verdict
from companion.image_tasks import EDGE, ImageRow, SourceRow, image_row, paper_source, source_row
from companion.parameters import Parameters
from companion.style import INK, MUTED, book_style, new_figure, plain_ticks, richness_color
from neural_scaling.fits import fit_power_law
from neural_scaling.networks.image_kernel import TIMES
from neural_scaling.networks.image_runs import ImageRun, KernelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import chi

#: Factor between the bounds of a predicted curve up to which its middle is taken for the curve.
TOLD = 1.5
#: Last step of Figure 6b in the paper.
PAPER_STEPS = 1e5


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
        return self.dataset + (" with crops" if _crops(self.dataset) else "")

    @property
    def tolerance(self) -> float:
        """How far an exponent may lie from its prediction: a third of the gap between lazy and rich."""
        return (float(chi(self.paper)) - self.paper) / 3

    def spectral(self, row: ImageRow) -> float:
        """Return the exponent, in the window of a lazy network, of the curve that the spectrum predicts; else NaN.

        A spectrum that is no power law makes a curve that is none, so that its slope there is to be expected rather than beta. It
        is that of the mean kernel at the width of the measured kernel; the coupling of outputs makes it shallower. Time
        runs on the clock of the growing kernel. NaN also where the bounds of the curve at the end of the window are further
        apart than the factor :data:`TOLD`: so many modes cannot be told from so few images.
        """
        if row.kind != "lazy" or not row.fitted:
            return math.nan
        inside = row.inside(*row.window.span)
        time = row.run.eta * row.clock()[inside]
        if self.source.spread(float(time[-1])) > TOLD:
            return math.nan
        return fit_power_law(row.step[inside], self.source.lazy(time)).exponent


def curves(plan: Plan, dataset: str, results: Mapping[Experiment, Result]) -> Curves:
    """Collect and fit the curves of one dataset."""
    source = source_row(plan.kernel(dataset), results)
    return Curves(dataset, source, [image_row(run, source, results) for run in plan.runs(dataset)])


def exponents(found: Curves) -> pd.DataFrame:
    """Return the exponents of one dataset.

    ``paper`` and ``own`` are predictions from the paper's and the measured source, ``curve`` is :meth:`Curves.spectral`.
    """
    own, rows = found.source.source, []
    for row in found.rows:
        exponent, interval, window = row.measured.columns()
        between = row.kind == "between"
        paper, measured = (math.nan if between else row.predicted(beta) for beta in (found.paper, own))
        predicted = (paper, measured if own > 0 else math.nan, found.spectral(row))
        edge = row.edge if math.isfinite(row.edge) else math.nan
        head = (row.run.richness, float(row.growth.max()), row.kind)
        rows.append((*head, exponent, interval, *predicted, window, edge, row.repeated, row.memory))
    names = ["gamma0", "growth", "kind", "exponent", "interval", "paper", "own", "curve", "window", "edge"]
    return pd.DataFrame(rows, columns=[*names, "repeated", "memory"])


def departures(found: Curves) -> pd.DataFrame:
    """Compare the last two decades of steps of every curve, seed by seed: exponents, and ``difference`` late - before.

    The earlier decade does not start before the window of the curve.
    """
    rows = []
    for row in found.rows:
        last = float(row.step[-1])
        first = max(last / 100, row.window.start)
        late = row.slopes(last / 10, last)
        before = row.slopes(first, last / 10) if first <= last / 10**1.5 else np.full_like(late, math.nan)
        difference = Measurement.mean_of(late - before, (first, last))
        numbers = (float(before.mean()), float(late.mean()), *difference.columns())
        rows.append((row.run.richness, *numbers, difference.missing))
    names = ["gamma0", "before", "late", "difference", "interval", "window", "missing"]
    return pd.DataFrame(rows, columns=names)


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


def exponent_claims(plan: Plan, found: Curves, table: pd.DataFrame) -> list[Claim]:
    """Return the claims about the exponents, one per curve."""
    claims = []
    beta, own = found.paper, found.source.source
    for row, curve in zip(found.rows, table.curve, strict=True):
        power = "t^(-2 beta/(1+beta))" if row.kind != "lazy" else "t^-beta"
        measured = row.measured
        if row.fitted and row.kind == "between":
            grown = f"the kernel grows {row.growth.max():.2f}-fold"
            measured = Measurement.none(f"neither lazy nor rich, {grown}; the exponent is {row.exponent:.3f}")
        remark = f"; with the measured source {own:.3f} the prediction is {row.predicted(own):.3f}" if own > 0 else ""
        if not math.isnan(curve):
            remark += f"; the mean kernel lets expect {curve:.3f} in this window"
        if math.isfinite(row.edge):
            remark += f"; at the edge of stability from step {row.edge:.0f}"
        kind = f"networks of richness gamma0 = {row.run.richness:g}" if row.run.richness else "linearised networks"
        claims.append(
            judged(
                plan,
                f"fig06.{found.dataset}.gamma0-{row.run.richness:g}",
                "Fig. 6b" if found.dataset.startswith("cifar") else "Fig. 6a",
                f"On {found.title} the loss of {kind} falls as {power} (beta = {beta:g}).",
                "exponent of the test loss in steps, mean over seeds",
                row.predicted(beta),
                measured,
                found.tolerance,
                remark=remark,
            )
        )
    return claims


def departure_claim(plan: Plan, found: Curves, table: pd.DataFrame) -> Claim:
    """Return the claim that a rich network leaves the theory late, to a larger exponent.

    Confirmed if the exponent of the decade before is chi of the paper's source within the tolerance, that of the last decade
    exceeds it by more than the tolerance, and the curve steepens by more than the linearised one, 95 % interval over seeds
    included; not confirmed if after the paper's number of steps it flattens or stays below chi. Nothing is concluded from a
    network whose kernel has not doubled, and nothing against the claim from fewer steps.
    """
    row = max(found.rows, key=lambda row: row.run.richness)
    seen = next(one for one in table.itertuples() if one.gamma0 == row.run.richness)
    theory = float(chi(found.paper))
    limit = theory + found.tolerance
    interval, steps = seen.interval, row.run.steps
    control = [one for one in table.itertuples() if one.gamma0 == 0]
    usual = max([0.0, *(one.difference for one in control if one.interval is not None)])
    verdict: Verdict = "inconclusive"
    doubt = ""
    if row.kind != "rich":
        doubt = f"; the kernel grows {row.growth.max():.2f}-fold only"
    elif interval is None:
        doubt = f"; {seen.missing}"
        if math.isnan(seen.before):
            start = row.window.start
            late = f"the window starts at step {start:.0f} of {row.step[-1]:.0f}"
            doubt = f"; {late if math.isfinite(start) else row.window.start_reason}"
    elif abs(seen.before - theory) <= found.tolerance and interval[0] > usual and seen.late > limit:
        verdict = "confirmed"
    elif steps >= PAPER_STEPS and (interval[1] < 0 or seen.late < theory):
        verdict = "not confirmed"
    elif steps < PAPER_STEPS:
        doubt = f"; the paper has {PAPER_STEPS:.0e} steps"
    reason = f"exponent {_told(seen.before)} in the decade before, {_told(seen.late)} in the last one; theory {theory:.3f}{doubt}"
    if control:
        reason += f"; linearised {_told(control[0].before)} and {_told(control[0].late)}"
    return fact(
        plan,
        f"fig06.{found.dataset}.departure",
        "Fig. 6b, section 5.2",
        f"On {found.title} rich networks first follow t^(-2 beta/(1+beta)) and later a larger exponent.",
        f"exponent of the last decade of steps less that of the decade before, gamma0 {row.run.richness:g}",
        verdict,
        reason,
        "above 0",
        Measurement.of(seen.difference, interval, seen.window, seen.missing),
    )


def loss_figure(found: Sequence[Curves]) -> Figure:
    """Draw the losses of networks of several richness, one panel per dataset."""
    with book_style():
        figure = new_figure(5.4 * len(found))
        for letter, axes, one in zip("abcdef", np.atleast_1d(figure.subplots(len(found), 1)), found, strict=False):
            last = float(one.rows[0].step[-1])
            time = one.rows[0].run.eta * one.rows[0].step
            shown = (time >= TIMES[0]) & (time <= TIMES[-1])
            bounds = one.source.bounds(time[shown])
            axes.fill_between(one.rows[0].step[shown], *bounds, color=MUTED, alpha=0.25, linewidth=0)
            for row in one.rows:
                color = richness_color(row.run.richness)
                name = rf"$\gamma_0 = {row.run.richness:g}$" if row.run.richness else "linearised"
                axes.loglog(row.step, row.mean, color=color, label=name)
                axes.fill_between(
                    row.step, row.loss.min(axis=0), row.loss.max(axis=0), color=color, alpha=0.2, linewidth=0
                )
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
                    middle = math.exp(np.log(x).mean())
                    level = math.exp(np.interp(math.log(middle), np.log(other.step), np.log(other.mean)))
                    axes.loglog(x, factor * level * (x / middle) ** -exponent, line, color=INK, linewidth=1.2)
                handles += axes.plot([], [], line, color=INK, linewidth=1.2)
                names.append(text)
            lowest = min((float(row.mean[-1]) for row in finite), default=0.01)
            axes.set_ylim(0.6 * lowest, 0.115)
            plain_ticks(axes.yaxis)
            axes.set_title(f"({letter}) {one.title}")
            axes.set_xlabel("steps $t$")
            axes.set_ylabel("test loss, mean over outputs")
            own, titles = axes.get_legend_handles_labels()
            axes.legend([*own, *handles], [*titles, *names], loc="lower left", ncols=2)
    return figure


def kernel_figure(found: Sequence[Curves]) -> Figure:
    """Draw how tangent kernels grow and how near they come to the edge of stability, one column per dataset."""
    with book_style():
        figure = new_figure(6.4)
        panels = figure.subplots(2, len(found), sharex="col", sharey="row", squeeze=False)
        for number, one in enumerate(found):
            upper, lower = panels[:, number]
            for row in one.rows:
                color = richness_color(row.run.richness)
                name = rf"$\gamma_0 = {row.run.richness:g}$" if row.run.richness else "linearised"
                upper.loglog(row.step, row.growth, color=color, label=name)
                lower.loglog(row.step, row.sharpness, color=color)
            lower.axhline(EDGE, color=MUTED, linestyle="--", linewidth=1.2)
            upper.set_title(one.dataset)
            lower.set_xlabel("steps $t$")
            plain_ticks(upper.yaxis)
            plain_ticks(lower.yaxis)
        named = {text: line for axes in panels[0] for line, text in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=4, fontsize=10)
        panels[0, 0].set_ylabel(r"kernel $K(t)/K(0)$")
        panels[1, 0].set_ylabel(r"$\eta_0 \times$ largest eigenvalue")
    return figure


def _crops(dataset: str) -> bool:
    """Return whether images are shifted and mirrored: the stand-in for five million images."""
    return dataset == "cifar10"


def _told(exponent: float) -> str:
    """Return an exponent as text."""
    return "none" if math.isnan(exponent) else f"{exponent:.3f}"
