r"""Decoder-only transformers for next-token prediction, in mean-field scaling with a richness.

All weights are drawn from N(0, 1). With N = heads x head size, L blocks and the residual multiplier beta_res,

.. math::
    x^0_t &= E_{{\rm token}(t)} + P_t, \\
    x &\leftarrow x + \tfrac{\beta_{\rm res}}{L}\, N^{-1/2} O\, {\rm attention}(g), \qquad g = \phi({\rm LN}(x)), \\
    x &\leftarrow x + \tfrac{\beta_{\rm res}}{L}\, N^{-1/2} D\, \phi(N^{-1/2} U g), \qquad g = \phi({\rm LN}(x)), \\
    F &= \tfrac1N\, R\, {\rm LN}(x^L), \qquad f = \frac{F - F_{\rm init}}{\gamma_0},

phi being GELU (its tanh form) unless another activation is given, without a constant, and LN subtracting the mean and dividing by
the standard deviation, without weights. Queries, keys and values are ``N^(-1/2) W g``; queries and keys of every head go through
LN, and their scalar products are divided by the head size d (not by its root, since trained queries and keys are correlated),
before the causal softmax. The target is the cross-entropy of softmax(f), in nats, mean over tokens; as f vanishes at the start it
is the logarithm of the vocabulary there.

**Step.** Gradient descent with the step :math:`\eta\, N\, \gamma_0^2` of the weights inside blocks and 1/L of it of embedding,
positions and readout. The latter is the same as giving these weights the variance L and a factor L^(-1/2), and all weights the
same step.

**Width.** N may grow by the number of heads or by the head size; either way f moves by an amount of order one and features by
one of order gamma_0. With more heads of a fixed size the logits of attention keep their fluctuations of order d^(-1/2) at the
start; with larger heads these vanish and attention starts out uniform.

**Depth.** A block adds 1/L of what it adds at L = 1, so L blocks move x by an amount of order one. Their weights enter f with a
factor 1/L, so L of them contribute 1/L to the tangent kernel in units of the step, as do embedding, positions and readout.
Hence f moves alike at any depth if **eta grows like L**; at fixed eta it moves like eta/L.

**Where this comes from.** Everything above, with eta = 40, L = 4, beta_res = 8 and 16 heads of 128, is what the public training
script of the same group does for this task, in Jax (``train_C4.py`` of ``Pehlevan-Group/inf_transformer_limits``; in its first
versions the second layer of a block's perceptron reads what the first one reads). Ours are: no bias of the readout (there is one,
whose part in the tangent kernel is 1/N of the others'), 256 predictions from a sequence of 257 tokens (there 255 from 256), one
random order of all sequences (there documents are shuffled by a buffer of 10 000 as they stream in), the seeds, and the
arithmetic below.

**Rounding.** Weights move by gamma_0 times an amount of order N^(-1/2) or less, which a float32 of order one would lose step by
step at gamma_0 = 1e-4. So what is trained and kept is the displacement ``V = (W - W_init)/gamma_0``, and f is taken as

.. math::
    f = \tfrac1N \big[ R_{\rm init}\, \tfrac{z - z_{\rm init}}{\gamma_0} + V_R\, z \big], \qquad z = {\rm LN}(x^L),

where no difference of outputs is left. What remains is the rounding of activations and of the weights W_init + gamma_0 V,
incoherent between features: an error of about ``4e-7 N^(-1/2)/gamma_0`` in f, 3e-4 at width 256 and gamma_0 = 1e-4 (measured
against float64 in the tests; a training adds nothing to it). The loss of a batch is off by less than 1e-4 of itself, either way.
Products of lower precision would multiply it by their rounding over that of float32, 2^13 for TF32 and 2^15 for bfloat16, and are
not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn.functional import embedding, gelu, layer_norm, scaled_dot_product_attention

from neural_scaling.base.checks import instance, keep, keep_each, require, require_positive, whole
from neural_scaling.base.devices import find_device, full_precision
from neural_scaling.base.tensors import check_tensor, float_type
from neural_scaling.networks.activations import Given, activation
from neural_scaling.networks.parametrization import Parametrization
from neural_scaling.networks.seeding import standard_normal
from neural_scaling.networks.token_loss import CentredReadout, token_loss, token_loss_gradient

__all__ = ["LAYER_NORM_EPSILON", "Transformer", "TransformerShape", "initial_weights"]

Weights = dict[str, torch.Tensor]
#: What keeps a layer norm of nothing finite.
LAYER_NORM_EPSILON = 1e-6
_OUTER = ("embedding", "positions", "readout")  # all other weights are inside blocks, layers in front
_EVALUATED = 2**14  # tokens of held-out text whose activations are held at once


@dataclass(frozen=True)
class TransformerShape:
    """Shape of a decoder-only transformer.

    Parameters
    ----------
    vocabulary
        Number of tokens there are.
    context
        T, length of the sequences that are predicted token by token.
    depth
        L, number of blocks.
    heads
        Attention heads of a block.
    head_size
        d, so that the width is N = heads x d.
    residual
        beta_res.
    activation
        phi, as :func:`~neural_scaling.networks.activations.activation` takes it, without its constant; by default GELU in its
        tanh form.
    """

    vocabulary: int
    context: int
    depth: int
    heads: int
    head_size: int
    residual: float = 8.0
    activation: Given | None = None

    def __post_init__(self) -> None:
        keep_each(self, whole, "context", "depth", "heads", "head_size")
        keep_each(self, whole, "vocabulary", remedy="give at least two tokens", least=2)
        keep_each(self, require_positive, "residual")
        keep(self, activation=None if self.activation is None else activation(self.activation))

    @property
    def phi(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """The activation."""
        return partial(gelu, approximate="tanh") if self.activation is None else activation(self.activation)

    @property
    def width(self) -> int:
        """N."""
        return self.heads * self.head_size

    @property
    def sizes(self) -> dict[str, tuple[int, ...]]:
        """Sizes (fan-in, fan-out) of every tensor of weights, with the blocks in front."""
        n, blocks = self.width, self.depth
        return {
            "embedding": (self.vocabulary, n),
            "positions": (self.context, n),
            "attend": (blocks, n, 3 * n),  # queries, keys, values
            "out": (blocks, n, n),
            "up": (blocks, n, n),
            "down": (blocks, n, n),
            "readout": (n, self.vocabulary),
        }

    @property
    def factors(self) -> dict[str, float]:
        """Factor in front of every tensor of weights but the readout, the residual multiplier included."""
        branch = self.residual / self.depth
        inner = 1 / math.sqrt(self.width)
        outer = {"embedding": 1.0, "positions": 1.0}
        return outer | {"attend": inner, "out": branch * inner, "up": inner, "down": branch * inner}

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(math.prod(size) for size in self.sizes.values())

    @property
    def flops_per_token(self) -> int:
        """Multiplications and additions that one token of a training step cannot do without.

        Two for each weight of a matrix product and for each key and value that a token attends to (half the context on average),
        in the forward pass of the initial network, in that of the trained one, and twice in its backward pass. Of these eight
        units the first two belong to the initial network; what is counted elsewhere is the other six.
        """
        n = self.width
        products = 6 * self.depth * n * n + n * self.vocabulary
        attention = self.depth * 2 * n * (self.context + 1) // 2
        return 8 * (products + attention)


class Transformer:
    """A transformer in training: ``f = (F - F_init)/gamma_0`` and steps on the cross-entropy of its softmax.

    Parameters
    ----------
    shape
        Of the network.
    scale
        Width N, richness gamma_0 and eta. The richness must be positive: the lazy limit is approached by a small one.
    seed
        Of the initial weights.
    device
        Where the weights are.
    dtype
        ``torch.float32`` or ``torch.float64``.

    Attributes
    ----------
    displacement
        V, (W - W_init)/gamma_0 of each tensor of weights: all that training changes.

    Raises
    ------
    InputError
        If the richness is zero or the width of ``scale`` another one than that of ``shape``.
    """

    def __init__(
        self,
        shape: TransformerShape,
        scale: Parametrization,
        seed: int,
        device: torch.device | str,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        instance(shape, "shape", TransformerShape, "give a TransformerShape")
        instance(scale, "scale", Parametrization, "give a Parametrization")
        device, dtype = find_device(device), float_type(dtype)
        require(not scale.linearised, "richness", "is 0", "give a small one, for example 1e-4, for the lazy limit")
        require(scale.width == shape.width, "width", f"got {scale.width}", f"give heads x head size, {shape.width}")
        self.shape, self.scale, self.dtype = shape, scale, dtype
        weights = {name: w.to(device, dtype) for name, w in initial_weights(shape, seed).items()}
        self.displacement = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        self._readout = weights.pop("readout")
        # Factors are folded into weights once, not into activations at every step.
        self._start = {name: shape.factors[name] * weight for name, weight in weights.items()}

    def weights(self) -> Weights:
        """Return the present weights W, standard normal at the start."""
        start = {name: weight / self.shape.factors[name] for name, weight in self._start.items()}
        start["readout"] = self._readout
        return {name: weight + self.scale.richness * self.displacement[name] for name, weight in start.items()}

    @full_precision()
    @torch.no_grad()
    def logits(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return f for the token after each, shape (B, t, vocabulary).

        Parameters
        ----------
        tokens
            Of sequences, int64, shape (B, t) with t up to the context.

        Raises
        ------
        InputError
            If the sequences are longer than the context.
        """
        self._check(tokens, self.shape.context)
        head = self._head()
        return head.joined(*self._features(tokens)) @ head.matrix

    @full_precision()
    @torch.no_grad()
    def evaluate(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Look at text without training on it.

        Parameters
        ----------
        tokens
            Of sequences, int64, shape (B, t + 1): the last token is only predicted, the first only read.

        Returns
        -------
        loss, moved : torch.Tensor
            Cross-entropy of every sequence in nats per token, shape (B,), and root mean square of ``z - z_init`` with
            ``z = LN(x^L)``, whose own is 1: how far features have moved, a scalar.
        """
        self._check(tokens, self.shape.context + 1, fewest=2)
        head, losses, moves = self._head(), [], []
        for part in torch.split(tokens, max(1, _EVALUATED // self.shape.context)):
            last, first = self._features(part[:, :-1])
            losses.append(token_loss(head, last, first, part[:, 1:]))
            moves.append((last - first).square().mean(-1))
        return torch.cat(losses).mean(1), torch.cat(moves).mean().sqrt()

    @full_precision()
    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Take one step on the mean cross-entropy of a batch, and return it, nats per token before the step, a scalar.

        Parameters
        ----------
        tokens
            Of sequences, int64, shape (B, T + 1).
        """
        self._check(tokens, self.shape.context + 1, fewest=2)
        inputs, targets = tokens[:, :-1], tokens[:, 1:]
        with torch.no_grad():
            first = features(self._start, inputs, self.shape)
        trunk = {name: weight.requires_grad_() for name, weight in self._moved().items()}
        last = features(trunk, inputs, self.shape)
        loss, back, readout = token_loss_gradient(self._head(), last.detach(), first, targets)
        slopes = dict(zip(trunk, torch.autograd.grad(last, list(trunk.values()), back), strict=True))
        with torch.no_grad():
            for name, slope in slopes.items():
                # With w = factor W, V moves by -(eta N gamma^2)/gamma times factor dLoss/dw.
                rate = self._rate(name) / self.scale.richness * self.shape.factors[name]
                self.displacement[name].add_(slope, alpha=-rate)
            self.displacement["readout"].add_(readout, alpha=-self._rate("readout") / self.scale.richness**2)
        return loss

    def _check(self, tokens: torch.Tensor, most: int, fewest: int = 1) -> None:
        """Refuse what are no tokens; on a GPU their range is left to the caller, since a look at it would wait for the device."""
        check_tensor(tokens, "tokens", (None, None), torch.int64)
        length, known = tokens.shape[1], self.shape.vocabulary
        remedy = f"give {fewest} to {most}; the context is {self.shape.context}"
        require(fewest <= length <= most, "tokens", f"are {length} in a row", remedy)
        if tokens.device.type == "cpu":
            low, high = (int(bound) for bound in tokens.aminmax())
            require(
                low >= 0 and high < known, "tokens", f"go from {low} to {high}", f"the vocabulary has 0 to {known - 1}"
            )

    def _rate(self, name: str) -> float:
        """Return the step of a tensor of weights W."""
        return self.scale.learning_rate / (self.shape.depth if name in _OUTER else 1)

    def _moved(self) -> Weights:
        """Return the present weights but the readout, times their factors."""
        gamma, factors = self.scale.richness, self.shape.factors
        return {
            name: torch.add(start, self.displacement[name], alpha=gamma * factors[name])
            for name, start in self._start.items()
        }

    def _features(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return z of the present and of the initial network."""
        return features(self._moved(), tokens, self.shape), features(self._start, tokens, self.shape)

    def _head(self) -> CentredReadout:
        return CentredReadout(self._readout, self.displacement["readout"], self.scale.richness)


def features(weights: Mapping[str, torch.Tensor], tokens: torch.Tensor, shape: TransformerShape) -> torch.Tensor:
    """Return what the readout reads, ``LN(x^L)``."""
    length = tokens.shape[1]
    require(length <= shape.context, "tokens", f"are {length} in a row", f"give up to {shape.context}, the context")
    x, phi = embedding(tokens, weights["embedding"]) + weights["positions"][:length], shape.phi
    blocks = zip(*(weights[name].unbind() for name in ("attend", "out", "up", "down")), strict=True)
    for attend, out, up, down in blocks:
        x = x + _attention(phi(_norm(x)) @ attend, shape) @ out
        x = x + phi(phi(_norm(x)) @ up) @ down
    return _norm(x)


def initial_weights(shape: TransformerShape, seed: int) -> Weights:
    """Draw the weights of a network, standard normal, the same on every device.

    Parameters
    ----------
    shape
        Of the network.
    seed
        A whole number from 0 on.

    Returns
    -------
    dict of str to torch.Tensor
        float32 on the processor.
    """
    instance(shape, "shape", TransformerShape, "give a TransformerShape")
    return dict(zip(shape.sizes, standard_normal(shape.sizes.values(), seed, 4), strict=True))


def _norm(x: torch.Tensor) -> torch.Tensor:
    return layer_norm(x, x.shape[-1:], eps=LAYER_NORM_EPSILON)


def _attention(joint: torch.Tensor, shape: TransformerShape) -> torch.Tensor:
    """Return what the heads read, side by side, from queries, keys and values, side by side."""
    apart = joint.view(*joint.shape[:2], 3, shape.heads, shape.head_size).transpose(1, 3)  # (B, heads, 3, t, d)
    query, key, value = apart.unbind(2)
    read = scaled_dot_product_attention(_norm(query), _norm(key), value, is_causal=True, scale=1 / shape.head_size)
    return read.transpose(1, 2).flatten(2)
