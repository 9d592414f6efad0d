"""Networks that users bring: tangent kernels, mean-field scaling, and tests of a scaling."""

import numpy as np
import torch
from torch import nn

from inputs.kinds import Fresh, Kind, Shared, array, call, device, flag, instance, real, seed, whole
from inputs.table import row
from neural_scaling.networks import coordinate_check as check
from neural_scaling.predict import mean_field_scaling, tangent


def made() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def factory(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 1))


def optimizer(network: nn.Module, rate: float = 0.125) -> torch.optim.Optimizer:
    return torch.optim.SGD(network.parameters(), rate)


network, fresh = Shared(made), Fresh(made)
samples = torch.linspace(-1, 1, 12).reshape(4, 3)
inputs = Kind(
    samples,
    lambda right: [None, "text", 3, right > 0, right.long(), right[0], right[:0], right * float("nan"), right[:, :2]],
    lambda right: [right.numpy(), right.tolist(), right.double(), np.asfortranarray(right.numpy())],
)
readout = Kind(None, lambda right: ["another", 3, ["2"], True])
positive = real(1.0, above=0)
scaling = {"readout": readout, "gain": positive}

pair = (samples, samples[:, :1])
data = Kind(
    pair,
    lambda right: [None, "text", 3, right[0], right[:1], (right[0], right[1][:2]), (right[0], None)],
    lambda right: [list(right)],
)
widths = array([4, 8], least=1, whole=True, ordered=True)
common = {"factory": call(factory), "data": data, "widths": widths, "steps": whole(1), "loss": call(check.half_square)}
found = Shared(lambda: check.coordinate_check(factory, pair, [4, 8], optimizer, seeds=2))
moved = Shared(lambda: check.learning_rate_transfer(factory, pair, [0.1, 0.2, 0.4], [4, 8], steps=1))

_READ = "a result that users read"
_TORCH = "called by torch"
EXEMPT = {
    check.CoordinateCheck: _READ,
    check.LearningRateTransfer: _READ,
    mean_field_scaling.Centred.forward: _TORCH,
    mean_field_scaling.Centred.train: _TORCH,
}
ROWS = [
    row(
        tangent.sample_kernel,
        network=instance(network),
        inputs=inputs,
        outputs=Kind("mean", lambda right: ["another", None, 1.5, 2, -1, True]),
        rates=Kind(None, lambda right: [3, "text", [1.0], {"0.weight": -1.0}, {"another": 1.0}]),
        memory=positive,
        device=device().or_none(),
        progress=flag(),
        cache=Kind(None, lambda right: [3, 2.5, ["folder"], ""]),
    ),
    row(mean_field_scaling.Centred, None, lambda made: made(samples), network=instance(network), richness=positive),
    row(mean_field_scaling.mean_field_rates, network=instance(network), eta=positive, richness=positive, **scaling),
    row(mean_field_scaling.mean_field_groups, network=instance(network), eta=positive, richness=positive, **scaling),
    row(
        mean_field_scaling.mean_field_start,
        None,
        lambda made: [weight.detach().clone() for weight in made.parameters()],
        network=instance(fresh),
        seed=seed(),
        **scaling,
    ),
    row(check.coordinate_check, optimizer=call(optimizer), seeds=whole(2, 2), show=flag(), **common),
    row(
        check.learning_rate_transfer,
        rates=array([0.125, 0.25, 0.5], above=0, ordered=True),
        optimizer=call(optimizer).or_none(),
        seeds=whole(1),
        show=flag(),
        **common,
    ),
    row(check.draw_coordinate_check, None, lambda figure: len(figure.axes), check=instance(found)),
    row(check.draw_learning_rate_transfer, None, lambda figure: len(figure.axes), transfer=instance(moved)),
]
