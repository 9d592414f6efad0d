"""Figure 7: kernel spectra on the circle, and networks on easy tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from companion.circle_curves import curve_claim, curve_rows
from companion.claims import Claim, Measurement, Page, judged
from companion.parameters import Parameters
from neural_scaling.base.arrays import Array
from neural_scaling.fits import PowerLawFit, fit_power_law
from neural_scaling.networks.circle_kernel import CircleKernel, circle_kernel
from neural_scaling.networks.runs import CircleRun
from neural_scaling.runs import Experiment, Result

if TYPE_CHECKING:
    import torch

#: Agreement of the capacity with 2 q_phi. Corrections are of relative order k^(1 - 2 q_phi), slow for small powers.
CAPACITY_TOLERANCE = 0.03
#: Agreement of how fluctuations of finite kernels fall with width, from a handful of widths.
FLUCTUATION_TOLERANCE = 0.1


class Plan(Parameters):
    """What Figure 7 computes: the parameters of its notebook and the runs they make."""

    def tasks(self, richness: float) -> list[CircleRun]:
        """Return the runs of (b) at one richness, one per source."""
        size = (self.depth, self.width, richness, self.eta, self.batch, self.steps, self.seeds, self.angles)
        return [CircleRun(beta, 1.0, *size) for beta in self.betas]

    def spectra(self) -> list[SpectrumRow]:
        """Compute the spectra of (a)."""
        window = (float(self.window[0]), float(self.window[1]))
        finite = (self.width, self.seeds_kernel, self.angles_kernel)
        return [spectrum_row(self.depth, power, window, self.angles_infinite, *finite) for power in self.powers_kernel]

    def scatter(self) -> list[FluctuationRow]:
        """Compute how kernels of two-layer networks scatter."""
        return [fluctuation_row(2, power, self.widths_scatter, self.seeds_scatter) for power in self.powers_scatter]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        return [*self.tasks(self.richness), *self.tasks(0.0)]


@dataclass(frozen=True)
class SpectrumRow:
    """The tangent kernel of one activation."""

    kernel: CircleKernel  # at infinite width
    # even, odd: fits of the eigenvalues of even and of odd k
    even: PowerLawFit
    odd: PowerLawFit
    finite: Array  # mean over random networks of the kernel over the waves of each k, shape (K,)

    @property
    def capacity(self) -> float:
        """Fitted capacity, the mean of both."""
        return (self.even.exponent + self.odd.exponent) / 2

    @property
    def interval(self) -> tuple[float, float]:
        """Of the capacity: what both intervals span."""
        ends = (*self.even.interval, *self.odd.interval)
        return min(ends), max(ends)


@dataclass(frozen=True)
class FluctuationRow:
    """How a kernel of finite width scatters."""

    power: float  # q_phi
    widths: Array  # N, shape (W,)
    scatter: Array  # interquartile range of K(x, x) over networks, relative to its median, shape (W,)
    fit: PowerLawFit  # of the scatter against N
    # min(1/2, 2 q_phi - 1): squared slopes have a tail of index 1/(2 - 2 q_phi), below 2 for q_phi < 3/4
    predicted: float


def spectrum_row(
    depth: int,
    power: float,
    window: tuple[float, float],
    angles_infinite: int,
    width: int,
    seeds: int,
    angles: int,
) -> SpectrumRow:
    """Compute the spectrum at infinite width, fit it, and measure that of random networks."""
    kernel = circle_kernel(depth, power, int(window[1]), angles_infinite)
    k = np.arange(1, kernel.tangent.size, dtype=np.float64)
    fits = [fit_power_law(k[start::2], kernel.tangent[1:][start::2], window) for start in (1, 0)]
    return SpectrumRow(kernel, fits[0], fits[1], _finite_spectrum(depth, power, width, seeds, angles))


def fluctuation_row(depth: int, power: float, widths: Sequence[int], seeds: int) -> FluctuationRow:
    """Measure how ``K(x, x)`` of random networks scatters at several widths."""
    scatter = []
    for width in widths:
        low, middle, high = np.quantile(_diagonal(depth, power, width, seeds), (0.25, 0.5, 0.75))
        scatter.append((high - low) / middle)
    size, spread = np.array(widths, dtype=np.float64), np.array(scatter)
    # The quartiles of n values are known to about 1.2/sqrt(n) of their distance.
    fit = fit_power_law(size, spread, sigma=1.2 / math.sqrt(seeds) * spread)
    return FluctuationRow(power, size, spread, fit, min(0.5, 2 * power - 1))


def spectrum_claims(rows: Sequence[SpectrumRow], page: Page) -> list[Claim]:
    """Return the claims that the spectra of infinitely wide networks fall as k^(-2 q_phi)."""
    claims = []
    for row in rows:
        power = row.kernel.power
        claims.append(
            judged(
                page,
                f"fig07.a.q-{power:g}",
                "Fig. 7a, eq. 14",
                f"The tangent kernel of networks with q_phi = {power:g} has eigenvalues falling as k^-{2 * power:g}.",
                "exponent of the eigenvalues in k, mean of even and odd k",
                2 * power,
                Measurement(row.capacity, row.interval, row.even.window),
                CAPACITY_TOLERANCE,
            )
        )
    return claims


def fluctuation_claims(rows: Sequence[FluctuationRow], page: Page) -> list[Claim]:
    """Return the claims about how the kernel of a finite network approaches its limit."""
    return [
        judged(
            page,
            f"fig07.fluctuations.q-{row.power:g}",
            "section 5.1, not stated there",
            f"The tangent kernel of a network with q_phi = {row.power:g} scatters about its limit as N^(-1/2).",
            "exponent of the interquartile range of K(x, x) in N",
            0.5,
            Measurement.exponent(row.fit),
            FLUCTUATION_TOLERANCE,
            corrected=row.predicted,
        )
        for row in rows
    ]


def exponent_claims(plan: Plan, results: Mapping[Experiment, Result]) -> list[Claim]:
    """Return the claims about the exponents of (b), lazy and rich."""
    claims = []
    for kind, richness in (("lazy", 0.0), ("rich", plan.richness)):
        for row in curve_rows(plan.tasks(richness), results):
            claims.append(curve_claim(row, f"fig07.b.{kind}.beta-{row.run.beta:g}", "Fig. 7b, eq. 10", plan))
    return claims


def _finite_spectrum(depth: int, power: float, width: int, seeds: int, angles: int) -> Array:
    from neural_scaling.networks.kernels import circle_spectrum

    kernels = _kernels(depth, power, width, range(seeds), angles)
    return np.asarray(circle_spectrum(kernels).mean(0).double().numpy())


def _diagonal(depth: int, power: float, width: int, seeds: int) -> Array:
    """Return K(x, x) at one input for many networks, a few at a time."""
    found = []
    for first in range(0, seeds, 8):
        kernels = _kernels(depth, power, width, range(first, min(first + 8, seeds)), 1)
        found.append(kernels[:, 0, 0].double().numpy())
    return np.concatenate(found)


def _kernels(depth: int, power: float, width: int, seeds: range, angles: int) -> torch.Tensor:
    """Return tangent kernels of random networks on equidistant angles, shape (E, n, n)."""
    # Here and not above: the command line imports this module and need not wait for torch.
    import torch

    from neural_scaling.networks.mlp import Member, Shape, ensemble

    theta = 2 * math.pi * torch.arange(angles) / angles
    inputs = math.sqrt(2) * torch.stack([torch.cos(theta), torch.sin(theta)], dim=1)
    members = [Member(seed, 1.0, 1.0) for seed in seeds]
    return ensemble(Shape(depth, width, 2, power), members, torch.device("cpu")).tangent_kernel(inputs)
