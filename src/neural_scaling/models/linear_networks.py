r"""Two-layer linear networks trained by SGD on fresh batches (Appendix G, eqs. 84-85).

The network is ``f = (f~ - f~(0)) / gamma`` with ``f~ = w . A x``, x in R^M normal with covariance Lambda, target ``y = w* . x``.
With both weights normal of variance 1/N at the start and a learning rate ``eta0 gamma0^2`` the gamma of eq. 84 is the
richness gamma0 of a mean-field (muP) network (:func:`literal_setting`). Written for the changes over gamma0,
``w = w(0) + gamma0 omega`` and ``A = A(0) + gamma0 D``, the dynamics stays accurate for any gamma0 and holds the linearised
network as gamma0 = 0:

.. math::
    f = \theta \cdot x, \quad \theta = A(0)^T \omega + D^T w, \qquad
    \omega' = \omega + \eta_0 A v, \quad D' = D + \eta_0\, w\, v^T, \qquad
    v = \tfrac1B X^T X (w^* - \theta) .

Training touches all M modes: a batch adds a direction of its own, v, to the rows of A, so no space of fixed dimension holds the
dynamics as it does for the projected model. What can be reduced without changing the law is the data. A batch acts through its
products with the residuals of the networks only, one residual per richness. In whitened coordinates let Q be an orthonormal basis
of their span: the batch's coordinates ``Y = X Q`` are B x K normals, and given ``Y = O T`` (QR), what the rest of the batch
contributes is ``X_rest^T Y = Z T`` with Z normal across Q. So M K + B K normals give v for all K networks on one and the same
batch, in place of B M. Rank-one updates are gathered and added to D as one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.base.checks import require, require_positive
from neural_scaling.base.grids import log_spaced_steps
from neural_scaling.base.monitor import Arrays, Monitor, or_silent, scalar
from neural_scaling.dmft.diverged import DIVERGED
from neural_scaling.fits import Window, theory_window
from neural_scaling.spectra import ModeQuadrature, PowerLaw, Spectrum, as_spectrum

__all__ = [
    "LinearNetworkHistory", "LiteralSetting", "lazy_loss", "literal_setting", "power_window", "richness",
    "spike_overlap", "train_linear_networks",
]  # fmt: skip

_GATHERED = 16  # rank-one updates added to D at once
_SHARP_MODES = 128  # leading modes that hold the kernel's largest eigenvector
_INITIAL_SCALE = 2.0  # of the kernel at the start, A(0)^T A(0) + |w(0)|^2 on average
_SAME_DIRECTION = 1e-8  # part of a residual outside the others' span, relative, below which it is taken to lie inside


#: Modes in any form.
Modes = PowerLaw | Spectrum | ModeQuadrature


@dataclass(frozen=True)
class LiteralSetting:
    """What to put into eq. 84 and plain SGD.

    Attributes
    ----------
    gamma
        Divisor of the output.
    init_scale
        Standard deviation of all entries of w(0) and A(0).
    learning_rate
        Of plain SGD on both layers, for the loss ``(y - f)^2 / 2``.
    """

    gamma: float
    init_scale: float
    learning_rate: float


def literal_setting(gamma0: float, eta0: float, width: int, init_scale: float | None = None) -> LiteralSetting:
    """Map a richness and a learning rate of the mean-field convention to eq. 84.

    The mean-field network ``f = w . A x / (gamma0 N)`` with standard normal weights and step ``eta0 N gamma0^2`` trains exactly
    as eq. 84 with entries of standard deviation s, ``gamma = gamma0 N s^2`` and learning rate ``eta0 gamma0^2 N s^2``. With
    ``s = N^(-1/2)`` the two gammas are the same.

    Parameters
    ----------
    gamma0
        Richness, > 0.
    eta0
        Learning rate, > 0: a step moves the lazy network by eta0 times its kernel.
    width
        N.
    init_scale
        s; ``N^(-1/2)`` by default.
    """
    gamma0 = require_positive(gamma0, "gamma0", "give a positive richness; eq. 84 divides by it")
    eta0, width = require_positive(eta0, "eta0"), checks.whole(width, "width")
    scale = width**-0.5 if init_scale is None else require_positive(init_scale, "init_scale")
    units = width * scale**2
    return LiteralSetting(gamma0 * units, scale, eta0 * gamma0**2 * units)


def richness(gamma: float, width: int, init_scale: float) -> float:
    """Return the richness gamma0 of eq. 84 with a given gamma and initial scale, the inverse of :func:`literal_setting`.

    Parameters
    ----------
    gamma
        Divisor of the output, > 0.
    width
        N.
    init_scale
        Standard deviation of all entries of w(0) and A(0), > 0.
    """
    units = checks.whole(width, "width") * require_positive(init_scale, "init_scale") ** 2
    return require_positive(gamma, "gamma") / units


@dataclass(frozen=True, eq=False)
class LinearNetworkHistory(ArrayValue):
    """What :func:`train_linear_networks` records; arrays have shape (G, R) for G richnesses and R recorded steps.

    From the step where a network diverged, its loss is infinite and the rest zero.

    Attributes
    ----------
    step
        Recorded steps, shape (R,).
    loss
        Test loss, exact over the data distribution.
    weight_norm
        ``|w|^2``.
    readout_change
        ``|w - w(0)|^2 / gamma0^2``, in the limit for gamma0 = 0.
    singular_first, singular_second
        Leading singular values of A.
    change_first, change_second
        Leading singular values of ``(A - A(0)) / gamma0``.
    rank_one
        Share of the first in the squared Frobenius norm of ``A - A(0)``.
    spike_readout
        ``|cos|`` of the angle between the leading left singular vector of A and w.
    spike_learned, spike_target
        ``|cos|`` of the angle between the leading right singular vector of A and the learned map theta, or w*.
    spike_target_seen
        The same as ``spike_target`` with directions weighted by the data, that is between the functions that they are of x.
    change_readout, change_learned, change_target, change_target_seen
        The same for ``A - A(0)``.
    imbalance
        Frobenius norm of the change of ``A A^T - w w^T`` over that of the change of ``A A^T``: 0 for gradient flow.
    sharpness
        Largest eigenvalue of the kernel ``Lambda^(1/2) (A^T A + |w|^2) Lambda^(1/2)``, from its leading modes.
    diverged_at
        Step at which a network's loss first exceeded a million times its first value, or -1, shape (G,).
    """

    step: Array
    loss: Array
    weight_norm: Array
    readout_change: Array
    singular_first: Array
    singular_second: Array
    change_first: Array
    change_second: Array
    rank_one: Array
    spike_readout: Array
    spike_learned: Array
    spike_target: Array
    spike_target_seen: Array
    change_readout: Array
    change_learned: Array
    change_target: Array
    change_target_seen: Array
    imbalance: Array
    sharpness: Array
    diverged_at: Array


#: Recorded quantities of shape (G, R).
CURVES = tuple(field.name for field in fields(LinearNetworkHistory) if field.name not in ("step", "diverged_at"))


def train_linear_networks(
    spectrum: Modes,
    width: int,
    eta0: float,
    gammas: Sequence[float],
    steps: int,
    seed: int,
    batch: float = math.inf,
    monitor: Monitor | None = None,
) -> LinearNetworkHistory:
    """Train one network per richness from one initialization on one stream of fresh batches.

    Parameters
    ----------
    spectrum
        The M modes of the input and the target.
    width
        N, at most M.
    eta0
        Learning rate; plain SGD on eq. 84 uses ``eta0 gamma0^2``.
    gammas
        gamma0 of each network, shape (G,); 0 is the linearised network.
    steps
        Number of steps T.
    seed
        Of initialization and data, non-negative.
    batch
        B, or ``math.inf`` for gradient descent on the population.
    monitor
        Told of progress in steps; may keep the state and give it back. A run that goes on from a kept state ends with the same
        numbers, bit for bit on the same machine.

    Returns
    -------
    LinearNetworkHistory
        On ``grids.log_spaced_steps``.

    Raises
    ------
    InputError
        If an argument is out of range or the initial kernel is already unstable at ``eta0``.
    """
    spectrum = as_spectrum(spectrum, "spectrum")
    width = checks.whole(
        width, "width", f"give a whole number up to the number of modes, {spectrum.modes}", most=spectrum.modes
    )
    eta0, richnesses = require_positive(eta0, "eta0"), checks.array(gammas, "gammas", least=0.0)
    steps, batch, seed = checks.whole(steps, "steps"), checks.count(batch, "batch"), checks.seed(seed)
    monitor = or_silent(monitor)
    networks = _Networks(spectrum, width, eta0, richnesses, seed, batch)
    sharpness = networks.initial_sharpness
    require(
        eta0 * sharpness < 2,
        "eta0",
        f"got {eta0!r}, but the initial kernel's largest eigenvalue {sharpness:.3g} is unstable from {2 / sharpness:.3g}",
        f"take eta0 <= {1 / sharpness:.2g}",
    )
    recorded = log_spaced_steps(steps).astype(int)
    curves = np.zeros((len(CURVES), richnesses.size, recorded.size))
    first = 0
    if (state := monitor.restored()) is not None:
        first, curves = int(state["next"]), state["curves"]
        networks.restore(state)
    row = int(np.searchsorted(recorded, first))
    for step in range(first, steps + 1):
        recording = step == recorded[row]
        if recording:
            networks.complete()
        networks.watch(step)
        if recording:
            curves[:, :, row] = networks.observe()
            row += 1
        if step < steps:
            networks.advance(step)
        monitor.advance(1)
        monitor.safe_point(lambda at=step + 1: networks.state() | {"curves": curves, "next": scalar(at)})  # type: ignore[misc]
    values = dict(zip(CURVES, curves, strict=True))
    return LinearNetworkHistory(recorded.astype(np.float64), diverged_at=networks.diverged_at, **values)


def lazy_loss(spectrum: Modes, width: float, eta0: float, steps: Array, seed: int) -> Array:
    """Return the exact loss of a linearised network at infinite batch, the limit gamma0 -> 0 and B -> infinity, shape (R,).

    The residual decays along the eigenvectors of the kernel ``Lambda^(1/2) (A(0)^T A(0) + |w(0)|^2) Lambda^(1/2)``, which is
    diagonalised; in the limit of infinite width it is ``2 Lambda``.

    Parameters
    ----------
    spectrum
        The M modes, at most 4096.
    width
        N, any whole number (the network is not projected), or ``math.inf``.
    eta0
        Learning rate.
    steps
        Steps at which the loss is wanted, shape (R,).
    seed
        Of the initialization.
    """
    spectrum, width, eta0 = (
        as_spectrum(spectrum, "spectrum"),
        checks.count(width, "width"),
        require_positive(eta0, "eta0"),
    )
    steps, seed = checks.array(steps, "steps", least=0.0), checks.seed(seed)
    require(spectrum.modes <= 4096, "spectrum", f"M = {spectrum.modes} is too many to diagonalise", "take M <= 4096")
    root = np.sqrt(spectrum.eigenvalues)
    if width == math.inf:
        rates, weights = 2 * root**2, (root * spectrum.target) ** 2
    else:
        features, start = _initial(int(width), spectrum.modes, seed)
        scaled = features * root
        rates, vectors = np.linalg.eigh(scaled.T @ scaled + (start @ start) * np.diag(root**2))
        weights = (vectors.T @ (root * spectrum.target)) ** 2
    return np.asarray((1 - eta0 * rates) ** (2 * steps[:, None]) @ weights)


def power_window(
    alpha: float,
    beta: float,
    eta0: float,
    gamma0: float,
    width: int,
    batch: float,
    last: float,
    edge_step: float | None = None,
    modes: float = 5.0,
    transient: float = 0.5,
) -> Window:
    """Return the steps in which theory expects a power, whatever the curves look like.

    It is :func:`~neural_scaling.fits.theory_window` for the kernel that starts at the scale 2 and grows by gamma0^2. Of its
    finite-size terms the model bottleneck does not exist here, since the network is not projected, and the transient of finite
    width, ``(1/N) a^-(min(1, beta) - 1/alpha)`` with prefactor one, comes from the initial features only: its clock is the lazy
    one, ``a = 2 eta0 t``.

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.
    eta0
        Learning rate, > 0.
    gamma0
        Richness, >= 0.
    width
        N.
    batch
        B, or ``math.inf``.
    last
        Last step of the curve, > 0.
    edge_step
        Step at which the network reaches the edge of stability, if it does.
    modes
        Number of learned modes at which the window starts, > 0.
    transient
        Share of the transient of finite width in ``a^-beta`` at which the window ends, between 0 and 1.

    Returns
    -------
    Window
        In steps; its ``empty`` says why where there is none.
    """
    alpha, beta = checks.real(alpha, "alpha", above=1.0), require_positive(beta, "beta")
    eta = _INITIAL_SCALE * require_positive(eta0, "eta0")
    growth, width = checks.real(gamma0, "gamma0", least=0.0) ** 2, checks.whole(width, "width")
    batch, last = checks.count(batch, "batch"), require_positive(last, "last")
    transient = checks.real(transient, "transient", above=0.0, below=1.0)
    window = theory_window(alpha, beta, eta, growth, last, B=batch, modes=modes, edge_step=edge_step, allow_empty=True)
    excess = beta - min(1.0, beta) + 1 / alpha  # the share of the transient grows as a^excess / N
    end = (transient * width) ** (1 / excess) / eta
    return Window(window.start, end, window.start_reason, "finite-N transient") if end < window.end else window


def spike_overlap(weight_norm: ArrayLike, modes: int, width: int) -> Array:
    """Return the overlap with w of the leading left singular vector that a balanced first layer has, for large N.

    Balancing gives ``A A^T = A(0) A(0)^T + w w^T`` up to the small w(0). The first term is a Wishart matrix, whose spectrum lies
    between ``(sqrt(M/N) - 1)^2`` and ``(sqrt(M/N) + 1)^2`` and whose R-transform is ``(M/N) / (1 - g)``. A rank-one addition of
    size ``s = |w|^2`` then owns the leading direction from ``s = 1 + sqrt(M/N)`` on, with squared overlap
    ``1 - R'(1/s) / s^2 = 1 - (M/N) / (s - 1)^2``.

    Parameters
    ----------
    weight_norm
        ``|w|^2``, of any shape.
    modes
        M.
    width
        N.

    Returns
    -------
    ndarray
        ``|cos|`` of the angle between the two, of the shape of ``weight_norm``; 0 where the addition is hidden in the bulk.
    """
    size = checks.array(weight_norm, "weight_norm", axes=None, least=0.0)
    ratio = checks.whole(modes, "modes") / checks.whole(width, "width")
    return np.asarray(np.sqrt(np.maximum(0.0, 1 - ratio / np.maximum(size - 1, 1e-9) ** 2)))


def _initial(width: int, modes: int, seed: int) -> tuple[Array, Array]:
    """Return A(0) and w(0)."""
    random = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    features = random.standard_normal((width, modes)) / math.sqrt(width)
    return features, random.standard_normal(width) / math.sqrt(width)


class _Networks:
    """The networks of all richnesses, trained together."""

    def __init__(self, spectrum: Spectrum, width: int, eta0: float, gammas: Array, seed: int, batch: float) -> None:
        self.eta0, self.gammas, self.seed, self.batch = eta0, gammas, seed, batch
        self.root, self.target = np.sqrt(spectrum.eigenvalues), spectrum.target
        count, modes = gammas.size, spectrum.modes
        self.features, self.start = _initial(width, modes, seed)  # A(0) and w(0), shared
        self.change = np.zeros((count, width, modes))  # D, without the gathered updates
        self.omega = np.zeros((count, width))
        self.diverged_at = np.full(count, -1.0)
        self.gathered = 0
        self._readouts = np.zeros((count, _GATHERED, width))
        self._gradients = np.zeros((count, _GATHERED, modes))
        self._learned = np.zeros((count, modes))
        self.gram = self.features @ self.features.T
        self.initial_sharpness = self._sharpness(self.features, self.start)

    def state(self) -> Arrays:
        past = slice(self.gathered)
        gathered = {"readouts": self._readouts[:, past], "gradients": self._gradients[:, past]}
        return gathered | {"change": self.change, "omega": self.omega, "diverged_at": self.diverged_at}

    def restore(self, state: Arrays) -> None:
        self.change, self.omega, self.diverged_at = state["change"], state["omega"], state["diverged_at"]
        self.gathered = state["readouts"].shape[1]
        self._readouts[:, : self.gathered] = state["readouts"]
        self._gradients[:, : self.gathered] = state["gradients"]

    @property
    def readout(self) -> Array:
        return np.asarray(self.start + self.gammas[:, None] * self.omega)

    def watch(self, step: int) -> None:
        """Compute the learned maps and the losses before a step; retire networks that have diverged."""
        readout, self._learned = self.readout, self.omega @ self.features
        for g in np.flatnonzero(self.diverged_at < 0):
            past = slice(self.gathered)
            self._learned[g] += readout[g] @ self.change[g]
            if self.gathered:
                self._learned[g] += (self._readouts[g, past] @ readout[g]) @ self._gradients[g, past]
        self.residual = self.root * (self.target - self._learned)
        self.loss = np.sum(self.residual**2, axis=1)
        bound = DIVERGED * np.sum((self.root * self.target) ** 2)
        # Written so that NaN counts as exceeding.
        for g in np.flatnonzero((self.diverged_at < 0) & ~(self.loss <= bound)):
            self.diverged_at[g] = step
            self.omega[g], self.change[g], self._readouts[g], self._gradients[g] = 0, 0, 0, 0
        self.residual[self.diverged_at >= 0] = 0
        self.loss[self.diverged_at >= 0] = math.inf

    def advance(self, step: int) -> None:
        """Take one step of SGD."""
        gradient = self.root * self._batch_gradient(step)
        readout = self.readout
        moved = gradient @ self.features.T
        past = slice(self.gathered)
        for g in np.flatnonzero((self.diverged_at < 0) & (self.gammas > 0)):
            change = self.change[g] @ gradient[g]
            if self.gathered:
                change += (self._gradients[g, past] @ gradient[g]) @ self._readouts[g, past]
            moved[g] += self.gammas[g] * change
        self._readouts[:, self.gathered] = self.eta0 * readout
        self._gradients[:, self.gathered] = gradient
        self.omega = self.omega + self.eta0 * moved
        self.gathered += 1
        if self.gathered == _GATHERED:
            self.complete()

    def complete(self) -> None:
        """Add the gathered updates to D."""
        if self.gathered:
            past = slice(self.gathered)
            for change, readouts, gradients in zip(self.change, self._readouts, self._gradients, strict=True):
                change += readouts[past].T @ gradients[past]
            self.gathered = 0

    def _batch_gradient(self, step: int) -> Array:
        """Return ``X^T X r / B`` for the residuals r of all networks and one batch X, whitened, shape (G, M)."""
        if self.batch == math.inf:
            return self.residual
        count, modes = self.residual.shape
        # A step's numbers depend on seed and step only, so the position in the stream needs no keeping.
        random = np.random.default_rng(np.random.SeedSequence([self.seed, 1, step]))
        rest = random.standard_normal((count, modes))
        seen = random.standard_normal((int(self.batch), count))
        basis, coordinates = _orthonormal(self.residual)
        within = seen[:, : basis.shape[0]]
        factor = np.asarray(np.linalg.qr(within, mode="r"))
        inside = (within.T @ within) @ coordinates.T  # along the basis, (K, G)
        outside = factor @ coordinates.T
        across = outside.T @ rest[: factor.shape[0]]
        return np.asarray((across + (inside.T - across @ basis.T) @ basis) / self.batch)

    def observe(self) -> Array:
        """Return the recorded quantities, shape (len(CURVES), G); D must be complete."""
        return np.stack([self._observe(g) for g in range(self.gammas.size)], axis=1)

    def _observe(self, g: int) -> Array:
        values = dict.fromkeys(CURVES, 0.0) | {"loss": float(self.loss[g])}
        if self.diverged_at[g] >= 0:
            return np.array([values[name] for name in CURVES])
        readout, weights = self.readout[g], self.features + self.gammas[g] * self.change[g]
        gram, change_gram = weights @ weights.T, self.change[g] @ self.change[g].T
        values["weight_norm"] = float(readout @ readout)
        values["readout_change"] = float(self.omega[g] @ self.omega[g])
        values["sharpness"] = self._sharpness(weights, readout)
        for name, matrix, its_gram in (("spike", weights, gram), ("change", self.change[g], change_gram)):
            squares, vectors = np.linalg.eigh(its_gram)
            left, right = vectors[:, -1], vectors[:, -1] @ matrix
            sizes = np.sqrt(np.maximum(squares[::-1], 0))
            names = ("singular_first", "singular_second") if name == "spike" else ("change_first", "change_second")
            values[names[0]], values[names[1]] = float(sizes[0]), float(sizes[1]) if sizes.size > 1 else 0.0
            if name == "change" and sizes[0] > 0:
                values["rank_one"] = float(sizes[0] ** 2 / np.trace(its_gram))
            values[f"{name}_readout"] = _cosine(left, readout)
            values[f"{name}_learned"] = _cosine(right, self._learned[g])
            values[f"{name}_target"] = _cosine(right, self.target)
            values[f"{name}_target_seen"] = _cosine(self.root * right, self.root * self.target)
        moved = gram - self.gram
        size = float(np.linalg.norm(moved))
        gained = np.outer(readout, readout) - np.outer(self.start, self.start)
        values["imbalance"] = float(np.linalg.norm(moved - gained)) / size if size > 0 else 0.0
        return np.array([values[name] for name in CURVES])

    def _sharpness(self, weights: Array, readout: Array) -> float:
        leading = slice(_SHARP_MODES)
        scaled = weights[:, leading] * self.root[leading]
        kernel = scaled.T @ scaled + (readout @ readout) * np.diag(self.root[leading] ** 2)
        return float(np.linalg.eigvalsh(kernel)[-1])


def _cosine(first: Array, second: Array) -> float:
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return abs(float(first @ second)) / size if size > 0 else 0.0


def _orthonormal(rows: Array) -> tuple[Array, Array]:
    """Return an orthonormal basis (K, M) of rows, rounding left aside, and coordinates (G, K), by Gram-Schmidt done twice."""
    basis: Array = np.zeros((0, rows.shape[1]))
    for row in rows:
        rest = row - (basis @ row) @ basis
        rest = rest - (basis @ rest) @ basis
        size = float(np.linalg.norm(rest))
        if size > _SAME_DIRECTION * float(np.linalg.norm(row)):
            basis = np.concatenate([basis, rest[None] / size])
    return basis, rows @ basis.T
