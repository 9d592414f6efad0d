"""Figure 6: convolutional networks on real images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from companion.claims import Claim, Measurement, Page, fact, judged
from companion.claims.claim import Verdict
from companion.image_tasks import ImageRow, SourceRow, image_row, paper_source, source_row
from companion.parameters import Parameters
from neural_scaling.fits import fit_power_law
from neural_scaling.networks.image_kernel import KernelRun
from neural_scaling.networks.image_runs import ImageRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import chi

#: Factor between the bounds of a predicted curve up to which its middle is taken for the curve.
TOLD = 1.5


@dataclass(frozen=True)
class Panel:
    """One dataset and how networks are trained on it."""

    dataset: str  # as load takes it
    richness: Sequence[float]  # values of gamma_0; 0 is the linearised network
    # width, eta, batch, steps, seeds, test: N, eta_0, B, T, number of networks, test images
    width: int
    eta: float
    batch: int
    steps: int
    seeds: int
    test: int
    # kernel_width, kernel_images, kernel_test: N, n and test images of the kernel
    kernel_width: int
    kernel_images: int
    kernel_test: int

    @property
    def crops(self) -> bool:
        """Whether images are shifted and mirrored: the stand-in for five million images."""
        return self.dataset == "cifar10"

    def kernel(self) -> KernelRun:
        """Return the kernel that fixes windows and gives the measured source."""
        return KernelRun(self.dataset, self.kernel_images, self.kernel_test, self.crops, self.kernel_width, 0)

    def runs(self) -> list[ImageRun]:
        """Return the learning curves, one per richness."""
        data = (self.dataset, 0, self.test, self.crops)
        return [
            ImageRun(*data, self.width, richness, self.eta, self.batch, self.steps, self.seeds)
            for richness in self.richness
        ]


class Plan(Parameters):
    """What Figure 6 computes: the parameters of its notebook and the runs they make."""

    def panels(self) -> list[Panel]:
        """Return the panels, digits first."""
        sizes = (self.seeds, self.test, self.kernel_width, self.kernel_images, self.kernel_test)
        digits = (self.richness_digits, self.width_digits, self.eta_digits, self.batch_digits, self.steps_digits)
        objects = (self.richness_objects, self.width_objects, self.eta_objects, self.batch_objects, self.steps_objects)
        return [Panel(name, *digits, *sizes) for name in self.digits] + [
            Panel(name, *objects, *sizes) for name in self.objects
        ]

    def experiments(self) -> list[Experiment]:
        """Return all runs."""
        return [run for panel in self.panels() for run in (panel.kernel(), *panel.runs())]


@dataclass(frozen=True)
class Curves:
    """Learning curves of one dataset."""

    panel: Panel  # what was run
    source: SourceRow  # spectrum of the kernel
    rows: Sequence[ImageRow]  # one per richness

    @property
    def paper(self) -> float:
        """The source that the paper gives."""
        return paper_source(self.panel.dataset)

    @property
    def tolerance(self) -> float:
        """How far an exponent may lie from its prediction: a third of the gap between lazy and rich."""
        return (float(chi(self.paper)) - self.paper) / 3

    def spectral(self, row: ImageRow) -> float:
        """Return the exponent, in the window of a lazy network, of the curve that the spectrum predicts; else NaN.

        A spectrum that is no power law makes a curve that is none, so that its slope there is to be expected rather than beta. It
        is that of the mean kernel at the width of the panel's kernel; outputs that move each other make it shallower. Time
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


def curves(panel: Panel, results: Mapping[Experiment, Result]) -> Curves:
    """Collect and fit the curves of one dataset."""
    source = source_row(panel.kernel(), results)
    return Curves(panel, source, [image_row(run, source, results) for run in panel.runs()])


def exponent_claims(found: Curves, page: Page) -> list[Claim]:
    """Return the claims about the exponents, one per curve."""
    claims = []
    beta, own = found.paper, found.source.source
    for row in found.rows:
        power = "t^(-2 beta/(1+beta))" if row.kind != "lazy" else "t^-beta"
        measured = row.measured
        if row.fitted and row.kind == "between":
            grown = f"the kernel grows {row.growth.max():.2f}-fold"
            measured = Measurement.none(f"neither lazy nor rich, {grown}; the exponent is {row.exponent:.3f}")
        remark = f"; with the measured source {own:.3f} the prediction is {row.predicted(own):.3f}" if own > 0 else ""
        if not math.isnan(found.spectral(row)):
            remark += f"; the mean kernel lets expect {found.spectral(row):.3f} in this window"
        if math.isfinite(row.edge):
            remark += f"; at the edge of stability from step {row.edge:.0f}"
        kind = f"networks of richness gamma0 = {row.run.richness:g}" if row.run.richness else "linearised networks"
        claims.append(
            judged(
                page,
                f"fig06.{found.panel.dataset}.gamma0-{row.run.richness:g}",
                "Fig. 6b" if found.panel.dataset.startswith("cifar") else "Fig. 6a",
                f"On {_title(found)} the loss of {kind} falls as {power} (beta = {beta:g}).",
                "exponent of the test loss in steps, mean over seeds",
                row.predicted(beta),
                measured,
                found.tolerance,
                remark=remark,
            )
        )
    return claims


#: Last step of Figure 6b in the paper.
PAPER_STEPS = 1e5


@dataclass(frozen=True)
class Departure:
    """Whether a curve steepens: its last decade against the decade before."""

    row: ImageRow  # the curve
    # before, late: exponents of the two decades, mean over seeds
    before: float
    late: float
    difference: Measurement  # late - before, mean over seeds with its 95 % interval; none with one seed

    @property
    def text(self) -> str:
        """The numbers in a line."""
        numbers = f"before {_told(self.before)}, late {_told(self.late)}"
        if self.difference.interval is None:
            return numbers
        low, high = self.difference.interval
        return f"{numbers}, difference {self.difference.value:+.3f} [{low:+.3f}, {high:+.3f}]"


def departure(row: ImageRow) -> Departure:
    """Compare the exponents of the last two decades of steps of a curve, seed by seed; the earlier one not before its window."""
    last = float(row.step[-1])
    first = max(last / 100, row.window.start)
    late = row.slopes(last / 10, last)
    before = row.slopes(first, last / 10) if first <= last / 10**1.5 else np.full_like(late, math.nan)
    difference = Measurement.mean_of(late - before, (first, last))
    return Departure(row, float(before.mean()), float(late.mean()), difference)


def _told(exponent: float) -> str:
    """Return an exponent as text."""
    return "none" if math.isnan(exponent) else f"{exponent:.3f}"


def departure_claim(found: Curves, page: Page) -> Claim:
    """Return the claim that a rich network leaves the theory late, to a larger exponent.

    Confirmed if the exponent of the decade before is chi of the paper's source within the tolerance, that of the last decade
    exceeds it by more than the tolerance, and the curve steepens by more than the linearised one, 95 % interval over seeds
    included; not confirmed if after the paper's number of steps it flattens or stays below chi. Nothing is concluded from a
    network whose kernel has not doubled, and nothing against the claim from fewer steps.
    """
    seen = departure(max(found.rows, key=lambda row: row.run.richness))
    theory = float(chi(found.paper))
    limit = theory + found.tolerance
    interval = seen.difference.interval
    control = [departure(row) for row in found.rows if not row.run.richness]
    usual = [0.0, *(one.difference.value for one in control if one.difference.value is not None)]
    verdict: Verdict = "inconclusive"
    doubt = ""
    if seen.row.kind != "rich":
        doubt = f"; the kernel grows {seen.row.growth.max():.2f}-fold only"
    elif interval is None:
        doubt = f"; {seen.difference.missing}"
        if math.isnan(seen.before):
            start = seen.row.window.start
            last = seen.row.step[-1]
            late = f"the window starts at step {start:.0f} of {last:.0f}"
            doubt = f"; {late if math.isfinite(start) else seen.row.window.start_reason}"
    elif abs(seen.before - theory) <= found.tolerance and interval[0] > max(usual) and seen.late > limit:
        verdict = "confirmed"
    elif found.panel.steps >= PAPER_STEPS and (interval[1] < 0 or seen.late < theory):
        verdict = "not confirmed"
    elif found.panel.steps < PAPER_STEPS:
        doubt = f"; the paper has {PAPER_STEPS:.0e} steps"
    reason = f"exponent {_told(seen.before)} in the decade before, {_told(seen.late)} in the last one; theory {theory:.3f}{doubt}"
    if control:
        reason += f"; linearised {_told(control[0].before)} and {_told(control[0].late)}"
    return fact(
        page,
        f"fig06.{found.panel.dataset}.departure",
        "Fig. 6b, section 5.2",
        f"On {_title(found)} rich networks first follow t^(-2 beta/(1+beta)) and later a larger exponent.",
        f"exponent of the last decade of steps less that of the decade before, gamma0 {seen.row.run.richness:g}",
        verdict,
        reason,
        "above 0",
        Measurement(seen.difference.value, interval, seen.difference.window),
    )


def table(found: Curves) -> str:
    """Return the exponents of one dataset as lines of text.

    ``paper`` and ``own`` are predictions from the paper's and the measured source; ``curve`` is :meth:`Curves.spectral`.
    """
    own = found.source.source
    lines = [
        f"{_title(found)}: beta {found.paper:g} in the paper, {own:.3f} measured",
        "gamma0  kernel  kind     slope  95 % interval   paper  own    curve  window (steps)   edge from  repeated  stream/test",
    ]
    for row in found.rows:
        head = f"{row.run.richness:<7g} {row.growth.max():<7.2f} {row.kind:<8}"
        edge = f"{row.edge:.0f}" if math.isfinite(row.edge) else "-"
        measured = f"{row.predicted(own):.3f}" if own > 0 and row.kind != "between" else "-"
        curve = "-" if math.isnan(found.spectral(row)) else f"{found.spectral(row):.3f}"
        memory = "-" if math.isnan(row.memory) else f"{row.memory:.3f}"
        if row.fitted:
            low, high = row.interval
            span = f"{row.window.start:.0f} to {row.window.end:.0f}"
            paper = "-" if row.kind == "between" else f"{row.predicted(found.paper):.3f}"
            numbers = f"{row.exponent:<6.3f} [{low:6.3f}, {high:.3f}] {paper:<6} {measured:<6} {curve:<6}"
            lines.append(f"{head} {numbers} {span:<16} {edge:<10} {row.repeated:<9.2f} {memory}")
        else:
            lines.append(f"{head} no window up to step {row.window.end:.0f} ({row.window.start_reason})")
    return "\n".join(lines)


def _title(found: Curves) -> str:
    return found.panel.dataset + (" with crops" if found.panel.crops else "")
