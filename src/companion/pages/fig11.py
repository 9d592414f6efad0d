"""Figures 11 and 12: two-layer linear networks on an easy and a hard task, their loss and the growth of their weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.agreement import mean_exponent
from companion.claims import MEAN, SLOPE, Claim, Measurement, Tolerance, bounded, judged
from companion.linear_curves import ALL_MODES, CHANGE, FIT, GROWING, LOSS, NORM, Curves, collected
from companion.parameters import Parameters
from companion.style import INK, MUTED, book_style, drawing, new_figure, plain_ticks, richness_colors
from companion.tables import Table
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law, local_slope
from neural_scaling.models.linear_networks import lazy_loss, spike_overlap
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
#: How a page shows a fit.
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


def networks(plan: Plan, results: Mapping[Experiment, Result]) -> dict[str, Curves]:
    """Collect the networks by their name."""
    return {name: collected(runs, results) for name, runs in plan.networks().items()}


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
        window, step, grows = data.window(gamma), data.step[1:], quantity == NORM
        predicted, found = math.nan, Measurement.none("no window")
        if not window.empty and data.diverged(gamma) is None:
            if name == "easy.lazy":
                curves = _lazy_losses(plan, plan.width, step, DRAWS)
            else:
                curves = data.theory(gamma)[quantity][np.newaxis]
            predicted = float(_slopes(step, curves, window.span, grows).mean())
            found = Measurement.mean_of(_slopes(step, data.quantity(quantity, gamma), window.span, grows), window.span)
        rows.append((name, quantity, gamma, predicted, *found.columns()))
    return pd.DataFrame(rows, columns=["name", "quantity", "gamma0", "theory", "exponent", "interval", "window"])


def _slopes(step: Array, curves: Array, window: tuple[float, float], grows: bool = False) -> Array:
    found = np.array([fit_power_law(step, curve, window).exponent for curve in curves])
    return -found if grows else found


def _lazy_losses(plan: Plan, width: float, step: Array, draws: int) -> Array:
    """Return losses of linearised networks on the easy task, shape (draws, R)."""
    spectrum = PowerLaw(plan.alpha, plan.beta_easy, plan.modes_lazy).spectrum()
    return np.array([lazy_loss(spectrum, width, plan.eta0, step, seed) for seed in range(draws)])


def table(networks: Mapping[str, Curves], found: pd.DataFrame, network: str, quantity: str, note: str = "") -> Table:
    """Return the fits of one quantity as a page shows them."""
    run, chosen = networks[network].run, found[(found.network == network) & (found.quantity == quantity)]
    caption = f"Exponent of {quantity}, {network} task, β = {run.beta:g}, N = {run.width}{note}"
    return Table(chosen[["gamma0", *FIT]], caption, formats=FORMATS)


def lazy_exponents(plan: Plan, easy: Curves) -> pd.DataFrame:
    """Fit linearised networks of several widths and of infinite width, all in the lazy window of the paper's width."""
    window, step = easy.window(easy.run.gammas[0]), easy.step[1:]
    rows = []
    for width in () if window.empty else (*plan.widths_lazy, math.inf):
        losses = _lazy_losses(plan, width, step, plan.seeds if width < math.inf else 1)
        rows.append((width, *mean_exponent(step, losses, window.span).columns()))
    return pd.DataFrame(rows, columns=["width", "exponent", "interval", "window"])


def power_claims(plan: Plan, found: pd.DataFrame, weights: bool) -> list[Claim]:
    """Return the claims about the powers of the hard task; its losses count the modes beyond M, as a power law has them."""
    beta, power = plan.beta_hard, float(chi(plan.beta_hard))
    small, large, strong = plan.gammas_wide[0], plan.gammas_wide[-1], plan.gamma_strong
    loss = f"loss of the hard task (beta = {beta:g})"
    grows = f"For a hard task |w|^2 grows as t^{1 - power:.3g}."
    slow = f"At small richness the change of w grows as in perturbation theory, its square as t^{1 - beta:.3g}."
    far = f"Far in the rich regime the {loss} falls as t^-{power:.3g}."
    rows = [
        ("strong", strong, ALL_MODES, "rich", "hard.strong", far),
        ("hard.wide", small, ALL_MODES, "lazy", "hard.lazy", f"The {loss}, lazy, falls as t^-{beta:.3g}."),
        ("hard.wide", large, ALL_MODES, "rich", "hard.rich", f"The {loss}, rich, falls as t^-{power:.3g}."),
        ("strong", strong, NORM, "rich", "weights.hard.strong", grows),
        ("hard.wide", large, NORM, "rich", "weights.hard.rich", grows),
        ("hard.wide", small, CHANGE, "lazy", "weights.hard.lazy.change", slow),
    ]
    # The asymptotic powers need networks that are wide and trained for long, or far in the rich regime.
    shown = [row for row in rows if row[0] == "strong" or plan.scale != "small"]
    return [exponent_claim(plan, found, *row) for row in shown if (row[2] in GROWING) == weights]


def exponent_claim(
    plan: Plan, found: pd.DataFrame, network: str, gamma: float, quantity: str, kind: str, name: str, statement: str
) -> Claim:
    """Return the claim that a quantity of one network has the lazy or the rich power."""
    chosen = (found.network == network) & (found.gamma0 == gamma) & (found.quantity == quantity)
    row = next(found[chosen].itertuples())
    return judged(
        plan,
        f"fig11.{name}",
        f"Fig. {12 if quantity in GROWING else 11}{'a' if network.startswith('easy') else 'b'}, App. G",
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


def easy_claims(plan: Plan, easy: Curves) -> list[Claim]:
    """Return the claims that richness lowers the constant of the easy task and gains no exponent."""
    gammas, window, runs = easy.run.gammas, easy.window(easy.run.gammas[0]), plan.networks()["easy"]
    loss = easy.values["loss"][..., easy.step <= window.end]
    ratios = loss[:, -1, -1] / loss[:, 0, -1]
    gain = Measurement.none(window.empty)
    if not window.empty:
        lazy, rich = (_slopes(easy.step[1:], easy.quantity(LOSS, gammas[g]), window.span) for g in (0, -1))
        gain = Measurement.mean_of(rich - lazy, window.span)
    return [
        judged(
            plan,
            "fig11.easy.gain",
            "Fig. 11a, App. G.2",
            f"For an easy task (beta = {plan.beta_easy:g}) large richness gains no exponent over small.",
            f"difference of the exponents of the loss in steps, gamma0 = {gammas[-1]:g} minus {gammas[0]:g}, in the lazy window, "
            f"N = {easy.run.width}",
            0.0,
            gain,
            "network",
            Tolerance(0.1 * plan.beta_easy, "a tenth of the exponent, as for exponents of networks"),
            seeds=plan.seeds,
            runs=runs,
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
            Measurement.among(ratios, ratios.mean()),
            "network",
            seeds=plan.seeds,
            runs=runs,
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


def spike_claims(plan: Plan, networks: Mapping[str, Curves], layer: pd.DataFrame) -> list[Claim]:
    """Return the claims about the first layer: the spike that w is matched by, and balancing."""
    claims = []
    for network, kind in (("hard", "rich"), ("strong", "strong")):
        run, last = networks[network].run, {key: each[:, -1, -1] for key, each in networks[network].values.items()}
        claims.append(
            judged(
                plan,
                f"fig11.weights.spike.{kind}",
                "App. G.3",
                "The growth of w is matched by a rank-one spike in the first layer.",
                f"overlap of A's leading left singular vector with w, last step, gamma0 = {run.gammas[-1]:g}, mean and extremes",
                float(spike_overlap(last["weight_norm"], run.modes, run.width).mean()),
                Measurement.among(last["spike_readout"], last["spike_readout"].mean()),
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
    with drawing(8.0, 2, sharex=True) as (figure, (upper, lower)):
        shown = ((hard, hard.run.gammas[0]), (hard, hard.run.gammas[-1]), (strong, strong.run.gammas[0]))
        colors = richness_colors(gamma for _, gamma in shown)
        for data, gamma in shown:
            if data.diverged(gamma) is not None:
                continue
            for axes, sign, quantity in ((upper, 1, ALL_MODES), (lower, -1, CHANGE)):
                curve = np.exp(np.log(data.quantity(quantity, gamma)).mean(axis=0))
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
    with drawing(4.2) as (figure, axes):
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
