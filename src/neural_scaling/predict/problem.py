"""Your own problem: a spectrum, a kernel, a network or loss curves in, a :class:`Prediction` out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from numpy.typing import ArrayLike
from scipy.special import stdtrit
from torch import nn

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import InputError, require
from neural_scaling.base.paths import cache_root
from neural_scaling.fits import OffsetFit, binned_means, fit_offset_power_law, fit_power_law, fit_scaling_law
from neural_scaling.fits.power_law import NORMAL_95, log_spaced_indices
from neural_scaling.networks.image_kernel import decompose
from neural_scaling.predict.estimate import FIRST_MODE, Estimate, as_outputs, estimate_kernel, estimate_spectrum
from neural_scaling.predict.forecast import BestUse, Curve, Range, allocate, at_size, drawn, run_of, sized_run_of
from neural_scaling.predict.mean_field_scaling import Centred, mean_field_rates
from neural_scaling.predict.prediction import Bounds, FittedCurves, Options, Prediction
from neural_scaling.predict.runs import keep
from neural_scaling.predict.tail import TailedModes
from neural_scaling.predict.tangent import sample_kernel
from neural_scaling.runs import describe, obtain_all

__all__ = ["from_curves", "from_kernel", "from_network", "from_spectrum"]

ITEM = "predict"  # under which runs are kept
_POINTS = 81
_FEWEST_TIMES = 6  # in the window of a slope
_MOST = 0.5  # share of the loss that may rest on the tail without a warning
_CAREFUL = 0.05  # learning rate at which the edge is looked for, over the largest at the start
_RUNS = 6  # fewest for a joint fit
_RESAMPLES = 200
_NAMES = {"N": "size", "D": "data", "L": "loss"}
_LATE = 0.5  # part of a single curve, in log t, that its exponent is fitted in
_TOLD = 40  # points in which correlated noise shows
_MOST_POINTS = 64  # of a curve that are fitted, unless there are enough for means
_PER_DECADE = 24  # means


def from_spectrum(
    eigenvalues: ArrayLike,
    coefficients: ArrayLike,
    *,
    window: tuple[float, float] | None = None,
    options: Options | None = None,
) -> Prediction:
    """Predict from exact eigenvalues and the coefficients of the target in their basis.

    Parameters
    ----------
    eigenvalues
        In any order, shape (K,). Zeros and small negative values are dropped, with a warning.
    coefficients
        ``w*_k``, so that the variance of the target along mode k is ``lambda_k (w*_k)^2``, shape (K,).
    window
        First and last mode number that the exponents are fitted in; by default 10 and a third of the modes.
    options
        What to forecast.

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        If shapes differ, there are too few modes, or the target has no power law.
    """
    return of_estimate("spectrum", estimate_spectrum(eigenvalues, coefficients, window), _options(options))


def from_kernel(
    kernel: ArrayLike,
    targets: ArrayLike,
    *,
    across: ArrayLike | None = None,
    test_targets: ArrayLike | None = None,
    noise: float | None = None,
    first: int = FIRST_MODE,
    options: Options | None = None,
) -> Prediction:
    """Predict from a kernel on samples.

    Parameters
    ----------
    kernel
        Symmetric, shape (P, P).
    targets
        Shape (P,) or (P, outputs), or labels: whole numbers, shape (P,), made one-hot and centred.
    across
        Kernel between m test samples and these, shape (m, P), for the bounds of the learning curve at frozen features.
    test_targets
        As ``targets``, of the test samples.
    noise
        Variance of the noise of the targets; estimated by default.
    first
        First mode that the exponents are fitted in, from 2 on, as for :func:`estimate_kernel`.
    options
        What to forecast.

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        If the kernel is not symmetric, shapes do not fit, there are too few samples, or the target has no power law.
    """
    chosen = _options(options)
    require(
        (across is None) == (test_targets is None), "across", "without test_targets, or they without it", "give both"
    )
    estimate = estimate_kernel(kernel, targets, noise, first)
    return of_estimate("kernel", estimate, chosen, (kernel, targets, across, test_targets))


def from_network(
    network: nn.Module,
    data: Any,
    targets: Any = None,
    *,
    test: tuple[Any, Any] | None = None,
    samples: int = 1000,
    rates: Mapping[str, float] | None = None,
    memory: float = 2.0,
    device: torch.device | str | None = None,
    noise: float | None = None,
    first: int = FIRST_MODE,
    options: Options | None = None,
) -> Prediction:
    """Predict from data and the tangent kernel of a network at its weights.

    Parameters
    ----------
    network
        Takes a batch of inputs and returns outputs of shape (samples, k); that of a
        :class:`~neural_scaling.predict.mean_field_scaling.Centred` has a richness, which is told.
    data
        Inputs, shape (n, ...); or a Dataset of torch with pairs of an input and a target, and no ``targets``.
    targets
        As for :func:`from_kernel`, shape (n, ...).
    test
        Inputs and targets of other samples, for the bounds of the learning curve at frozen features.
    samples
        At most so many are used for training and for test, drawn at random from a fixed seed where there are more.
    rates
        Learning rates by name of parameter, as :func:`~neural_scaling.predict.mean_field_scaling.mean_field_rates` gives them;
        1 by default, and those themselves where the options have a ``gamma0``.
    memory
        Limit in GB of what the kernel may take.
    device
        Where to compute the kernel.
    noise
        Variance of the noise of the targets; estimated by default.
    first
        First mode that the exponents are fitted in, from 2 on, as for :func:`estimate_kernel`.
    options
        What to forecast.

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        As :func:`~neural_scaling.predict.tangent.sample_kernel` and :func:`from_kernel`.
    """
    chosen, most = _options(options), checks.whole(samples, "samples", least=100)
    inputs, values = _pairs(data, targets, most, "data")
    if test is not None:
        good = isinstance(test, tuple | list) and len(test) == 2
        require(good, "test", "no pair", "give inputs and targets")
    further = None if test is None else _pairs(*test, most, "test")
    everything = inputs if further is None else np.concatenate([inputs, further[0]])
    own_gamma0 = network.richness if isinstance(network, Centred) else None
    require(
        own_gamma0 is None or chosen.gamma0 in (None, own_gamma0),
        "gamma0",
        f"got {chosen.gamma0} for a network that is centred with richness {own_gamma0}",
        f"give {own_gamma0}, or richness in its place",
    )
    if chosen.gamma0 is not None and rates is None:
        rates = mean_field_rates(network, richness=own_gamma0 or 1.0)
    kernel = sample_kernel(
        network,
        everything,
        rates=rates,
        memory=memory,
        device=device,
        cache=cache_root() / "tangent" if chosen.store else None,
    )
    count = len(inputs)
    across = None if further is None else kernel[count:, :count]
    own = kernel[:count, :count]
    parts = (own, values, across, None if further is None else further[1])
    return of_estimate("network", estimate_kernel(own, values, noise, first), chosen, parts, own_gamma0)


def _pairs(data: Any, targets: Any, most: int, argument: str) -> tuple[Any, Any]:
    """Return inputs as an array of floats and targets of at most so many samples, drawn at random since data may be sorted."""
    if targets is None:
        good = hasattr(data, "__getitem__") and hasattr(data, "__len__") and not hasattr(data, "dtype")
        require(good, argument, "given without targets", "give targets too, or a Dataset of torch")
        pairs = [data[int(index)] for index in _drawn(len(data), most)]
        good = len(pairs) > 0 and all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs)
        require(good, argument, "its items are no pairs", "give a Dataset of pairs of an input and a target")
        rows = [[_plain(pair[part]) for pair in pairs] for part in (0, 1)]
        same = all(len({one.shape for one in row}) == 1 for row in rows)
        require(same, argument, "its items differ in shape", "give inputs, and targets, of one shape")
        data, targets = (np.stack(row) for row in rows)
    inputs, given = checks.array(data, argument, axes=None), _plain(targets)
    require(given.ndim > 0, "targets", f"got {targets!r}", "give an array")
    require(len(given) == len(inputs), "targets", f"{len(given)} for {len(inputs)} inputs", "give one for each")
    kept = _drawn(len(inputs), most)
    return inputs[kept], given[kept]


def _drawn(count: int, most: int) -> npt.NDArray[np.int64]:
    """Return which samples are used, in order: all, or as many as are wanted, drawn from a fixed seed."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False))


def _plain(values: Any) -> Any:
    """Return an array of NumPy, of whole numbers if they are."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values  # NumPy has no bfloat16
    return np.asarray(values)


def from_curves(
    data: ArrayLike,
    loss: ArrayLike,
    size: ArrayLike | None = None,
    run: ArrayLike | None = None,
    *,
    law: Literal["rich", "lazy"] = "rich",
    window: tuple[float, float] | None = None,
    options: Options | None = None,
) -> Prediction:
    """Predict from measured loss curves alone.

    From six training runs on a sum of the powers of the theory with a floor is fitted, over sizes where there are three of them.
    Fewer runs tell of one exponent only: that of the mean curve in its later half, with a floor where one shows. The
    interval holds the scatter, a floor that may be there and the spread over runs, but not that a curve may bend on: on curves of
    the theory with learned features up to t = 1e3 it misses the source by up to an eighth, and near a source of 1 the difficulty.

    Parameters
    ----------
    data
        Steps, time or data seen at each point, > 0, shape (n,).
    loss
        Loss there, > 0, shape (n,).
    size
        Width or parameters of the model, shape (n,), or None where all are of one.
    run
        Number of the training run, shape (n,), another one at each size; by default each size is one run.
    law
        Whether the features of the networks were learned (``"rich"``) or frozen (``"lazy"``): the exponent of time means another
        source.
    window
        First and last ``data`` that a single exponent is fitted in.
    options
        Of which ``budgets`` count; compute is ``N D``.

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        If shapes differ, a value is not positive, a run has several sizes, there are too few points, budgets are given for curves
        of one size, or a single exponent is fitted to a loss that does not fall or to a run with two losses at the same value.
    """
    chosen, rich = _options(options), checks.choice(law, "law", ("rich", "lazy")) == "rich"
    x = checks.array(data, "data", above=0)
    y = checks.array(loss, "loss", above=0, shape=x.shape)
    window = None if window is None else checks.interval(window, "window", above=0)
    sizes = np.ones(x.size) if size is None else checks.array(size, "size", above=0, shape=x.shape)
    if run is None:
        runs = np.unique(sizes, return_inverse=True)[1].astype(np.float64)
    else:
        runs = checks.array(run, "run", whole=True, shape=x.shape)
        mixed = np.unique(np.stack([runs, sizes]), axis=1).shape[1] > np.unique(runs).size
        remedy = "give each run one size, and runs of different sizes different numbers"
        require(not mixed, "run", "one run has points of several sizes", remedy)
    numbers, several = np.unique(runs), np.unique(sizes).size
    remedy = "leave them out, or give curves of three sizes"
    require(chosen.budgets is None or several > 1, "budgets", "curves of one size tell of no best size", remedy)
    shown = np.full(x.size, math.nan) if size is None else sizes
    if numbers.size < _RUNS:
        require(several == 1, "run", f"{numbers.size} runs of {several} sizes", "give six runs, or one size alone")
        return _one_exponent(x, y, runs, shown, rich, window)
    require(several != 2, "size", "has two sizes, too few for a floor", "give one, or three at least")
    try:
        fit = fit_scaling_law(sizes, x, y, runs, law=law if several > 1 else "time", resamples=_RESAMPLES)
    except InputError as error:  # by the names that arguments have here
        name, _, problem = str(error).partition(": ")
        raise InputError(f"{_NAMES.get(name, name)}: {problem}") from None
    points = FittedCurves(shown, x, y, runs, fit)
    if several == 1:
        chi = Range(fit["b"], *fit.interval("b"), (float(x.min()), float(x.max())))
        hard = float(np.mean([_source(one, rich) < 1 for one in fit.draws("b")]))
        return Prediction(
            "curves", None, _of_exponent(chi, rich), hard, 0.0, fit.warnings, _fitted(numbers), curves=points
        )
    alpha, beta = (fit.draws(name) for name in ("alpha", "beta"))
    span = (float(x.min()), float(x.max()))
    found = {name: Range(fit[name], *fit.interval(name), span) for name in ("alpha", "beta")}
    budgets = chosen.budgets
    if budgets is None:
        spent = sizes * x
        budgets = tuple(np.geomspace(spent.min(), spent.max(), 5)[1:-1].tolist())
    best = fit.allocation(budgets)
    rows = [
        np.column_stack([value, bounds])
        for value, bounds in ((best.N, best.N_interval), (best.D, best.D_interval), (best.L, best.L_interval))
    ]
    words = [*fit.warnings]
    if best.extrapolated.any():
        words.append(
            f"The best use of C = {best.compute[best.extrapolated][0]:.3g} lies outside of the sizes and times measured."
        )
    return Prediction(
        "curves",
        found["alpha"],
        found["beta"],
        float(np.mean(beta < 1)),
        float(np.mean(beta > 2 - 1 / np.maximum(alpha, 1.0))),
        tuple(words),
        _fitted(numbers),
        best_use=(BestUse(rich, best.compute, rows[0], rows[1], rows[2], None, None),),
        curves=points,
    )


def _fitted(numbers: Array) -> str:
    return f"Powers were fitted to the losses of {numbers.size} training runs; no spectrum was known."


def _one_exponent(
    x: Array, y: Array, runs: Array, shown: Array, rich: bool, window: tuple[float, float] | None
) -> Prediction:
    """Fit one power to the mean of curves."""
    data, seen = np.unique(x, return_counts=True)
    remedy = "give each once, or number the runs that they are of"
    require(
        np.unique(np.stack([runs, x]), axis=1).shape[1] == x.size,
        "data",
        "one run has two losses at the same value",
        remedy,
    )
    numbers = np.unique(runs)
    complete = data[seen == numbers.size]
    require(len(complete) >= 6, "data", f"{len(complete)} values at which all runs have a loss", "give six at least")
    order = np.lexsort((x, runs))
    curves = y[order][np.isin(x[order], complete)].reshape(numbers.size, complete.size)
    # The later half in log t, or the last four values.
    first = min(complete[0] ** (1 - _LATE) * complete[-1] ** _LATE, complete[-4])
    span = (float(first), float(complete[-1])) if window is None else window
    fit = _late_fit(complete, curves.mean(axis=0), span)
    problem = f"it does not fall between {span[0]:.3g} and {span[1]:.3g}"
    require(fit.exponent > 0, "loss", problem, "give losses that do, or another window")
    words = [
        "The exponent is that of the window. Curves that still bend there, as those of learned features do near a source of 1, "
        "tend to another one, and the interval does not hold that: compare later windows."
    ]
    if not fit.offset:
        most = min(fit.offset_interval[1], float(curves.mean(axis=0).min()))
        words.append(f"No floor of the loss shows, but one of up to {most:.2g} is possible.")
    if fit.correlation:
        words.append(
            "The curve departs from the fitted law, or its noise is correlated: intervals are widened for the latter."
        )
    elif fit.points < _TOLD:
        words.append(
            f"Correlated noise cannot be seen in {fit.points} points; if there is any, the intervals are too narrow."
        )
    if len(complete) < data.size:
        words.append(
            f"Only {len(complete)} of {data.size} values of the data were used, those at which all runs have a loss."
        )
    if numbers.size > 1:  # runs may differ by more than their mean scatters
        each = [_late_fit(complete, curve, span).exponent for curve in curves]
        spread = float(stdtrit(numbers.size - 1, 0.975) * np.std(each, ddof=1) / math.sqrt(numbers.size))
        low, high = fit.interval
        fit = replace(fit, interval=(max(0.0, min(low, fit.exponent - spread)), max(high, fit.exponent + spread)))
    if fit.interval[0] <= 0:
        words.append("The interval of the exponent holds 0: the loss may not fall at all.")
    source = _of_exponent(Range(fit.exponent, *fit.interval, span), rich)
    side = abs(fit.interval[int(fit.exponent < 1)] - fit.exponent)
    hard = NormalDist().cdf((1 - fit.exponent) * NORMAL_95 / max(side, 1e-9))
    points = FittedCurves(shown, x, y, runs, fit)
    return Prediction("curves", None, source, hard, 0.0, tuple(words), _fitted(numbers), curves=points)


def _late_fit(time: Array, loss: Array, span: tuple[float, float]) -> OffsetFit:
    """Fit one power to a curve in a window, with a floor where one shows; the interval allows for one in any case."""
    inside = (time >= span[0] * (1 - 1e-12)) & (time <= span[1] * (1 + 1e-12))
    t, value, error = binned_means(time[inside], loss[inside], span[0], _PER_DECADE)
    if t.size < _TOLD:  # too few points for means
        chosen = log_spaced_indices(time, *span, _MOST_POINTS)
        t, value, error = time[chosen], loss[chosen], 0 * chosen
    require(t.size > 3, "data", f"{t.size} values from {span[0]:.3g} to {span[1]:.3g}", "give four at least")
    plain = fit_power_law(t, value)
    # Errors are known up to a factor, which is that of the scatter about the law, as far out as few degrees of freedom ask for.
    error = np.maximum(error, 1e-6 * value)
    scatter = math.sqrt(fit_offset_power_law(t, value, error).chi2 / (t.size - 3))
    factor = max(scatter, 1e-3) * float(stdtrit(t.size - 3, 0.975)) / NORMAL_95
    floor = fit_offset_power_law(t, value, factor * error)
    shows = floor.offset_interval[0] > 0
    if shows and not floor.correlation and t.size >= _TOLD:
        return floor
    interval = max(0.0, min(plain.interval[0], floor.interval[0])), max(plain.interval[1], floor.interval[1])
    if shows:
        return replace(floor, interval=interval)
    exponent, prefactor = plain.exponent, plain.prefactor
    return replace(
        floor, exponent=exponent, prefactor=prefactor, offset=0.0, interval=interval, chi2=floor.chi2_without
    )


def _source(chi: float, rich: bool) -> float:
    """Return the source whose loss falls as ``t^-chi`` (eq. 10)."""
    return chi / (2 - chi) if rich and chi < 1 else chi


def _of_exponent(chi: Range, rich: bool) -> Range:
    return Range(_source(chi.value, rich), _source(chi.low, rich), _source(chi.high, rich), chi.window)


def _options(options: Options | None) -> Options:
    return Options() if options is None else checks.instance(options, "options", Options, "give Options, or None")


def of_estimate(
    origin: str,
    estimate: Estimate,
    options: Options,
    samples: tuple[Any, Any, Any, Any] | None = None,
    gamma0: float | None = None,
) -> Prediction:
    """Return the prediction that goes with an estimate."""
    draws = drawn(estimate, options.draws)
    center = draws[0]
    require(
        center.loss > 0,
        "targets",
        "no variance that a kernel could learn",
        "give a target that is not constant or noise",
    )
    largest = float(center.nodes[0])
    unit = largest / center.loss  # gamma at which the richness without units is 1
    gamma = options.richness * unit if options.gamma0 is None else options.gamma0**2
    problem = keep(draws)
    runs = [run_of(problem, draws, richness, options.until, _POINTS) for richness in (0.0, gamma)]
    scale = "full" if options.store else "small"
    results = dict(obtain_all(runs, ITEM, scale, options.engine, together="learning curves with bands"))
    lazy, rich = curves = [Curve.of(results[run], run.gamma > 0) for run in runs]
    eta = _CAREFUL * 2 / largest if options.eta is None else options.eta
    best_use = tuple(allocate(draws, curves, options.budgets))
    if min(options.width, options.batch) < math.inf:
        sized = [sized_run_of(*one, eta, options.width, options.batch) for one in zip(runs, curves, strict=True)]
        results |= (found := obtain_all(sized, ITEM, scale, options.engine, together="the same at finite size"))
        lazy, rich = (
            at_size(curve, found[run], draws, options.width) for run, curve in zip(sized, curves, strict=True)
        )
    edge = rich.edge(eta)
    last = rich.time.size - 1 if edge is None else int(np.flatnonzero(rich.time >= edge)[0])
    return Prediction(
        origin=origin,
        capacity=Range(estimate.capacity, *estimate.capacity_interval, estimate.window),
        source=Range(estimate.source, *estimate.source_interval, estimate.window),
        hard=estimate.hard,
        super_easy=estimate.super_easy,
        warnings=(*estimate.warnings, *_warnings(estimate, lazy, eta, best_use)),
        provenance=describe(list(results.values())),
        best_use=best_use,
        noise=estimate.noise,
        gamma=gamma,
        richness=gamma / unit,
        gamma0=options.gamma0 if gamma0 is None else gamma0,
        richness_from="richness" if options.gamma0 is None else "gamma0",
        width=options.width,
        batch=options.batch,
        estimate=estimate,
        lazy=lazy,
        rich=rich,
        gain=Range.of(lazy.loss[last] / rich.loss[last], lazy.draws[:, last] / rich.draws[:, last]),
        largest_eta=Range.of(2 / rich.sharpness.max(), 2 / rich.draw_sharpness.max(axis=1)),
        eta=eta,
        edge=edge,
        tail_time=lazy.rests_on_tail(_MOST),
        bounds=None if samples is None or samples[2] is None else _bounds(estimate, center, lazy.time, samples),
    )


def _warnings(estimate: Estimate, lazy: Curve, eta: float, best_use: Sequence[BestUse]) -> list[str]:
    words, known = [], estimate.eigenvalues.size
    if (time := lazy.rests_on_tail(_MOST)) is not None:
        words.append(
            f"From eta * t = {time:.3g} on more than half of the loss at frozen features lies in modes beyond the {known} that "
            "are known: there the curves rest on the fitted power law."
        )
    if estimate.capacity <= 1:
        words.append(
            "The capacity is not above 1: the sum of the eigenvalues has no end, and widths cannot be chosen by theory."
        )
    if eta * lazy.sharpness[0] >= 2:
        words.append(
            f"The learning rate {eta:.3g} is unstable from the first step; take less than {2 / lazy.sharpness[0]:.3g}."
        )
    for one in best_use:
        kind = "learned" if one.rich else "frozen"
        if one.compute.size == 0 or np.isnan(one.width[:, 0]).any():
            words.append(f"With {kind} features the best width of a budget lies outside of what was computed.")
        beyond = one.compute[one.width[:, 0] > known]
        if beyond.size:
            words.append(
                f"With {kind} features the best width at C = {beyond[0]:.3g} exceeds the {known} modes that are known: it rests "
                "on the fitted power law."
            )
    return words


def _bounds(estimate: Estimate, center: TailedModes, time: Array, samples: tuple[Any, Any, Any, Any]) -> Bounds:
    """Follow gradient flow on the samples, at them and at the others."""
    kernel, targets, across, test_targets = samples
    train = as_outputs(targets, len(kernel))
    test = as_outputs(test_targets, len(across), "test_targets", targets)
    wanted = train.shape[1]
    require(test.shape[1] == wanted, "test_targets", f"shape {test.shape}", f"give {wanted} outputs")
    modes = decompose(kernel, train, across, len(train))
    seen, missed = modes.flow(test, time)
    seen, missed = seen * train.shape[1], missed * train.shape[1]
    first, last = (1 / (center.scale * k**-center.capacity) for k in estimate.window)
    first, last = max(first, float(time[0])), min(last, float(time[-1]))
    inside = (time >= first) & (time <= last)

    def slope(loss: Array) -> Range | None:
        if np.count_nonzero(inside) < _FEWEST_TIMES or not np.all(loss[inside] > 0):
            return None
        fit = fit_power_law(time[inside], loss[inside])
        return Range(fit.exponent, *fit.interval, (first, last))

    return Bounds(time, seen, missed, slope(seen - estimate.noise), slope(missed - estimate.noise))
