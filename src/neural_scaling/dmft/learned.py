r"""The learned responses ``K_k = I - H_k = lambda_k Y (I + lambda_k Y)^{-1}`` of all modes, row by row.

``Y = X R_3 R_1`` is the loop through which the error of a mode acts back on itself; ``K_k 1`` is the part of the
target's mode k that has been learned. Rows are added in order, and two products are needed of all rows so far: a row of Y
with the responses ``H_k``, and rows with the transposed ``K_k``, summed over modes. :class:`StoredResponses` keeps every ``K_k``,
K R^2 numbers. :class:`ShiftedResponses` keeps Y alone and solves the K triangular systems ``x (I + lambda_k Y) = y`` together,
chunk of rows by chunk: the same matrix of Y serves all modes, so the work is products of a K x chunk with a chunk x R matrix.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from neural_scaling.base.arrays import Array
from neural_scaling.base.monitor import Arrays

_CHUNK = (
    32  # rows solved together: large enough for matrix products, small enough that the chunk's own inverse costs little
)

_CELLS = 30  # rows of a part of the past: whole cells of one or three rows


class LearnedResponses(ABC):
    """Rows of ``K_k`` so far."""

    def __init__(self, nodes: Array) -> None:
        self.nodes = nodes
        self.count = 0

    @abstractmethod
    def driven(self, rows: Array) -> Array:
        """Return ``lambda_k rows H_k`` on the rows so far; (s, p) gives (K, s, p)."""

    @abstractmethod
    def projected(self, rows: Array) -> Array:
        """Return ``sum_k rows_k K_k^T`` on the rows so far; (K, s, p) gives (s, p)."""

    @abstractmethod
    def append(self, loop: Array, learned: Array) -> None:
        """Add a cell: rows of Y, shape (s, p + s), and of every ``K_k``, shape (K, s, p + s)."""

    @abstractmethod
    def state(self) -> Arrays:
        """Return what a checkpoint keeps."""

    @abstractmethod
    def restore(self, state: Arrays, count: int) -> None:
        """Take over a kept state of ``count`` rows."""


class StoredResponses(LearnedResponses):
    """Every ``K_k`` in memory, modes last: all sums over past rows and modes are products of two matrices without a copy."""

    def __init__(self, nodes: Array, rows: int) -> None:
        super().__init__(nodes)
        self.learned = np.zeros((rows, rows, nodes.size))
        self.flat = self.learned.reshape(rows, rows * nodes.size)

    def _parts(self) -> list[tuple[int, int]]:
        """Return chunks of the rows so far; no row of one knows columns beyond its end."""
        return [(low, min(low + _CELLS, self.count)) for low in range(0, self.count, _CELLS)]

    def driven(self, rows: Array) -> Array:
        """See the base class."""
        modes = self.nodes.size
        total = np.zeros((rows.shape[0], self.count * modes))
        for low, high in self._parts():
            total[:, : high * modes] += rows[:, low:high] @ self.flat[low:high, : high * modes]
        of_modes = np.ascontiguousarray(total.reshape(*rows.shape, modes).transpose(2, 0, 1))
        return np.asarray(self.nodes[:, None, None] * (rows - of_modes))

    def projected(self, rows: Array) -> Array:
        """See the base class."""
        modes, block, count = rows.shape
        columns = np.ascontiguousarray(rows.transpose(2, 0, 1)).reshape(count * modes, block)
        parts = [self.flat[low:high, : high * modes] @ columns[: high * modes] for low, high in self._parts()]
        return np.concatenate([np.zeros((0, block)), *parts]).T

    def append(self, loop: Array, learned: Array) -> None:
        """See the base class."""
        end = self.count + loop.shape[0]
        self.learned[self.count : end, :end] = learned.transpose(1, 2, 0)
        self.count = end

    def state(self) -> Arrays:
        """See the base class."""
        return {"learned": self.learned[: self.count, : self.count].transpose(2, 0, 1)}

    def restore(self, state: Arrays, count: int) -> None:
        """See the base class."""
        self.learned[:count, :count] = state["learned"].transpose(1, 2, 0)
        self.count = count

    def sums(self, coefficients: npt.NDArray[np.complex128]) -> Array:
        """Return ``sum_k coefficients_jk H_k`` on the rows so far; complex (J, K) gives (J, p, p)."""
        stacked, count = np.concatenate([coefficients.real, coefficients.imag]).T, coefficients.shape[0]
        total = coefficients.sum(axis=1)[:, None, None] * np.eye(self.count)
        for low, high in self._parts():
            part = (self.learned[low:high, :high] @ stacked).transpose(2, 0, 1)
            total[:, low:high, :high] -= part[:count] + 1j * part[count:]
        return np.asarray(total)


class ShiftedResponses(LearnedResponses):
    """Y in memory, and of every ``K_k`` the chunks on its diagonal."""

    def __init__(self, nodes: Array, rows: int) -> None:
        super().__init__(nodes)
        self.loop = np.zeros((rows, rows))  # Y
        chunks = -(-rows // _CHUNK)
        self.diagonal = np.zeros((chunks, nodes.size, _CHUNK, _CHUNK))

    def driven(self, rows: Array) -> Array:
        """See the base class."""
        # Column by column of (I + lambda Y) from the last: x_J = lambda (rows - sum_{later} x Y)_J H_JJ.
        open_part = np.repeat(rows[None], self.nodes.size, axis=0)
        solved = np.empty_like(open_part)
        for chunk in range(-(-self.count // _CHUNK) - 1, -1, -1):
            low, high = chunk * _CHUNK, min((chunk + 1) * _CHUNK, self.count)
            inner = self.diagonal[chunk, :, : high - low, : high - low]
            part = self.nodes[:, None, None] * open_part[:, :, low:high]
            part -= part @ inner
            solved[:, :, low:high] = part
            if low:
                flat = part.reshape(-1, high - low) @ self.loop[low:high, :low]
                open_part[:, :, :low] -= flat.reshape(self.nodes.size, -1, low)
        return solved

    def projected(self, rows: Array) -> Array:
        """See the base class."""
        # Row by row of (I + lambda Y^T) from the first. K is found beside H, not as I - H, which would cancel.
        size, block, count = rows.shape
        gathered = np.zeros_like(rows)  # sum_{earlier} (rows H^T) Y^T
        total = np.empty((block, count))
        for chunk in range(-(-count // _CHUNK)):
            low, high = chunk * _CHUNK, min((chunk + 1) * _CHUNK, count)
            inner = self.diagonal[chunk, :, : high - low, : high - low]
            earlier = self.nodes[:, None, None] * gathered[:, :, low:high]
            left = rows[:, :, low:high] - earlier
            within = left @ inner.transpose(0, 2, 1)
            total[:, low:high] = (earlier + within).sum(axis=0)
            if high < count:
                left -= within
                flat = left.reshape(size * block, high - low) @ self.loop[high:count, low:high].T
                gathered[:, :, high:] += flat.reshape(size, block, count - high)
        return total

    def append(self, loop: Array, learned: Array) -> None:
        """See the base class."""
        if loop.shape[0] != 1:
            raise NotImplementedError("chunks are filled by single rows")
        row = self.count
        chunk, inside = divmod(row, _CHUNK)
        self.loop[row, : row + 1] = loop[0]
        self.diagonal[chunk, :, inside, : inside + 1] = learned[:, 0, chunk * _CHUNK :]
        self.count = row + 1

    def state(self) -> Arrays:
        """See the base class."""
        return {"loop": self.loop, "diagonal": self.diagonal}

    def restore(self, state: Arrays, count: int) -> None:
        """See the base class."""
        self.loop[...] = state["loop"]
        self.diagonal[...] = state["diagonal"]
        self.count = count
