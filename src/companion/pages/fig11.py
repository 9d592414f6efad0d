"""Figures 11 and 12: two-layer linear networks on an easy and a hard task, their loss and the growth of their weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import zeta

from companion.agreement import mean_exponent
from companion.claims import EXTREMES, MEAN, SLOPE, Claim, Measurement, Tolerance, bounded, judged
from companion.parameters import Parameters
from companion.style import INK, MUTED, book_style, new_figure, plain_ticks, richness_colors
from companion.tables import Table
from neural_scaling.base.arrays import Array
from neural_scaling.dmft import kernel_flow
from neural_scaling.fits import Window, fit_power_law, local_slope
from neural_scaling.models.linear_networks import lazy_loss, power_window, spike_overlap
from neural_scaling.models.runs import LinearNetworkRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import chi

#: Agreement of the spike's overlap with its prediction.
OVERLAP = Tolerance(0.05, "overlaps: 0.05, since the prediction holds for N to infinity")
#: Departure from balancing that finite steps may leave.
BALANCE = 0.1
#: Draws of the linearised network behind the theory at finite width.
DRAWS = 16

#: What is fitted: two losses that decay, two sizes of the readout that grow.
LOSS, ALL_MODES, NORM, CHANGE = QUANTITIES = ("loss", "loss, all modes", "|w|^2", "|w - w(0)|^2")
#: What a page shows of a fit.
SHOWN = ("lazy", "rich", "exponent", "interval", "window")
FORMATS = {"lazy": ".3f", "rich": ".3f", "exponent": "z.2f", "interval": "z.2f", "window": ".0f"}


class Plan(Parameters):
    """What Figures 11 and 12 compute: the parameters of their notebook and the runs they make."""

    def networks(self) -> dict[str, list[LinearNetworkRun]]:
        """Return the runs by the name of their networks, one per seed, each with all richnesses."""
        found = {}
        for task, beta in (("easy", self.beta_easy), ("hard", self.beta_hard)):
            found[task] = self._runs(beta, self.width, self.eta0, self.gammas, self.seeds)
            found[f"{task}.wide"] = self._runs(beta, self.width_wide, self.eta0, self.gammas_wide, 1)
        strong = (self.gamma_strong,)
        return found | {"strong": self._runs(self.beta_hard, self.width, self.eta0_strong, strong, self.seeds)}

    def _runs(
        self, beta: float, width: int, eta0: float, gammas: tuple[float, ...], seeds: int
    ) -> list[LinearNetworkRun]:
        size = (self.alpha, beta, self.modes, width, self.batch, eta0)
        return [LinearNetworkRun(*size, gammas, self.steps, seed) for seed in range(seeds)]

    def experiments(self) -> list[Experiment]:
        """Return all runs."""
        return [run for runs in self.networks().values() for run in runs]


@dataclass(frozen=True)
class Curves:
    """The networks of one width on one task."""

    run: LinearNetworkRun  # of the first seed
    step: Array  # recorded steps, shape (R,)
    values: Mapping[str, Array]  # each recorded quantity, shape (seeds, G, R)
    diverged_at: Array  # step at which a network diverged, or -1, shape (seeds, G)

    @property
    def tail(self) -> float:
        """Return the variance of the target beyond the M modes: what unlearned modes there would add to the loss."""
        return float(zeta(1 + self.run.alpha * self.run.beta, self.run.modes + 1))

    def quantity(self, name: str, gamma: float) -> Array:
        """Return a curve that is fitted, one per seed, shape (seeds, R)."""
        g = self.run.gammas.index(gamma)
        if name in (LOSS, ALL_MODES):
            return self.values["loss"][:, g] + (self.tail if name == ALL_MODES else 0.0)
        # The change is recorded over gamma0^2, which no exponent feels.
        return self.values["weight_norm" if name == NORM else "readout_change"][:, g]

    def diverged(self, gamma: float) -> float | None:
        """Return the first step at which the network of some seed diverged, or None."""
        steps = self.diverged_at[:, self.run.gammas.index(gamma)]
        return float(steps[steps >= 0].min()) if np.any(steps >= 0) else None

    def window(self, gamma: float) -> Window:
        """Return the window of the fits, which ends where eta0 times the sharpness reaches 2 for some seed."""
        run = self.run
        sharpness = run.eta0 * self.values["sharpness"][:, run.gammas.index(gamma)].max(axis=0)
        beyond = np.flatnonzero(sharpness >= 2)
        edge, last = float(self.step[beyond[0]]) if beyond.size else None, float(self.step[-1])
        return power_window(run.alpha, run.beta, run.eta0, gamma, run.width, run.batch, last, edge)


def networks(plan: Plan, results: Mapping[Experiment, Result]) -> dict[str, Curves]:
    """Collect the networks by their name."""
    found = {}
    for name, runs in plan.networks().items():
        arrays = [results[run].arrays for run in runs]
        recorded = [key for key in arrays[0] if key not in ("step", "diverged_at")]
        values = {key: np.stack([each[key] for each in arrays]).astype(np.float64) for key in recorded}
        found[name] = Curves(runs[0], arrays[0]["step"], values, np.stack([each["diverged_at"] for each in arrays]))
    return found


def exponents(networks: Mapping[str, Curves]) -> pd.DataFrame:
    """Fit all quantities of all networks: ``exponent`` is of decay for losses, of growth for weights.

    It is NaN where the window is empty or a network diverged, and ``missing`` says so.
    """
    rows = []
    for name, data in networks.items():
        run, decays = data.run, (data.run.beta, float(chi(data.run.beta)))
        for gamma in run.gammas:
            window, diverged = data.window(gamma), data.diverged(gamma)
            missing = window.empty or ("" if diverged is None else f"diverged at step {diverged:.0f}")
            for quantity in QUANTITIES:
                grows = quantity in (NORM, CHANGE)
                predicted = [max(0.0, 1 - power) for power in decays] if grows else decays
                found = Measurement(None, None)
                if not missing:
                    curves, sign = data.quantity(quantity, gamma)[:, 1:], -1.0 if grows else 1.0
                    found = _fitted(data.step[1:], curves, window.span, sign)
                rows.append((name, run.beta, run.width, gamma, quantity, *predicted, *found.columns(), missing))
    return pd.DataFrame(rows, columns=["network", "beta", "width", "gamma0", "quantity", *SHOWN, "missing"])


def _fitted(step: Array, curves: Array, window: tuple[float, float], sign: float) -> Measurement:
    """Return the exponent of several seeds, or of one with the error of its fit."""
    if len(curves) > 1:
        return mean_exponent(step, curves, window, sign)
    fit = fit_power_law(step, curves[0], window)
    low, high = sorted(sign * end for end in fit.interval)
    return Measurement.of(sign * fit.exponent, (low, high), window, meaning=SLOPE)


def theory(data: Curves, gamma: float) -> dict[str, Array]:
    """Return loss and ``|w|^2`` on recorded steps from 1 on in the limit of infinite width and small steps.

    There the network is the projected model, whose projection does nothing at infinite width, with a kernel that starts at 2
    instead of 1: gradient flow (eqs. 51, 52) with ``gamma = gamma0^2 / 4`` on the clock ``2 eta0 t``.
    """
    run = data.run
    flow = kernel_flow(PowerLaw(run.alpha, run.beta, run.modes), gamma**2 / 4, 2 * run.eta0 * data.step[1:])
    return {LOSS: flow.loss, NORM: 1 + gamma**2 / 2 * flow.weight_norm}


def same_window(plan: Plan, networks: Mapping[str, Curves]) -> pd.DataFrame:
    """Compare mean slopes over seeds with those of the theory in the same window, where there is a window.

    The lazy easy task, which feels the width, is compared with linearised networks of this width.
    """
    lazy, rich = plan.gammas[0], plan.gammas[-1]
    rows = []
    for network, gamma, quantity, name in (
        ("easy", lazy, LOSS, "easy.lazy"),
        ("hard", lazy, LOSS, "hard.lazy"),
        ("hard", rich, LOSS, "hard.rich"),
        ("easy", rich, NORM, "weights.easy.rich"),
        ("hard", rich, NORM, "weights.hard.rich"),
    ):
        data = networks[network]
        window, step, sign = data.window(gamma), data.step[1:], -1.0 if quantity == NORM else 1.0
        predicted, found = math.nan, Measurement.none("no window")
        if not window.empty and data.diverged(gamma) is None:
            if name == "easy.lazy":
                spectrum = PowerLaw(plan.alpha, plan.beta_easy, plan.modes_lazy).spectrum()
                curves = [lazy_loss(spectrum, plan.width, plan.eta0, step, seed) for seed in range(DRAWS)]
            else:
                curves = [theory(data, gamma)[quantity]]
            predicted = float(np.mean(_slopes(step, np.array(curves), window.span, sign)))
            slopes = _slopes(step, data.quantity(quantity, gamma)[:, 1:], window.span, sign)
            found = Measurement.mean_of(slopes, window.span)
        rows.append((name, quantity, gamma, predicted, *found.columns()))
    return pd.DataFrame(rows, columns=["name", "quantity", "gamma0", "theory", "exponent", "interval", "window"])


def _slopes(step: Array, curves: Array, window: tuple[float, float], sign: float = 1.0) -> Array:
    return np.array([sign * fit_power_law(step, curve, window).exponent for curve in curves])


def table(networks: Mapping[str, Curves], found: pd.DataFrame, network: str, quantity: str, note: str = "") -> Table:
    """Return the fits of one quantity as a page shows them."""
    run, chosen = networks[network].run, found[(found.network == network) & (found.quantity == quantity)]
    caption = f"Exponent of {quantity}, {network} task, β = {run.beta:g}, N = {run.width}{note}"
    return Table(chosen[["gamma0", *SHOWN]], caption, formats=FORMATS)


def lazy_exponents(plan: Plan, easy: Curves) -> pd.DataFrame:
    """Fit linearised networks of several widths and of infinite width, all in the lazy window of the paper's width."""
    window = easy.window(easy.run.gammas[0])
    spectrum, step = PowerLaw(plan.alpha, plan.beta_easy, plan.modes_lazy).spectrum(), easy.step[1:]
    rows = []
    for width in () if window.empty else (*plan.widths_lazy, math.inf):
        seeds = range(plan.seeds if width < math.inf else 1)
        losses = np.stack([lazy_loss(spectrum, width, plan.eta0, step, seed) for seed in seeds])
        rows.append((width, *mean_exponent(step, losses, window.span).columns()))
    return pd.DataFrame(rows, columns=["width", "exponent", "interval", "window"])


def first_layer(networks: Mapping[str, Curves]) -> pd.DataFrame:
    """Return overlaps of the first layer, means over seeds at the last step, and the largest imbalance ever."""
    shown = ("weight_norm", "spike_readout", "spike_learned", "rank_one", "change_readout", "change_target_seen")
    rows = []
    for data in (networks["easy"], networks["hard"], networks["strong"]):
        for g, gamma in enumerate(data.run.gammas):
            last = [float(data.values[name][:, g, -1].mean()) for name in shown]
            rows.append((data.run.beta, gamma, *last, float(data.values["imbalance"][:, g].max())))
    return pd.DataFrame(rows, columns=["beta", "gamma0", *shown, "imbalance"])


def loss_claims(plan: Plan, networks: Mapping[str, Curves], found: pd.DataFrame) -> list[Claim]:
    """Return the claims of Figure 11 about powers; those of the hard task count the modes beyond M, as a power law has them."""
    beta, power = plan.beta_hard, float(chi(plan.beta_hard))
    lazy = f"The loss of the hard task (beta = {beta:g}), lazy, falls as t^-{beta:.3g}."
    rich = f"The loss of the hard task (beta = {beta:g}), rich, falls as t^-{power:.3g}."
    strong = f"Far in the rich regime the loss of the hard task (beta = {beta:g}) falls as t^-{power:.3g}."
    claims = [exponent_claim(plan, found, "strong", plan.gamma_strong, ALL_MODES, "rich", "hard.strong", strong)]
    if plan.scale != "small":  # the asymptotic powers of networks that are wide and trained for long
        small, large = plan.gammas_wide[0], plan.gammas_wide[-1]
        claims += [
            exponent_claim(plan, found, "hard.wide", small, ALL_MODES, "lazy", "hard.lazy", lazy),
            exponent_claim(plan, found, "hard.wide", large, ALL_MODES, "rich", "hard.rich", rich),
        ]
    return [*claims, *_easy_claims(plan, networks["easy"])]


def exponent_claim(
    plan: Plan, found: pd.DataFrame, network: str, gamma: float, quantity: str, kind: str, name: str, statement: str
) -> Claim:
    """Return the claim that a quantity of one network has the lazy or the rich power."""
    chosen = (found.network == network) & (found.gamma0 == gamma) & (found.quantity == quantity)
    row = next(found[chosen].itertuples())
    return judged(
        plan,
        f"fig11.{name}",
        f"Fig. {11 if quantity in (LOSS, ALL_MODES) else 12}{'a' if network.startswith('easy') else 'b'}, App. G",
        statement,
        f"exponent of {quantity} in steps, gamma0 = {gamma:g}, N = {row.width}",
        row.lazy if kind == "lazy" else row.rich,
        Measurement.of(row.exponent, row.interval, row.window, row.missing, meaning=SLOPE),
        "network",
        seeds=1 if network.endswith("wide") else plan.seeds,
        runs=plan.networks()[network],
        needs="a hundred times as many steps below the edge of stability; further in the rich regime fewer will do",
    )


def window_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that losses and weights have the slopes of the theory in the same window."""
    linearised, flow = "linearised networks of this width", "gradient flow at infinite width"
    return [
        judged(
            plan,
            f"fig11.{row.name}.window",
            f"Fig. {12 if row.quantity == NORM else 11}{'a' if task == 'easy' else 'b'}, App. G",
            f"{'|w|^2' if row.quantity == NORM else 'The loss'} of the {task} task, {regime}, has the exponent of "
            f"{linearised if row.name == 'easy.lazy' else flow} in the same window.",
            f"exponent of {row.quantity} in steps, gamma0 = {row.gamma0:g}, N = {plan.width}",
            0.0 if math.isnan(row.theory) else row.theory,
            Measurement.of(row.exponent, row.interval, row.window, "no window", meaning=MEAN),
            "network",
            seeds=plan.seeds,
            runs=plan.networks()[task],
            needs="about twice as many seeds",
        )
        for row in found.itertuples()
        for task, regime in [row.name.removeprefix("weights.").split(".")]
    ]


def _easy_claims(plan: Plan, data: Curves) -> list[Claim]:
    """Return the claims that richness lowers the constant of the easy task and gains no exponent."""
    gammas, window = data.run.gammas, data.window(data.run.gammas[0])
    loss = data.values["loss"][..., data.step <= window.end]
    ratios = loss[:, -1, -1] / loss[:, 0, -1]
    gain = Measurement.none(window.empty)
    if not window.empty:
        lazy, rich = (_slopes(data.step[1:], data.quantity(LOSS, gammas[g])[:, 1:], window.span) for g in (0, -1))
        gain = Measurement.mean_of(rich - lazy, window.span)
    return [
        judged(
            plan,
            "fig11.easy.gain",
            "Fig. 11a, App. G.2",
            f"For an easy task (beta = {plan.beta_easy:g}) large richness gains no exponent over small.",
            f"difference of the exponents of the loss in steps, gamma0 = {gammas[-1]:g} minus {gammas[0]:g}, in the lazy window, "
            f"N = {data.run.width}",
            0.0,
            gain,
            "network",
            Tolerance(0.1 * plan.beta_easy, "a tenth of the exponent, as for exponents of networks"),
            seeds=plan.seeds,
            runs=plan.networks()["easy"],
            needs="more seeds",
        ),
        bounded(
            plan,
            "fig11.easy.constant",
            "Fig. 11a, App. G",
            "For an easy task richness lowers the loss by a constant factor.",
            f"loss at gamma0 = {gammas[-1]:g} over loss at gamma0 = {gammas[0]:g}, end of the lazy window",
            "below",
            1.0,
            Measurement.of(float(ratios.mean()), (float(ratios.min()), float(ratios.max())), meaning=EXTREMES),
            "network",
            seeds=plan.seeds,
            runs=plan.networks()["easy"],
        ),
    ]


def lazy_claim(plan: Plan, found: pd.DataFrame) -> Claim:
    """Return the claim about the widest of the linearised networks."""
    row = max(found[found.width < math.inf].itertuples(), key=lambda row: row.width, default=None)
    beta, measured = plan.beta_easy, Measurement.none("no window")
    if row is not None:
        measured = Measurement.of(row.exponent, row.interval, row.window, meaning=SLOPE)
    return judged(
        plan,
        "fig11.easy.lazy.widest",
        "Fig. 11a, App. G",
        f"Linearised, the loss of the easy task (beta = {beta:g}) falls as t^-{beta:g} in the limit of large width.",
        "exponent of loss in steps" + ("" if row is None else f", gamma0 -> 0, B -> infinity, N = {row.width:g}"),
        beta,
        measured,
        "simulation",
        seeds=plan.seeds,
        needs="wider networks",
    )


def weight_claims(plan: Plan, networks: Mapping[str, Curves], found: pd.DataFrame, layer: pd.DataFrame) -> list[Claim]:
    """Return the claims of Figure 12 and of the spike."""
    small, large, strong = plan.gammas_wide[0], plan.gammas_wide[-1], plan.gamma_strong
    text = f"For a hard task |w|^2 grows as t^{1 - float(chi(plan.beta_hard)):.3g}."
    slow = (
        f"At small richness the change of w grows as in perturbation theory, its square as t^{1 - plan.beta_hard:.3g}."
    )
    claims = [
        exponent_claim(plan, found, network, gamma, quantity, kind, f"weights.{name}", statement)
        for network, gamma, quantity, kind, name, statement in (
            ("strong", strong, NORM, "rich", "hard.strong", text),
            ("hard.wide", large, NORM, "rich", "hard.rich", text),
            ("hard.wide", small, CHANGE, "lazy", "hard.lazy.change", slow),
        )
        if network == "strong" or plan.scale != "small"
    ]
    for network, kind in (("hard", "rich"), ("strong", "strong")):
        run, last = networks[network].run, {key: each[:, -1, -1] for key, each in networks[network].values.items()}
        overlaps = last["spike_readout"]
        ends = float(overlaps.min()), float(overlaps.max())
        claims.append(
            judged(
                plan,
                f"fig11.weights.spike.{kind}",
                "App. G.3",
                "The growth of w is matched by a rank-one spike in the first layer.",
                f"overlap of A's leading left singular vector with w, last step, gamma0 = {run.gammas[-1]:g}, mean and extremes",
                float(spike_overlap(last["weight_norm"], run.modes, run.width).mean()),
                Measurement.of(float(overlaps.mean()), ends, meaning=EXTREMES),
                "network",
                OVERLAP,
                seeds=plan.seeds,
                runs=plan.networks()[network],
            )
        )
    claims.append(
        bounded(
            plan,
            "fig11.weights.balancing",
            "App. G.3",
            "Training changes A A^T and w w^T by the same amount (balancing).",
            "norm of the difference over that of the change of A A^T, largest over steps, richnesses and seeds",
            "below",
            BALANCE,
            Measurement.bounded(layer.imbalance.to_numpy()),
            "network",
            seeds=plan.seeds,
        )
    )
    return claims


def loss_figure(networks: Mapping[str, Curves]) -> Figure:
    """Draw Figure 11: loss against steps for every richness."""
    with book_style():
        figure, panels = _panels(networks, "loss", "loss", "lower left")
        for axes, data, ends in panels:
            lazy, rich = data.run.beta, float(chi(data.run.beta))
            _guide(axes, data.step, 1.7 * ends[0], -lazy, rf"$t^{{-{lazy:g}}}$", above=True)
            if rich > lazy:
                _guide(axes, data.step, ends[-1] / 1.4, -rich, rf"$t^{{-{rich:.3f}}}$", above=False)
                plain_ticks(axes.yaxis)
    return figure


def weights_figure(networks: Mapping[str, Curves]) -> Figure:
    """Draw Figure 12: the squared norm of w against steps for every richness."""
    with book_style():
        figure, panels = _panels(networks, "weight_norm", r"$|w|^2$", "upper left", bands=False)
        for axes, data, ends in panels:
            lazy, rich = 1 - data.run.beta, 1 - float(chi(data.run.beta))
            if rich > 0:
                _guide(axes, data.step, 8.0 * ends[-1], lazy, rf"$t^{{{lazy:g}}}$", above=True)
                _guide(axes, data.step, 1.6 * ends[-1], rich, rf"$t^{{{rich:.3f}}}$", above=True)
            axes.set_ylim(0.5, 12 * ends[-1])
            plain_ticks(axes.yaxis)
    return figure


def regime_figure(networks: Mapping[str, Curves]) -> Figure:
    """Draw the local exponents of loss and weights of the hard task, from lazy to far in the rich regime."""
    hard, strong = networks["hard"], networks["strong"]
    beta, power = hard.run.beta, float(chi(hard.run.beta))
    with book_style():
        figure = new_figure(8.0)
        upper, lower = figure.subplots(2, 1, sharex=True)
        shown = ((hard, hard.run.gammas[0]), (hard, hard.run.gammas[-1]), (strong, strong.run.gammas[0]))
        colors = richness_colors(gamma for _, gamma in shown)
        for data, gamma in shown:
            if data.diverged(gamma) is not None:
                continue
            for axes, sign, quantity in ((upper, 1, ALL_MODES), (lower, -1, CHANGE)):
                curve = np.exp(np.log(data.quantity(quantity, gamma)[:, 1:]).mean(axis=0))
                slope = local_slope(data.step[1:], curve, width=0.5)
                label, color = rf"$\gamma_0 = {gamma:g}$", colors[gamma]
                axes.semilogx(slope.t, sign * slope.exponent, color=color, label=label)
        for axes, lazy, rich in ((upper, beta, power), (lower, 1 - beta, 1 - power)):
            for value, name in ((lazy, "lazy"), (rich, "rich")):
                axes.axhline(value, color=MUTED, linestyle="--", linewidth=1.3)
                place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right"}
                axes.annotate(name, (1.0, value), (4, 4), color=MUTED, **place)
        upper.set(ylim=(0, 2 * power), ylabel="exponent of the loss")
        lower.set(ylim=(1 - 2 * power, 1.5 * (1 - beta)), ylabel=r"exponent of $|w - w(0)|^2$", xlabel="steps $t$")
        upper.legend(loc="upper right", ncols=3)
    return figure


def spike_figure(networks: Mapping[str, Curves]) -> Figure:
    """Draw the overlap of the first layer's leading singular vector with the readout, against the readout's size."""
    with book_style():
        figure = new_figure(4.2)
        axes = figure.subplots()
        colors = richness_colors(networks[network].run.gammas[-1] for network in ("hard", "strong"))
        for network, name, marker in (("easy", "easy", "s"), ("hard", "hard", "o"), ("strong", "hard", "^")):
            run, values = networks[network].run, networks[network].values
            points = (values[key][:, -1, ::4].ravel() for key in ("weight_norm", "spike_readout"))
            color, label = colors[run.gammas[-1]], rf"{name}, $\gamma_0 = {run.gammas[-1]:g}$"
            axes.semilogx(*points, marker, color=MUTED if name == "easy" else color, markersize=4, label=label)
        # The last of them, far in the rich regime, reaches furthest.
        size = np.geomspace(1 + np.sqrt(run.modes / run.width), 1.2 * values["weight_norm"][:, -1].max(), 300)
        axes.semilogx(size, spike_overlap(size, run.modes, run.width), "--", color=INK, linewidth=1.3, label="theory")
        axes.set(xlabel=r"$|w|^2$", ylabel="overlap with $w$", ylim=(0, 1.05))
        axes.legend(loc="upper left")
    return figure


def _panels(
    networks: Mapping[str, Curves], name: str, label: str, legend: str, bands: bool = True
) -> tuple[Figure, list[tuple[Axes, Curves, list[float]]]]:
    """Draw a quantity of the easy and of the hard task; return each panel with the last value of each curve, from lazy to rich.

    Without ``bands`` only the largest richness has one.
    """
    figure, panels = new_figure(8.6), []
    for axes, task, letter in zip(figure.subplots(2, 1), ("easy", "hard"), "ab", strict=True):
        run, data, ends = networks[task].run, networks[task], []
        for g, gamma in enumerate(run.gammas):
            if data.diverged(gamma) is not None:
                continue
            logs = np.log(data.values[name][:, g, 1:])
            mean, spread = logs.mean(axis=0), logs.std(axis=0, ddof=1) if len(logs) > 1 else np.zeros(logs.shape[1])
            color = richness_colors(run.gammas)[gamma]
            # Wide below narrow, so that curves that coincide are all seen.
            width = 4.4 - 2.8 * g / max(len(run.gammas) - 1, 1)
            axes.loglog(data.step[1:], np.exp(mean), color=color, linewidth=width, label=rf"$\gamma_0 = {gamma:g}$")
            if bands or g == len(run.gammas) - 1:
                low, high = np.exp(mean - spread), np.exp(mean + spread)
                axes.fill_between(data.step[1:], low, high, color=color, alpha=0.15, linewidth=0)
            ends.append(float(np.exp(mean[-1])))
        axes.set_title(rf"({letter}) {task} task, $\beta = {run.beta:g}$, $N = {run.width}$")
        axes.set(xlabel="steps $t$", ylabel=label)
        axes.legend(loc=legend, ncols=2)
        panels += [(axes, data, ends)] if ends else []
    return figure, panels


def _guide(axes: Axes, step: Array, last: float, power: float, label: str, above: bool) -> None:
    """Draw a power law that ends at a value at the last step, over the last decade and a half."""
    x = np.array([step[-1] / 30, step[-1]])
    y = last * (x / x[-1]) ** power
    axes.loglog(x, y, "--", color=MUTED, linewidth=1.4)
    middle, side = (float(np.sqrt(x[0] * x[1])), float(np.sqrt(y[0] * y[1]))), above == (power < 0)
    place: dict[str, Any] = {"textcoords": "offset points", "ha": "left" if side else "right"}
    axes.annotate(label, middle, (4, 7) if above else (-4, -16), color=MUTED, **place)
