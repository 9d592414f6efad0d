"""Figure 7: kernel spectra on the circle, and networks on easy tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import zeta

from companion.circle_compare import compared, easy_claim, same_claim
from companion.circle_curves import CurveRow, task_color
from companion.claims import SLOPE, Claim, Measurement, Tolerance, bounded, judged
from companion.claims.measurement import Details
from companion.own_kernel import ANGLES, NETWORKS, against_own, kernels_of, losses_of, own_claim, own_runs
from companion.parameters import Parameters
from companion.style import INK, MUTED, drawing, entries
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law
from neural_scaling.models.circle import decay, source
from neural_scaling.networks.circle_kernel import CircleKernel, circle_kernel
from neural_scaling.networks.runs import CircleRun, OwnKernelRun
from neural_scaling.runs import Experiment, Result

if TYPE_CHECKING:
    import torch

#: Sources of the targets from which eq. 14 is read off, hard and easy.
SOURCES = (0.25, 0.75, 1.25)
#: Angles, widths and number of networks whose kernels are taken for their Fourier modes.
MODES_ANGLES, MODES_WIDTHS, MODES_NETWORKS = 128, (64, 256, 1024), 128


class Plan(Parameters):
    """What Figure 7 computes: the parameters of its notebook and the runs they make."""

    def tasks(self, richness: float) -> list[CircleRun]:
        """Return the runs of (b) at one richness, one per source."""
        size = (self.depth, self.width, richness, self.eta, self.batch, self.steps, self.seeds, self.angles)
        return [CircleRun(beta, 1.0, *size) for beta in self.betas]

    def experiments(self) -> list[Experiment]:
        """Return all runs; at small scale nothing asks for kernels."""
        tasks = [*self.tasks(self.richness), *self.tasks(0.0)]
        kernels = [*own_runs(self.tasks(0.0), self.seeds_all), self.networks()]
        trained = [part for run in tasks for part in run.up_to(self.seeds_all)]
        return [*trained, *(kernels if self.scale != "small" else [])]

    def networks(self) -> OwnKernelRun:
        """Return the kernels of many networks on the targets of (b)."""
        return kernels_of(self.tasks(0.0), NETWORKS, ANGLES)


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of the tangent kernel of one activation."""

    kernel: CircleKernel  # at infinite width
    finite: Array  # mean over random networks of the kernel over the waves of each k, shape (K,)


def spectra(plan: Plan) -> list[Spectrum]:
    """Compute the spectra of (a) at infinite width and of random networks."""
    last, angles = plan.window[1], plan.angles_infinite
    finite = (plan.width, plan.seeds_kernel, plan.angles_kernel)
    return [
        Spectrum(circle_kernel(plan.depth, power, last, angles), _finite_spectrum(plan.depth, power, *finite))
        for power in plan.powers_kernel
    ]


def capacities(plan: Plan, found: Sequence[Spectrum]) -> pd.DataFrame:
    """Fit the eigenvalues of even and of odd k; the capacity is the mean of both exponents, ``interval`` what both span.

    ``ratio`` is the constant of even over that of odd k, at the last k.
    """
    rows = []
    window = (float(plan.window[0]), float(plan.window[1]))
    for one in found:
        values, predicted = one.kernel.tangent, 2 * one.kernel.power
        k = np.arange(1, values.size, dtype=np.float64)
        even, odd = (fit_power_law(k[start::2], values[1:][start::2], window) for start in (1, 0))
        ends = (*even.interval, *odd.interval)
        capacity = (even.exponent + odd.exponent) / 2
        last = values.size - 1 - (values.size - 1) % 2
        ratio = values[last] / values[last - 1] * (last / (last - 1)) ** predicted
        row = (one.kernel.power, predicted, even.exponent, odd.exponent, ratio, capacity, (min(ends), max(ends)))
        rows.append((*row, even.window))
    names = ["power", "predicted", "even", "odd", "ratio", "capacity", "interval", "window"]
    return pd.DataFrame(rows, columns=names)


def scatter(plan: Plan, depth: int = 2) -> pd.DataFrame:
    """Measure how ``K(x, x)`` of random networks scatters: interquartile range over median for every power and width."""
    rows = []
    for power in plan.powers_scatter:
        for width in plan.widths_scatter:
            low, middle, high = np.quantile(_diagonal(depth, power, width, plan.seeds_scatter), (0.25, 0.5, 0.75))
            rows.append((power, width, (high - low) / middle))
    return pd.DataFrame(rows, columns=["power", "width", "scatter"])


def scatter_exponents(plan: Plan, found: pd.DataFrame) -> pd.DataFrame:
    """Fit the scatter against width.

    Squared slopes have a tail of index 1/(2 - 2 q_phi), below 2 for q_phi < 3/4: hence ``predicted``.
    """
    rows = []
    for power, group in found.groupby("power"):
        spread = group.scatter.to_numpy()
        # The quartiles of n values are known to about 1.2/sqrt(n) of their distance.
        sigma = 1.2 / math.sqrt(plan.seeds_scatter) * spread
        fit = fit_power_law(group.width.to_numpy(dtype=np.float64), spread, sigma=sigma)
        rows.append((power, min(0.5, 2 * power - 1), *Measurement.exponent(fit).columns()))
    return pd.DataFrame(rows, columns=["power", "predicted", "exponent", "interval", "window"])


_SPAN = "span of the 95 % intervals of even and odd k"


def spectrum_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that the spectra of infinitely wide networks fall as k^(-2 q_phi)."""
    return [
        judged(
            plan,
            f"fig07.a.q-{row.power:g}",
            "Fig. 7a, eq. 14",
            f"The tangent kernel of networks with q_phi = {row.power:g} has eigenvalues falling as k^-{row.predicted:g}.",
            "exponent of the eigenvalues in k, mean of even and odd k",
            row.predicted,
            Measurement.of(row.capacity, row.interval, row.window, meaning=_SPAN),
            "theory",
        )
        for row in found.itertuples()
    ]


def scatter_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims about how the kernel of a finite network approaches its limit, slowly where slopes have no variance."""
    claims = []
    for row in found.itertuples():
        words = (plan, f"fig07.fluctuations.q-{row.power:g}", "section 5.1, not stated there")
        quantity = "exponent of the interquartile range of K(x, x) in N"
        measured = Measurement.of(row.exponent, row.interval, row.window, meaning=SLOPE)
        details: Details = {"seeds": plan.seeds_scatter, "needs": "more and wider networks would decide it"}
        start = f"The tangent kernel of a network with q_phi = {row.power:g} scatters about its limit"
        if row.predicted < 0.5:
            details["note"] = f"at large N the tail of the slopes gives {row.predicted:.2f}"
            says = f"{start} more than N^(-1/2) would suggest."
            claims.append(bounded(*words, says, quantity, "below", 0.5, measured, "network", **details))
        else:
            claims.append(judged(*words, f"{start} as N^(-1/2).", quantity, 0.5, measured, "network", **details))
    return claims


def sources(found: Sequence[Spectrum], plan: Plan) -> pd.DataFrame:
    """Fit what modes from k on leave against the eigenvalue of k, over all k; ``interval`` is what even and odd k span."""
    rows = []
    k = np.arange(1, plan.window[1] + 1)
    for one in found:
        for beta in SOURCES:
            q = decay(beta, one.kernel.power)
            left = zeta(2 * q, k)  # the sum of j^-2q from j = k on
            inside = k >= plan.window[0]
            parts = [inside & (k % 2 == odd) for odd in (0, 1)]
            fits = [fit_power_law(1 / one.kernel.tangent[1:][part], left[part]) for part in parts]
            ends = [end for fit in fits for end in fit.interval]
            exponent = float(np.mean([fit.exponent for fit in fits]))
            rows.append((one.kernel.power, q, source(q, one.kernel.power), exponent, (min(ends), max(ends))))
    return pd.DataFrame(rows, columns=["power", "q", "predicted", "exponent", "interval"])


def source_claim(plan: Plan, found: pd.DataFrame) -> Claim:
    """Return the claim that the source is (2q - 1)/(2 q_phi): of all targets and activations those that are farthest from it."""
    far = max(found.itertuples(), key=lambda row: max(abs(end / row.predicted - 1) for end in row.interval))
    ends = (far.interval[0] / far.predicted, far.interval[1] / far.predicted)
    return judged(
        plan,
        "fig07.a.source",
        "section 5.1, eq. 14",
        "A target with coefficients k^-q has the source (2q - 1)/(2 q_phi) for the infinitely wide kernel.",
        "exponent in the eigenvalue of what the modes from k on leave, over that, farthest from 1",
        1.0,
        Measurement.of(far.exponent / far.predicted, ends, meaning=_SPAN),
        "theory",
        Tolerance(0.05, "ratios of exponents, theory: 5 %"),
        note=f"q = {far.q:g}, q_phi = {far.power:g}",
    )


def mixing(plan: Plan) -> pd.DataFrame:
    """Measure how much of the kernel of random ReLU networks lies between different Fourier modes, as a share of its squares."""
    rows = []
    for width in MODES_WIDTHS:
        shares = []
        for seed in range(MODES_NETWORKS):
            kernel = _kernels(plan.depth, 1.0, width, range(seed, seed + 1), MODES_ANGLES)[0].double().numpy()
            # cos and sin of one k have the same eigenvalue, and any mixture of them is a mode; k and n - k hold both.
            waves = np.abs(np.fft.ifft(np.fft.fft(kernel, axis=0), axis=1)) ** 2
            frequency = np.minimum(np.arange(MODES_ANGLES), MODES_ANGLES - np.arange(MODES_ANGLES))
            apart = frequency[:, None] != frequency[None, :]
            shares.append(waves[apart].sum() / waves.sum())
        rows.append((width, float(np.mean(shares)), np.array(shares)))
    return pd.DataFrame(rows, columns=["width", "share", "shares"])


def mixing_claim(plan: Plan, found: pd.DataFrame) -> Claim:
    """Return the claim that Fourier modes are the eigenfunctions of the kernel at infinite width."""
    widths = found.width.to_numpy(dtype=np.float64)
    slopes = [fit_power_law(widths, one).exponent for one in np.stack(list(found.shares), axis=1)]
    return judged(
        plan,
        "fig07.modes",
        "section 5.1",
        "Fourier modes are the eigenfunctions of infinitely wide networks: what mixes them vanishes as 1/N.",
        "exponent in N of the share of the squared kernel that lies between different frequencies, mean over networks",
        1.0,
        Measurement.mean_of(np.array(slopes), (float(widths[0]), float(widths[-1]))),
        "network",
        seeds=len(slopes),
        needs="more networks would decide it",
    )


@dataclass(frozen=True)
class Found:
    """What is measured on (b) for tables and claims; at small scale networks give no exponents."""

    widths: pd.DataFrame  # losses of linearised networks over those of their own kernels
    compared: pd.DataFrame  # rich beside linearised exponents
    mixing: pd.DataFrame  # what lies between Fourier modes


def measure(
    plan: Plan, lazy: Sequence[CurveRow], rich: Sequence[CurveRow], results: Mapping[Experiment, Result]
) -> Found | None:
    """Compare the networks of (b) with their linearised twins and kernels; None at small scale."""
    if plan.scale == "small":
        return None
    return Found(against_own(lazy, results), compared(rich, lazy, losses_of(plan.networks(), results)), mixing(plan))


def claims_of(
    plan: Plan, capacities: pd.DataFrame, sources: pd.DataFrame, exponents: pd.DataFrame, found: Found | None
) -> list[Claim]:
    """Return the claims of the page; those about networks need sizes that small scale does not have."""
    claims = [*spectrum_claims(plan, capacities), source_claim(plan, sources)]
    if found is None:
        return claims
    runs = [*plan.tasks(plan.richness), *plan.tasks(0.0)]
    return [
        *claims,
        *scatter_claims(plan, exponents),
        mixing_claim(plan, found.mixing),
        own_claim(plan, found.widths, "fig07.b.lazy.kernel", "Fig. 7b"),
        easy_claim(plan, found.compared, plan.tasks(plan.richness)),
        same_claim(plan, found.compared, runs),
    ]


def spectrum_figure(plan: Plan, spectra: Sequence[Spectrum], scatter: pd.DataFrame, exponents: pd.DataFrame) -> Figure:
    """Draw kernel spectra, and how kernels of finite width scatter."""
    with drawing(10.0, 2) as (figure, (upper, lower)):
        for number, row in enumerate(spectra):
            color = task_color(number, len(spectra))
            k = np.arange(1, row.kernel.tangent.size)
            upper.loglog(k, row.kernel.tangent[1:], color=color, label=rf"$q_\phi = {row.kernel.power:g}$")
            # Beyond a sixteenth of the angles the grid folds later modes in.
            shown = np.unique(np.geomspace(1, row.finite.size // 8, 14).astype(int))
            upper.loglog(shown, row.finite[shown], "o", color=color, markersize=5)
            x, level = np.array(plan.window, dtype=np.float64), 2.2 * row.kernel.tangent[plan.window[0]]
            upper.loglog(x, level * (x / x[0]) ** (-2 * row.kernel.power), "--", color=MUTED)
        upper.set(title="(a) eigenvalues of the tangent kernel", xlabel="frequency $k$", ylabel=r"$\lambda_k$")
        dots: dict[str, Any] = {"color": INK, "marker": "o", "linestyle": "", "markersize": 5}
        more = {"finite width": dots, r"$k^{-2 q_\phi}$": {"color": MUTED, "linestyle": "--"}}
        upper.legend(*entries(upper, more), loc="lower left")
        for number, line in enumerate(exponents.itertuples()):
            color = task_color(number, len(exponents))
            group = scatter[scatter.power == line.power]
            width, spread = group.width.to_numpy(dtype=np.float64), group.scatter.to_numpy()
            lower.loglog(width, spread, "o-", color=color, label=rf"$q_\phi = {line.power:g}$")
            lower.loglog(width, 0.88 * spread[0] * (width / width[0]) ** -line.predicted, "--", color=MUTED)
        lower.set(title="scatter of the kernel of two-layer networks", xlabel="width $N$")
        lower.set(ylabel="interquartile range / median")
        lower.legend(loc="lower left")
    return figure


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
