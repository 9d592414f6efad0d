"""The parametrization put to the test: what must not change with width, and the lazy limit."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.claims import MEAN, Claim, Measurement, Tolerance, bounded, judged
from companion.moves_runs import MovesRun
from companion.parameters import Parameters
from companion.style import INK, MUTED, RICH, drawing, width_color
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law
from neural_scaling.networks.runs import CircleRun
from neural_scaling.runs import Experiment, Result

#: What may change when the width doubles; a scaling that is wrong by the root of N changes it by 41 %.
FLAT = Tolerance(0.05, "5 %, as for losses; a scaling that is wrong by the root of N gives 41 %")


class Plan(Parameters):
    """What the page computes."""

    def run(self, width: int, richness: float, eta: float, seeds: int) -> CircleRun:
        """Return the run of one curve."""
        return CircleRun(self.beta, 1.0, self.depth, width, richness, eta, self.batch, self.steps, seeds, self.angles)

    def checks(self) -> list[MovesRun]:
        """Return the runs of the coordinate check, one per width."""
        runs = [self.run(width, self.richness, self.eta, self.seeds) for width in self.widths]
        return [MovesRun(**vars(run) | {"steps": self.steps_check}) for run in runs]

    def curves(self) -> list[CircleRun]:
        """Return the runs at one learning rate and richness, one per width."""
        return [self.run(width, self.richness, self.eta, self.seeds_curves) for width in self.widths_curves]

    def search(self) -> list[CircleRun]:
        """Return the runs of the search for the best learning rate, width by width."""
        pairs = itertools.product(self.widths_curves, self.etas)
        return [self.run(width, self.richness, eta, self.seeds) for width, eta in pairs]

    def limit(self) -> list[CircleRun]:
        """Return the linearised networks and those of falling richness."""
        gammas = (0.0, *self.richness_limit)
        return [self.run(self.widths_curves[0], gamma0, self.eta, self.seeds) for gamma0 in gammas]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        return [*dict.fromkeys([*self.checks(), *self.curves(), *self.search(), *self.limit()])]


@dataclass(frozen=True)
class WidthCurves:
    """Losses at several widths at the same learning rate and richness."""

    step: Array  # shape (R,)
    losses: Array  # shape (W, seeds, R)

    @property
    def loss(self) -> Array:
        """Mean over seeds, shape (W, R)."""
        return np.asarray(self.losses.mean(axis=1))

    def gaps(self) -> tuple[Array, int]:
        """Return logarithms of losses over those of the next width, shape (W - 1, seeds), at one step, and the step.

        It is the one at which the two widest networks differ most, mean over seeds. Those of one number see the same samples.
        """
        apart = np.log(self.losses[:-1] / self.losses[1:])
        where = int(np.abs(apart[-1].mean(axis=0)).argmax())
        return apart[:, :, where], int(self.step[where])


def changes(plan: Plan, results: Mapping[Experiment, Result]) -> Array:
    """Return how far hidden arguments and, last, the output move in a few steps, shape (L, W, seeds)."""
    return np.stack([results[run].arrays["moved"] for run in plan.checks()], axis=1)


def growth(plan: Plan, moved: Array) -> pd.DataFrame:
    """Return the factors by which the changes grow when N doubles, layer by layer, the output last."""
    names = [f"hidden layer {layer + 1}" for layer in range(len(moved) - 1)] + ["output"]
    rows = []
    for name, layer in zip(names, moved, strict=True):
        per_seed = np.polyfit(np.log2(plan.widths), np.log2(layer), 1)[0]
        rows.append((name, *Measurement.mean_of(2**per_seed).columns()[:2]))
    return pd.DataFrame(rows, columns=["quantity", "factor", "interval"])


def width_curves(plan: Plan, results: Mapping[Experiment, Result]) -> WidthCurves:
    """Return the losses of networks of several widths."""
    runs = plan.curves()
    return WidthCurves(results[runs[0]].arrays["step"], _losses(runs, results))


def eta_search(plan: Plan, results: Mapping[Experiment, Result]) -> pd.DataFrame:
    """Return the loss at the last step against width and learning rate, infinite where a network diverged."""
    runs = plan.search()
    last = _losses(runs, results)[..., -1].mean(axis=1)
    return pd.DataFrame({"width": [run.width for run in runs], "eta": [run.eta for run in runs], "loss": last})


def best(search: pd.DataFrame) -> pd.DataFrame:
    """Return the learning rate of the lowest loss at each width."""
    return search.loc[search.groupby("width").loss.idxmin()]


def lazy_limit(plan: Plan, results: Mapping[Experiment, Result]) -> pd.DataFrame:
    """Return how far the loss of networks of falling richness is from that of the linearised ones.

    It is the largest relative difference over the steps, mean over seeds.
    """
    linearised, *others = _losses(plan.limit(), results)
    away = [float(np.abs(losses / linearised - 1).max(axis=1).mean()) for losses in others]
    return pd.DataFrame({"richness": plan.richness_limit, "difference": away})


def _losses(runs: Iterable[CircleRun], results: Mapping[Experiment, Result]) -> Array:
    """Return the losses of runs of one size, shape (runs, seeds, R)."""
    return np.stack([results[run].arrays["loss"] for run in runs]).astype(np.float64)


def flat_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that changes of features and output do not depend on width."""
    window = (float(plan.widths[0]), float(plan.widths[-1]))
    return [
        judged(
            plan,
            f"mup.{row.quantity.removeprefix('hidden ').replace(' ', '-')}",
            "section 5.1",
            f"How far the {'centred outputs' if row.quantity == 'output' else f'arguments of {row.quantity}'} "
            "move in a few steps does not depend on width.",
            "factor by which the change grows when N doubles, mean slope in log N",
            1.0,
            Measurement.of(row.factor, row.interval, window, meaning=MEAN),
            "network",
            FLAT,
            seeds=plan.seeds,
            runs=plan.checks(),
            needs="more seeds",
        )
        for row in found.itertuples()
    ]


def curves_claim(plan: Plan, curves: WidthCurves) -> Claim:
    """Return the claim that loss curves do not depend on width."""
    gaps, step = curves.gaps()
    found = Measurement.mean_of(gaps[-1])
    spread = gaps[-1].std(ddof=1)
    return judged(
        plan,
        "mup.curves",
        "section 5.1",
        "At fixed learning rate and richness the loss curves of the two widest networks coincide.",
        f"logarithm of the ratio of the losses at step {step}, where they differ most",
        0.0,
        found,
        "network",
        Tolerance(0.05, "5 %, as for losses"),
        seeds=plan.seeds_curves,
        runs=plan.curves()[-2:],
        note=f"widths {plan.widths_curves[-2]} and {plan.widths_curves[-1]}; from seed to seed it varies by {spread:.2g}",
        needs=f"about {math.ceil((1.96 * spread / 0.05) ** 2)} seeds, or wider networks, would decide it",
    )


def eta_claim(plan: Plan, found: pd.DataFrame) -> Claim:
    """Return the claim that the best learning rate does not depend on width."""
    ratio = float(found.eta.max() / found.eta.min())
    spacing = max(later / former for former, later in itertools.pairwise(plan.etas))
    wrong = plan.widths_curves[-1] / plan.widths_curves[0]
    measured = Measurement.of(ratio, (ratio / spacing, ratio * spacing), meaning="one step of the search either way")
    if {plan.etas[0], plan.etas[-1]} & {*found.eta}:
        measured = Measurement.none("a best learning rate lies at an end of the search")
    return judged(
        plan,
        "mup.eta",
        "section 5.1",
        "The best learning rate does not depend on width.",
        "largest over smallest best learning rate",
        1.0,
        measured,
        "network",
        Tolerance(spacing - 1, f"one step of the search; a rate in proportion to 1/N would give {wrong:g}"),
        seeds=plan.seeds,
        runs=plan.search(),
        needs="more seeds and a finer search would decide it",
    )


def lazy_claim(plan: Plan, limit: pd.DataFrame) -> Claim:
    """Return the claim that a network of little richness is its linearisation: the difference falls to zero with the richness."""
    difference = limit.difference.to_numpy()
    fit = fit_power_law(1 / limit.richness, difference)
    return bounded(
        plan,
        "mup.lazy",
        "section 5.1",
        "As the richness falls the network becomes its linearisation.",
        "power of gamma0 in the largest relative difference of the loss, mean over seeds",
        "above",
        0.0,
        Measurement.exponent(fit),
        "network",
        seeds=plan.seeds,
        runs=plan.limit(),
        note=f"at gamma0 = {plan.richness_limit[-1]:g} the difference is {difference[-1]:.2g}",
        needs="smaller richness",
    )


def draw(plan: Plan, moved: Array, curves: WidthCurves, search: pd.DataFrame, limit: pd.DataFrame) -> Figure:
    """Draw the coordinate check, loss curves across widths, the search for a learning rate and the lazy limit."""
    with drawing(8.6, 2, 2) as (figure, ((a, b), (c, d))):
        *layers, output = moved.mean(axis=2)
        for layer, mean in enumerate(layers):
            a.loglog(plan.widths, mean, "o-", color=width_color(2 ** (5 + 3 * layer)), label=f"layer {layer + 1}")
        a.loglog(plan.widths, output, "s-", color=RICH, label="output")
        for power in (-0.5, 0.5):
            level = output[0] * (1.6 if power > 0 else 1 / 1.6)
            powers = (np.array(plan.widths) / plan.widths[0]) ** power
            a.loglog(plan.widths, level * powers, "--", color=MUTED, linewidth=1.2)
        a.set(title="(a) coordinate check", xlabel="width $N$", ylabel="change in a few steps")
        a.legend()
        for width, loss in zip(plan.widths_curves, curves.loss, strict=True):
            b.loglog(curves.step[1:], loss[1:], color=width_color(width), label=f"$N = {width:g}$")
        b.set(title="(b) loss across widths", xlabel="steps $t$", ylabel="test loss")
        b.legend()
        for width, losses in search[np.isfinite(search.loss)].groupby("width"):
            c.loglog(losses.eta, losses.loss, "o-", color=width_color(width), label=f"$N = {width:g}$")
        c.set_title("(c) which learning rate is best")
        c.set_xticks(plan.etas, [f"{eta:g}" for eta in plan.etas], rotation=45)
        c.minorticks_off()
        c.set(xlabel=r"$\eta_0$", ylabel="test loss at the last step")
        d.loglog(limit.richness, limit.difference, "o-", color=INK)
        d.loglog(limit.richness, 0.5 * limit.difference[0] * limit.richness / limit.richness[0], "--", color=MUTED)
        d.set(title="(d) lazy limit", xlabel=r"richness $\gamma_0$", ylabel="relative difference of the loss")
    return figure
