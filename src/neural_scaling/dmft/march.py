r"""The order-parameter equations, solved cell by cell.

Online SGD (eqs. 18-31) and gradient descent on P samples (eq. 41) are the same equations. With
``K_k = I - H_k = lambda_k Y (I + lambda_k Y)^{-1}`` and ``Q = R_3 R_1`` they read

.. math::
    S &= (1 - \gamma\, W (W \circ C_3))^{-1} W, \qquad C_w = S C_3 S^T, \qquad X = S + \gamma\, W \circ C_w, \qquad Y = X Q, \\
    R_3 &= 1 - \tfrac1N \textstyle\sum_k K_k, \qquad R_1 = 1 - \tfrac1P \sum_k K_k, \\
    C_0 &= \sum_k \lambda_k (w^*_k)^2\, (H_k 1)(H_k 1)^T
           + \sum_k \big[ \tfrac{1}{N \lambda_k} K_k \hat C_2 K_k^T + K_k D K_k^T \big], \\
    \hat C_2 &= \sum_k \lambda_k^2 (w^*_k)^2\, (H_k 1)(H_k 1)^T
           + \sum_k \big[ \tfrac1N K_k \hat C_2 K_k^T + \lambda_k H_k D H_k^T \big], \qquad
    C_3 = Q \hat C_2 Q^T, \qquad C_1 = R_1 C_0 R_1^T .

``W`` integrates over the past (:mod:`~neural_scaling.dmft.grid`). The noise is ``D = diag(C_0)/B`` online, where a white noise of
strength ``eta/B`` has the variance ``eta/B`` over the weight of a row, and ``D = C_0/P`` under sample reuse. All responses are
functions of the one matrix Y and commute, which is why ``C_2`` enters through ``R_1^{-1} C_2 R_1^{-T}`` only.

Everything is causal. In unit steps row t is explicit. On a log-spaced grid the rows of a cell are implicit in themselves: their
responses are a function of the matrix ``X`` of the cell, found through its eigenvalues, the rest of their rows solves
one triangular system, and the correlations of the cell are iterated (Anderson) to a residual that is checked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from neural_scaling.base.arrays import Array
from neural_scaling.base.monitor import Arrays, scalar
from neural_scaling.dmft.diverged import NotConverged
from neural_scaling.dmft.fast_noise import CellNoise, mode_noise, spectrum_of_projection
from neural_scaling.dmft.grid import TimeGrid
from neural_scaling.dmft.learned import LearnedResponses, ShiftedResponses, StoredResponses
from neural_scaling.spectra import ModeQuadrature

_KEPT = (
    "weight_response",
    "drive",
    "response",
    "data_response",
    "both",
    "weight_correlation",
    "gradient_correlation",
    "feature_correlation",
    "loss_correlation",
    "loss",
    "unlearned",
    "spread",
    "pushed",
    "weight_norm_correction",
)

#: Part of itself by which an eigenvalue may have moved for its root to be followed.
_NEXT_TO = 0.05


@dataclass(frozen=True)
class Setting:
    """What drives the dynamics besides spectrum and grid."""

    gamma: float  # richness
    # per_width, per_batch, per_sample: 1/N, 1/B and 1/P, zero in the limits
    per_width: float
    per_batch: float
    per_sample: float
    fourth_moment: bool = False  # whether the noise of a batch includes the fourth moment of Gaussian features

    @property
    def width(self) -> float:
        """N."""
        return 1 / self.per_width if self.per_width else math.inf

    @property
    def batch(self) -> float:
        """B."""
        return 1 / self.per_batch if self.per_batch else math.inf


class March:
    """The order parameters on the rows so far; ``implicit.advance`` adds a cell.

    Matrices are R x R: ``response`` R3, ``data_response`` R1, ``both`` Q, ``drive`` X, ``weight_response`` S,
    ``weight_correlation`` C_w, ``feature_correlation`` C3, ``gradient_correlation`` the C2 of the equations above and
    ``loss_correlation`` C0 (only its diagonal, ``loss``, unless samples are reused). ``unlearned`` is ``H_k 1`` (K x R),
    ``spread`` the variance of ``v0_k``, the part along ``(w*_k)^2`` and the rest (2 x K x R, with the fourth moment only).
    """

    def __init__(self, quadrature: ModeQuadrature, grid: TimeGrid, setting: Setting) -> None:
        self.quadrature, self.grid, self.setting = quadrature, grid, setting
        rows, size = grid.rows, quadrature.nodes.size
        self.weight_response = np.zeros((rows, rows))
        self.drive = np.zeros((rows, rows))
        self.response = np.zeros((rows, rows))
        self.data_response = np.zeros((rows, rows))
        self.both = np.zeros((rows, rows))
        self.weight_correlation = np.zeros((rows, rows))
        self.gradient_correlation = np.zeros((rows, rows))
        self.feature_correlation = np.zeros((rows, rows))
        self.loss_correlation = np.zeros((rows, rows) if setting.per_sample else (0, 0))
        self.loss = np.zeros(rows)
        self.unlearned = np.zeros((size, rows))
        self.spread = np.zeros((2, size, rows) if setting.fourth_moment else (2, size, 0))
        self.weight_norm_correction = np.zeros(rows)
        self.pushed = np.zeros(rows)  # a row of S at the start of the next cell
        kind = ShiftedResponses if grid.explicit else StoredResponses
        self.learned: LearnedResponses = kind(quadrature.nodes, rows)
        if setting.per_batch and not grid.explicit:
            self.spectrum = spectrum_of_projection(quadrature, setting.per_width, grid.horizon)
        nothing = np.zeros((grid.block, grid.block))
        self.cell_noise = CellNoise(nothing, nothing, nothing, nothing[0])
        self.cell_scale = np.ones(1)
        self.roots: list[tuple[complex, complex]] = []  # eigenvalues of X and of Y of the last iterate of this cell
        self.on_grid = nothing.copy()
        self.count = 0
        self.residual = 0.0

    def append(self, low: int, high: int, learned: Array, loop: Array) -> None:
        """Keep the rows of K_k and Y of a cell that is solved, and push S on to the next."""
        self.roots = []  # a resumed march has none either
        self.learned.append(loop, learned)
        self.pushed[:high] += self.grid.weight[low:high] @ self._memory(low, high)
        self.count = high

    @property
    def weight_norm(self) -> Array:
        """Diagonal of ``C_w``, corrected for noise within the cells."""
        return np.diag(self.weight_correlation) + self.weight_norm_correction

    def state(self) -> Arrays:
        """Return what a checkpoint keeps, R x R matrices and the rows of K x R."""
        kept = {name: getattr(self, name) for name in _KEPT} | self.learned.state()
        return kept | {"count": scalar(self.count), "residual": scalar(self.residual)}

    def restore(self, state: Arrays) -> None:
        """Take over a kept state."""
        self.count, self.residual = int(state["count"]), float(state["residual"])
        for name in _KEPT:
            getattr(self, name)[...] = state[name]
        self.learned.restore(state, self.count)

    def within(self, low: int) -> Array:
        """Return the weights of a cell's rows in integrals up to each of its rows."""
        cell = self.grid.cell
        width = float(self.grid.weight[low : low + cell.shape[0]].sum())
        return width * cell

    def _memory(self, low: int, high: int) -> Array:
        """Return the rows ``1 + gamma (W o C3) S`` of a cell: how a push of v3 comes back through the features."""
        kernel = self._feature_kernel(low, high)
        return np.eye(high)[low:high] + self.setting.gamma * kernel @ self.weight_response[:high, :high]

    def _feature_kernel(self, low: int, high: int) -> Array:
        """Return the rows ``W o C3`` of a cell."""
        kernel = self.feature_correlation[low:high, :high].copy()
        kernel[:, :low] *= self.grid.weight[:low]
        kernel[:, low:] = self.within(low) * (kernel[:, low:] - self.on_grid) + self.cell_noise.recoil
        return kernel

    def fill_drive(self, low: int, high: int) -> None:
        """Fill the rows of S (eq. 27), C_w (eq. 30) and X of a cell from its correlations."""
        past, cell, upto = slice(0, low), slice(low, high), slice(0, high)
        gamma, within = self.setting.gamma, self.within(low)
        right: Array = np.tile(self.pushed[:high], (high - low, 1))
        if not self.grid.explicit:
            kernel = gamma * self._feature_kernel(low, high)
            forced = np.eye(high)[low:high] + kernel[:, :low] @ self.weight_response[past, upto]
            right = np.asarray(np.linalg.solve(np.eye(high - low) - within @ kernel[:, low:], right + within @ forced))
        self.weight_response[cell, upto] = right
        correlated = right @ self.feature_correlation[upto, upto] @ self.weight_response[upto, upto].T
        self.weight_correlation[cell, upto] = correlated
        self.weight_correlation[upto, cell] = correlated.T
        drive = correlated.copy()
        drive[:, :low] *= self.grid.weight[past]
        own = right[:, low:]
        drive[:, low:] = within * (drive[:, low:] - own @ self.on_grid @ own.T) + self.cell_noise.drift
        drive = right + gamma * drive
        self.drive[cell, upto] = drive

    def fill_responses(self, low: int, high: int) -> tuple[Array, Array]:
        """Fill the rows of the responses of a cell (eqs. 28 and 29) from those of X; return its rows of K_k and of Y."""
        past, cell, upto = slice(0, low), slice(low, high), slice(0, high)
        drive = self.drive[cell, upto]
        arriving = drive[:, :low] @ self.both[past, past]
        if self.grid.explicit:
            loop = np.pad(arriving, ((0, 0), (0, 1)))
            learned = np.pad(self.learned.driven(arriving), ((0, 0), (0, 0), (0, 1)))
        else:
            loop, learned = self._implicit_responses(low, drive[:, low:], arriving)
        identity = np.eye(high)[cell]
        summed = np.tensordot(self.quadrature.weights, learned, axes=1)
        self.response[cell, upto] = identity - self.setting.per_width * summed
        self.data_response[cell, upto] = identity - self.setting.per_sample * summed
        self.both[cell, upto] = self.response[cell, upto] @ self.data_response[upto, upto]
        self.unlearned[:, cell] = 1 - learned.sum(axis=2)
        return learned, loop

    def _implicit_responses(self, low: int, within: Array, arriving: Array) -> tuple[Array, Array]:
        """Return rows of Y and of K_k of a cell whose own rows of X are ``within``, by the eigenvalues of that matrix."""
        assert isinstance(self.learned, StoredResponses)
        nodes, weights = self.quadrature.nodes, self.quadrature.weights
        own, vectors = np.linalg.eig(within)  # of a real matrix: complex eigenvalues come in exact pairs
        inverse = np.linalg.inv(vectors)
        half = own.imag >= 0  # the others are complex conjugates
        roots = np.empty(own.size, dtype=np.complex128)
        roots[half] = [self._self_consistent(complex(x)) for x in own[half]]
        self.roots = [(complex(x), complex(z)) for x, z in zip(own[half], roots[half], strict=True)]
        roots[~half] = roots[own.imag > 0].conj()
        damping = 1 / (1 + nodes * roots[:, None])  # eigenvalues of H_k in the cell, (s, K)
        diagonal = ((vectors * (nodes[:, None] * damping.T * roots)[:, None, :]) @ inverse).real
        loop_cell = ((vectors * roots) @ inverse).real
        if low == 0:
            return loop_cell, diagonal
        loop = arriving
        if self.setting.per_width or self.setting.per_sample:
            # y + x y G (R1/N + r3/P) = c in the eigenbasis, with G = sum_k lambda_k H_k / (1 + lambda_k z) on the past.
            sums = self.learned.sums(weights * nodes * damping[half])
            turned = inverse[half] @ arriving
            rows = np.empty(turned.shape, dtype=np.complex128)
            for j, (x, z, total) in enumerate(zip(own[half], roots[half], sums, strict=True)):
                direct = 1 - self.setting.per_width * np.sum(weights * nodes * z / (1 + nodes * z))
                coupled = self.setting.per_width * total
                if self.setting.per_sample:
                    coupled = coupled @ self.data_response[:low, :low] + self.setting.per_sample * direct * total
                rows[j] = np.linalg.solve((np.eye(low) + x * coupled).T, turned[j])
            # A conjugate pair contributes twice the real part of one of them.
            factor = np.where(own[half].imag > 0, 2.0, 1.0)
            loop = ((vectors[:, half] * factor) @ rows).real
        left = ((vectors * damping.T[:, None, :]) @ inverse).real
        learned = left @ self.learned.driven(loop)
        return np.concatenate([loop, loop_cell], axis=1), np.concatenate([learned, diagonal], axis=2)

    def _self_consistent(self, x: complex) -> complex:
        """Return z = x r3(z) r1(z), the eigenvalue of Y that belongs to the eigenvalue x of X."""
        per_width, per_sample = self.setting.per_width, self.setting.per_sample
        if not (per_width or per_sample):
            return x
        nodes = self.quadrature.nodes
        weights = self.quadrature.weights * nodes

        def gap(z: float) -> float:
            learned = float(weights @ (z / (1 + nodes * z)))
            return z - abs(x) * max(0.0, 1 - per_width * learned) * max(0.0, 1 - per_sample * learned)

        def followed(z: complex, target: complex) -> complex | None:
            """Follow a root to another x by Newton's method."""
            for _ in range(50):
                damping = 1 / (1 + nodes * z)
                first, second = weights @ damping, weights @ damping**2
                of_width, of_sample = 1 - per_width * z * first, 1 - per_sample * z * first
                change = target * second * (per_width * of_sample + per_sample * of_width)
                step = complex((z - target * of_width * of_sample) / (1 + change))
                z -= step
                if abs(step) <= 1e-14 * abs(z):
                    return z
            return None

        # An iterate changes little from the one before, and its root is next to that one's.
        for before, root in self.roots:
            if abs(x - before) <= _NEXT_TO * abs(x) and (found := followed(root * x / before, x)) is not None:
                return found
        # From the positive axis, where the root is unique, to the angle of x in short steps.
        z = complex(brentq(gap, 0.0, abs(x), xtol=1e-12 * abs(x)))
        angle = float(np.angle(x))
        for part in np.linspace(0, 1, max(2, math.ceil(abs(angle) / 0.2)) if angle else 1):
            found = followed(z, complex(abs(x) * np.exp(1j * angle * (part if angle else 0.0))))
            if found is None:
                raise NotConverged(float(self.grid.time[max(self.count - 1, 0)]), "no eigenvalue of the responses")
            z = found
        return z

    def fill_correlations(self, low: int, high: int, learned: Array) -> None:
        """Renew the rows of all correlations of a cell (eq. 31) from its responses and, if implicit, their previous values."""
        cell, upto = slice(low, high), slice(0, high)
        nodes, weights, targets = self.quadrature.nodes, self.quadrature.weights, self.quadrature.target_weights
        size, block, setting = nodes.size, high - low, self.setting
        mean, earlier = self.unlearned[:, cell], self.unlearned[:, upto]
        flat = learned.reshape(size * block, high)
        driven = setting.per_width * (flat @ self.gradient_correlation[upto, upto]).reshape(learned.shape)
        driven *= weights[:, None, None]

        if setting.per_sample:
            noisy = (flat @ self.loss_correlation[upto, upto]).reshape(learned.shape)
            noisy *= (setting.per_sample * weights)[:, None, None]
            rows = (targets * nodes * mean.T) @ earlier + self._projected(
                driven / nodes[:, None, None] + noisy, learned
            )
            self.loss_correlation[cell, upto] = rows
            self.loss_correlation[upto, cell] = rows.T
            self.loss[cell] = np.diag(rows[:, low:])
            if self.grid.explicit:  # the columns of the cell were empty; an implicit cell has those of the last iterate
                noisy[:, :, low:] = learned @ rows.T * (setting.per_sample * weights)[:, None, None]
            fresh = setting.per_sample * self.loss_correlation[cell, upto]
            back = driven + nodes[:, None, None] * (noisy - weights[:, None, None] * fresh)
            rows = (nodes @ weights) * fresh - np.tensordot(nodes, noisy, axes=1) + self._projected(back, learned)
        else:
            before = self.loss[cell].copy()
            self.loss[cell] = (targets * nodes) @ mean**2 + np.einsum("k,ksl,ksl->s", 1 / nodes, driven, learned)
            if setting.per_batch:
                rows, back = self._batch_noise(low, high, driven, learned, before)
                rows += self._projected(driven + back, learned)
            else:
                rows = self._projected(driven, learned)
        rows += (targets * nodes**2 * mean.T) @ earlier
        self.gradient_correlation[cell, upto] = rows
        self.gradient_correlation[upto, cell] = rows.T
        rows = (self.both[cell, upto] @ self.gradient_correlation[upto, upto]) @ self.both[upto, upto].T
        self.feature_correlation[cell, upto] = rows
        self.feature_correlation[upto, cell] = rows.T

    def _projected(self, rows: Array, learned: Array) -> Array:
        """Return ``sum_k rows_k K_k^T`` on all columns, those of the cell included."""
        low = self.learned.count
        own = np.tensordot(rows, learned, axes=([0, 2], [0, 2]))
        return np.concatenate([self.learned.projected(rows[:, :, :low]), own], axis=1)

    def _batch_noise(self, low: int, high: int, driven: Array, learned: Array, before: Array) -> tuple[Array, Array]:
        """Add the noise of batches to the loss of a cell; return what it adds to the rows that end in ``gradient_correlation``.

        First directly, then to what is projected.
        ``before`` is the loss of the cell, shape (s,), that the noise within an implicit cell is taken from.
        """
        past, cell = slice(0, low), slice(low, high)
        nodes = self.quadrature.nodes
        noise = np.concatenate([self.noise(past, self.loss[past]), self.noise(cell, before)], axis=1)
        self.loss[cell] += np.einsum("ksl,kl->s", learned**2, noise)
        if not self.grid.explicit:
            self.loss[cell] += self._noise_of_cell(low, high, before)
            self.on_grid[:] = self._noise_on_grid(low, high, learned[:, :, low:], noise[:, low:])
        if self.setting.fourth_moment:
            self._spread(low, high, driven, learned)
        noise[:, low:] = self.noise(cell, self.loss[cell])
        back = learned * noise[:, None, :]
        rows = -np.tensordot(nodes, back, axes=1)
        rows[:, low:] += np.diag(nodes @ noise[:, low:])
        back -= np.eye(high)[cell] * noise[:, None, :]
        return np.asarray(rows), nodes[:, None, None] * back

    def _noise_of_cell(self, low: int, high: int, before: Array) -> Array:
        """Return the loss that the noise within a cell causes beyond what the grid makes of it."""
        cell = slice(low, high)
        noise = self.setting.per_batch * self.grid.eta * self.cell_noise.loss @ before
        if not self.setting.fourth_moment:
            return np.asarray(noise)
        return np.asarray(
            noise + np.einsum("ksl,kl->s", self._mode_noise_of_cell(low, high), self._fourth_moment(cell))
        )

    def _noise_on_grid(self, low: int, high: int, learned: Array, noise: Array) -> Array:
        """Return what C3 of a cell owes to the noise within it, on the grid: not what an integral that ends in the cell sees."""
        cell, size = slice(low, high), high - low
        unlearned = np.eye(size) - learned
        felt = unlearned * (self.quadrature.nodes[:, None] * noise)[:, None, :]
        direct: Array = np.tensordot(felt, unlearned, axes=([0, 2], [0, 2]))
        if self.setting.per_width:
            weighted = (self.setting.per_width * self.quadrature.weights)[:, None, None] * learned
            again = np.tensordot(weighted, learned, axes=(0, 0)).swapaxes(1, 2).reshape(size**2, size**2)
            direct = np.asarray(np.linalg.solve(np.eye(size**2) - again, direct.ravel()).reshape(size, size))
        both = self.both[cell, cell]
        return np.asarray(both @ direct @ both.T)

    def _mode_noise_of_cell(self, low: int, high: int) -> Array:
        """Return what the noise of a mode within a cell adds to ``lambda_k <v0_k^2>`` there beyond the grid, (K, s, s)."""
        weight = self.grid.weight[low:high]
        rate = self.cell_scale * self.quadrature.nodes[:, None]
        return np.asarray(rate[:, :, None] * mode_noise(rate, float(weight.sum())) * weight)

    def noise(self, rows: slice, loss: Array) -> Array:
        """Return D of every mode times its weight, on rows with the given loss, shape (K, rows)."""
        scale = self.setting.per_batch * self.grid.eta / self.grid.weight[rows]
        noise = self.quadrature.weights[:, None] * (scale * loss)
        return noise + self._fourth_moment(rows) if self.setting.fourth_moment else noise

    def _fourth_moment(self, rows: slice) -> Array:
        """Return the part of :meth:`noise` that the fourth moment of Gaussian features adds, ``lambda_k <v0_k^2>/B``."""
        quadrature, scale = self.quadrature, self.setting.per_batch * self.grid.eta / self.grid.weight[rows]
        along, rest = self.spread[:, :, rows]
        variance = quadrature.target_weights[:, None] * along + quadrature.weights[:, None] * rest
        return np.asarray(quadrature.nodes[:, None] * scale * variance)

    def _spread(self, low: int, high: int, driven: Array, learned: Array) -> None:
        """Renew the variance of ``v0_k`` on the rows of a cell: the part along ``(w*_k)^2`` and the rest."""
        quadrature, cell = self.quadrature, slice(low, high)
        nodes = quadrature.nodes[:, None]
        scale = self.setting.per_batch * self.grid.eta / self.grid.weight[:high]
        squared = learned**2
        along, rest = self.spread
        of_along = nodes * scale * along[:, :high]
        of_rest = scale * self.loss[:high] + nodes * scale * rest[:, :high]
        along[:, cell] = self.unlearned[:, cell] ** 2 + np.einsum("ksl,kl->ks", squared, of_along) / nodes
        rest[:, cell] = np.einsum("ksl,kl->ks", squared, of_rest) / nodes
        if not self.grid.explicit:
            fast = self._mode_noise_of_cell(low, high)
            along[:, cell] += np.einsum("ksl,kl->ks", fast, of_along[:, cell]) / nodes
            rest[:, cell] += np.einsum("ksl,kl->ks", fast, of_rest[:, cell]) / nodes
        rest[:, cell] += np.einsum("ksl,ksl->ks", driven, learned) / (quadrature.weights[:, None] * nodes**2)
