"""Runs on text as values: training, and the losses that counts of tokens give."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from neural_scaling.base.checks import keep, keep_each, require, require_positive, seed, text, whole
from neural_scaling.base.grids import log_spaced_steps
from neural_scaling.base.monitor import Arrays, Monitor
from neural_scaling.networks.runs import DatasetRun
from neural_scaling.runs.device import device_name

__all__ = ["LanguageRun", "NgramRun"]

_PER_DECADE = 10
_SLICE = 3  # steps of the slice that checks a kept run


@dataclass(frozen=True)
class LanguageRun(DatasetRun):
    """A transformer trained to predict the next token: :func:`neural_scaling.networks.language_training.train_language`.

    A seed means the same initial weights and the same batches at every richness and learning rate.

    Parameters
    ----------
    dataset
        As :func:`neural_scaling.data.load_text` takes it.
    context
        T, tokens of a sequence that are read, and that are predicted.
    depth
        L, number of blocks.
    heads, head_size
        Attention heads of a block and their size d; the width is N = heads x d.
    residual
        beta_res.
    richness
        gamma_0, positive.
    eta
        Learning rate, as :mod:`neural_scaling.networks.transformer` defines it.
    batch
        B, sequences of a step.
    steps
        Number of steps.
    seed
        Of initial weights and of the order of the text.
    test
        Number of held-out sequences, at equal distances in the held-out text.
    """

    kind: ClassVar[str] = "language transformer"
    algorithm: ClassVar[int] = 1
    # Rounding of features in float32 over gamma_0 (see the module of the network) with sums in another order: 1e-4 of f at
    # gamma_0 = 1e-4 at any width, less in a mean over tokens. Another learning rate makes a difference of 1e-2.
    tolerance: ClassVar[float] = 3e-4

    dataset: str
    context: int
    depth: int
    heads: int
    head_size: int
    residual: float
    richness: float
    eta: float
    batch: int
    steps: int
    seed: int
    test: int

    def __post_init__(self) -> None:
        keep_each(self, text, "dataset")
        keep_each(self, require_positive, "eta", "residual")
        lazy = "give a positive number, for example 1e-4 for the lazy limit"
        keep_each(self, require_positive, "richness", remedy=lazy)
        keep_each(self, whole, "context", "depth", "heads", "head_size", "batch", "steps", "test")
        keep_each(self, seed, "seed")

    @property
    def work(self) -> int:
        """Number of steps."""
        return self.steps

    @property
    def label(self) -> str:
        """Dataset, richness, learning rate, width, depth and tokens of a step."""
        return (
            f"{self.dataset} gamma0={self.richness:g} eta={self.eta:g} N={self.heads}x{self.head_size} L={self.depth} "
            f"B={self.batch}x{self.context} seed={self.seed}"
        )

    def slice(self) -> Self:
        """Return the first steps, with little held-out text."""
        return replace(self, steps=min(_SLICE, self.steps), test=min(2, self.test))

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the losses of the batches of the steps that both hold."""
        count = min(arrays["loss"].size, recomputed["loss"].size)
        expected, found = (run["loss"][:count].astype(np.float64) for run in (arrays, recomputed))
        finite = np.isfinite(expected)
        if not np.array_equal(finite, np.isfinite(found)):
            return float("inf")
        return float(np.max(np.abs(found[finite] / expected[finite] - 1), initial=0.0))

    def run(self, monitor: Monitor) -> Arrays:
        """Return the losses.

        ``loss`` (steps,), float32, of every batch before its step, in nats per token; ``step`` (R,) and ``held_out`` (R,),
        float32, the loss on held-out text after so many steps; ``final`` (test,), float32, that of each of its sequences after
        the last; ``moved`` (R,), float32, how far features have moved on it, root mean square relative to their own;
        ``diverged``, infinite where the run stays finite; ``vocabulary``.

        Raises
        ------
        InputError
            If the text is shorter than the steps need, or there are not so many held-out sequences.
        """
        from neural_scaling.base.devices import find_device
        from neural_scaling.data import load_text
        from neural_scaling.data.text import Sequences
        from neural_scaling.networks.language_training import train_language
        from neural_scaling.networks.parametrization import Parametrization
        from neural_scaling.networks.transformer import Transformer, TransformerShape

        device = find_device(device_name())
        found = load_text(self.dataset)
        shape = TransformerShape(found.vocabulary, self.context, self.depth, self.heads, self.head_size, self.residual)
        train = Sequences(found.train, self.context, self.batch, self.seed)
        test = Sequences(found.test, self.context, 1, 0)
        # Else the loss of a batch would not be that of new text.
        most = train.fresh_steps
        require(self.steps <= most, "steps", f"got {self.steps}", f"give at most {most}, one pass over the text")
        require(
            1 <= self.test <= len(test), "test", f"got {self.test}", f"give 1 to {len(test)}, the sequences held out"
        )
        held_out = test.at(np.linspace(0, len(test) - 1, self.test).astype(int))
        model = Transformer(shape, Parametrization(shape.width, self.richness, self.eta), self.seed, device)
        recorded = [int(step) for step in log_spaced_steps(self.steps, _PER_DECADE)]
        outcome = train_language(model, train.batch_at, held_out, recorded, device, monitor)
        numbers = {"diverged": np.asarray(outcome.diverged), "vocabulary": np.asarray(found.vocabulary)}
        return vars(outcome) | numbers


@dataclass(frozen=True)
class NgramRun(DatasetRun):
    """Losses on held-out text of what knows only frequencies: :func:`neural_scaling.data.text.ngrams.ngram_losses`.

    Parameters
    ----------
    dataset
        As :func:`neural_scaling.data.load_text` takes it.
    tokens
        How many of the training text are counted, its first ones; all if it has fewer.
    """

    kind: ClassVar[str] = "frequencies of tokens"
    algorithm: ClassVar[int] = 1

    dataset: str
    tokens: int

    def __post_init__(self) -> None:
        keep(self, dataset=text(self.dataset, "dataset"), tokens=whole(self.tokens, "tokens", least=2))

    @property
    def device(self) -> str:
        """The processor."""
        return "cpu"

    @property
    def work(self) -> int:
        """One unit."""
        return 1

    @property
    def label(self) -> str:
        """Dataset and tokens counted."""
        return f"{self.dataset} frequencies of tokens"

    def slice(self) -> Self:
        """Return the run itself, which takes seconds."""
        return self

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``loss`` (2,), nats per token: by frequencies of tokens, and of pairs."""
        from neural_scaling.data import load_text
        from neural_scaling.data.text.ngrams import ngram_losses

        found = load_text(self.dataset)
        train, test = np.asarray(found.train[: self.tokens]), np.asarray(found.test)
        losses = monitor.waiting(lambda: ngram_losses(train, test, found.vocabulary), dict)
        monitor.advance(1)
        return {"loss": np.array(losses)}
