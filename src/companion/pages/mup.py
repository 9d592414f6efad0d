"""The parametrization put to the test: what must not change with width, and the lazy limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import t as student

from companion.claims import Claim, Measurement, Page, fact, judge
from companion.parameters import Parameters
from companion.style import INK, MUTED, RICH, book_style, new_figure, width_color
from neural_scaling.base.arrays import Array
from neural_scaling.base.devices import find_device
from neural_scaling.base.grids import log_spaced_steps
from neural_scaling.fits import fit_power_law
from neural_scaling.models.circle import decay
from neural_scaling.networks.circle_data import CircleData
from neural_scaling.networks.mlp import Member, Shape, ensemble
from neural_scaling.networks.training import Training, train
from neural_scaling.runs.device import device_name

#: Slope in log N up to which a quantity counts as flat; wrong powers of N are at least 1/2.
FLAT = 0.1
_ANGLES = 4096
_TEST_ANGLES = 256


class Plan(Parameters):
    """What the page computes."""


@dataclass(frozen=True)
class CoordinateCheck:
    """How far a network has moved after some steps, at several widths."""

    widths: Array  # N, shape (W,)
    # root mean square change of the arguments of each hidden layer and, last, of the centred output; shape (L, W,
    # seeds)
    moved: Array

    @property
    def mean(self) -> Array:
        """Mean over seeds, shape (L, W)."""
        return np.asarray(self.moved.mean(axis=2))

    def slopes(self) -> list[tuple[float, tuple[float, float]]]:
        """Return slopes in log N and their 95 % intervals from the spread over seeds, layer by layer, the output last."""
        found = []
        count = self.moved.shape[2]
        for layer in self.moved:
            slopes = np.polyfit(np.log(self.widths), np.log(layer), 1)[0]
            half = float(student.ppf(0.975, count - 1) * slopes.std(ddof=1) / math.sqrt(count))
            mean = float(slopes.mean())
            found.append((mean, (mean - half, mean + half)))
        return found


@dataclass(frozen=True)
class WidthCurves:
    """Losses at several widths at the same learning rate and richness."""

    widths: Array  # N, shape (W,)
    step: Array  # shape (R,)
    loss: Array  # mean over seeds, shape (W, R)
    error: Array  # its standard error, shape (W, R)


@dataclass(frozen=True)
class EtaSearch:
    """Loss after a fixed number of steps against the learning rate."""

    # widths, etas: shapes (W,) and (H,)
    widths: Array
    etas: Array
    loss: Array  # mean over seeds, shape (W, H); infinite where one diverged

    @property
    def best(self) -> Array:
        """Best learning rate at each width, shape (W,)."""
        return np.asarray(self.etas[np.argmin(self.loss, axis=1)])


@dataclass(frozen=True)
class LazyLimit:
    """How the loss approaches that of the linearised network."""

    richness: Array  # gamma_0, shape (G,)
    difference: Array  # largest relative difference of the loss over the steps, mean over seeds, shape (G,)


def coordinate_check(plan: Plan) -> CoordinateCheck:
    """Train networks of every width for a few steps and measure how far features and output moved."""
    found = []
    for width in plan.widths:
        device = find_device(device_name())
        model = ensemble(Shape(plan.depth, width), _members(plan), device)
        data = _data(plan, plan.seeds, device, model.dtype)
        inputs = data.test_inputs.expand(plan.seeds, -1, -1)
        before, raw = [h.clone() for h in model.arguments(inputs)], model.raw(inputs)
        train(model, data, [plan.steps_check], plan.batch)
        after = model.arguments(inputs)
        changes = [new - old for new, old in zip(after, before, strict=True)] + [model.centred(inputs, raw)]
        found.append([change.flatten(1).square().mean(1).sqrt().double().cpu().numpy() for change in changes])
    return CoordinateCheck(np.array(plan.widths, dtype=np.float64), np.array(found).transpose(1, 0, 2))


def width_curves(plan: Plan) -> WidthCurves:
    """Train networks of several widths at one learning rate and richness."""
    runs = [_train(plan, width, _members(plan)) for width in plan.widths_curves]
    losses = np.stack([run.loss for run in runs])
    error = losses.std(axis=1, ddof=1) / math.sqrt(plan.seeds)
    return WidthCurves(np.array(plan.widths_curves, dtype=np.float64), runs[0].step, losses.mean(axis=1), error)


def eta_search(plan: Plan) -> EtaSearch:
    """Train networks of several widths at several learning rates, all of a width at once."""
    losses = []
    for width in plan.widths_curves:
        members = [Member(seed, plan.richness, eta) for eta in plan.etas for seed in range(plan.seeds)]
        last = _train(plan, width, members).loss[:, -1]
        losses.append(last.reshape(len(plan.etas), plan.seeds).mean(axis=1))
    return EtaSearch(np.array(plan.widths_curves, dtype=np.float64), np.array(plan.etas), np.array(losses))


def lazy_limit(plan: Plan) -> LazyLimit:
    """Train networks of falling richness, in float64, beside the linearised ones."""
    width = plan.widths_curves[0]
    curves = [
        _train(plan, width, [Member(seed, richness, plan.eta) for seed in range(plan.seeds)], torch.float64).loss
        for richness in (0.0, *plan.richness_limit)
    ]
    away = [float(np.abs(curve / curves[0] - 1).max(axis=1).mean()) for curve in curves[1:]]
    return LazyLimit(np.array(plan.richness_limit), np.array(away))


def claims(check: CoordinateCheck, curves: WidthCurves, search: EtaSearch, limit: LazyLimit, page: Page) -> list[Claim]:
    """Return the claims about the parametrization."""
    found = []
    fits = check.slopes()
    names = [f"arguments of hidden layer {layer + 1}" for layer in range(len(fits) - 1)] + ["centred outputs"]
    keys = [f"layer-{layer + 1}" for layer in range(len(fits) - 1)] + ["output"]
    window = (float(check.widths[0]), float(check.widths[-1]))
    for name, key, (slope, interval) in zip(names, keys, fits, strict=True):
        verdict, reason = judge(0.0, slope, interval, FLAT)
        found.append(
            fact(
                page,
                f"mup.{key}",
                "section 5.1",
                f"How far the {name} move in a few steps does not depend on width.",
                "slope of the change in log N",
                verdict,
                reason,
                0.0,
                Measurement(slope, interval, window),
            )
        )
    gap = np.abs(curves.loss[-2] / curves.loss[-1] - 1).max()
    allowed = float(np.max(3 * np.hypot(curves.error[-2], curves.error[-1]) / curves.loss[-1])) + 0.02
    close = bool(gap < allowed)
    found.append(
        fact(
            page,
            "mup.curves",
            "section 5.1",
            "At fixed learning rate and richness the loss curves of the two widest networks coincide.",
            "largest relative difference over the steps",
            "confirmed" if close else "not confirmed",
            "within the scatter over seeds" if close else "beyond the scatter over seeds",
            f"below three standard errors and 2 %, {allowed:.2f}",
            Measurement(float(gap), None),
        )
    )
    ratio = float(search.best.max() / search.best.min())
    spacing = float(np.max(search.etas[1:] / search.etas[:-1]))
    stable = ratio <= spacing * 1.001
    found.append(
        fact(
            page,
            "mup.eta",
            "section 5.1",
            "The best learning rate does not depend on width.",
            "largest over smallest best learning rate",
            "confirmed" if stable else "not confirmed",
            f"known to a factor {spacing:.2g}, the spacing of the search",
            1.0,
            Measurement(ratio, (ratio / spacing, ratio * spacing)),
        )
    )
    fit = fit_power_law(limit.richness[::-1], limit.difference[::-1])
    interval = (-fit.interval[1], -fit.interval[0])
    smallest = float(limit.difference[-1])
    found.append(
        fact(
            page,
            "mup.lazy",
            "section 5.1",
            "As the richness falls the network becomes its linearisation.",
            f"largest relative difference of the loss at gamma0 = {limit.richness[-1]:g}",
            "confirmed" if smallest < 0.01 and bool(np.all(np.diff(limit.difference) < 0)) else "not confirmed",
            f"the difference falls as gamma0^{-fit.exponent:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]",
            0.0,
            smallest,
        )
    )
    return found


def _members(plan: Plan) -> list[Member]:
    return [Member(seed, plan.richness, plan.eta) for seed in range(plan.seeds)]


def _data(plan: Plan, members: int, device: torch.device, dtype: torch.dtype) -> CircleData:
    return CircleData([decay(plan.beta)] * members, device, dtype, _ANGLES, _TEST_ANGLES)


def _train(plan: Plan, width: int, members: Sequence[Member], dtype: torch.dtype | None = None) -> Training:
    device = find_device(device_name())
    model = ensemble(Shape(plan.depth, width), members, device, dtype)
    recorded = [int(step) for step in log_spaced_steps(plan.steps, 10)]
    return train(model, _data(plan, len(members), device, model.dtype), recorded, plan.batch)


def draw(check: CoordinateCheck, curves: WidthCurves, search: EtaSearch, limit: LazyLimit) -> Figure:
    """Draw the coordinate check, loss curves across widths, the search for a learning rate and the lazy limit."""
    with book_style():
        figure = new_figure(8.6)
        (a, b), (c, d) = figure.subplots(2, 2)
        output = check.mean[-1]
        for layer, moved in enumerate(check.mean[:-1]):
            a.loglog(check.widths, moved, "o-", color=width_color(2 ** (5 + 3 * layer)), label=f"layer {layer + 1}")
        a.loglog(check.widths, output, "s-", color=RICH, label="output")
        for power in (-0.5, 0.5):
            level = output[0] * (1.6 if power > 0 else 1 / 1.6)
            a.loglog(check.widths, level * (check.widths / check.widths[0]) ** power, "--", color=MUTED, linewidth=1.2)
        a.set_title("(a) coordinate check")
        a.set_xlabel("width $N$")
        a.set_ylabel("change in a few steps")
        a.legend(fontsize=9)
        for width, loss in zip(curves.widths, curves.loss, strict=True):
            b.loglog(curves.step[1:], loss[1:], color=width_color(width), label=f"$N = {width:g}$")
        b.set_title("(b) loss across widths")
        b.set_xlabel("steps $t$")
        b.set_ylabel("test loss")
        b.legend(fontsize=9)
        for width, loss in zip(search.widths, search.loss, strict=True):
            finite = np.isfinite(loss)
            c.loglog(search.etas[finite], loss[finite], "o-", color=width_color(width), label=f"$N = {width:g}$")
        c.set_title("(c) which learning rate is best")
        c.set_xticks(search.etas, [f"{eta:g}" for eta in search.etas])
        c.minorticks_off()
        c.set_xlabel(r"$\eta_0$")
        c.set_ylabel("test loss at the last step")
        d.loglog(limit.richness, limit.difference, "o-", color=INK)
        d.loglog(limit.richness, 0.5 * limit.difference[0] * limit.richness / limit.richness[0], "--", color=MUTED)
        d.set_title("(d) lazy limit")
        d.set_xlabel(r"richness $\gamma_0$")
        d.set_ylabel("relative difference of the loss")
    return figure
