"""Figure 6: convolutional networks on real images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neural_scaling.claims import Claim, judge
from neural_scaling.claims.claim import Verdict
from neural_scaling.items.image_tasks import (
    PAPER,
    ImageRow,
    SourceRow,
    image_row,
    seed_error,
    source_row,
)
from neural_scaling.networks.image_kernel import KernelRun
from neural_scaling.networks.image_runs import ImageRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import chi

ITEM = "fig06"


@dataclass(frozen=True)
class Panel:
    """One dataset and how networks are trained on it.

    Attributes
    ----------
    dataset
        Name, and size after a blank if there are several.
    richness
        Values of gamma_0; 0 is the linearised network.
    width, eta, batch, steps, seeds, test
        N, eta_0, B, T, number of networks, test images.
    kernel_images, kernel_test
        Images and test images of the kernel.
    """

    dataset: str
    richness: Sequence[float]
    width: int
    eta: float
    batch: int
    steps: int
    seeds: int
    test: int
    kernel_images: int
    kernel_test: int

    @property
    def name(self) -> str:
        """The dataset without its size."""
        return self.dataset.split()[0]

    @property
    def size(self) -> str:
        """The size of the dataset, empty if there is one only."""
        return self.dataset.partition(" ")[2]

    @property
    def crops(self) -> bool:
        """Whether images are shifted and mirrored: the stand-in for five million images."""
        return self.name == "cifar10"

    def kernel(self) -> KernelRun:
        """Return the kernel that fixes windows and gives the measured source."""
        return KernelRun(self.name, self.size, self.kernel_images, self.kernel_test, self.crops, self.width, 0)

    def runs(self) -> list[ImageRun]:
        """Return the learning curves, one per richness."""
        data = (self.name, self.size, 0, self.test, self.crops)
        return [
            ImageRun(*data, self.width, richness, self.eta, self.batch, self.steps, self.seeds)
            for richness in self.richness
        ]


@dataclass(frozen=True)
class Plan:
    """What Figure 6 computes: the parameters of its notebook and the runs they make.

    Attributes
    ----------
    digits, objects
        Datasets of (a) and of (b), with the size after a blank if there are several.
    richness_digits, richness_objects
        Values of gamma_0.
    width_digits, eta_digits, batch_digits, steps_digits
        N, eta_0, B and T of (a).
    width_objects, eta_objects, batch_objects, steps_objects
        The same of (b).
    seeds, test
        Networks per curve, test images.
    kernel_images, kernel_test
        Images and test images of the kernels.
    """

    digits: Sequence[str]
    objects: Sequence[str]
    richness_digits: Sequence[float]
    richness_objects: Sequence[float]
    width_digits: int
    eta_digits: float
    batch_digits: int
    steps_digits: int
    width_objects: int
    eta_objects: float
    batch_objects: int
    steps_objects: int
    seeds: int
    test: int
    kernel_images: int
    kernel_test: int

    def panels(self) -> list[Panel]:
        """Return the panels, digits first."""
        sizes = (self.seeds, self.test, self.kernel_images, self.kernel_test)
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
    """Learning curves of one dataset.

    Attributes
    ----------
    panel
        What was run.
    source
        Spectrum of the kernel.
    rows
        One per richness.
    """

    panel: Panel
    source: SourceRow
    rows: Sequence[ImageRow]

    @property
    def paper(self) -> float:
        """The source that the paper gives."""
        return PAPER[self.panel.name]

    @property
    def tolerance(self) -> float:
        """How far an exponent may lie from its prediction: a third of the gap between lazy and rich."""
        return (float(chi(self.paper)) - self.paper) / 3


def curves(panel: Panel, results: Mapping[Experiment, Result]) -> Curves:
    """Collect and fit the curves of one dataset.

    Parameters
    ----------
    panel
        What was run.
    results
        Results of its runs.

    Returns
    -------
    Curves
    """
    source = source_row(panel.kernel(), results)
    return Curves(panel, source, [image_row(run, source, results) for run in panel.runs()])


def exponent_claims(found: Curves, scale: str) -> list[Claim]:
    """Return the claims about the exponents, one per curve.

    Parameters
    ----------
    found
        The curves.
    scale
        For the ledger.

    Returns
    -------
    list of Claim
    """
    claims = []
    beta, own = found.paper, found.source.source
    for row in found.rows:
        predicted = row.predicted(beta)
        power = "t^(-2 beta/(1+beta))" if row.kind != "lazy" else "t^-beta"
        verdict, reason = judge(predicted, row.exponent, row.interval, found.tolerance)
        if not row.fitted:
            verdict, reason = "inconclusive", row.window.empty
        elif row.kind == "between":
            verdict, reason = "inconclusive", f"neither lazy nor rich: the kernel grows {row.growth.max():.2f}-fold"
        if own > 0:
            reason += f"; with the measured source {own:.3f} the prediction is {row.predicted(own):.3f}"
        if math.isfinite(row.edge):
            reason += f"; at the edge of stability from step {row.edge:.0f}"
        kind = f"networks of richness gamma0 = {row.run.richness:g}" if row.run.richness else "linearised networks"
        claims.append(
            Claim(
                id=f"fig06.{_slug(found)}.gamma0-{row.run.richness:g}",
                item=ITEM,
                location="Fig. 6b" if found.panel.name.startswith("cifar") else "Fig. 6a",
                statement=f"On {_title(found)} the loss of {kind} falls as {power} (beta = {beta:g}).",
                quantity="exponent of the test loss in steps, mean over seeds",
                predicted=predicted,
                measured=row.exponent if row.fitted else None,
                interval=row.interval if row.fitted else None,
                window=row.window.span if row.fitted else None,
                scale=scale,
                verdict=verdict,
                reason=reason,
            )
        )
    return claims


@dataclass(frozen=True)
class Departure:
    """Whether a curve steepens: its last decade against the decade before.

    Attributes
    ----------
    row
        The curve.
    before, late
        Exponents of the two decades, mean over seeds.
    difference, interval
        ``late - before`` and its 95 % interval over seeds.
    """

    row: ImageRow
    before: float
    late: float
    difference: float
    interval: tuple[float, float]


def departure(row: ImageRow) -> Departure:
    """Compare the exponents of the last two decades of steps of a curve, seed by seed.

    Parameters
    ----------
    row
        The curve.

    Returns
    -------
    Departure
        NaN where a decade is not there.
    """
    last = float(row.step[-1])
    before, late = row.slopes(last / 100, last / 10), row.slopes(last / 10, last)
    difference = late - before
    mean, half = float(difference.mean()), seed_error(difference)
    return Departure(row, float(before.mean()), float(late.mean()), mean, (mean - half, mean + half))


def departure_claim(found: Curves, scale: str) -> Claim:
    """Return the claim that a rich network leaves the theory late, to a larger exponent.

    Confirmed if the last decade of steps is steeper than the one before, with the 95 % interval over seeds above zero, and its
    exponent exceeds chi of the paper's source by more than the tolerance; not confirmed if either is excluded.

    Parameters
    ----------
    found
        The curves; the richest one is judged, the linearised one is the control.
    scale
        For the ledger.

    Returns
    -------
    Claim
    """
    seen = departure(max(found.rows, key=lambda row: row.run.richness))
    theory = float(chi(found.paper))
    limit = theory + found.tolerance
    finite = bool(np.all(np.isfinite([seen.difference, *seen.interval])))
    one_seed = seen.row.loss.shape[0] < 2
    verdict: Verdict
    if not finite or one_seed or seen.row.step[-1] < 1000:
        verdict = "inconclusive"
    elif seen.interval[0] > 0 and seen.late > limit:
        verdict = "confirmed"
    elif seen.interval[1] < 0 or seen.late < theory:
        verdict = "not confirmed"
    else:
        verdict = "inconclusive"
    reason = f"exponent {seen.before:.3f} in the decade before, {seen.late:.3f} in the last one; theory {theory:.3f}"
    control = [departure(row) for row in found.rows if not row.run.richness]
    if control:
        reason += f"; linearised {control[0].before:.3f} and {control[0].late:.3f}"
    last = float(seen.row.step[-1])
    return Claim(
        id=f"fig06.{_slug(found)}.departure",
        item=ITEM,
        location="Fig. 6b, section 5.2",
        statement=f"On {_title(found)} rich networks first follow t^(-2 beta/(1+beta)) and later a larger exponent.",
        quantity="exponent of the last decade of steps less that of the decade before, gamma0 "
        f"{seen.row.run.richness:g}",
        predicted=None,
        measured=seen.difference if finite else None,
        interval=seen.interval if finite else None,
        window=(last / 100, last),
        scale=scale,
        verdict=verdict,
        reason=reason,
        predicted_text="above 0",
    )


def table(found: Curves) -> str:
    """Return the exponents of one dataset as lines of text.

    Parameters
    ----------
    found
        The curves.

    Returns
    -------
    str
    """
    own = found.source.source
    lines = [
        f"{_title(found)}: beta {found.paper:g} in the paper, {own:.3f} measured",
        "gamma0  kernel  kind     fit    95 % interval   paper  own    window (steps)   edge from  repeated",
    ]
    for row in found.rows:
        head = f"{row.run.richness:<7g} {row.growth.max():<7.2f} {row.kind:<8}"
        edge = f"{row.edge:.0f}" if math.isfinite(row.edge) else "-"
        measured = f"{row.predicted(own):.3f}" if own > 0 else "-"
        if row.fitted:
            low, high = row.interval
            span = f"{row.window.start:.0f} to {row.window.end:.0f}"
            numbers = f"{row.exponent:<6.3f} [{low:6.3f}, {high:.3f}] {row.predicted(found.paper):<6.3f} {measured:<6}"
            lines.append(f"{head} {numbers} {span:<16} {edge:<10} {row.repeated:.2f}")
        else:
            lines.append(f"{head} no window up to step {row.window.end:.0f} ({row.window.start_reason})")
    return "\n".join(lines)


def _title(found: Curves) -> str:
    return found.panel.dataset + (" with crops" if found.panel.crops else "")


def _slug(found: Curves) -> str:
    return found.panel.dataset.replace(" ", "-")
