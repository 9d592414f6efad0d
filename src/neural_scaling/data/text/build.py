"""Documents to arrays of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neural_scaling.base.checks import instance, instances
from neural_scaling.data.download import Say
from neural_scaling.data.text import corpus, tokenizer
from neural_scaling.data.text.corpus import Document
from neural_scaling.data.text.tokenizer import Tokenizer
from neural_scaling.data.text_data import Lengths, Tokens

__all__ = ["encoded"]


def speeches_books(downloads: Path, say: Say) -> tuple[Tokens, Lengths, Tokens, Lengths]:
    """Fetch the speeches and books and return tokens and lengths of the training and the held-out documents."""
    model = tokenizer.committed()
    train, test = corpus.split(corpus.obtain(downloads, say))
    return (*encoded(train, model), *encoded(test, model))


def encoded(documents: Sequence[Document], model: Tokenizer) -> tuple[Tokens, Lengths]:
    """Return the tokens of documents, one after the other, and the number of tokens and characters of each."""
    documents = instances(documents, "documents", Document, "give a list of documents", fewest=0)
    instance(model, "model", Tokenizer, "give a Tokenizer")
    parts = [model.encode(document.text) for document in documents]
    sizes = [(len(part), len(document.text)) for part, document in zip(parts, documents, strict=True)]
    return np.concatenate([*parts, np.zeros(0, np.uint16)]), np.array(sizes, np.uint32).reshape(-1, 2)
