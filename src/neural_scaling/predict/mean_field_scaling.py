"""The mean-field scaling of any network of torch: its richness, its learning rates and its start.

It is that of :mod:`neural_scaling.networks.parametrization`, for layers that somebody else has written.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import nn

from neural_scaling.base.checks import instance, require, require_positive
from neural_scaling.base.checks import seed as checked_seed
from neural_scaling.networks.parametrization import FLOAT64_BELOW

__all__ = ["Centred", "mean_field_groups", "mean_field_rates", "mean_field_start"]

NETWORK = "give a torch.nn.Module"


class Centred(nn.Module):
    r"""A network with its start subtracted, at a richness: :math:`f = (F - F_{init})/\gamma_0`.

    Train it with the learning rates of :func:`mean_field_groups` for the same richness, and f moves at the same speed for every
    richness, while features move by an amount of order ``gamma_0``.

    Parameters
    ----------
    network
        F as it is now; it is trained in place. A copy of it stays as it is.
    richness
        gamma_0, positive; below 0.01 the network has to be in float64, since the difference is too small a part of F.

    Raises
    ------
    InputError
        If the richness is not positive, or too small for the precision of the network.

    Examples
    --------
    >>> network = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1))
    >>> centred = Centred(network, richness=0.5)
    >>> bool(centred(torch.randn(4, 3)).any())
    False
    """

    def __init__(self, network: nn.Module, richness: float = 1.0) -> None:
        super().__init__()
        self.richness = require_positive(richness, "richness", "give a positive richness gamma_0")
        self.network = instance(network, "network", nn.Module, NETWORK)
        precise = all(weight.dtype == torch.float64 for weight in network.parameters())
        require(
            precise or self.richness >= FLOAT64_BELOW,
            "richness",
            f"got {self.richness:g} with a network in float32",
            f"use network.double(), or a richness of at least {FLOAT64_BELOW}",
        )
        self.start = copy.deepcopy(network).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Centred:
        """Set the mode of the network; its start stays in the mode of evaluation."""
        super().train(mode)
        self.start.eval()
        return self

    def forward(self, *inputs: Any) -> torch.Tensor:
        """Return f."""
        difference: torch.Tensor = (self.network(*inputs) - self.start(*inputs)) / self.richness
        return difference


def mean_field_rates(
    network: nn.Module, eta: float = 1.0, richness: float = 1.0, *, readout: str | None = None, gain: float = 1.0
) -> dict[str, float]:
    r"""Return the learning rate of every weight and bias of dense and convolutional layers, for gradient descent (muP for SGD).

    A layer's weights are taken as numbers of variance one times a factor s: ``fan_in^(-1/2)``, times the gain for all layers but
    the first, and ``gain/fan_in`` for the readout. Steps of size :math:`\eta_0 N \gamma_0^2` of those numbers, N being the fan-in
    of the readout, are steps of size :math:`\eta_0 N \gamma_0^2 s^2` of the weights. Biases have s = 1, that of the readout
    ``fan_in^(-1/2)``. The fan-in of a convolution is its channels times the size of the filter.

    Parameters
    ----------
    network
        Its trained parameters all belong to Linear, Conv1d, Conv2d or Conv3d layers.
    eta
        eta_0.
    richness
        gamma_0 of :class:`Centred`.
    readout
        Name of the layer that gives the output; by default the last one that the network lists.
    gain
        Factor that gives the activation a mean square of 1, ``2^(1/2)`` for ReLU.

    Returns
    -------
    dict
        By name of the parameter.

    Raises
    ------
    InputError
        If a parameter belongs to another kind of layer: there no fan-in is known.

    Examples
    --------
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 64, bias=False), torch.nn.ReLU(), torch.nn.Linear(64, 1, bias=False))
    >>> mean_field_rates(network, eta=0.5)
    {'0.weight': 8.0, '2.weight': 0.0078125}
    """
    eta, richness = require_positive(eta, "eta"), require_positive(richness, "richness")
    factors, width = _factors(network, readout, gain)
    return {name: eta * width * richness**2 * factor**2 for name, factor in factors.items()}


def mean_field_groups(
    network: nn.Module, eta: float, richness: float = 1.0, *, readout: str | None = None, gain: float = 1.0
) -> list[dict[str, Any]]:
    """Return :func:`mean_field_rates` as groups of parameters for an optimizer.

    Parameters
    ----------
    network, eta, richness, readout, gain
        As for :func:`mean_field_rates`.

    Returns
    -------
    list of dict
        For ``torch.optim.SGD``: ``params``, ``lr`` and the ``name`` of the one parameter.

    Raises
    ------
    InputError
        As :func:`mean_field_rates`.

    Examples
    --------
    >>> network = torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
    >>> optimizer = torch.optim.SGD(mean_field_groups(network, eta=0.1))
    """
    rates = mean_field_rates(network, eta, richness, readout=readout, gain=gain)
    weights = dict(network.named_parameters())
    return [{"params": [weights[name]], "lr": rate, "name": name} for name, rate in rates.items()]


def mean_field_start(network: nn.Module, seed: int = 0, *, readout: str | None = None, gain: float = 1.0) -> nn.Module:
    """Draw the weights of dense and convolutional layers anew as mean-field scaling wants them; biases vanish.

    Layers of torch start with a readout that is larger by the root of its fan-in than mean-field scaling has it; with it features
    would stand still as the width grows.

    Parameters
    ----------
    network
        Changed in place.
    seed
        Of the weights.
    readout, gain
        As for :func:`mean_field_rates`.

    Returns
    -------
    torch.nn.Module
        ``network``.

    Raises
    ------
    InputError
        As :func:`mean_field_rates`.
    """
    generator = torch.Generator().manual_seed(checked_seed(seed))
    factors, _ = _factors(network, readout, gain)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name in factors:
                drawn = torch.randn(weight.shape, generator=generator)
                weight.copy_(drawn * factors[name] if weight.ndim > 1 else torch.zeros_like(drawn))
    return network


def _factors(network: nn.Module, readout: str | None, gain: float) -> tuple[dict[str, float], int]:
    """Return the factor s of every parameter, and N."""
    instance(network, "network", nn.Module, NETWORK)
    gain = require_positive(gain, "gain")
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    layers = {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, kinds) and layer.weight.requires_grad
    }
    require(len(layers) > 0, "network", "it has no Linear or Conv layer to train", "give one that has")
    names = list(layers)
    require(
        readout is None or readout in names,
        "readout",
        f"got {readout!r}",
        f"give the name of a layer: {', '.join(names)}",
    )
    last = names[-1] if readout is None else readout
    fans = {name: layer.weight[0].numel() for name, layer in layers.items()}
    factors: dict[str, float] = {}
    for number, (name, fan) in enumerate(fans.items()):
        prefix = f"{name}." if name else ""
        own = 1.0 if number == 0 else gain
        factors[f"{prefix}weight"] = own / fan if name == last else own / math.sqrt(fan)
        if layers[name].bias is not None:
            factors[f"{prefix}bias"] = 1 / math.sqrt(fan) if name == last else 1.0
    trained = [name for name, weight in network.named_parameters() if weight.requires_grad]
    unknown = [name for name in trained if name not in factors]
    require(
        not unknown,
        "network",
        f"{', '.join(unknown[:3])} belongs to no Linear or Conv layer",
        "freeze it with requires_grad_(False), or write the rates by hand",
    )
    return {name: factor for name, factor in factors.items() if name in trained}, fans[last]
