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

from neural_scaling.dmft.anderson import fixed_point
from neural_scaling.dmft.fast_noise import CellNoise, cell_noise, mode_noise, spectrum_of_projection
from neural_scaling.dmft.grid import TimeGrid
from neural_scaling.dmft.learned import LearnedResponses, ShiftedResponses, StoredResponses
from neural_scaling.monitor import Arrays, scalar
from neural_scaling.spectra import Array, ModeQuadrature

#: Residual of the correlations of a cell, relative to the largest of their row, that is aimed at, and that is accepted: late on a
#: plateau C3 vanishes and rounding of the sums that cancel in it is all that is left of it.
_TOLERANCE = 1e-8
_ACCEPTED = 1e-4
_ITERATIONS = 300
_OUTER = 20
_CAUTIOUS = (0.2, 0.05, 0.01)  # parts of the residual added in a step, tried in turn
#: Relative change of scale and loss between outer iterations that is accepted.
_STEADY = 1e-4


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
)


class NotConverged(ArithmeticError):
    """The correlations of a cell could not be found; the message says where and what to change.

    Attributes
    ----------
    time
        Start of the cell, in eta * steps.
    """

    def __init__(self, time: float, left: float) -> None:
        super().__init__(
            f"the correlations from eta * t = {time:.4g} on were not found (residual {left:.2g}), on a finer grid neither: "
            "end the grid there, or take a smaller eta / batch or gamma."
        )
        self.time = time


@dataclass(frozen=True)
class Setting:
    """What drives the dynamics besides spectrum and grid.

    Attributes
    ----------
    gamma
        Richness.
    per_width, per_batch, per_sample
        1/N, 1/B and 1/P, zero in the limits.
    fourth_moment
        Whether the noise of a batch includes the fourth moment of Gaussian features.
    """

    gamma: float
    per_width: float
    per_batch: float
    per_sample: float
    fourth_moment: bool = False


class March:
    """The order parameters on the rows so far; :meth:`advance` adds a cell.

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
            self.spectrum = spectrum_of_projection(quadrature, setting.per_width, float(grid.time[-1]))
        nothing = np.zeros((grid.block, grid.block))
        self.cell_noise = CellNoise(nothing, nothing, nothing, nothing[0])
        self.cell_scale, self.cell_loss = 1.0, nothing[0]
        self.on_grid = nothing.copy()
        self.count = 0
        self.residual = 0.0

    def advance(self) -> None:
        """Solve the next cell.

        Raises
        ------
        NotConverged
            If its correlations are not found.
        """
        low, high = self.count, self.count + self.grid.block
        if self.grid.explicit:
            self._drive(low, high)
            learned, loop = self._responses(low, high)
            self._correlations(low, high, learned)
        else:
            learned, loop = self._implicit(low, high)
        self.learned.append(loop, learned)
        memory = self._memory(low, high)
        self.pushed[:high] += self.grid.weight[low:high] @ memory
        self.count = high

    @property
    def weight_norm(self) -> Array:
        """Diagonal of ``C_w``, corrected for noise within the cells."""
        return np.diag(self.weight_correlation) + self.weight_norm_correction

    def state(self) -> Arrays:
        """Return what a checkpoint of unit steps keeps, R x R matrices and the rows of K x R."""
        return {name: getattr(self, name) for name in _KEPT} | self.learned.state() | {"count": scalar(self.count)}

    def restore(self, state: Arrays) -> None:
        """Take over a kept state."""
        self.count = int(state["count"])
        for name in _KEPT:
            getattr(self, name)[...] = state[name]
        self.learned.restore(state, self.count)

    def _within(self, low: int) -> Array:
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
        kernel[:, low:] = self._within(low) * (kernel[:, low:] - self.on_grid) + self.cell_noise.recoil
        return kernel

    def _drive(self, low: int, high: int) -> None:
        """Fill the rows of S, C_w and X of a cell from its correlations."""
        past, cell, upto = slice(0, low), slice(low, high), slice(0, high)
        gamma, within = self.setting.gamma, self._within(low)
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

    def _responses(self, low: int, high: int) -> tuple[Array, Array]:
        """Fill the rows of the responses of a cell from those of X; return its rows of K_k and of Y."""
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
        roots = np.array([self._self_consistent(complex(x)) for x in own])
        damping = 1 / (1 + nodes * roots[:, None])  # eigenvalues of H_k in the cell, (s, K)
        diagonal = ((vectors * (nodes[:, None] * damping.T * roots)[:, None, :]) @ inverse).real
        loop_cell = ((vectors * roots) @ inverse).real
        if low == 0:
            return loop_cell, diagonal
        loop = arriving
        if self.setting.per_width or self.setting.per_sample:
            # y + x y G (R1/N + r3/P) = c in the eigenbasis, with G = sum_k lambda_k H_k / (1 + lambda_k z) on the past.
            half = own.imag >= 0  # the others are complex conjugates
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
        nodes, weights = self.quadrature.nodes, self.quadrature.weights

        def gap(z: float) -> float:
            learned = float(np.sum(weights * nodes * z / (1 + nodes * z)))
            return z - abs(x) * max(0.0, 1 - per_width * learned) * max(0.0, 1 - per_sample * learned)

        z = complex(brentq(gap, 0.0, abs(x), xtol=1e-12 * abs(x)))
        # From the positive axis, where the root is unique, to the angle of x in short steps, by Newton's method.
        angle = float(np.angle(x))
        for part in np.linspace(0, 1, max(2, math.ceil(abs(angle) / 0.2)) if angle else 1):
            target = abs(x) * np.exp(1j * angle * (part if angle else 0.0))
            for _ in range(50):
                damping = 1 / (1 + nodes * z)
                learned, slope = np.sum(weights * nodes * z * damping), np.sum(weights * nodes * damping**2)
                of_width, of_sample = 1 - per_width * learned, 1 - per_sample * learned
                change = target * (per_width * slope * of_sample + per_sample * slope * of_width)
                step = (z - target * of_width * of_sample) / (1 + change)
                z -= step
                if abs(step) <= 1e-14 * abs(z):
                    break
            else:
                raise NotConverged(float(self.grid.time[max(self.count - 1, 0)]), abs(step))
        return complex(z)

    def _correlations(self, low: int, high: int, learned: Array) -> None:
        """Renew the rows of all correlations of a cell, given its responses and, if it is implicit, their previous values."""
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
            fresh = setting.per_sample * self.loss_correlation[cell, upto]
            back = driven + nodes[:, None, None] * (noisy - weights[:, None, None] * fresh)
            rows = (nodes @ weights) * fresh - np.tensordot(nodes, noisy, axes=1) + self._projected(back, learned)
        else:
            rows = self._projected(driven, learned)
            before = self.loss[cell].copy()
            self.loss[cell] = (targets * nodes) @ mean**2 + np.einsum("k,ksl,ksl->s", 1 / nodes, driven, learned)
            if setting.per_batch:
                rows += self._batch_noise(low, high, driven, learned, before)
        rows += (targets * nodes**2 * mean.T) @ earlier
        self.gradient_correlation[cell, upto] = rows
        self.gradient_correlation[upto, cell] = rows.T
        rows = (self.both[cell, upto] @ self.gradient_correlation[upto, upto]) @ self.both[upto, upto].T
        self.feature_correlation[cell, upto] = rows
        self.feature_correlation[upto, cell] = rows.T

    def _projected(self, rows: Array, learned: Array) -> Array:
        """Return ``sum_k rows_k K_k^T`` on all columns, those of the cell included."""
        low = self.learned.count
        own = np.einsum("ksl,krl->sr", rows, learned, optimize=True)
        return np.concatenate([self.learned.projected(rows[:, :, :low]), own], axis=1)

    def _batch_noise(self, low: int, high: int, driven: Array, learned: Array, before: Array) -> Array:
        """Add the noise of batches to the loss of a cell; return what it adds to the rows of ``gradient_correlation``.

        ``before`` is the loss of the cell, shape (s,), that the noise within an implicit cell is taken from.
        """
        past, cell = slice(0, low), slice(low, high)
        nodes = self.quadrature.nodes
        noise = np.concatenate([self._noise(past, self.loss[past]), self._noise(cell, before)], axis=1)
        self.loss[cell] += np.einsum("ksl,kl->s", learned**2, noise)
        if not self.grid.explicit:
            self.loss[cell] += self._noise_of_cell(low, high, before)
            self.on_grid[:] = self._noise_on_grid(low, high, learned[:, :, low:], noise[:, low:])
        if self.setting.fourth_moment:
            self._spread(low, high, driven, learned)
        noise[:, low:] = self._noise(cell, self.loss[cell])
        back = learned * noise[:, None, :]
        rows = -np.tensordot(nodes, back, axes=1)
        rows[:, low:] += np.diag(nodes @ noise[:, low:])
        back -= np.eye(high)[cell] * noise[:, None, :]
        rows += self._projected(nodes[:, None, None] * back, learned)
        return np.asarray(rows)

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
        direct = np.einsum(
            "ksl,kl,krl->sr", unlearned, self.quadrature.nodes[:, None] * noise, unlearned, optimize=True
        )
        if self.setting.per_width:
            weights = self.setting.per_width * self.quadrature.weights
            again = np.einsum("k,ksl,krm->srlm", weights, learned, learned, optimize=True).reshape(size**2, size**2)
            direct = np.linalg.solve(np.eye(size**2) - again, direct.ravel()).reshape(size, size)
        both = self.both[cell, cell]
        return np.asarray(both @ direct @ both.T)

    def _mode_noise_of_cell(self, low: int, high: int) -> Array:
        """Return what the noise of a mode within a cell adds to ``lambda_k <v0_k^2>`` there beyond the grid, (K, s, s)."""
        cell = slice(low, high)
        weight = self.grid.weight[cell]
        scale = float(
            1 + self.setting.gamma * (self.weight_correlation[high - 1, high - 1] + self.cell_noise.weight_norm[-1])
        )
        rate = scale * self.quadrature.nodes[:, None]
        return np.asarray(rate[:, :, None] * mode_noise(rate, float(weight.sum())) * weight)

    def _noise(self, rows: slice, loss: Array) -> Array:
        """Return D of every mode times its weight, on rows with the given loss, shape (K, rows)."""
        scale = self.setting.per_batch * self.grid.eta / self.grid.weight[rows]
        noise = self.quadrature.weights[:, None] * (scale * loss)
        return noise + self._fourth_moment(rows) if self.setting.fourth_moment else noise

    def _fourth_moment(self, rows: slice) -> Array:
        """Return the part of :meth:`_noise` that the fourth moment of Gaussian features adds, ``lambda_k <v0_k^2>/B``."""
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

    def _implicit(self, low: int, high: int) -> tuple[Array, Array]:
        """Solve a cell whose rows depend on each other; return its rows of K_k and of Y."""
        cell, upto = slice(low, high), slice(0, high)
        self._expect(low, high)
        self._guess(low, high)
        solved: list[tuple[Array, Array]] = []

        def parts() -> list[Array]:
            matrices = self._iterated()
            return [matrix[cell, upto] for matrix in matrices] + self._noise_state(cell)

        def pack() -> Array:
            return np.concatenate([part.ravel() for part in parts()])

        def unpack(packed: Array) -> None:
            begin = 0
            for part in parts():
                part[...] = packed[begin : begin + part.size].reshape(part.shape)
                begin += part.size
            for matrix in self._correlation_matrices():
                matrix[:low, cell] = matrix[cell, :low].T

        def update(packed: Array) -> Array:
            unpack(packed)
            if self.setting.gamma or not solved:
                solved[:] = [self._responses(low, high)]
            self._correlations(low, high, solved[0][0])
            if self.setting.gamma:
                self._drive(low, high)
            return pack()

        # What noise does within the cell depends on a scale and a loss that hardly move: they are found in an outer iteration.
        # Within the inner one they would make it unstable.
        start = float(self.grid.time[low - 1]) if low else 0.0
        # The noise of the cell makes the iteration overshoot, the more the longer it feeds the features.
        mixings = _CAUTIOUS if self.setting.per_batch and self.setting.gamma else (1.0,)
        value = pack()
        update(value)
        scale = self._scale(low, high)
        for _ in range(_OUTER):
            guess = value
            for mixing in mixings:
                value, residual = fixed_point(update, guess, scale, _TOLERANCE, _ITERATIONS, mixing)
                if residual <= _ACCEPTED:
                    break
            else:
                raise NotConverged(start, residual)
            update(value)
            moved = self._renew_noise(low, high)
            if moved <= _STEADY:
                break
        else:
            raise NotConverged(start, moved)
        self.residual = max(self.residual, residual, moved)
        self.weight_norm_correction[cell] = self.cell_noise.weight_norm
        if not self.setting.gamma:
            self._drive(low, high)  # for C_w, which the rest does not need
        return solved[0]

    def _expect(self, low: int, high: int) -> None:
        """Expect a scale of the kernel and a loss of the next cell from the two cells before it."""
        cell, block, time = slice(low, high), high - low, self.grid.time
        self.cell_scale, self.cell_loss = 1.0, np.full(block, self.quadrature.initial_loss)
        if low >= 2 * block:
            ends = [low - 1 - block, low - 1]
            ahead = np.log(time[cell] / time[low - 1]) / np.log(time[low - 1] / time[low - 1 - block])
            scales = 1 + self.setting.gamma * self.weight_norm[ends]
            self.cell_scale = float(scales[1] * (scales[1] / scales[0]) ** ahead[-1])
            self.cell_loss = self.loss[low - 1] * (self.loss[low - 1] / self.loss[low - 1 - block]) ** ahead
        elif low:
            self.cell_scale = float(1 + self.setting.gamma * self.weight_norm[low - 1])
            self.cell_loss[:] = self.loss[low - 1]
        if self.setting.per_batch:
            self._set_noise(low, high)

    def _renew_noise(self, low: int, high: int) -> float:
        """Take scale and loss of the cell as found; return by how much they moved, relative."""
        if not self.setting.per_batch:
            return 0.0
        scale = float(
            1 + self.setting.gamma * (self.weight_correlation[high - 1, high - 1] + self.cell_noise.weight_norm[-1])
        )
        loss = self.loss[low:high].copy()
        moved = max(abs(scale / self.cell_scale - 1), float(np.max(np.abs(loss / self.cell_loss - 1))))
        self.cell_scale, self.cell_loss = scale, loss
        self._set_noise(low, high)
        return moved

    def _set_noise(self, low: int, high: int) -> None:
        strength = self.setting.per_batch * self.grid.eta * self.cell_loss
        self.cell_noise = cell_noise(self.spectrum, float(self.grid.weight[low:high].sum()), self.cell_scale, strength)

    def _correlation_matrices(self) -> list[Array]:
        """Return the correlations whose rows an implicit cell iterates; C3 follows from them."""
        matrices = [self.gradient_correlation]
        return [*matrices, self.loss_correlation] if self.setting.per_sample else matrices

    def _iterated(self) -> list[Array]:
        """Return all matrices whose rows an implicit cell iterates.

        At gamma > 0 the responses follow from X, whose rows are of the order of the weights of the grid. Iterating C3 instead
        would be far worse conditioned: in it the white noise of a wide cell stands beside what cancels it.
        """
        return [self.drive, *self._correlation_matrices()] if self.setting.gamma else self._correlation_matrices()

    def _noise_state(self, cell: slice) -> list[Array]:
        """Return what else it iterates: the loss, and the variance of ``v0_k`` where the noise depends on it."""
        if self.setting.per_sample:
            return []
        return [self.loss[cell], self.spread[:, :, cell]] if self.setting.fourth_moment else [self.loss[cell]]

    def _guess(self, low: int, high: int) -> None:
        """Set the correlations of a cell to those of the cell before it, or to those of the untrained model."""
        quadrature, cell, block = self.quadrature, slice(low, high), high - low
        before = slice(low - block, low)
        if low:
            # Noise stands in C3 as its strength over the width of the cell, and what it causes elsewhere cancels it: all must be
            # carried on in proportion, or their sums over a wide cell are far off.
            ratio = float(self.grid.weight[low - 1] / self.grid.weight[high - 1])
            if low >= 2 * block:
                ratio *= float(self.loss[low - 1] / self.loss[low - 1 - block])
            for matrix in (self.feature_correlation, self.gradient_correlation):
                rows = math.sqrt(ratio) * matrix[before, :low]
                rows[:, low - block :] = ratio * matrix[before, max(0, low - 2 * block) : max(block, low - block)]
                matrix[cell, :low], matrix[:low, cell] = rows, rows.T
                matrix[cell, cell] = ratio * matrix[before, before]
            if self.setting.per_sample:
                self.loss_correlation[cell, :low] = self.loss_correlation[low - 1, :low]
                self.loss_correlation[:low, cell] = self.loss_correlation[cell, :low].T
                self.loss_correlation[cell, cell] = self.loss_correlation[before, before]
            self.loss[cell] = self.loss[low - 1]
            if self.setting.fourth_moment:
                self.spread[:, :, cell] = self.spread[:, :, low - 1 : low]
            # Rows of X know only a part of the weights of their own cell.
            growth = self.cell_scale / (1 + self.setting.gamma * self.weight_norm[low - 1])
            self.drive[cell, :low] = growth * self.drive[low - 1, :low]
            self.drive[cell, cell] = self.cell_scale * self._within(low)
            return
        if self.setting.fourth_moment:
            self.spread[0, :, cell] = 1.0
        self.drive[cell, cell] = self._within(low)
        self.loss[cell] = quadrature.initial_loss
        noise = np.zeros((block, block))
        if self.setting.per_batch:
            noise = np.diag(quadrature.nodes @ self._noise(cell, self.loss[cell]))
        self.feature_correlation[cell, cell] = quadrature.target_weights @ quadrature.nodes**2 + noise
        self.gradient_correlation[cell, cell] = self.feature_correlation[cell, cell]
        if self.setting.per_sample:
            self.loss_correlation[cell, cell] = quadrature.initial_loss

    def _scale(self, low: int, high: int) -> Array:
        """Return what residuals of the packed values of a cell count relative to."""
        cell, scales = slice(low, high), []
        if self.setting.gamma:
            scales.append(np.tile(self.cell_scale * self.grid.weight[:high], high - low))
        for matrix in self._correlation_matrices():
            largest = np.sqrt(np.abs(np.diag(matrix[cell, cell])).max() * np.abs(matrix[0, 0]))
            scales.append(np.full((high - low) * high, largest))
        for part in self._noise_state(cell):
            largest = np.abs(part).max(axis=-1, keepdims=True)
            scales.append(np.broadcast_to(np.where(largest > 0, largest, 1.0), part.shape).ravel())
        return np.concatenate(scales)
