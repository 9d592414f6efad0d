r"""Capacity and source of real tasks, and learning curves of convolutional networks on them, for Figure 6 and the source page.

A kernel on n images bounds what it estimates from both sides. What the first k eigenfunctions leave of the targets is too small
at the n images, which their coefficients were fitted to, and too large at other images; the two biases are alike and of
relative size k/n. Their geometric mean is taken and half their distance (in the fitted exponent) counted as an error. Windows
of modes run from 10 to n/10. Learning curves of gradient flow are bounded and averaged likewise.

Windows of learning curves end as those of the networks on the circle do: where eta_0 times the largest eigenvalue of the kernel
reaches 1, half-way to the edge of stability.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from companion.circle_curves import GROWN, window_from
from companion.claims import Measurement
from companion.learning_curves import FittedCurve, LearningCurve, learning_curve
from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import require
from neural_scaling.fits import PowerLawFit, Window, fit_power_law
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.networks.image_kernel import TIMES
from neural_scaling.networks.image_runs import ImageRun, KernelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import chi

_NAMES = {"mnist": "MNIST", "mnist1m": "MNIST-1M", "cifar10": "CIFAR-10", "cifar5m": "CIFAR-5M"}
#: Source that the paper gives.
_PAPER = {"mnist": 0.30, "mnist1m": 0.30, "cifar10": 0.075, "cifar5m": 0.075}
#: Modes learned at the start of a window, and share of n that a window of modes ends at.
FIRST_MODE = 10
LAST_SHARE = 0.1
#: A kernel that has grown by less than this factor counts as lazy.
STILL = 1.25
#: eta_0 times the largest eigenvalue at the edge of stability.
EDGE = 2.0


@dataclass(frozen=True)
class SourceRow:
    """Spectrum of one kernel with its exponents."""

    run: KernelRun  # what was measured
    # eigenvalues, rest: as in SampledKernel, shape (n,)
    eigenvalues: Array
    rest: Array
    left: Array  # what the first k eigenfunctions leave at the n images, shape (n,)
    # train, test: bounds of the lazy learning curve at TIMES, shape (T,)
    train: Array
    test: Array
    window: tuple[float, float]  # modes fitted
    eigenvalue_fit: PowerLawFit  # its exponent is the capacity
    # fits of left and rest against the eigenvalue; their exponents bound the source
    tail_fits: tuple[PowerLawFit, PowerLawFit]

    @property
    def capacity(self) -> float:
        """Capacity alpha."""
        return self.eigenvalue_fit.exponent

    @property
    def capacity_interval(self) -> tuple[float, float]:
        """95 % interval of the capacity, from the bend of the eigenvalues."""
        return self.eigenvalue_fit.interval

    @property
    def source(self) -> float:
        """Source beta, the middle of its bounds."""
        return 0.5 * (self.tail_fits[0].exponent + self.tail_fits[1].exponent)

    @property
    def source_interval(self) -> tuple[float, float]:
        """95 % interval of the source, from the bend of the curves and the distance of the bounds."""
        first, second = self.tail_fits
        bound = 0.5 * abs(first.exponent - second.exponent)
        error = math.hypot(NORMAL_95 * (0.5 * (first.standard_error + second.standard_error)), bound)
        return self.source - error, self.source + error

    @property
    def arrival(self) -> float:
        """Time ``eta_0 t`` at which :data:`FIRST_MODE` modes are learned, ``1/lambda``."""
        return float(1 / self.eigenvalues[FIRST_MODE - 1])

    def lazy(self, time: Array) -> Array:
        """Return the lazy learning curve between its bounds, at times ``eta_0 t`` inside ``TIMES``."""
        middle = 0.5 * (np.log(self.train) + np.log(self.test))
        return np.asarray(np.exp(np.interp(np.log(time), np.log(TIMES), middle)))

    def slope(self, step: Array, time: Array) -> tuple[float, float]:
        """Return the exponent in steps of the lazy curve, the middle of those of its bounds, and half their distance.

        ``time`` is ``eta_0 t`` on the clock of the kernel at each step, inside ``TIMES``.
        """
        first, second = (fit_power_law(step, bound).exponent for bound in self.bounds(time))
        return 0.5 * (first + second), 0.5 * abs(first - second)

    def bounds(self, time: Array) -> list[Array]:
        """Return both bounds of the lazy learning curve at times ``eta_0 t`` inside ``TIMES``."""
        curves = (np.interp(np.log(time), np.log(TIMES), np.log(bound)) for bound in (self.train, self.test))
        return [np.asarray(np.exp(curve)) for curve in curves]


def title(dataset: str) -> str:
    """Return the name of a dataset as people write it."""
    name, _, size = dataset.partition("-")
    return _NAMES.get(name, name) + (f" ({size})" if size else "")


def paper_source(dataset: str) -> float:
    """Return the source that the paper gives for a dataset, named as :func:`neural_scaling.data.load` takes it."""
    name = dataset.partition("-")[0]
    require(name in _PAPER, "dataset", f"the paper gives no source of {dataset!r}", f"use one of {', '.join(_PAPER)}")
    return _PAPER[name]


def source_row(run: KernelRun, results: Mapping[Experiment, Result]) -> SourceRow:
    """Collect and fit the spectrum of one kernel."""
    arrays = {name: values.astype(np.float64) for name, values in results[run].arrays.items()}
    return fitted_row(run, *(arrays[name] for name in ("eigenvalues", "power", "rest", "train", "test")))


def fitted_row(run: KernelRun, eigenvalues: Array, power: Array, rest: Array, train: Array, test: Array) -> SourceRow:
    """Fit capacity and source of a spectrum; see :class:`SourceRow` for the arguments."""
    count = eigenvalues.size
    window = (float(FIRST_MODE), LAST_SHARE * count)
    require(window[1] >= 2 * window[0], "images", f"got {count}", f"give at least {20 * FIRST_MODE}")
    mode = np.arange(1, count + 1, dtype=np.float64)
    left = power[::-1].cumsum()[::-1] - power
    inside = (mode >= window[0]) & (mode <= window[1])
    values = fit_power_law(mode[inside], eigenvalues[inside])
    # Eigenvalues and tails bend together where neither is a power of the mode; of each other they are one (eq. 6).
    tails = tuple(fit_power_law(1 / eigenvalues[inside], tail[inside]) for tail in (left, rest))
    return SourceRow(run, eigenvalues, rest, left, train, test, window, values, (tails[0], tails[1]))


@dataclass(frozen=True)
class ImageRow(FittedCurve):
    """One learning curve."""

    run: ImageRun  # what was trained
    repeated: float  # share of the samples whose image had been seen before, whichever way cropped
    # loss of the stream over the test loss at the end, mean over seeds: below one as far as images are remembered.
    # NaN where it was not recorded
    memory: float

    @property
    def name(self) -> str:
        """Richness, as legends have it."""
        return rf"$\gamma_0 = {self.run.richness:g}$" if self.run.richness else "linearised"

    @property
    def kind(self) -> str:
        """``lazy``, ``rich`` or ``between``, by how much the kernel has grown by the last step."""
        if not self.run.richness or self.growth[-1] < STILL:
            return "lazy"
        return "rich" if self.growth.max() >= GROWN else "between"

    def predicted(self, beta: float) -> float:
        """Return the exponent that a source lets expect: beta for a lazy network, else chi(beta)."""
        return float(chi(beta, rich=self.kind != "lazy"))

    def among(self, source: SourceRow) -> tuple[float, Measurement]:
        """Return the exponent that a spectrum predicts in the window of a lazy network, and the network's, with both errors.

        A spectrum that is no power law makes a curve that is none, so that its slope in the window is to be expected rather
        than beta. Time runs on the clock of the growing kernel. The error of the prediction is half the distance of the exponents
        of its bounds. Without a window the prediction is that of the last decade, for the record.
        """
        inside = self.inside(*(self.window.span if self.fitted else (self.step[-1] / 10, self.step[-1])))
        predicted, error = source.slope(self.step[inside], self.run.eta * self.clock()[inside])
        return predicted, self.measured.widened(error, "of the predicted curve")


def image_row(run: ImageRun, source: SourceRow, results: Mapping[Experiment, Result]) -> ImageRow:
    """Collect and fit one curve.

    The window starts when 10 modes of the kernel at the start are learned, on the clock of the growing kernel
    (``int K/K(0) dt``), and, for a network that turns rich, when its kernel has doubled. It ends where steps no longer count as
    gradient flow.
    """
    curve = learning_curve(results[run], run.eta)
    window = _window(run, curve, source.arrival / run.eta)
    arrays = results[run].arrays
    repeated = float(arrays.get("repeated images", arrays["repeated"]))
    memory = math.nan
    if "stream" in arrays:
        memory = float(arrays["stream"][:, -1].mean() / arrays["loss"][:, -1].mean())
    return ImageRow(
        **vars(curve), window=window, measured=curve.measure(window), run=run, repeated=repeated, memory=memory
    )


def _window(run: ImageRun, curve: LearningCurve, arrival: float) -> Window:
    """Return the window that the kernel fixes."""
    reached, why = curve.clock() >= arrival, f"{FIRST_MODE} modes learned"
    if run.richness > 0 and curve.growth.max() >= GROWN:
        reached, why = reached & (np.maximum.accumulate(curve.growth) >= GROWN), f"{why} and kernel doubled"
    return window_from(curve, reached, why)
