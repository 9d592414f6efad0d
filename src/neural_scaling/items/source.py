"""Capacity and source of real tasks, from tangent kernels of convolutional networks at their start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from neural_scaling.claims import Claim, judge
from neural_scaling.fits import fit_power_law
from neural_scaling.items.image_tasks import PAPER, ImageRow, SourceRow, image_row, source_row
from neural_scaling.networks.image_kernel import KernelRun
from neural_scaling.networks.image_runs import ImageRun
from neural_scaling.runs import Experiment, Result

ITEM = "source"


@dataclass(frozen=True)
class Plan:
    """What the page on the source of real tasks computes.

    Attributes
    ----------
    datasets
        Names of the datasets.
    width, images, test, seeds
        N, n, test images and number of networks of the kernels whose exponents are quoted.
    widths, counts
        Values of N and of n of the studies, each with the other as above.
    eta, batch, steps, networks
        eta_0, B, T and number of networks of the linearised learning curves.
    lazy_widths
        Values of N of these curves.
    """

    datasets: Sequence[str]
    width: int
    images: int
    test: int
    seeds: int
    widths: Sequence[int]
    counts: Sequence[int]
    eta: float
    batch: int
    steps: int
    networks: int
    lazy_widths: Sequence[int]

    def kernels(self, dataset: str) -> list[KernelRun]:
        """Return the kernels whose exponents are quoted, one per network."""
        return [KernelRun(dataset, "", self.images, self.test, False, self.width, seed) for seed in range(self.seeds)]

    def by_width(self, dataset: str) -> list[KernelRun]:
        """Return the kernels of the study of N."""
        return [replace(self.kernels(dataset)[0], width=width) for width in self.widths]

    def by_count(self, dataset: str) -> list[KernelRun]:
        """Return the kernels of the study of n."""
        return [replace(self.kernels(dataset)[0], images=count) for count in self.counts]

    def lazy(self, dataset: str) -> list[ImageRun]:
        """Return the linearised learning curves, one per width."""
        shape = (dataset, "", 0, self.test, False)
        return [
            ImageRun(*shape, width, 0.0, self.eta, self.batch, self.steps, self.networks) for width in self.lazy_widths
        ]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs: list[Experiment] = []
        for dataset in self.datasets:
            runs += [*self.kernels(dataset), *self.by_width(dataset), *self.by_count(dataset), *self.lazy(dataset)]
        return list(dict.fromkeys(runs))


@dataclass(frozen=True)
class Task:
    """What was measured of one dataset.

    Attributes
    ----------
    name
        Of the dataset.
    rows
        The quoted kernels, one per network.
    by_width, by_count
        Kernels of the studies.
    lazy
        Linearised learning curves, one per width.
    """

    name: str
    rows: Sequence[SourceRow]
    by_width: Sequence[SourceRow]
    by_count: Sequence[SourceRow]
    lazy: Sequence[ImageRow]


def task(plan: Plan, dataset: str, results: Mapping[Experiment, Result]) -> Task:
    """Collect and fit what was measured of one dataset.

    Parameters
    ----------
    plan
        The parameters.
    dataset
        Its name.
    results
        Result of every run of the plan.

    Returns
    -------
    Task
    """
    rows = [source_row(run, results) for run in plan.kernels(dataset)]
    return Task(
        dataset,
        rows,
        [source_row(run, results) for run in plan.by_width(dataset)],
        [source_row(run, results) for run in plan.by_count(dataset)],
        [image_row(run, rows[0], results) for run in plan.lazy(dataset)],
    )


def tolerance(dataset: str) -> float:
    """Return how far a source may lie from the paper's: a third of it."""
    return PAPER[dataset] / 3


def claims(tasks: Sequence[Task], scale: str) -> list[Claim]:
    """Return the claims about the sources and about lazy learning curves.

    Parameters
    ----------
    tasks
        One per dataset.
    scale
        For the ledger.

    Returns
    -------
    list of Claim
    """
    found = []
    for one in tasks:
        row, widest = one.rows[0], one.lazy[-1]
        verdict, reason = judge(PAPER[one.name], row.source, row.source_interval, tolerance(one.name))
        others = ", ".join(f"{other.source:.3f}" for other in one.rows[1:])
        found.append(
            Claim(
                id=f"source.{one.name}.beta",
                item=ITEM,
                location="Fig. 6, section 5.2",
                statement=f"The source exponent of {one.name} for a convolutional network is {PAPER[one.name]:g}.",
                quantity="beta from eigenvalues and targets of the tangent kernel, window in modes",
                predicted=PAPER[one.name],
                measured=row.source,
                interval=row.source_interval,
                window=row.window,
                scale=scale,
                verdict=verdict,
                reason=reason + (f"; other networks give {others}" if others else ""),
            )
        )
        predicted, measured, interval = None, None, None
        verdict, reason = "inconclusive", widest.window.empty
        if widest.fitted:
            inside = (widest.step >= widest.window.start) & (widest.step <= widest.window.end)
            steps = widest.step[inside]
            predicted = fit_power_law(steps, row.lazy(widest.run.eta * steps)).exponent
            measured, interval = widest.exponent, widest.interval
            verdict, reason = judge(predicted, measured, interval, tolerance(one.name))
        found.append(
            Claim(
                id=f"source.{one.name}.lazy",
                item=ITEM,
                location="eq. 10 (lazy), section 5.2",
                statement=f"The spectrum of the kernel at the start gives the lazy learning curve of {one.name}.",
                quantity="exponent of the test loss of linearised networks in steps, against that of the predicted curve",
                predicted=predicted,
                measured=measured,
                interval=interval,
                window=widest.window.span if widest.fitted else None,
                scale=scale,
                verdict=verdict,
                reason=reason,
                predicted_text="" if predicted is not None else "the curve of the spectrum",
            )
        )
    return found
