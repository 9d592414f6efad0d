"""Text for the prediction of the next token: fetched, split by document, made into tokens, given out as batches.

>>> from neural_scaling.text import Sequences, load
>>> text = load("speeches-books")  # doctest: +SKIP
>>> Sequences(text.train, length=256, batch=32, seed=0).batch_at(step=100).shape  # doctest: +SKIP
(32, 257)
"""

from neural_scaling.datasets.text_data import TextDataset
from neural_scaling.text.loading import load
from neural_scaling.text.prefetch import Prefetched
from neural_scaling.text.sequences import Sequences

__all__ = ["Prefetched", "Sequences", "TextDataset", "load"]
