r"""Online data on the circle: inputs, targets and the exact test loss.

Angles are drawn from G equidistant ones, none of them 0. With G = 2^17 that is a continuum for networks that resolve modes k up
to a few hundred, and it makes centring cheap: the initial network is evaluated once at all G inputs, and later steps look its
output up, exactly, instead of carrying a frozen copy through every batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from neural_scaling.base.checks import array, require, whole
from neural_scaling.base.devices import find_device
from neural_scaling.base.tensors import check_numbers, check_tensor, float_type
from neural_scaling.models.circle import tail, target

__all__ = ["ANGLES", "KERNEL_ANGLES", "TEST_ANGLES", "CircleData"]

#: Angles that batches are drawn from.
ANGLES = 2**17
#: Angles at which the test loss is taken, which resolves modes below half of that.
TEST_ANGLES = 2048
#: Angles at which the tangent kernel is followed.
KERNEL_ANGLES = 128


class CircleData:
    """Targets ``sum_k k^-q cos(k theta)`` at inputs ``sqrt(2) (cos theta, sin theta)``, one target per member.

    Samples are drawn with replacement.

    Parameters
    ----------
    decays
        q of each member's target, above 1/2.
    device, dtype
        Where and how the data are held.
    angles, test_angles
        Numbers of equidistant angles for training and for the test loss.
    """

    replacement = True

    def __init__(
        self,
        decays: Sequence[float],
        device: torch.device | str,
        dtype: torch.dtype,
        angles: int = ANGLES,
        test_angles: int = TEST_ANGLES,
    ) -> None:
        decays = array(decays, "decays", above=0.5).tolist()
        device, dtype = find_device(device), float_type(dtype)
        angles, test_angles = whole(angles, "angles", least=4), whole(test_angles, "test_angles", least=4)
        require(test_angles % 2 == 0, "test_angles", f"got {test_angles!r}", "give an even number")
        theta = 2 * math.pi * (np.arange(angles) + 0.5) / angles
        distinct = {q: target(theta, q) for q in decays}
        rows = {q: row for row, q in enumerate(distinct)}
        self.inputs = torch.tensor(points(theta), device=device, dtype=dtype)
        self._values = torch.tensor(np.stack(list(distinct.values())), device=device, dtype=dtype)
        self._rows = torch.tensor([rows[q] for q in decays], device=device)[:, None]
        self.test_inputs = torch.tensor(
            points(2 * math.pi * np.arange(test_angles) / test_angles), device=device, dtype=dtype
        )
        #: Every so many of the test inputs, for the kernel.
        self.kernel_inputs = self.test_inputs[:: max(1, test_angles // KERNEL_ANGLES)]
        modes = np.arange(1, test_angles // 2)
        cosines = np.stack([modes**-q for q in decays])
        self._cosines = torch.tensor(cosines, device=device, dtype=dtype)
        beyond = [tail(q, test_angles // 2) for q in decays]
        self._tails = torch.tensor(beyond, device=device, dtype=dtype)

    @property
    def count(self) -> int:
        """Number of angles."""
        return int(self.inputs.shape[0])

    def take(self, index: torch.Tensor) -> torch.Tensor:
        """Return training inputs by number, with one more dimension than the numbers."""
        check_numbers(index, "index")
        return self.inputs[index]

    def targets(self, index: torch.Tensor) -> torch.Tensor:
        """Return the targets at training inputs, shape (E, B).

        Parameters
        ----------
        index
            Numbers of the inputs, shape (E, B).
        """
        check_tensor(index, "index", (len(self._rows), None), torch.int64)
        return self._values[self._rows, index]

    def loss(self, output: torch.Tensor) -> torch.Tensor:
        """Return the population loss ``E (y - f)^2`` over the whole circle, shape (E,).

        By Parseval: mode by mode below half the number of test angles, and above that the target's own variance, since the
        network has learned nothing there. Squares of a target that is infinite at 0 are never summed over a grid.

        Parameters
        ----------
        output
            f at ``test_inputs``, shape (E, n).
        """
        check_tensor(output, "output", (len(self._rows), len(self.test_inputs)), self.test_inputs.dtype)
        series = torch.fft.rfft(output) / output.shape[1]
        cosine, sine = 2 * series.real[:, 1:-1], 2 * series.imag[:, 1:-1]
        learned = ((self._cosines - cosine).square() + sine.square()).sum(1) / 2
        total: torch.Tensor = series.real[:, 0].square() + learned + self._tails
        return total


def points(
    theta: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return inputs with ``|x|^2 = 2``, shape (G, 2)."""
    return math.sqrt(2) * np.stack([np.cos(theta), np.sin(theta)], axis=1)
