"""Text for the prediction of the next token: fetched, split by document, made into tokens, given out as batches.

>>> from neural_scaling.data import load_text
>>> from neural_scaling.data.text import Sequences
>>> text = load_text("speeches-books")  # doctest: +SKIP
>>> Sequences(text.train, length=256, batch=32, seed=0).batch_at(step=100).shape  # doctest: +SKIP
(32, 257)
"""

from neural_scaling.data.text.prefetch import Prefetched
from neural_scaling.data.text.sequences import Sequences
from neural_scaling.data.text_data import TextDataset

__all__ = ["Prefetched", "Sequences", "TextDataset"]
