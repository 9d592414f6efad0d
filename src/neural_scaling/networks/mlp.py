r"""Multilayer perceptrons, many trained at once, with hand-written gradients.

All members of an ensemble have one shape and differ in seed, richness and learning rate. Weights of a layer are one tensor
with the members in front, so a step of all members is a few batched matrix products: three per hidden layer (forward,
gradient of the input, gradient of the weights, the last added to the weights in the same call). Constants (N^(-1/2), the
gain of the activation, the step size) are folded into those products, so a step does little else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch

from neural_scaling.base.checks import instance, instances, keep, keep_each, require, whole
from neural_scaling.base.checks import seed as checked_seed
from neural_scaling.base.devices import find_device, working_dtype
from neural_scaling.base.tensors import check_tensor, float_type
from neural_scaling.networks.activations import Elementwise, Given, PowerReLU, activation
from neural_scaling.networks.parametrization import Parametrization, hidden_scale, precision
from neural_scaling.networks.seeding import standard_normal

__all__ = ["LinearisedEnsemble", "MLPEnsemble", "Member", "Shape", "ensemble", "initial_weights"]

_SHAPE = "give a Shape"


@dataclass(frozen=True)
class Member:
    """What tells the members of an ensemble apart.

    Attributes
    ----------
    seed
        Of the initial weights and of the data stream.
    richness
        gamma_0; 0 is the linearised network.
    eta
        eta_0.
    """

    seed: int
    richness: float
    eta: float

    def __post_init__(self) -> None:
        scale = Parametrization(1, self.richness, self.eta)
        keep(self, richness=scale.richness, eta=scale.eta, seed=checked_seed(self.seed))


def check_members(members: Sequence[Member]) -> tuple[Member, ...]:
    """Return the members of an ensemble, at least one."""
    return tuple(instances(members, "members", Member, "give a list of Member, at least one"))


@dataclass(frozen=True)
class Shape:
    """Shape of a multilayer perceptron with one output.

    Attributes
    ----------
    depth
        L, number of layers of weights, at least 2; there are L - 1 layers of neurons.
    width
        N.
    inputs
        D.
    power
        q_phi of the activation ``[h]_+^q_phi``.
    activation
        Another activation instead, as :func:`~neural_scaling.networks.activations.activation` takes it; ``power`` is 1 then.
    """

    depth: int
    width: int
    inputs: int = 2
    power: float = 1.0
    activation: Given | None = None

    def __post_init__(self) -> None:
        keep_each(self, whole, "width", "inputs")
        keep_each(self, whole, "depth", remedy="give at least 2 layers of weights", least=2)
        keep(self, power=PowerReLU(self.power).power)
        if self.activation is not None:
            require(self.power == 1, "power", f"got {self.power:g} beside an activation", "give one of the two")
            keep(self, activation=activation(self.activation))

    @property
    def phi(self) -> PowerReLU | Elementwise:
        """The activation."""
        return PowerReLU(self.power) if self.activation is None else activation(self.activation)


class Ensemble:
    """What ensembles of perceptrons and of convolutional networks share: members with their scales, and weights."""

    _linearised: ClassVar[bool] = False
    _twin: ClassVar[str]  # for members of the other kind

    def __init__(
        self,
        width: int,
        members: Sequence[Member],
        device: torch.device | str,
        dtype: torch.dtype,
        draw: Callable[[int], list[torch.Tensor]],
    ) -> None:
        self.members = check_members(members)
        device, self.dtype = find_device(device), float_type(dtype)
        self.scales = [Parametrization(width, member.richness, member.eta) for member in self.members]
        fits = all(scale.linearised == self._linearised for scale in self.scales)
        require(fits, "richness", f"is {'positive' if self._linearised else 0} for a member", f"use {self._twin}")
        layers = zip(*(draw(member.seed) for member in self.members), strict=True)
        self.weights = [torch.stack(layer).to(device, dtype) for layer in layers]
        self._start, self._moved = [weight.clone() for weight in self.weights], self.weights
        if self._linearised:  # the weights stay, and their displacement moves
            self._start, self._moved = self.weights, [torch.zeros_like(weight) for weight in self.weights]


class MLPEnsemble(Ensemble):
    """Networks ``f = (F - F_init)/gamma_0`` of one shape, as :mod:`~neural_scaling.networks.parametrization` scales them.

    Parameters
    ----------
    shape
        Of every member.
    members
        At least one, none linearised.
    device
        Where the weights are, or the name that :func:`~neural_scaling.base.devices.find_device` takes.
    dtype
        ``torch.float32`` or ``torch.float64``.
    """

    _twin = "LinearisedEnsemble, with members of richness 0 only"

    def __init__(
        self, shape: Shape, members: Sequence[Member], device: torch.device | str, dtype: torch.dtype = torch.float32
    ) -> None:
        self.shape = instance(shape, "shape", Shape, _SHAPE)
        super().__init__(shape.width, members, device, dtype, partial(initial_weights, shape))
        device, self.activation = self.weights[0].device, shape.phi
        self._spaces: dict[tuple[str, int], torch.Tensor] = {}
        fan_in = [shape.inputs] + [shape.width] * (shape.depth - 2)
        gain = [1.0] + [self.activation.gain] * (shape.depth - 2)
        self._factors = [g * hidden_scale(n) for g, n in zip(gain, fan_in, strict=True)]
        self._readout = self.activation.gain / shape.width
        outward = [scale.output_scale * shape.width for scale in self.scales]
        self._outward = torch.tensor(outward, device=device, dtype=dtype)[:, None]
        steps = [scale.learning_rate * factor for scale, factor in zip(self.scales, outward, strict=True)]
        self._steps = torch.tensor(steps, device=device, dtype=dtype)[:, None]

    @property
    def state(self) -> list[torch.Tensor]:
        """What training changes, of the shape of each layer's weights, (E, fan-in, fan-out), the readout (E, N, 1) last."""
        return self._moved

    def raw(self, x: torch.Tensor) -> torch.Tensor:
        """Return F, the output before centring and richness, shape (E, B).

        Parameters
        ----------
        x
            Inputs with ``|x|^2 = D``, shape (E, B, D).
        """
        self._check_inputs(x)
        return self._output(x, self.weights)

    def initial(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the initial weights fix at inputs and a step needs: F of these weights.

        Parameters
        ----------
        x
            Inputs, shape (E, B, D).

        Returns
        -------
        torch.Tensor
            The same before and after training, shape (E, B).
        """
        self._check_inputs(x)
        return self._output(x, self._start)

    def arguments(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the arguments of the activations of every hidden layer.

        Parameters
        ----------
        x
            Inputs, shape (E, B, D).

        Returns
        -------
        list of torch.Tensor
            L - 1 of shape (E, B, N).
        """
        self._check_inputs(x)
        found, previous = [], x
        for weight, factor in zip(self.weights[:-1], self._factors, strict=True):
            h = factor * torch.bmm(previous, weight)
            found.append(h)
            previous = self.activation.evaluate(h, torch.empty_like(h))
        return found

    def centred(self, x: torch.Tensor, frozen: torch.Tensor) -> torch.Tensor:
        """Return f, shape (E, B).

        Parameters
        ----------
        x
            Inputs, shape (E, B, D).
        frozen
            :meth:`initial` at these inputs.
        """
        self._check_inputs(x)
        self._check_frozen(x, frozen)
        return (self._output(x, self.weights) - frozen) * self._outward

    def step(self, x: torch.Tensor, y: torch.Tensor, frozen: torch.Tensor) -> torch.Tensor:
        """Take one step on half the mean squared error of a batch.

        Parameters
        ----------
        x, y, frozen
            Inputs (E, B, D), targets (E, B), :meth:`initial` at the inputs.

        Returns
        -------
        torch.Tensor
            Mean squared error of the batch before the step, shape (E,).
        """
        self._check_inputs(x)
        check_tensor(y, "y", x.shape[:2], self.dtype)
        self._check_frozen(x, frozen)
        arguments, values = self._forward(x, self.weights)
        output = torch.bmm(values[-1], self.weights[-1]).squeeze(2) * self._readout
        error = y - (output - frozen) * self._outward
        coefficient = error * (self._steps / error.shape[1])
        self._descend(x, arguments, values, coefficient, self.weights)
        return error.square().mean(1)

    def tangent_kernel(self, x: torch.Tensor) -> torch.Tensor:
        """Return the tangent kernel at present, by which f moves: ``df(x) = eta_0 <K(x, x') (y - f)(x')>`` over a batch.

        Gradients of a sample with respect to a layer are products of two vectors, so their scalar products are products of Gram
        matrices and no gradient is formed.

        Parameters
        ----------
        x
            Inputs, the same for all members, shape (n, D).

        Returns
        -------
        torch.Tensor
            Shape (E, n, n); its diagonal is about L at the start.
        """
        check_tensor(x, "x", (None, self.shape.inputs), self.dtype)
        inputs = x.expand(len(self.members), -1, -1)
        arguments, values = self._forward(inputs, self.weights)
        kernel = self._readout**2 * _gram(values[-1])
        gradient = self._readout * self.weights[-1].transpose(1, 2).expand_as(values[-1]).clone()
        for layer in range(len(values) - 1, -1, -1):
            delta = self.activation.times_slope(gradient, arguments[layer], values[layer])
            below = values[layer - 1] if layer > 0 else inputs
            kernel += self._factors[layer] ** 2 * _gram(below) * _gram(delta)
            gradient = self._factors[layer] * torch.bmm(delta, self.weights[layer].transpose(1, 2))
        return kernel * self.shape.width

    def _check_inputs(self, x: torch.Tensor) -> None:
        check_tensor(x, "x", (len(self.members), None, self.shape.inputs), self.dtype)

    def _check_frozen(self, x: torch.Tensor, frozen: torch.Tensor) -> None:
        check_tensor(frozen, "frozen", x.shape[:2], self.dtype)

    def _output(self, x: torch.Tensor, weights: list[torch.Tensor]) -> torch.Tensor:
        last = self._forward(x, weights)[1][-1]
        return torch.bmm(last, weights[-1]).squeeze(2) * self._readout

    def _forward(self, x: torch.Tensor, weights: list[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return arguments and values (without gain) of the activations, (E, B, N), in memory that the next call uses again."""
        arguments, values = [], []
        previous = x
        for layer, (weight, factor) in enumerate(zip(weights[:-1], self._factors, strict=True)):
            h = _product(previous, weight, factor, self._space(f"argument {layer}", x))
            room = h if self.activation.in_place else self._space(f"value {layer}", x)
            previous = self.activation.evaluate(h, room)
            arguments.append(h)
            values.append(previous)
        return arguments, values

    def _descend(
        self,
        x: torch.Tensor,
        arguments: list[torch.Tensor],
        values: list[torch.Tensor],
        coefficient: torch.Tensor,
        moved: list[torch.Tensor],
    ) -> None:
        """Add ``coefficient * dF/dweights``, summed over the batch, to ``moved``; gradients are at ``self.weights``."""
        last = len(values) - 1
        gradient = self._space(f"gradient {last % 2}", x)
        torch.mul((coefficient * self._readout)[:, :, None], self.weights[-1].transpose(1, 2), out=gradient)
        moved[-1].baddbmm_(values[-1].transpose(1, 2), coefficient[:, :, None], alpha=self._readout)
        for layer in range(last, -1, -1):
            delta = self.activation.times_slope(gradient, arguments[layer], values[layer])
            below = values[layer - 1] if layer > 0 else x
            if layer > 0:  # before this layer's weights move
                room = self._space(f"gradient {(layer - 1) % 2}", x)
                gradient = _product(delta, self.weights[layer].transpose(1, 2), self._factors[layer], room)
            moved[layer].baddbmm_(below.transpose(1, 2), delta, alpha=self._factors[layer])

    def _space(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """Return memory for one value per member, sample and neuron; asking for fresh memory costs a tenth of a step."""
        key = (name, x.shape[1])
        if key not in self._spaces:
            self._spaces[key] = x.new_empty((len(self.members), x.shape[1], self.shape.width))
        return self._spaces[key]


class LinearisedEnsemble(MLPEnsemble):
    """The limit gamma_0 -> 0: first-order expansions of networks about their initial weights, ``f = DF . V``.

    The gradient of F with respect to a layer's weights at one input is a product of two vectors that the initial weights fix
    for good, the layer's input and the derivative with respect to its argument. They are what :meth:`initial` returns; a step
    that finds them in a table needs two matrix products a layer instead of four. The state is the displacement V.

    Parameters
    ----------
    shape, members, device, dtype
        As for :class:`MLPEnsemble`; all members have richness 0.
    """

    _linearised = True
    _twin = "MLPEnsemble for gamma_0 > 0"

    def _check_frozen(self, x: torch.Tensor, frozen: torch.Tensor) -> None:
        both = 2 * (self.shape.depth - 1) * self.shape.width
        check_tensor(frozen, "frozen", (*x.shape[:2], both), self.dtype)

    def initial(self, x: torch.Tensor) -> torch.Tensor:
        """Return values of the activations and derivatives of F with respect to their arguments.

        Parameters
        ----------
        x
            Inputs, shape (E, B, D).

        Returns
        -------
        torch.Tensor
            Values (without gain) of each hidden layer, then derivatives of each, shape (E, B, 2 (L - 1) N).
        """
        self._check_inputs(x)
        arguments, values = self._forward(x, self.weights)
        last = len(values) - 1
        gradient = self._readout * self.weights[-1].transpose(1, 2).expand_as(values[-1])
        derivatives = []
        for layer in range(last, -1, -1):
            derivatives.append(self.activation.times_slope(gradient.contiguous(), arguments[layer], values[layer]))
            gradient = self._factors[layer] * torch.bmm(derivatives[-1], self.weights[layer].transpose(1, 2))
        return torch.cat([*values, *derivatives[::-1]], dim=2)

    def centred(self, x: torch.Tensor, frozen: torch.Tensor) -> torch.Tensor:
        """Return f; see :meth:`MLPEnsemble.centred`."""
        self._check_inputs(x)
        self._check_frozen(x, frozen)
        return self._tangent(*self._features(x, frozen))

    def step(self, x: torch.Tensor, y: torch.Tensor, frozen: torch.Tensor) -> torch.Tensor:
        """Take one step of V on half the mean squared error of a batch; see :meth:`MLPEnsemble.step`."""
        self._check_inputs(x)
        check_tensor(y, "y", x.shape[:2], self.dtype)
        self._check_frozen(x, frozen)
        below, derivatives = self._features(x, frozen)
        error = y - self._tangent(below, derivatives)
        coefficient = (error * (self._steps / error.shape[1]))[:, :, None]
        for layer, derivative in enumerate(derivatives):
            scaled = torch.mul(coefficient, derivative, out=self._space("scaled", x))
            self._moved[layer].baddbmm_(below[layer].transpose(1, 2), scaled, alpha=self._factors[layer])
        self._moved[-1].baddbmm_(below[-1].transpose(1, 2), coefficient, alpha=self._readout)
        return error.square().mean(1)

    def _features(self, x: torch.Tensor, frozen: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return the inputs of every layer and the derivatives of the hidden ones."""
        parts = torch.split(frozen, self.shape.width, dim=2)
        hidden = self.shape.depth - 1
        return [x, *parts[:hidden]], list(parts[hidden:])

    def _tangent(self, below: list[torch.Tensor], derivatives: list[torch.Tensor]) -> torch.Tensor:
        """Return the derivative of F along V, shape (E, B)."""
        output = torch.bmm(below[-1], self._moved[-1]).squeeze(2) * self._readout
        for layer, derivative in enumerate(derivatives):
            room = self._space("along", below[0])
            along = _product(below[layer], self._moved[layer], self._factors[layer], room)
            output += along.mul_(derivative).sum(2)
        return output


def ensemble(
    shape: Shape, members: Sequence[Member], device: torch.device | str, dtype: torch.dtype | None = None
) -> MLPEnsemble:
    """Return the ensemble that the members' richness asks for, in the precision that it asks for.

    Parameters
    ----------
    shape, members
        Of the networks; either all members are linearised or none.
    device
        Where.
    dtype
        By default the highest precision that a member needs.

    Raises
    ------
    InputError
        If a value is out of range or linearised members are mixed with others.
    """
    members, dtype, linearised = asked_for(members, device, dtype)
    return (LinearisedEnsemble if linearised else MLPEnsemble)(shape, members, device, dtype)


def asked_for(
    members: Sequence[Member], device: torch.device | str, dtype: torch.dtype | None
) -> tuple[tuple[Member, ...], torch.dtype, bool]:
    """Return the members of an ensemble, the precision that they ask for, and whether the first is linearised."""
    members = check_members(members)
    dtype = working_dtype([precision(member.richness) for member in members], device, dtype)
    return members, dtype, members[0].richness == 0


def initial_weights(shape: Shape, seed: int) -> list[torch.Tensor]:
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
        float32 on the processor, (fan-in, fan-out) of each layer.
    """
    shape = instance(shape, "shape", Shape, _SHAPE)
    sizes = [shape.inputs, *[shape.width] * (shape.depth - 1), 1]
    return standard_normal(itertools.pairwise(sizes), seed, 0)


def _gram(rows: torch.Tensor) -> torch.Tensor:
    """Return the scalar products of the rows, shape (E, n, n)."""
    return torch.bmm(rows, rows.transpose(1, 2))


def _product(left: torch.Tensor, right: torch.Tensor, factor: float, out: torch.Tensor) -> torch.Tensor:
    """Return ``factor * left @ right`` in ``out``, in one call."""
    return torch.baddbmm(out, left, right, beta=0, alpha=factor, out=out)
