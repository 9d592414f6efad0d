r"""Tangent kernels of any network of torch.

For a module F with parameters W_l and rates r_l (all 1 unless given) the kernel of the outputs c is

.. math::
    K_c(x, x') = \sum_l r_l\, \frac{\partial F_c(x)}{\partial W_l} \cdot \frac{\partial F_c(x')}{\partial W_l}.

With several outputs the default is the mean of :math:`K_c` over outputs: at infinite width, at the start, it is the kernel of
every output, and outputs do not mix. With the learning rates of
:func:`~neural_scaling.predict.mean_field_scaling.mean_field_rates` at ``eta = 1`` it is the kernel by which the function moves,
``df = eta_0 <K (y - f)>``, of order one at any width and richness.

**How it is computed.** Gradients are taken sample by sample and layer by layer, and added up as products of matrices. Where a
dense layer sees one vector a sample, its gradient is a product of two vectors and the kernel is the product of their Gram
matrices: no gradient is formed. Those of convolutions, of norms, and of dense layers with several positions are formed from the
input of the layer and the derivative in its output. All are held against autograd on a few samples first. What differs there
(shared weights, weights used by hand) or is of another kind (attention, recurrent layers) goes through ``torch.func``, one
gradient a sample. As many columns of the gradients as fit the memory are formed for all samples at once. Products are of the
network's precision, sums over portions of columns are in float64.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.autograd.graph import get_gradient_edge, saved_tensors_hooks
from torch.func import functional_call, grad, vmap
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import unfold

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import InputError, flag, instance, path, real, require, require_positive, whole
from neural_scaling.base.devices import find_device, full_precision
from neural_scaling.base.monitor import Arrays, scalar
from neural_scaling.base.tensors import FLOATS
from neural_scaling.base.terminal import progress as progress_bar
from neural_scaling.predict.mean_field_scaling import NETWORK
from neural_scaling.runs.checkpoint import Checkpoint

__all__ = ["sample_kernel"]

_PROBE = 4  # samples on which layers are tried out
_ROWS = 512  # of the kernel that are added to at once
_LARGEST_BLOCK = 64  # samples evaluated at once; fresh memory for more takes longer than the arithmetic
_LARGEST_SUM = 2**16  # columns summed in the network's precision


def sample_kernel(
    network: nn.Module,
    inputs: Any,
    *,
    outputs: str | int = "mean",
    rates: Mapping[str, float] | None = None,
    memory: float = 2.0,
    device: torch.device | str | None = None,
    progress: bool = True,
    cache: str | Path | None = None,
) -> Array:
    """Return the tangent kernel of a network on samples.

    Parameters
    ----------
    network
        Takes a batch of inputs and returns outputs of shape (samples, k); each sample by itself, the same at every call.
    inputs
        Array or tensor of floats, shape (n, ...), taken to the precision of the network.
    outputs
        ``mean`` for the kernel averaged over outputs, ``each`` for that of every output, or the number of one output.
    rates
        Learning rates by name of parameter, as :func:`~neural_scaling.predict.mean_field_scaling.mean_field_rates` gives them;
        1 for a parameter that is not named.
    memory
        Limit in GB (10^9 bytes) of what is held beside network and inputs, the kernel included.
    device
        Where to compute, as :func:`~neural_scaling.base.devices.find_device` takes it; by default where the network is.
    progress
        Whether to show a bar with the time left, at a terminal.
    cache
        Folder in which the kernel is kept under a hash of inputs, parameters, and outputs and gradients for a few samples,
        also unfinished: a call that was interrupted goes on where it was, one that was finished returns at once.

    Returns
    -------
    Array
        Symmetric, float64, shape (n, n); (k, n, n) for ``each``.

    Raises
    ------
    InputError
        If the network has nothing to train, has dropout or batch norm in training mode, mixes samples, returns something else
        than (samples, k), has gradients that are not finite, or does not take the inputs; if the memory is too small.

    Examples
    --------
    >>> import torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.Tanh(), torch.nn.Linear(64, 2))
    >>> kernel = sample_kernel(network, torch.randn(10, 3))
    >>> kernel.shape
    (10, 10)
    """
    network = _checked_network(network)
    where = next(network.parameters()).device if device is None else find_device(device)
    if where != next(network.parameters()).device:
        network = copy.deepcopy(network).to(where)
    weights = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
    samples = _checked_inputs(inputs, next(iter(weights.values())).dtype)
    scales = _checked_rates(rates, weights)
    limit = require_positive(memory, "memory", "give the limit in GB, above 0") * 1e9
    show, folder = flag(progress, "progress"), None if cache is None else path(cache, "cache")
    with full_precision(), torch.enable_grad():
        plan = _Plan(network, weights, samples, where)
        chosen = _chosen(outputs, plan.outputs)
        work = _Work(plan, chosen, outputs == "each", scales, limit)
        identity = _identity(network, samples, scales, outputs, work.passes, plan.marks)
        kept = None if folder is None else Checkpoint(folder / f"tangent-{identity[:16]}.ckpt", identity)
        kernel = work.run(show, kept)
    require(bool(np.isfinite(kernel).all()), "network", "its gradients overflow", "give it in float64")
    return kernel if outputs == "each" else kernel[0]


def _checked_network(given: Any) -> nn.Module:
    """Return a module whose outputs depend on weights and inputs alone, as far as its layers tell."""
    network: nn.Module = instance(given, "network", nn.Module, NETWORK)
    kinds: list[tuple[str, type[nn.Module]]] = [
        ("dropout", nn.modules.dropout._DropoutNd),
        ("batch norm", nn.modules.batchnorm._BatchNorm),
    ]
    for name, layer in network.named_modules():
        for words, kind in kinds:
            require(
                not (isinstance(layer, kind) and layer.training),
                "network",
                f"{words} {name!r} is in training mode",
                "call network.eval() before, where outputs depend on weights and inputs alone",
            )
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    require(len(trained) > 0, "network", "it has no parameters that require gradients", "give one to be trained")
    empty = any(weight.is_meta for weight in [*network.parameters(), *network.buffers()])
    require(
        not empty, "network", "it lies on the meta device, without numbers", "use network.to_empty and initialise it"
    )
    types = {weight.dtype for weight in trained}
    require(
        len(types) == 1 and types <= set(FLOATS),
        "network",
        f"parameters of {', '.join(sorted(map(str, types)))}",
        "use network.float() or network.double()",
    )
    return network


def _checked_inputs(inputs: Any, dtype: torch.dtype) -> torch.Tensor:
    """Return the samples as a tensor of floats."""
    remedy = "give an array or tensor of floats, one row a sample"
    if not isinstance(inputs, torch.Tensor):
        require(not isinstance(inputs, str | bytes | dict | set | type), "inputs", f"got {inputs!r}", remedy)
        try:
            inputs = torch.from_numpy(np.array(inputs))
        except (TypeError, ValueError):
            raise InputError(f"inputs: got {type(inputs).__name__} that is no array; {remedy}.") from None
    whole_numbers = "scale them to floats, or give the outputs of an embedding for tokens"
    require(inputs.dtype.is_floating_point, "inputs", f"got numbers of {inputs.dtype}", whole_numbers)
    require(inputs.ndim >= 2 and inputs.numel() > 0, "inputs", f"shape {tuple(inputs.shape)}", remedy)
    require(bool(torch.isfinite(inputs).all()), "inputs", "NaN or infinity among them", "remove what is not finite")
    samples: torch.Tensor = inputs.detach().to(dtype)
    return samples


def _checked_rates(rates: Mapping[str, float] | None, weights: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Return the rate of every parameter."""
    require(rates is None or isinstance(rates, Mapping), "rates", f"got {rates!r}", "give a dict by name of parameter")
    rates = rates or {}
    strange = [str(name) for name in rates if name not in weights]
    require(
        not strange,
        "rates",
        f"{', '.join(strange[:3])} is no trained parameter of the network",
        f"use names as {next(iter(weights))}",
    )
    return {name: real(rates.get(name, 1.0), "rates", least=0.0) for name in weights}


def _chosen(outputs: Any, count: int) -> list[int]:
    """Return the numbers of the outputs asked for."""
    if isinstance(outputs, str):
        require(
            outputs in ("mean", "each"), "outputs", f"got {outputs!r}", "use mean, each, or the number of an output"
        )
        return list(range(count))
    return [whole(outputs, "outputs", f"use mean, each, or a whole number below {count}", least=0, most=count - 1)]


def _identity(network: nn.Module, samples: torch.Tensor, scales: dict[str, float], *rest: Any) -> str:
    """Return the hash of all that the kernel depends on, and of the order in which it is summed."""
    found = hashlib.sha256(repr((str(network), type(network), samples.shape, scales, rest)).encode())
    for name, tensor in [("inputs", samples), *network.state_dict().items()]:
        if isinstance(tensor, torch.Tensor):
            found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            found.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)


class _Layer:
    """A dense layer, convolution or norm: gradients sum over positions what went in times the derivative in the output."""

    def __init__(self, prefix: str, layer: Any) -> None:
        self.prefix, self.layer = prefix, layer
        self.names = [f"{prefix}{name}" for name, one in layer.named_parameters(recurse=False) if one.requires_grad]
        self.norm = isinstance(layer, _NORMS)  # whose weights are one number a channel
        self.fan_in, self.fan_out = (1 if self.norm else layer.weight[0].numel()), layer.weight.shape[0]
        self.fan_out = layer.weight.numel() if self.norm else self.fan_out
        self.calls = 0
        self.below = torch.empty(0)

    @staticmethod
    def known(layer: nn.Module) -> bool:
        """Whether a module is such a layer."""
        if type(layer) in _CONVOLUTIONS:
            return bool(layer.groups == 1 and layer.padding_mode == "zeros" and isinstance(layer.padding, tuple))
        return type(layer) in (nn.Linear, *_NORMS)

    @property
    def weight(self) -> str | None:
        """Name of the weight, if it is trained."""
        return self._name("weight")

    @property
    def bias(self) -> str | None:
        """Name of the bias, if it is trained."""
        return self._name("bias")

    def _name(self, name: str) -> str | None:
        return f"{self.prefix}{name}" if f"{self.prefix}{name}" in self.names else None

    def seen(self, below: torch.Tensor, above: torch.Tensor) -> None:
        """Keep what went in and where the derivative will come out."""
        self.calls += 1
        # As an edge of the graph it survives an activation that writes over the output.
        self.below, self.edge, self.shape = below.detach(), get_gradient_edge(above), above.shape

    @property
    def single(self) -> bool:
        """Whether a sample is one vector."""
        return type(self.layer) is nn.Linear and self.below.dim() == 2

    def columns(self) -> torch.Tensor:
        """Return what went in at every position, shape (b, fan-in, T); normalised, (b, fan-out, T), for norms."""
        one, below = self.layer, self.below
        if isinstance(one, nn.Conv1d):
            options = [(same, *value) for same, value in zip((1, 1, 0, 1), self._options(), strict=True)]
            return unfold(below.unsqueeze(2), *options)
        if isinstance(one, nn.Conv2d):
            return unfold(below, *self._options())
        if isinstance(one, nn.LayerNorm):
            return self.positions(functional.layer_norm(below, one.normalized_shape, eps=one.eps))
        if isinstance(one, nn.GroupNorm):
            return self.positions(functional.group_norm(below, one.num_groups, eps=one.eps))
        if self.norm:
            return self.positions(functional.batch_norm(below, one.running_mean, one.running_var, eps=one.eps))
        return self.positions(below, self.fan_in)

    def _options(self) -> list[Any]:
        return [self.layer.kernel_size, self.layer.dilation, self.layer.padding, self.layer.stride]

    def positions(self, values: torch.Tensor, channels: int | None = None) -> torch.Tensor:
        """Return values, such as the derivative in the output, at every position, shape (b, fan-out, T)."""
        if isinstance(self.layer, nn.Linear | nn.LayerNorm):  # channels last
            return values.reshape(len(values), -1, channels or self.fan_out).transpose(1, 2)
        return values.reshape(*values.shape[:2], -1)

    def product(self, delta: torch.Tensor, columns: torch.Tensor, out: torch.Tensor) -> None:
        """Write the gradients of each sample in some channels, shape (b, channels, fan-in)."""
        if self.norm:
            out.copy_((delta * columns).sum(2, keepdim=True))
        else:
            torch.bmm(delta, columns.transpose(1, 2), out=out)


@contextlib.contextmanager
def _watched(layers: Sequence[_Layer]) -> Iterator[None]:
    """Let layers see what goes through them."""

    def watch(one: _Layer) -> Callable[..., None]:
        return lambda _, inputs, output: one.seen(inputs[0], output)

    handles = [one.layer.register_forward_hook(watch(one)) for one in layers]
    for one in layers:
        one.calls = 0
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Plan:
    """What a few samples tell of a network: its outputs, and by which way the gradients of each parameter are had."""

    def __init__(
        self, network: nn.Module, weights: dict[str, nn.Parameter], samples: torch.Tensor, where: torch.device
    ) -> None:
        self.network, self.weights, self.samples, self.where = network, weights, samples, where
        x = samples[:_PROBE].to(where)
        first = self._tried(x)
        self.outputs = first.shape[1]
        with torch.no_grad():
            again, alone = network(x), network(x[:1])
        first = first.detach()
        loose = 1e-3 if first.dtype == torch.float32 else 1e-7
        size = float(first.abs().max())
        require(math.isfinite(size), "network", "its outputs are not finite", "give other weights or inputs")
        remedy = "give a network whose outputs depend on weights and inputs alone, each sample by itself"
        require(torch.equal(first, again), "network", "it returns other outputs when called again", remedy)
        together = float((alone - first[:1]).abs().max()) <= loose * size
        require(together, "network", "outputs of a sample depend on other samples of the batch", remedy)
        named = dict(network.named_modules())
        layers = [
            _Layer(f"{name}." if name else "", layer)
            for name, layer in named.items()
            if _Layer.known(layer) and any(one.requires_grad for one in layer.parameters(recurse=False))
        ]
        self.layers, self.bytes = self._verified(layers, x)
        fast = {name for one in self.layers for name in one.names}
        self.others = [name for name in weights if name not in fast]
        self.mapped = self._mappable(x)

    def _tried(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs for some samples, if they are what a kernel can be made of."""
        try:
            output: torch.Tensor = self.network(x)
        except (RuntimeError, ValueError, IndexError, AssertionError, TypeError) as error:
            why = str(error).strip().split("\n")[0] or type(error).__name__
            shape = tuple(self.samples.shape)
            raise InputError(f"inputs: the network does not take shape {shape} ({why}); give what it takes.") from error
        remedy = "return one tensor of shape (samples, outputs)"
        kind = type(output).__name__
        require(isinstance(output, torch.Tensor), "network", f"it returns {kind}", remedy)
        good = output.ndim == 2 and output.shape[0] == len(x) and output.shape[1] > 0
        require(good, "network", f"it returns shape {tuple(output.shape)} for {len(x)} samples", remedy)
        tied = "keep the graph from weights to outputs: no torch.no_grad, no detach"
        require(output.requires_grad, "network", "its outputs do not depend on parameters that require gradients", tied)
        return output

    def _verified(self, layers: list[_Layer], x: torch.Tensor) -> tuple[list[_Layer], int]:
        """Return the layers whose gradients come out as those of autograd, and the bytes that a sample's graph holds."""
        held = 0

        def count(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal held
            held += tensor.nbytes if not isinstance(tensor, nn.Parameter) else 0
            return tensor

        with _watched(layers), saved_tensors_hooks(count, lambda tensor: tensor):
            output = self.network(x)
        layers = [one for one in layers if one.calls == 1]
        generator = torch.Generator().manual_seed(0)
        mixed = torch.randn(output.shape, generator=generator, dtype=output.dtype).to(output.device)
        names = list(self.weights)
        true = dict(
            zip(
                names,
                torch.autograd.grad(output, list(self.weights.values()), mixed, retain_graph=True, allow_unused=True),
                strict=True,
            )
        )
        broken = [name for name, one in true.items() if one is not None and not torch.isfinite(one).all()]
        require(
            not broken,
            "network",
            f"gradients of {', '.join(broken[:3])} are not finite",
            "give other weights or inputs, or leave out functions with an infinite slope, as the root at 0",
        )
        # What a module computes is not in its weights or its name. Rounding, which may differ, is left out.
        shown = output.detach().cpu().double()
        size = max(float(shown.abs().max()), 1e-300)
        self.marks = [f"{number / size + 0.0:.3f}" for number in shown.flatten().tolist()]
        self.marks += ["" if one is None else f"{float(one.norm()):.3e}" for one in (shown, *true.values())]
        deltas = torch.autograd.grad(output, [one.edge for one in layers], mixed, allow_unused=True) if layers else ()
        good = []
        loose = 1e-3 if output.dtype == torch.float32 else 1e-8
        for one, delta in zip(layers, deltas, strict=True):
            found = {}
            if delta is not None:
                at = one.positions(delta)
                formed = at.new_empty(len(x), one.fan_out, one.fan_in)
                one.product(at, one.columns(), formed)
                found = {one.weight: formed.sum(0), one.bias: at.sum((0, 2))}
            same = [
                name in found
                and true[name] is not None
                and float((found[name].flatten() - true[name].flatten()).norm()) <= loose * float(true[name].norm())
                for name in one.names
            ]
            if same and all(same):
                good.append(one)
        largest = max((one.columns()[0].nbytes for one in good if not one.single), default=0)
        return good, held // len(x) + 2 * largest

    def _mappable(self, x: torch.Tensor) -> bool:
        """Whether torch.func takes all samples of a block at once; it has no rule for some layers, such as LSTM."""
        if not self.others:
            return True
        try:
            self.rows(x[:2], self.others[:1], 0, mapped=True)
        except (RuntimeError, NotImplementedError, ValueError):
            return False
        return True

    def rows(self, x: torch.Tensor, names: Sequence[str], output: int, mapped: bool | None = None) -> torch.Tensor:
        """Return gradients of one output in named parameters, shape (b, numbers of the parameters)."""
        if self.mapped if mapped is None else mapped:
            still = {name: weight.detach() for name, weight in self.weights.items()}

            def value(part: dict[str, torch.Tensor], one: torch.Tensor) -> torch.Tensor:
                found: torch.Tensor = functional_call(self.network, still | part, (one[None],))[0, output]
                return found

            with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
                warnings.filterwarnings("ignore", "There is a performance drop")  # where torch takes samples in turn
                found = vmap(grad(value), in_dims=(None, 0))({name: still[name] for name in names}, x)
            return torch.cat([found[name].flatten(1) for name in names], dim=1)
        wanted = [self.weights[name] for name in names]
        lines = []
        for one in x:
            value_ = self.network(one[None])[0, output]
            parts = torch.autograd.grad(value_, wanted, allow_unused=True)
            pairs = zip(parts, wanted, strict=True)
            flat = [(torch.zeros_like(weight) if part is None else part).flatten() for part, weight in pairs]
            lines.append(torch.cat(flat))
        return torch.stack(lines)


@dataclass(frozen=True)
class _Unit:
    """Columns of the gradients in an output: of output channels of a layer, of its bias, or of other parameters."""

    output: int
    layer: int  # -1 for other parameters
    start: int
    stop: int
    width: int  # columns
    bias: bool = False


@dataclass(frozen=True)
class _Pass:
    """What is formed for all samples at once: columns of gradients, and factors of layers that see one vector a sample."""

    units: tuple[_Unit, ...]
    factored: tuple[tuple[int, tuple[int, ...]], ...] = ()  # layers and outputs

    @property
    def outputs(self) -> list[int]:
        """Outputs that have to be differentiated."""
        return sorted({unit.output for unit in self.units}.union(*(outputs for _, outputs in self.factored)))

    @property
    def layers(self) -> list[int]:
        """Layers that have to be seen."""
        return sorted({unit.layer for unit in self.units if unit.layer >= 0} | {layer for layer, _ in self.factored})


class _Work:
    """A kernel in passes over the samples, each of as many columns of the gradients as fit."""

    def __init__(self, plan: _Plan, chosen: list[int], each: bool, scales: dict[str, float], limit: float) -> None:
        self.plan, self.chosen, self.each, self.scales = plan, chosen, each, scales
        samples, item = len(plan.samples), plan.samples.element_size()
        kernels = len(chosen) if each else 1
        # Twice the kernels: at the end, and when they are kept, there is a copy. Products of rows come in both precisions.
        fixed = 16 * kernels * samples**2 + 2 * (8 + item) * samples * min(samples, _ROWS)
        other = sum(plan.weights[name].numel() for name in plan.others)
        one = plan.bytes + item * (2 * other + len(chosen) * sum(math.prod(layer.shape[1:]) for layer in plan.layers))
        self.block = int(max(1, min(samples, _LARGEST_BLOCK, (limit - fixed) / 4 // one)))
        self.columns = int((limit - fixed - self.block * one) // (item * (samples + 2 * self.block)))
        least = max([1, *(layer.fan_in + layer.fan_out for layer in plan.layers)])
        needed = math.ceil((fixed + one + least * item * (samples + 2)) / 1e6) * 4 / 3000
        require(self.columns >= least, "memory", f"{limit / 1e9:g} GB are too little", f"give at least {needed:.3g} GB")
        self.passes = list(self._passes())

    def _passes(self) -> Iterator[_Pass]:
        """Yield all columns and factors, as many at once as fit; columns of two outputs only if they are for one kernel."""
        units: list[_Unit] = []
        factored: list[tuple[int, tuple[int, ...]]] = []
        room = self.columns
        for number, one in enumerate(self.plan.layers):
            left = self.chosen if one.single and one.weight else []
            while left:
                most = (room - one.fan_in) // one.fan_out
                if most >= 1:
                    factored.append((number, tuple(left[:most])))
                    room -= one.fan_in + len(left[:most]) * one.fan_out
                    left = left[most:]
                if left:
                    yield _Pass((), tuple(factored))
                    factored, room = [], self.columns
        for unit in self._units():
            start, each = unit.start, unit.width // (unit.stop - unit.start)
            if self.each and units and units[0].output != unit.output:
                yield _Pass(tuple(units), tuple(factored))
                units, factored, room = [], [], self.columns
            while start < unit.stop:
                taken = min(unit.stop - start, room // each)
                if taken:
                    units.append(_Unit(unit.output, unit.layer, start, start + taken, taken * each, unit.bias))
                    start, room = start + taken, room - taken * each
                if start < unit.stop:
                    yield _Pass(tuple(units), tuple(factored))
                    units, factored, room = [], [], self.columns
        if units or factored:
            yield _Pass(tuple(units), tuple(factored))

    def _units(self) -> Iterator[_Unit]:
        others = sum(self.plan.weights[name].numel() for name in self.plan.others)
        for output in self.chosen:
            for number, one in enumerate(self.plan.layers):
                if one.weight and not one.single:
                    yield _Unit(output, number, 0, one.fan_out, one.fan_out * one.fan_in)
                if one.bias:
                    yield _Unit(output, number, 0, one.fan_out, one.fan_out, bias=True)
            if others:
                yield _Unit(output, -1, 0, others, others)

    def run(self, show: bool, kept: Checkpoint | None) -> Array:
        """Return the kernels, going on from what is kept."""
        samples = len(self.plan.samples)
        home = torch.device("cpu") if self.plan.where.type == "mps" else self.plan.where  # which has no float64
        kernel = torch.zeros((len(self.chosen) if self.each else 1, samples, samples), dtype=torch.float64, device=home)
        done = 0
        if kept is not None and (found := kept.load()) is not None:
            kernel.copy_(torch.from_numpy(found[0]["sum"]))
            done = int(found[0]["passes"])

        def state() -> Arrays:
            return {"sum": kernel.cpu().numpy(), "passes": scalar(done)}

        left = self.passes[done:]
        with progress_bar(2 * samples * len(left), "tangent kernel") if show else _Silent() as bar:
            for one in left:
                self._add(one, kernel, bar)
                done += 1
                if kept is not None and (kept.due or done == len(self.passes)):
                    kept.save(state, done)
        lower = kernel.tril_() if self.each else kernel.tril_().div_(len(self.chosen))
        return (lower + lower.tril(-1).transpose(1, 2)).cpu().numpy()

    def _add(self, one: _Pass, kernel: torch.Tensor, bar: Any) -> None:
        """Add to the lower half of the kernels what a pass gives."""
        samples, layers = len(self.plan.samples), [self.plan.layers[number] for number in one.layers]
        rows = self._empty(samples, sum(unit.width for unit in one.units))
        pairs = []
        for number, outputs in one.factored:
            layer = self.plan.layers[number]
            pairs.append((self._empty(samples, layer.fan_in), self._empty(samples, len(outputs), layer.fan_out)))
        for at in range(0, samples, self.block):
            x = self.plan.samples[at : at + self.block].to(self.plan.where)
            here = slice(at, at + len(x))
            deltas = self._derivatives(x, layers, one) if layers else {}
            for (number, outputs), (below, delta) in zip(one.factored, pairs, strict=True):
                below[here] = self.plan.layers[number].below
                for place, output in enumerate(outputs):
                    delta[here, place] = deltas[output, number]
            self._fill(rows[here], x, one, deltas)
            bar.update(len(x))
        for values in (rows, *(part for pair in pairs for part in pair)):
            finite = torch.isfinite(values.sum()) or torch.isfinite(values).all()  # the sum alone needs no memory
            require(bool(finite), "network", "its gradients are not finite", "give other weights or inputs")
        for top in range(0, samples, _ROWS):
            columns = slice(top, top + _ROWS)
            for (number, outputs), (below, delta) in zip(one.factored, pairs, strict=True):
                inner = (below[top:] @ below[columns].T) * self.scales[self.plan.layers[number].weight or ""]
                for output, rest in (
                    zip(outputs, delta.unbind(1), strict=True) if self.each else [(0, delta.flatten(1))]
                ):
                    self._put(kernel, output, top, inner * (rest[top:] @ rest[columns].T))
            for first in range(0, rows.shape[1], _LARGEST_SUM):
                some = slice(first, first + _LARGEST_SUM)
                self._put(kernel, one.units[0].output, top, rows[top:, some] @ rows[columns, some].T)
            bar.update(min(_ROWS, samples - top))

    def _put(self, kernel: torch.Tensor, output: int, top: int, part: torch.Tensor) -> None:
        place = self.chosen.index(output) if self.each else 0
        kernel[place, top:, top : top + _ROWS] += part.to(kernel.device).double()

    def _fill(
        self, rows: torch.Tensor, x: torch.Tensor, one: _Pass, deltas: dict[tuple[int, int], torch.Tensor]
    ) -> None:
        """Form the columns of a pass for a block of samples."""
        formed = {unit.layer for unit in one.units if unit.layer >= 0 and not unit.bias}
        columns = {number: self.plan.layers[number].columns() for number in formed}
        first = 0
        for unit in one.units:
            into = rows[:, first : first + unit.width]
            first += unit.width
            if unit.layer < 0:
                self._fill_others(into, x, unit)
                continue
            layer = self.plan.layers[unit.layer]
            delta = layer.positions(deltas[unit.output, unit.layer])[:, unit.start : unit.stop]
            if unit.bias:
                into.copy_(delta.sum(2) * math.sqrt(self.scales[layer.bias or ""]))
            else:
                scale = math.sqrt(self.scales[layer.weight or ""])
                seen = columns[unit.layer][:, unit.start : unit.stop] if layer.norm else columns[unit.layer]
                filters = into.view(len(x), unit.stop - unit.start, layer.fan_in)
                layer.product(delta * scale, seen, filters)

    def _fill_others(self, into: torch.Tensor, x: torch.Tensor, unit: _Unit) -> None:
        names: list[str] = []
        first = begun = 0
        for name in self.plan.others:
            size = self.plan.weights[name].numel()
            if first < unit.stop and first + size > unit.start:
                begun = begun if names else first
                names.append(name)
            first += size
        found = self.plan.rows(x, names, unit.output)[:, unit.start - begun : unit.stop - begun]
        sizes = torch.tensor([self.plan.weights[name].numel() for name in names])
        roots = torch.tensor([math.sqrt(self.scales[name]) for name in names], dtype=into.dtype)
        scales = roots.repeat_interleave(sizes)[unit.start - begun : unit.stop - begun].to(into.device)
        torch.mul(found.detach(), scales, out=into)

    def _derivatives(self, x: torch.Tensor, layers: list[_Layer], one: _Pass) -> dict[tuple[int, int], torch.Tensor]:
        """Return the derivatives of outputs in the outputs of layers, by the numbers of both."""
        with _watched(layers):
            value = self.plan.network(x)
        found = {}
        for number in one.outputs:
            unit = torch.zeros_like(value)
            unit[:, number] = 1
            edges, last = [layer.edge for layer in layers], number == one.outputs[-1]
            parts = torch.autograd.grad(value, edges, unit, retain_graph=not last, allow_unused=True)
            for place, layer, part in zip(one.layers, layers, parts, strict=True):
                found[number, place] = x.new_zeros(layer.shape) if part is None else part
        return found

    def _empty(self, *shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=self.plan.samples.dtype, device=self.plan.where)


class _Silent:
    """A bar that is not shown."""

    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, units: int) -> None:
        """Count nothing."""
