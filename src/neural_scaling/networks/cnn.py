r"""Convolutional networks of images with k outputs, trained as the perceptrons are, with hand-written gradients.

.. math::
    h^1 = (9C)^{-1/2}\, W^1 * x, \quad h^2 = (9N)^{-1/2}\, W^2 * P\phi(h^1), \quad h^3 = n^{-1/2}\, W^3 P\phi(h^2), \quad
    F = \tfrac{1}{8N}\, W^4 \phi(h^3), \quad f = \frac{F - F_{\rm init}}{\gamma_0}

W^1 and W^2 are 3x3 convolutions without padding with N and 2N filters, P averages 2x2 pixels, W^3 is dense from the n pixels and
channels that are left to 8N neurons. Weights are N(0, 1), there are no biases, and the step is
:math:`\eta_0\, 8N\, \gamma_0^2` for all weights: :mod:`~neural_scaling.networks.parametrization` with 8N, the fan-in of the
readout, as its width. Then the tangent kernel is of order one at any N. The layout (filters, pools, 8N neurons) is that of the
nearest public code of the paper's group, ``vision_tasks`` of ``Pehlevan-Group/Richness_Sweep``; the factors in front of the
weights are ours.

The rectifier commutes with positive factors, so all of them are one factor of the output and convolutions run on bare weights;
with another activation every layer has its own.
Images lie in memory with channels last, in which the convolutions of processors are fastest.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, conv2d, unfold

from neural_scaling.base.checks import instance, keep, keep_each, whole
from neural_scaling.base.devices import full_precision
from neural_scaling.base.monitor import Arrays, Monitor, Parts, scalar
from neural_scaling.base.tensors import check_tensor
from neural_scaling.networks.activations import Elementwise, Given, PowerReLU, activation
from neural_scaling.networks.mlp import Ensemble, Member, asked_for
from neural_scaling.networks.parametrization import hidden_scale
from neural_scaling.networks.seeding import standard_normal

__all__ = ["CNNEnsemble", "ImageShape", "LinearisedCNNEnsemble", "image_ensemble", "initial_filters"]

_SHAPE = "give an ImageShape"

_BLOCK = 500  # images evaluated at once where no gradient is needed
_JACOBIAN_BYTES = 2**29  # memory for gradients that a kernel is summed from
_NO_PADDING = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1)


@dataclass(frozen=True)
class ImageShape:
    """Shape of a convolutional network.

    Attributes
    ----------
    width
        N, filters of the first convolution; 2N of the second, 8N neurons.
    size
        Pixels of a side of the square images, at least 10.
    channels
        C.
    outputs
        k.
    activation
        phi, ReLU by default, as :func:`~neural_scaling.networks.activations.activation` takes it, with its constant.
    """

    width: int
    size: int = 28
    channels: int = 1
    outputs: int = 10
    activation: Given = "relu"

    def __post_init__(self) -> None:
        keep_each(self, whole, "width", "channels", "outputs")
        keep(self, size=whole(self.size, "size", "give images of at least 10 by 10 pixels", least=10))
        keep(self, activation=activation(self.activation))

    @property
    def phi(self) -> PowerReLU | Elementwise:
        """The activation."""
        return activation(self.activation)

    @property
    def inputs(self) -> int:
        """D, numbers of an image."""
        return self.size**2 * self.channels

    @property
    def readout(self) -> int:
        """Fan-in 8N of the readout, which the parametrization calls the width."""
        return 8 * self.width

    @property
    def flat(self) -> int:
        """Fan-in n of the dense layer, 2N times the pixels that are left."""
        left = ((self.size - 2) // 2 - 2) // 2
        return left**2 * 2 * self.width

    @property
    def layers(self) -> list[tuple[int, ...]]:
        """Shapes of the weights, (out, 3, 3, in) for the filters of convolutions and (in, out) for dense layers."""
        first, second = (self.width, 3, 3, self.channels), (2 * self.width, 3, 3, self.width)
        return [first, second, (self.flat, self.readout), (self.readout, self.outputs)]

    @property
    def factors(self) -> list[float]:
        """Factors of the arguments of the three layers of neurons, then that of the output, which with ReLU is all of them."""
        gain, fans = self.phi.gain, (9 * self.channels, 9 * self.width, self.flat)
        inner = [hidden_scale(fan) * (gain if layer else 1.0) for layer, fan in enumerate(fans)]
        outer = gain / self.readout
        return [1.0, 1.0, 1.0, math.prod(inner) * outer] if self.phi == PowerReLU() else [*inner, outer]

    @property
    def scale(self) -> float:
        """Factor of the output."""
        return self.factors[-1]


@dataclass(frozen=True)
class _Values:
    """What one evaluation leaves behind for the gradient: images (B, channels, side, side), then rows (B, ...).

    Arguments of the activation have names in h; with ReLU its value takes their memory.
    """

    image: torch.Tensor
    first_h: torch.Tensor
    first: torch.Tensor
    first_pooled: torch.Tensor
    second_h: torch.Tensor
    second: torch.Tensor
    flat: torch.Tensor
    dense_h: torch.Tensor
    dense: torch.Tensor


class CNNEnsemble(Ensemble):
    """Networks of one shape that learn features; see the module for the formulas.

    Parameters
    ----------
    shape, members, device, dtype
        As for :class:`~neural_scaling.networks.mlp.MLPEnsemble`.
    """

    _twin = "LinearisedCNNEnsemble, with members of richness 0"

    def __init__(
        self,
        shape: ImageShape,
        members: Sequence[Member],
        device: torch.device | str,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.shape = instance(shape, "shape", ImageShape, _SHAPE)
        self._phi, self._factors = shape.phi, shape.factors
        super().__init__(shape.readout, members, device, dtype, functools.partial(initial_filters, shape))
        # The output's factor 1/gamma_0 (one when linearised), and the step in units of the bare weights' gradient.
        self._outward = [scale.output_scale * shape.readout for scale in self.scales]
        self._steps = [
            scale.learning_rate * outward * shape.scale
            for scale, outward in zip(self.scales, self._outward, strict=True)
        ]

    @property
    def state(self) -> list[torch.Tensor]:
        """What training changes, layer by layer, shape (E, ...) with the shapes that ``ImageShape.layers`` gives."""
        return self._moved

    @torch.no_grad()
    def raw(self, x: torch.Tensor) -> torch.Tensor:
        """Return F, the output before centring and richness, shape (E, B, k).

        Parameters
        ----------
        x
            Images as rows with the channels of a pixel together, ``|x|^2 = D`` on average, shape (E, B, D).
        """
        self._check_inputs(x)
        return self._evaluated(x, self.weights)

    @torch.no_grad()
    def initial(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the initial network fixes at these inputs, F of the initial weights; see :meth:`raw`."""
        self._check_inputs(x)
        return self._evaluated(x, self._start)

    @torch.no_grad()
    def centred(self, x: torch.Tensor, frozen: torch.Tensor) -> torch.Tensor:
        """Return f, shape (E, B, k).

        Parameters
        ----------
        x
            Images, shape (E, B, D).
        frozen
            :meth:`initial` at these images, shape (E, B, k).
        """
        self._check_inputs(x)
        self._check_frozen(x, frozen)
        outward = torch.tensor(self._outward, device="cpu", dtype=self.dtype).to(x.device, non_blocking=True)
        return (self._evaluated(x, self.weights) - frozen) * outward[:, None, None]

    @torch.no_grad()
    def step(self, x: torch.Tensor, y: torch.Tensor, frozen: torch.Tensor) -> torch.Tensor:
        """Take one step on half the squared error of a batch, summed over outputs and averaged over images.

        Parameters
        ----------
        x, y, frozen
            Images (E, B, D), targets (E, B, k), :meth:`initial` at the images.

        Returns
        -------
        torch.Tensor
            Squared error of the batch before the step, mean over images and outputs, shape (E,).
        """
        self._check_inputs(x)
        check_tensor(y, "y", (*x.shape[:2], self.shape.outputs), self.dtype)
        self._check_frozen(x, frozen)
        errors = []
        with full_precision():
            for number in range(len(self.members)):
                weights = self._of(number, self.weights)
                values, output = self._forward(x[number], weights)
                error = y[number] - self._output(number, values, output, weights, frozen)
                coefficient = error * (self._steps[number] / error.shape[0])
                self._descend(values, coefficient, weights, self._of(number, self.state))
                errors.append(error.square().mean())
        return torch.stack(errors)

    @torch.no_grad()
    def tangent_kernel(self, x: torch.Tensor) -> torch.Tensor:
        """Return the tangent kernel at present, over images and outputs, by which f moves: ``df = eta_0 <K (y - f)>``.

        Gradients of every image and output are formed: for few images.

        Parameters
        ----------
        x
            Images, the same for all members, shape (n, D).

        Returns
        -------
        torch.Tensor
            Shape (E, n k, n k), rows ordered by image, then output.
        """
        check_tensor(x, "x", (None, self.shape.inputs), self.dtype)
        count, outputs = x.shape[0], self.shape.outputs
        kernels = []
        with full_precision():
            for number in range(len(self.members)):
                weights = self._of(number, self.weights)
                values, _ = self._forward(x, weights)
                repeated = _repeated(values, outputs)
                unit = torch.eye(outputs, device=x.device, dtype=self.dtype).repeat(count, 1)
                deltas = self._deltas(repeated, unit, weights)
                same = unit @ unit.T
                total = same * (repeated.dense @ repeated.dense.T)
                total += (repeated.flat @ repeated.flat.T) * (deltas[2] @ deltas[2].T)
                for delta, below in ((deltas[1], repeated.first_pooled), (deltas[0], repeated.image)):
                    rows = torch.bmm(unfold(below, 3), _pixels(delta)).flatten(1)
                    total += rows @ rows.T
                kernels.append(total * (self.shape.scale**2 * self.shape.readout))
        return torch.stack(kernels)

    @torch.no_grad()
    def mean_kernel(self, x: torch.Tensor, monitor: Monitor | None = None) -> torch.Tensor:
        """Return the tangent kernel of one output, averaged over outputs, summed layer by layer in float64.

        At infinite width, at the start, it is the kernel of every output, and outputs do not mix; the mean over outputs is closer
        to it than the kernel of one output. Gradients of the readout and of the dense layer are products of vectors, whose
        scalar products need no gradient; those of the convolutions are formed a group of filters at a time.

        Parameters
        ----------
        x
            Images, the same for all members, shape (n, D).
        monitor
            May keep the state and give it back.

        Returns
        -------
        torch.Tensor
            float64, shape (E, n, n).
        """
        check_tensor(x, "x", (None, self.shape.inputs), self.dtype)
        members = Parts(
            instance(Monitor() if monitor is None else monitor, "monitor", Monitor, "give a Monitor, or None")
        )
        kernels = [
            members.run(f"member {number}", functools.partial(self._mean_kernel, x, number))["kernel"]
            for number in range(len(self.members))
        ]
        return torch.from_numpy(np.stack(kernels)).to(x.device)

    @torch.no_grad()
    def _mean_kernel(self, x: torch.Tensor, number: int, monitor: Monitor) -> Arrays:
        """Return the mean kernel of a member, ``kernel``."""
        with full_precision():
            weights = self._of(number, self.weights)
            parts = [self._forward(part, weights)[0] for part in torch.split(x, _BLOCK)]
            names = ("flat", "dense_h", "dense")
            flat, dense_h, dense = (torch.cat([vars(part)[name] for part in parts]) for name in names)
            active = self._below(2, torch.ones_like(dense), dense_h, dense)
            strength = weights[3].square().mean(1)
            kernel = (dense @ dense.T).double()
            kernel += (flat @ flat.T).double() * ((active * strength) @ active.T).double()
            gram = _Gram(kernel, monitor)
            for output in range(gram.output, self.shape.outputs):
                unit = torch.zeros(_BLOCK, self.shape.outputs, device=x.device, dtype=self.dtype)
                unit[:, output] = 1
                deltas = [self._deltas(part, unit[: part.flat.shape[0]], weights) for part in parts]
                gram.begin(output)
                for layer, below in ((1, [part.first_pooled for part in parts]), (0, [p.image for p in parts])):
                    gram.add(below, [delta[layer] for delta in deltas], 1 / self.shape.outputs)
            kernel = kernel.tril() + kernel.tril(-1).T
            return {"kernel": (kernel * (self.shape.scale**2 * self.shape.readout)).cpu().numpy()}

    def _check_inputs(self, x: torch.Tensor) -> None:
        check_tensor(x, "x", (len(self.members), None, self.shape.inputs), self.dtype)

    def _check_frozen(self, x: torch.Tensor, frozen: torch.Tensor) -> None:
        check_tensor(frozen, "frozen", (*x.shape[:2], self.shape.outputs), self.dtype)

    def _of(self, number: int, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return the tensors of a member, filters as convolutions take them (out, in, 3, 3), sharing the memory."""
        first, second, dense, readout = (tensor[number] for tensor in tensors)
        return [first.permute(0, 3, 1, 2), second.permute(0, 3, 1, 2), dense, readout]

    def _evaluated(self, x: torch.Tensor, weights: list[torch.Tensor]) -> torch.Tensor:
        """Return F at the given weights, a block of images at a time."""
        outputs = []
        with full_precision():
            for number in range(len(self.members)):
                own = self._of(number, weights)
                parts = [self._forward(part, own)[1] for part in torch.split(x[number], _BLOCK)]
                outputs.append(torch.cat(parts) * self.shape.scale)
        return torch.stack(outputs)

    def _output(
        self, number: int, values: _Values, output: torch.Tensor, weights: list[torch.Tensor], frozen: torch.Tensor
    ) -> torch.Tensor:
        """Return f of a member, (B, k), from its bare output."""
        return (output * self.shape.scale - frozen[number]) * self._outward[number]

    def _forward(self, x: torch.Tensor, weights: list[torch.Tensor]) -> tuple[_Values, torch.Tensor]:
        """Return the values of all layers and the output, bare of factors, (B, k)."""
        shape = self.shape
        image = x.reshape(-1, shape.size, shape.size, shape.channels).permute(0, 3, 1, 2)
        first_h, first = self._active(0, conv2d(image, weights[0]))
        first_pooled = avg_pool2d(first, 2)
        second_h, second = self._active(1, conv2d(first_pooled, weights[1]))
        flat = avg_pool2d(second, 2).permute(0, 2, 3, 1).flatten(1)
        dense_h, dense = self._active(2, flat @ weights[2])
        values = _Values(image, first_h, first, first_pooled, second_h, second, flat, dense_h, dense)
        return values, dense @ weights[3]

    def _active(self, layer: int, bare: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return argument and value of the activation in a layer from the argument without its factor, whose memory is used."""
        h = bare if self._factors[layer] == 1 else bare.mul_(self._factors[layer])
        return h, self._phi.evaluate(h, h if self._phi.in_place else torch.empty_like(h))

    def _below(self, layer: int, gradient: torch.Tensor, h: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Return the gradient in the bare argument of a layer, in the memory of that in its value."""
        slope = self._phi.times_slope(gradient, h, value)
        return slope if self._factors[layer] == 1 else slope.mul_(self._factors[layer])

    def _below_pool(self, layer: int, gradient: torch.Tensor, h: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Return the gradient in the bare argument of a layer with a pool above it."""
        spread = torch.ops.aten.avg_pool2d_backward(gradient, value, [2, 2], [2, 2], [0, 0], False, True, None)
        return self._below(layer, spread, h, value)

    def _deltas(
        self, values: _Values, coefficient: torch.Tensor, weights: list[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the gradients of ``sum coefficient * output`` in the arguments of the three layers below the readout."""
        dense = self._below(2, coefficient @ weights[3].T, values.dense_h, values.dense)
        second = self._below_pool(1, self._folded(dense @ weights[2].T), values.second_h, values.second)
        below, _, _ = torch.ops.aten.convolution_backward(
            second, values.first_pooled, weights[1], None, *_NO_PADDING, [True, False, False]
        )
        return self._below_pool(0, below, values.first_h, values.first), second, dense

    def _descend(
        self, values: _Values, coefficient: torch.Tensor, weights: list[torch.Tensor], moved: list[torch.Tensor]
    ) -> None:
        """Add the gradient of ``sum coefficient * output`` at ``weights`` to ``moved``, which may be the same tensors."""
        gradient = coefficient @ weights[3].T
        moved[3].addmm_(values.dense.T, coefficient)
        delta = self._below(2, gradient, values.dense_h, values.dense)
        gradient = self._folded(delta @ weights[2].T)
        moved[2].addmm_(values.flat.T, delta)
        delta = self._below_pool(1, gradient, values.second_h, values.second)
        gradient, filters, _ = torch.ops.aten.convolution_backward(
            delta, values.first_pooled, weights[1], None, *_NO_PADDING, [True, True, False]
        )
        moved[1].add_(filters)
        delta = self._below_pool(0, gradient, values.first_h, values.first)
        _, filters, _ = torch.ops.aten.convolution_backward(
            delta, values.image, weights[0], None, *_NO_PADDING, [False, True, False]
        )
        moved[0].add_(filters)

    def _folded(self, flat: torch.Tensor) -> torch.Tensor:
        """Return rows (B, n) as images (B, 2N, side, side)."""
        side = math.isqrt(self.shape.flat // (2 * self.shape.width))
        return flat.view(-1, side, side, 2 * self.shape.width).permute(0, 3, 1, 2)


class LinearisedCNNEnsemble(CNNEnsemble):
    """The limit gamma_0 -> 0: expansions of networks about their initial weights, ``f = DF . V``, whose state is V.

    Parameters
    ----------
    shape, members, device, dtype
        As for :class:`CNNEnsemble`; all members have richness 0.
    """

    _linearised = True
    _twin = "CNNEnsemble for gamma_0 > 0"

    def _check_frozen(self, x: torch.Tensor, frozen: torch.Tensor) -> None:
        check_tensor(frozen, "frozen", (*x.shape[:2], 0), self.dtype)

    @torch.no_grad()
    def initial(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the initial network fixes at these inputs: nothing is kept, shape (E, B, 0)."""
        self._check_inputs(x)
        return x[..., :0]

    @torch.no_grad()
    def centred(self, x: torch.Tensor, frozen: torch.Tensor) -> torch.Tensor:
        """Return f; ``frozen`` has no part in it."""
        self._check_inputs(x)
        self._check_frozen(x, frozen)
        if not any(moved.any() for moved in self.state):  # the start, for which thousands of images need no pass
            return x.new_zeros(*x.shape[:2], self.shape.outputs)
        outputs = []
        with full_precision():
            for number in range(len(self.members)):
                weights = self._of(number, self.weights)
                parts = []
                for part in torch.split(x[number], _BLOCK):
                    values, output = self._forward(part, weights)
                    parts.append(self._output(number, values, output, weights, frozen))
                outputs.append(torch.cat(parts))
        return torch.stack(outputs)

    def _output(
        self, number: int, values: _Values, output: torch.Tensor, weights: list[torch.Tensor], frozen: torch.Tensor
    ) -> torch.Tensor:
        """Return the derivative of F along V of a member, (B, k)."""
        moved = self._of(number, self.state)
        change = self._below(0, conv2d(values.image, moved[0]), values.first_h, values.first)
        change = conv2d(values.first_pooled, moved[1]) + conv2d(avg_pool2d(change, 2), weights[1])
        change = self._below(1, change, values.second_h, values.second)
        change = avg_pool2d(change, 2).permute(0, 2, 3, 1).flatten(1)
        change = torch.addmm(values.flat @ moved[2], change, weights[2])
        change = self._below(2, change, values.dense_h, values.dense)
        return torch.addmm(values.dense @ moved[3], change, weights[3]) * self.shape.scale


def image_ensemble(
    shape: ImageShape, members: Sequence[Member], device: torch.device | str, dtype: torch.dtype | None = None
) -> CNNEnsemble:
    """Return the ensemble that the members' richness asks for, in the precision that it asks for.

    Parameters
    ----------
    shape, members, device, dtype
        As for :func:`~neural_scaling.networks.mlp.ensemble`.

    Raises
    ------
    InputError
        If a value is out of range, linearised members are mixed with others, or the device lacks the precision.
    """
    members, dtype, linearised = asked_for(members, device, dtype)
    return (LinearisedCNNEnsemble if linearised else CNNEnsemble)(shape, members, device, dtype)


def initial_filters(shape: ImageShape, seed: int) -> list[torch.Tensor]:
    """Draw the weights of one network, standard normal, the same on every device.

    Parameters
    ----------
    shape
        Of the network.
    seed
        A whole number from 0 on.

    Returns
    -------
    list of torch.Tensor
        float32 on the processor, with the shapes of :attr:`ImageShape.layers`.
    """
    shape = instance(shape, "shape", ImageShape, _SHAPE)
    return standard_normal(shape.layers, seed, 2)


def _pixels(images: torch.Tensor) -> torch.Tensor:
    """Return images (B, C, side, side) as (B, pixels, C)."""
    return images.flatten(2).transpose(1, 2)


def _repeated(values: _Values, times: int) -> _Values:
    """Return the values with each image repeated."""
    once = {id(part): part.repeat_interleave(times, dim=0) for part in vars(values).values()}
    return _Values(*(once[id(part)] for part in vars(values).values()))


class _Gram:
    """A kernel to whose lower half scalar products of gradients are added, with a safe point after each block of rows."""

    def __init__(self, kernel: torch.Tensor, monitor: Monitor) -> None:
        self._kernel, self._monitor = kernel, monitor
        self.output = self._block = self._done = 0  # blocks of the present output, so far and added before
        if (kept := monitor.restored()) is not None:
            kernel.copy_(torch.from_numpy(kept["sum"]))
            self.output, self._done = int(kept["output"]), int(kept["blocks"])

    def begin(self, output: int) -> None:
        """Turn to an output."""
        if output != self.output:
            self.output, self._done = output, 0
        self._block = 0

    def add(self, below: list[torch.Tensor], deltas: list[torch.Tensor], weight: float) -> None:
        """Add the scalar products of the gradients of a convolution, a group of filters at a time."""
        count, filters, patch = self._kernel.shape[0], deltas[0].shape[1], 9 * below[0].shape[1]
        group = max(1, min(filters, _JACOBIAN_BYTES // (count * patch * deltas[0].element_size())))
        tops = range(0, count, _BLOCK)  # the lower half, in blocks: the kernel is symmetric
        for start in range(0, filters, group):
            if self._block + len(tops) <= self._done:
                self._block += len(tops)
                continue
            rows = torch.cat(
                [
                    torch.bmm(unfold(images, 3), _pixels(delta[:, start : start + group])).flatten(1)
                    for images, delta in zip(below, deltas, strict=True)
                ]
            )
            for top in tops:
                self._block += 1
                if self._block > self._done:
                    part = self._kernel[top:, top : top + _BLOCK]
                    part += (rows[top:] @ rows[top : top + _BLOCK].T).double() * weight
                    self._monitor.safe_point(self._state)

    def _state(self) -> Arrays:
        return {"sum": self._kernel.cpu().numpy(), "output": scalar(self.output), "blocks": scalar(self._block)}
