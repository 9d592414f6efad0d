r"""Does a scaling of width do what it should: two tests of any network of torch, for those who bring their own.

**Coordinate check.** Networks of several widths take a few steps; how far the outputs of every layer have moved, as a root mean
square over samples and units, goes as a power of the width. In mean-field scaling the power is 0 for every layer. In the standard
parametrization with one learning rate the outputs move by more the wider the network is; with a rate small enough for the widest
its features stand still. A layer is *stable* if the 95 % interval of its power lies within ±1/4, *grows* or *vanishes* if it lies
outside on one side, and *undecided* otherwise: wrong scalings are off by powers of 1/2 or more, and 1/4 is half way.

**Transfer.** Networks of several widths are trained with several learning rates. In mean-field scaling the best rate of a narrow
network is that of a wide one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.stats import t as student
from torch import nn
from torch.optim import Optimizer

from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.base.checks import InputError, array, flag, instance, require, whole
from neural_scaling.base.terminal import aligned, progress

__all__ = [
    "CoordinateCheck", "LearningRateTransfer", "coordinate_check", "draw_coordinate_check",
    "draw_learning_rate_transfer", "learning_rate_transfer",
]  # fmt: skip

#: Powers of the width that count as none; wrong scalings are off by 1/2 or more.
STABLE = 0.25

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
_PAIR = "give a pair of tensors (inputs, targets) with as many samples each"


@dataclass(frozen=True, eq=False)
class CoordinateCheck(ArrayValue):
    """How far the outputs of layers move in a few steps, against width.

    Attributes
    ----------
    layers
        Names of the layers that move, in the order in which they are called.
    widths
        Shape (W,).
    change
        Root mean square change, shape (layers, W, seeds); infinite where a network diverged.
    slope
        Power of the width, mean over seeds, shape (layers,); NaN where a network diverged.
    interval
        Its 95 % interval from the scatter over seeds, shape (layers, 2).
    verdict
        ``stable``, ``grows``, ``vanishes``, ``undecided`` or ``diverges``, a word for each layer.
    """

    layers: tuple[str, ...]
    widths: Array
    change: Array
    slope: Array
    interval: Array
    verdict: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether all layers are stable."""
        return set(self.verdict) == {"stable"}

    def __str__(self) -> str:
        """Return a table of the layers."""
        rows = [("layer", "power of the width", "95 % interval", "verdict")]
        for name, slope, (low, high), word in zip(self.layers, self.slope, self.interval, self.verdict, strict=True):
            rows.append((name, f"{slope:+.2f}", f"{low:+.2f} to {high:+.2f}", word))
        return aligned(rows)


@dataclass(frozen=True, eq=False)
class LearningRateTransfer(ArrayValue):
    """Losses against learning rate and width.

    Attributes
    ----------
    rates, widths
        Shapes (R,) and (W,).
    losses
        At the end, infinite where a network diverged, shape (R, W, seeds).
    best
        Learning rate of the lowest mean loss at each width, shape (W,).
    inside
        Whether it has neighbours on both sides at each width, so that the search was wide enough.
    resolution
        Largest ratio of neighbouring rates: ``best`` is known to this factor either way.
    """

    rates: Array
    widths: Array
    losses: Array
    best: Array
    inside: tuple[bool, ...]
    resolution: float

    @property
    def shift(self) -> Array:
        """Best rate over that of the first width, shape (W,); ones if it is the same for all widths."""
        return np.asarray(self.best / self.best[0])

    @property
    def slide(self) -> Array:
        """Factor in the rate by which the curve of the loss is moved, from the first width to each, shape (W, seeds).

        It is the one that lays the logarithms of both upon each other best, in steps of a hundredth of a power of ten; at least
        three rates have to overlap. A minimum may be flat, the steep sides of the curves show a slide all the same.
        """
        return np.array([[_slide(self.rates, one, first) for one, first in pairs] for pairs in self._curves()])

    def _curves(self) -> list[list[tuple[Array, Array]]]:
        widths, seeds = self.losses.shape[1:]
        return [
            [(self.losses[:, width, seed], self.losses[:, 0, seed]) for seed in range(seeds)] for width in range(widths)
        ]

    def __str__(self) -> str:
        """Return a table of mean losses, the best rate of each width marked."""
        rows = [("rate", *(f"N = {width:g}" for width in self.widths))]
        for rate, losses in zip(self.rates, self.losses.mean(axis=2), strict=True):
            marks = [" *" if rate == best else "" for best in self.best]
            rows.append((f"{rate:.3g}", *(f"{loss:.4g}{mark}" for loss, mark in zip(losses, marks, strict=True))))
        return aligned(rows)


def half_square(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return half the squared error, summed over outputs and averaged over samples."""
    found: torch.Tensor = (outputs - targets).square().flatten(1).sum(1).mean() / 2
    return found


def coordinate_check(
    factory: Callable[[int], nn.Module],
    data: tuple[torch.Tensor, torch.Tensor],
    widths: ArrayLike,
    optimizer: Callable[[nn.Module], Optimizer],
    *,
    steps: int = 5,
    seeds: int = 5,
    loss: Loss = half_square,
    show: bool = True,
) -> CoordinateCheck:
    """Measure how the change of the outputs of every layer after a few steps goes with the width.

    Parameters
    ----------
    factory
        Makes a network of a width. The generator of torch is seeded before it is called.
    data
        Inputs and targets; every step sees all of them.
    widths
        At least two, rising.
    optimizer
        Makes the optimizer of a network, with the scaling that is to be checked.
    steps
        Steps taken.
    seeds
        Networks of each width, at least two.
    loss
        Of outputs and targets.
    show
        Whether to show a bar with the time left, at a terminal.

    Returns
    -------
    CoordinateCheck
        Over layers without parts of their own whose output is one tensor, and the network as a whole, ``output``.

    Raises
    ------
    InputError
        If an argument is out of range, or nothing moves.

    Examples
    --------
    >>> def factory(width):
    ...     return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 1))
    >>> data = torch.randn(32, 4), torch.randn(32, 1)
    >>> check = coordinate_check(factory, data, [32, 64, 128, 256], lambda network: torch.optim.SGD(network.parameters(), 0.1))
    >>> check.passed
    False
    """
    sizes, (inputs, targets) = _checked_widths(widths), _checked_data(data)
    steps, seeds = whole(steps, "steps"), whole(seeds, "seeds", "give at least 2, for an interval", least=2)
    _checked_calls(factory=factory, optimizer=optimizer, loss=loss)
    found: dict[str, Array] = {}
    with progress(len(sizes) * seeds, "coordinate check") if flag(show, "show") else _nothing() as bar:
        for number, width in enumerate(sizes):
            for seed in range(seeds):
                network = _made(factory, width, seed)
                before = _outputs(network, inputs)
                _train(network, inputs, targets, _optimizer(optimizer, network), loss, steps)
                after = _outputs(network, inputs)
                for name in before:
                    moved = (after[name].double() - before[name].double()).square().mean().sqrt().item()
                    found.setdefault(name, np.full((len(sizes), seeds), np.nan))[number, seed] = moved
                if bar is not None:
                    bar.update()
    layers = {name: np.where(np.isfinite(one), one, math.inf) for name, one in found.items() if one.any()}
    require(len(layers) > 0, "optimizer", "no layer moves", "give it the parameters, and a learning rate that is felt")
    slopes, intervals, verdicts = zip(*(_judged(np.asarray(sizes), one) for one in layers.values()), strict=True)
    return CoordinateCheck(
        tuple(layers),
        np.asarray(sizes, dtype=np.float64),
        np.stack(list(layers.values())),
        np.array(slopes),
        np.array(intervals),
        tuple(verdicts),
    )


def learning_rate_transfer(
    factory: Callable[[int], nn.Module],
    data: tuple[torch.Tensor, torch.Tensor],
    rates: ArrayLike,
    widths: ArrayLike,
    optimizer: Callable[[nn.Module, float], Optimizer] | None = None,
    *,
    steps: int = 100,
    seeds: int = 3,
    loss: Loss = half_square,
    show: bool = True,
) -> LearningRateTransfer:
    """Train networks of several widths with several learning rates.

    Parameters
    ----------
    factory, data, widths, loss, show
        As for :func:`coordinate_check`.
    rates
        Learning rates, at least three, rising.
    optimizer
        Makes the optimizer of a network for a learning rate; by default plain gradient descent with one rate for all.
    steps
        Steps taken, with all data each.
    seeds
        Networks of each width and rate; of one seed they start alike at all rates.

    Raises
    ------
    InputError
        If an argument is out of range, or all networks of a width diverge.

    Examples
    --------
    >>> def factory(width):
    ...     return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 1))
    >>> data = torch.randn(32, 4), torch.randn(32, 1)
    >>> found = learning_rate_transfer(factory, data, [0.01, 0.1, 1.0], [16, 64], steps=10)
    >>> found.losses.shape
    (3, 2, 3)
    """
    sizes, (inputs, targets) = _checked_widths(widths), _checked_data(data)
    tried = array(rates, "rates", above=0.0, order="rising", fewest=3)
    steps, seeds = whole(steps, "steps"), whole(seeds, "seeds")
    make = optimizer or (lambda network, rate: torch.optim.SGD(network.parameters(), rate))
    _checked_calls(factory=factory, optimizer=make, loss=loss)
    losses = np.full((tried.size, len(sizes), seeds), math.inf)
    with progress(losses.size, "learning rates") if flag(show, "show") else _nothing() as bar:
        for place in np.ndindex(losses.shape):
            rate, width, seed = float(tried[place[0]]), sizes[place[1]], place[2]
            network = _made(factory, width, seed)
            last = _train(network, inputs, targets, _optimizer(make, network, rate), loss, steps)
            losses[place] = last if math.isfinite(last) else math.inf
            if bar is not None:
                bar.update()
    means = losses.mean(axis=2)
    lost = [f"{width}" for width, one in zip(sizes, means.T, strict=True) if not np.isfinite(one).any()]
    require(not lost, "rates", f"networks of width {', '.join(lost)} diverge at all of them", "give smaller ones")
    best = means.argmin(axis=0)
    inside = tuple(bool(0 < number < tried.size - 1) for number in best)
    resolution = float((tried[1:] / tried[:-1]).max())
    return LearningRateTransfer(tried, np.asarray(sizes, dtype=np.float64), losses, tried[best], inside, resolution)


def draw_coordinate_check(check: CoordinateCheck) -> Figure:
    """Draw the changes of all layers against width, mean over seeds.

    Parameters
    ----------
    check
        As :func:`coordinate_check` returns it.

    Returns
    -------
    matplotlib.figure.Figure
        Of one panel; nothing is shown, and no state of pyplot changed.
    """
    check = instance(check, "check", CoordinateCheck, "give what coordinate_check returns")
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, change, slope, word in zip(check.layers, check.change, check.slope, check.verdict, strict=True):
        style = "-" if word == "stable" else "--"
        axes.loglog(check.widths, change.mean(axis=1), f"o{style}", label=f"{name}: {word}, $N^{{{slope:.2f}}}$")
    axes.set_xlabel("width $N$")
    axes.set_ylabel("change in a few steps")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def draw_learning_rate_transfer(transfer: LearningRateTransfer) -> Figure:
    """Draw the loss against the learning rate at every width, the best rates marked.

    Parameters
    ----------
    transfer
        As :func:`learning_rate_transfer` returns it.

    Returns
    -------
    matplotlib.figure.Figure
        Of one panel; nothing is shown, and no state of pyplot changed.
    """
    transfer = instance(transfer, "transfer", LearningRateTransfer, "give what learning_rate_transfer returns")
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    means = transfer.losses.mean(axis=2)
    for width, losses, best in zip(transfer.widths, means.T, transfer.best, strict=True):
        good = np.isfinite(losses)
        (line,) = axes.loglog(transfer.rates[good], losses[good], "o-", label=f"$N = {width:g}$")
        axes.loglog([best], losses[transfer.rates == best], "*", color=line.get_color(), markersize=14)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss at the last step")
    axes.legend()
    return figure


def _judged(widths: Array, change: Array) -> tuple[float, tuple[float, float], str]:
    """Return the power of the width in a change (W, seeds), its interval, and what it means."""
    if not (np.isfinite(change) & (change > 0)).all():
        return math.nan, (math.nan, math.nan), "diverges" if np.isinf(change).any() else "undecided"
    slopes = np.polyfit(np.log(widths), np.log(change), 1)[0]
    mean, error = float(slopes.mean()), float(slopes.std(ddof=1)) / math.sqrt(slopes.size)
    half = float(student.ppf(0.975, slopes.size - 1)) * error
    low, high = mean - half, mean + half
    if low >= -STABLE and high <= STABLE:
        return mean, (low, high), "stable"
    return mean, (low, high), "grows" if low > STABLE else "vanishes" if high < -STABLE else "undecided"


def _slide(rates: Array, losses: Array, first: Array) -> float:
    """Return the factor in the rate that lays a curve upon the first one; NaN where they do not overlap."""
    good, known = np.isfinite(losses), np.isfinite(first)
    if good.sum() < 3 or known.sum() < 3:
        return math.nan
    at, own, theirs = np.log10(rates[good]), np.log(losses[good]), np.log(first[known])
    start = np.log10(rates[known])
    found = (math.inf, math.nan)
    span = float(np.log10(rates[-1] / rates[0]))
    for step in np.arange(-round(100 * span), round(100 * span) + 1) / 100:
        inside = (at - step >= start[0]) & (at - step <= start[-1])
        if inside.sum() >= 3:
            apart = own[inside] - np.interp(at[inside] - step, start, theirs)
            found = min(found, (float(np.mean(apart**2)), step))
    return float(10 ** found[1])


def _made(factory: Callable[[int], nn.Module], width: int, seed: int) -> nn.Module:
    """Return the network of a width and a seed; the generator of the caller is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = factory(width)
    return instance(network, "factory", nn.Module, "let it return a torch.nn.Module")


def _optimizer(make: Callable[..., Optimizer], network: nn.Module, *rate: float) -> Optimizer:
    return instance(make(network, *rate), "optimizer", Optimizer, "let it return a torch.optim.Optimizer")


def _train(
    network: nn.Module, inputs: torch.Tensor, targets: torch.Tensor, optimizer: Optimizer, loss: Loss, steps: int
) -> float:
    """Take steps and return the loss after them."""
    network.train()
    with torch.enable_grad():
        for _ in range(steps):
            optimizer.zero_grad()
            loss(network(inputs), targets).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    network.eval()
    with torch.no_grad():
        return float(loss(network(inputs), targets))


def _outputs(network: nn.Module, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the outputs of layers without parts, in the order of their first calls, and that of the network, ``output``."""
    found: dict[str, list[torch.Tensor]] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor) and output.is_floating_point():
                found.setdefault(name, []).append(output.detach().flatten().clone())

        return hook

    handles = [
        layer.register_forward_hook(keep(name))
        for name, layer in network.named_modules()
        if name and not any(layer.children())
    ]
    network.eval()
    try:
        with torch.no_grad():
            output = network(inputs)
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(output, torch.Tensor):
        raise InputError(f"factory: its networks return {type(output).__name__}; return one tensor.")
    return {name: torch.cat(parts) for name, parts in found.items()} | {"output": output.flatten().clone()}


def _checked_widths(widths: ArrayLike) -> list[int]:
    return [int(width) for width in array(widths, "widths", least=1, whole=True, order="rising", fewest=2)]


def _checked_data(data: Any) -> tuple[torch.Tensor, torch.Tensor]:
    good = isinstance(data, Sequence) and len(data) == 2 and all(isinstance(one, torch.Tensor) for one in data)
    require(good, "data", f"got {type(data).__name__}", _PAIR)
    inputs, targets = data
    same = inputs.ndim > 0 and targets.ndim > 0 and len(inputs) == len(targets) > 0
    require(same, "data", f"shapes {tuple(inputs.shape)} and {tuple(targets.shape)}", _PAIR)
    return inputs, targets


def _checked_calls(**calls: Any) -> None:
    for name, call in calls.items():
        require(callable(call), name, f"got {call!r}", "give a function")


@contextmanager
def _nothing() -> Iterator[None]:
    yield
