"""A cell of a log-spaced grid, whose rows depend on each other: the iteration that finds them.

Iterated are the rows of X, from which the responses follow, and of the correlations. Iterating C3 instead of X would be far
worse conditioned: in it the white noise of a wide cell stands beside what cancels it.

At finite batch and gamma > 0 one direction a row is stiff. On a plateau noise wears the learned features off, the signal
restores them, and the balance sets the scale of every row of X; a change of it comes back multiplied by minus the time of the
cell over that of the wear, minus twenty and more. Three probes of these directions turn the iteration
of ``dmft.anderson`` into Newton's method there, and the first guess carries on what the two cells before did.
"""

from __future__ import annotations

import numpy as np

from neural_scaling.base.arrays import Array
from neural_scaling.dmft.anderson import fixed_point
from neural_scaling.dmft.diverged import NotConverged
from neural_scaling.dmft.fast_noise import cell_noise
from neural_scaling.dmft.march import March

#: Residual of the correlations of a cell, relative to the largest of their row, that is aimed at, and that is accepted: late on a
#: plateau C3 vanishes and rounding of the sums that cancel in it is all that is left of it.
_TOLERANCE = 1e-8
_ACCEPTED = 1e-4
#: Rounding of a term of the loss relative to the loss of the untrained model; many of them add up.
_ROUNDING = 1e-16
_ITERATIONS = 300
_MIXINGS = (1.0, 0.2)  # parts of the residual added in a step, tried in turn
_PROBE = 1e-4  # relative change of a row of X: far above rounding, far below the changes at which the equations bend
#: The kernel grows or decays less than this from a cell to the next, once there are a few: more is another solution.
_LARGEST_CHANGE = 4.0


def advance(march: March) -> None:
    """Solve the next cell of either grid; its rows are the next ones of all order parameters."""
    low, high = march.count, march.count + march.grid.block
    if march.grid.explicit:
        march.fill_drive(low, high)
        learned, loop = march.fill_responses(low, high)
        march.fill_correlations(low, high, learned)
    else:
        learned, loop = solve_cell(march, low, high)
        march.weight_norm_correction[low:high] = march.cell_noise.weight_norm
    march.append(low, high, learned, loop)


def solve_cell(march: March, low: int, high: int) -> tuple[Array, Array]:
    """Fill the rows ``low`` to ``high`` of all order parameters."""
    return _ImplicitCell(march, low, high).solve()


class _ImplicitCell:
    def __init__(self, march: March, low: int, high: int) -> None:
        self.march, self.low, self.high = march, low, high
        self.cell = slice(low, high)
        self.views = self._views()
        self.solved: tuple[Array, Array] | None = None
        self._guess()
        self.expected = float(march.cell_scale[0])

    def solve(self) -> tuple[Array, Array]:
        march, start = self.march, self._pack()
        scale = self._scale()
        # The scale counts for the noise within the cell, and with gamma > 0 it follows from the noise.
        probes = self._probes if march.setting.per_batch and march.setting.gamma else None
        rounding = _ROUNDING * march.quadrature.initial_loss / march.loss[self.high - 1]
        tolerance, accepted = max(_TOLERANCE, rounding), max(_ACCEPTED, 100 * rounding)
        for mixing in _MIXINGS:
            value, residual = fixed_point(self._update, start, scale, tolerance, _ITERATIONS, mixing, probes=probes)
            if residual <= accepted:
                break
        begin = float(march.grid.time[self.low - 1]) if self.low else 0.0
        if not residual <= accepted:
            raise NotConverged(begin, f"residual {residual:.2g}")
        change = float(march.cell_scale[0]) / self.expected
        if not 1 / _LARGEST_CHANGE < change < _LARGEST_CHANGE:
            raise NotConverged(begin, f"another solution, its kernel {change:.2g} times the expected one")
        if residual > tolerance:
            self._update(value)
        march.residual = max(march.residual, residual)
        if not march.setting.gamma:
            march.fill_drive(self.low, self.high)  # for C_w, which the rest does not need
        assert self.solved is not None
        return self.solved

    def _update(self, packed: Array) -> Array:
        march, low, high = self.march, self.low, self.high
        self._unpack(packed)
        if march.setting.per_batch:
            self._set_noise()
        if march.setting.gamma or self.solved is None:
            self.solved = march.fill_responses(low, high)
        march.fill_correlations(low, high, self.solved[0])
        if march.setting.gamma:
            march.fill_drive(low, high)
            norm = march.weight_correlation[high - 1, high - 1] + march.cell_noise.weight_norm[-1]
            march.cell_scale[0] = 1 + march.setting.gamma * norm
        return self._pack()

    def _set_noise(self) -> None:
        march = self.march
        strength = march.setting.per_batch * march.grid.eta * march.loss[self.cell]
        width = float(march.grid.weight[self.cell].sum())
        march.cell_noise = cell_noise(march.spectrum, width, float(march.cell_scale[0]), strength)

    def _views(self) -> dict[str, Array]:
        """Return all that is iterated."""
        march, rows = self.march, (self.cell, slice(0, self.high))
        views = {"drive": march.drive[rows]} if march.setting.gamma else {}
        views |= {f"correlation {number}": matrix[rows] for number, matrix in enumerate(self._correlations())}
        if march.setting.per_sample:
            return views
        views["loss"] = march.loss[self.cell]
        if march.setting.per_batch and march.setting.gamma:
            views["kernel"] = march.cell_scale
        if march.setting.fourth_moment:
            views["spread"] = march.spread[:, :, self.cell]
        return views

    def _correlations(self) -> list[Array]:
        """Return the correlations that are iterated; C3 follows from them."""
        march = self.march
        return [march.gradient_correlation] + ([march.loss_correlation] if march.setting.per_sample else [])

    def _pack(self) -> Array:
        return np.concatenate([view.ravel() for view in self.views.values()])

    def _unpack(self, packed: Array) -> None:
        begin = 0
        for view in self.views.values():
            view[...] = packed[begin : begin + view.size].reshape(view.shape)
            begin += view.size
        for matrix in self._correlations():
            matrix[: self.low, self.cell] = matrix[self.cell, : self.low].T

    def _scale(self) -> Array:
        """Return what residuals of the packed values count relative to."""
        scales = [np.broadcast_to(self._scale_of(name, view), view.shape) for name, view in self.views.items()]
        return np.concatenate([scale.ravel() for scale in scales])

    def _scale_of(self, name: str, view: Array) -> Array:
        march = self.march
        if name == "drive":
            return march.cell_scale * march.grid.weight[: self.high]
        if name.startswith("correlation"):
            first = self._correlations()[int(name.split()[1])][0, 0]
            return np.asarray(np.sqrt(np.abs(np.diag(view[:, self.cell])).max() * np.abs(first)))
        if name == "kernel":
            return view.copy()
        loss = np.max(march.loss[self.cell])
        if name == "loss":
            return np.asarray(loss)
        # What the variance of a mode adds to the loss counts, not its own digits, which decay far below.
        quadrature = march.quadrature
        of_modes = loss / (quadrature.nodes * np.array([quadrature.target_weights, quadrature.weights]))
        return np.asarray(of_modes)[:, :, None]

    def _probes(self, packed: Array) -> list[Array]:
        """Return a small change of every row of X."""
        probes = []
        for row in range(self.high - self.low):
            of_row = slice(row * self.high, (row + 1) * self.high)
            probe = np.zeros_like(packed)
            probe[of_row] = _PROBE * packed[of_row]
            probes.append(probe)
        return probes

    def _guess(self) -> None:
        """Set the rows of the cell to what the cells before it make expect, or to those of the untrained model."""
        march, low, high, cell = self.march, self.low, self.high, self.cell
        block = high - low
        if not low:
            self._untrained()
        elif low < 4 * block:
            march.cell_scale[0] = 1 + march.setting.gamma * march.weight_norm[low - 1]
            march.loss[cell] = march.loss[low - 1]
            # Rows of X know only a part of the weights of their own cell.
            march.drive[cell, :low] = march.drive[low - 1, :low]
            march.drive[cell, cell] = march.cell_scale * march.within(low)
            for matrix in self._correlations():
                matrix[cell, :low] = matrix[low - block : low, :low]
                matrix[cell, low - block : low] = matrix[
                    low - block : low, max(0, low - 2 * block) : max(block, low - block)
                ]
                matrix[:low, cell] = matrix[cell, :low].T
                matrix[cell, cell] = matrix[low - block : low, low - block : low]
        else:
            scales = 1 + march.setting.gamma * march.weight_norm[[low - 1, low - 1 - block]]
            march.cell_scale[0] = scales[0] * float(_ratio(scales[0], scales[1]))
            march.loss[cell] = march.loss[low - block : low] * _ratio(
                march.loss[low - block : low], march.loss[low - 2 * block : low - block]
            )
            weight = march.grid.weight[:high]
            march.drive[cell, :high] = _carried_on(march.drive[:low, :low] / weight[:low], block) * weight
            for matrix in self._correlations():
                matrix[cell, :high] = _carried_on(matrix[:low, :low], block)
                matrix[:low, cell] = matrix[cell, :low].T
        if low and march.setting.fourth_moment:
            march.spread[:, :, cell] = march.spread[:, :, low - 1 : low]

    def _untrained(self) -> None:
        march, cell, quadrature = self.march, self.cell, self.march.quadrature
        march.cell_scale[0] = 1.0
        march.loss[cell] = quadrature.initial_loss
        march.drive[cell, cell] = march.within(self.low)
        if march.setting.fourth_moment:
            march.spread[0, :, cell] = 1.0
        march.gradient_correlation[cell, cell] = quadrature.target_weights @ quadrature.nodes**2
        if march.setting.per_batch:
            march.gradient_correlation[cell, cell] += np.diag(quadrature.nodes @ march.noise(cell, march.loss[cell]))
        if march.setting.per_sample:
            march.loss_correlation[cell, cell] = quadrature.initial_loss


def _carried_on(known: Array, block: int) -> Array:
    """Return the rows of the next cell if they change as they did from the last cell but one to the last."""
    low = known.shape[0]
    before, earlier = known[low - block :], known[low - 2 * block : low - block]
    far = low - 2 * block
    rows = np.empty((block, low + block))
    rows[:, :far] = before[:, :far] * _ratio(before[:, :far], earlier[:, :far])
    # Near the diagonal rows depend on the age: the same distance from it, not the same column.
    near, elder = before[:, far - block :], earlier[:, far - 2 * block : low - block]
    rows[:, far:] = near * _ratio(near, elder)
    return rows


def _ratio(new: Array, old: Array) -> Array:
    """Return ``new / old`` where that is a moderate change."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = new / old
    return np.clip(np.where(np.isfinite(ratio), ratio, 1.0), 0.5, 2.0)
