"""Capacity and source of real tasks, from tangent kernels of convolutional networks at their start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from neural_scaling.claims import Claim
from neural_scaling.claims.measurement import Measurement, judged
from neural_scaling.fits import fit_power_law
from neural_scaling.items.image_tasks import ImageRow, SourceRow, image_row, paper_source, source_row
from neural_scaling.networks.image_kernel import KernelRun
from neural_scaling.networks.image_runs import ImageRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import chi

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
    return paper_source(dataset) / 3


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
        others = ", ".join(f"{other.source:.3f}" for other in one.rows[1:])
        found.append(
            judged(
                f"{ITEM}.{one.name}.beta",
                "Fig. 6, section 5.2",
                f"The source exponent of {one.name} for a convolutional network is {paper_source(one.name):g}.",
                "beta from eigenvalues and targets of the tangent kernel, window in modes",
                paper_source(one.name),
                Measurement(row.source, row.source_interval, row.window),
                tolerance(one.name),
                scale,
                remark=f"; other networks give {others}" if others else "",
            )
        )
        # Where there is no window the prediction is taken over the last decade of steps, for the record.
        start, end = widest.window.span if widest.fitted else (widest.step[-1] / 10, widest.step[-1])
        steps = widest.step[(widest.step >= start) & (widest.step <= end)]
        predicted = fit_power_law(steps, row.lazy(widest.run.eta * steps)).exponent
        found.append(
            judged(
                f"{ITEM}.{one.name}.lazy",
                "eq. 10 (lazy), section 5.2",
                f"The spectrum of the kernel at the start gives the lazy learning curve of {one.name}.",
                "exponent of the test loss of linearised networks in steps, against that of the predicted curve",
                predicted,
                widest.measured,
                (float(chi(predicted)) - predicted) / 3,
                scale,
            )
        )
    return found
