"""Capacity and source of real tasks, from tangent kernels of convolutional networks at their start."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from companion.claims import Claim, Measurement, Page, judged
from companion.image_tasks import ImageRow, SourceRow, image_row, paper_source, source_row
from companion.parameters import Parameters
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law
from neural_scaling.networks.image_kernel import TIMES, KernelRun
from neural_scaling.networks.image_runs import ImageRun
from neural_scaling.networks.output_mixing import MixingRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import chi


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
        return [
            ImageRun(*shape, width, 0.0, self.eta, self.batch, self.steps, self.networks) for width in self.lazy_widths
        ]

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

    def above(self, row: ImageRow, time: float) -> float:
        """Return the loss of the linearised network of seed 0 over the lazy curve of :meth:`like`, at a time eta_0 t."""
        loss = np.exp(np.interp(math.log(time / row.run.eta), np.log(row.step), np.log(row.loss[0])))
        return float(loss / self.like(row.run.width).lazy(np.array([time]))[0])


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


def tolerance(dataset: str) -> float:
    """Return how far a source may lie from the paper's: a third of it."""
    return paper_source(dataset) / 3


def claims(tasks: Sequence[Task], page: Page) -> list[Claim]:
    """Return the claims about the sources and about lazy learning curves."""
    found = []
    for one in tasks:
        row, widest = one.rows[0], one.lazy[-1]
        others = ", ".join(f"{other.source:.3f}" for other in one.rows[1:])
        found.append(
            judged(
                page,
                f"source.{one.name}.beta",
                "Fig. 6, section 5.2",
                f"The source exponent of {one.name} for a convolutional network is {paper_source(one.name):g}.",
                "beta from eigenvalues and targets of the tangent kernel, window in modes",
                paper_source(one.name),
                Measurement(row.source, row.source_interval, row.window),
                tolerance(one.name),
                remark=f"; other networks give {others}" if others else "",
            )
        )
        # Where there is no window the prediction is taken over the last decade of steps, for the record.
        start, end = widest.window.span if widest.fitted else (widest.step[-1] / 10, widest.step[-1])
        steps = widest.step[(widest.step >= start) & (widest.step <= end)]
        time = widest.run.eta * steps
        curve = row.lazy(time)
        predicted = fit_power_law(steps, curve).exponent
        above = one.above(widest, float(time[-1]))
        least, most = (float(found[0]) for found in one.slowing[-1].estimates(time[-1:]))
        found.append(
            judged(
                page,
                f"source.{one.name}.lazy",
                "eq. 10 (lazy), section 5.2",
                f"The spectrum of the kernel at the start gives the lazy learning curve of {one.name}.",
                "exponent of the test loss of linearised networks in steps, against that of the predicted curve",
                predicted,
                widest.measured,
                (float(chi(predicted)) - predicted) / 3,
                remark=f"; the loss ends {above:.2f} times above that curve; outputs that move each other give {least:.2f} or "
                f"{most:.2f}, at other images and at those they have seen",
            )
        )
    return found


def slowing_table(tasks: Sequence[Task]) -> str:
    """Return how far linearised networks lie above the prediction, beside what the mixing of outputs lets expect."""
    lines = ["dataset   N     kernel N  eta0 t  network  own kernels     whole kernel"]
    for one in tasks:
        for row, slowing in zip(one.lazy, one.slowing, strict=True):
            last = row.run.eta * row.last_finite()
            for now in [*(time for time in (1.0, 10.0, 100.0) if time < 0.9 * last), last]:
                found = (slowing.estimates(np.array([now]), kernel) for kernel in (1, 2))
                own, whole = (f"{float(test[0]):.3f} or {float(train[0]):.3f}" for test, train in found)
                kernel = one.like(row.run.width).run.width
                lines.append(
                    f"{one.name:<9} {row.run.width:<5d} {kernel:<9d} {now:<7.3g} {one.above(row, now):<8.3f} {own:<15} {whole}"
                )
    return "\n".join(lines)


def noise(one: Task) -> float:
    """Return eta_0 tr K/(2 B), the share by which the noise of single batches raises the loss of a linearised network."""
    run = one.lazy[-1].run
    return float(run.eta * one.like(run.width).eigenvalues.sum() / (2 * run.batch))
