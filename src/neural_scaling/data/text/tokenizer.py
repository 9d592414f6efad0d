"""Text to tokens and back, by SentencePiece models of which every byte is checked before use.

The model of the speeches and books is part of the repository; it was trained on the training documents only::

    python -m neural_scaling.data.text train-tokenizer
"""

from __future__ import annotations

import functools
import hashlib
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neural_scaling.base.checks import InputError, array, instance, instances, whole
from neural_scaling.base.checks import text as checked_text
from neural_scaling.base.paths import data_root
from neural_scaling.data.problems import DatasetDamaged
from neural_scaling.data.text_data import END, Tokens

__all__ = ["LINE_BYTES", "OPTIONS", "VOCABULARY", "Tokenizer", "committed", "committed_path", "lines", "train"]

#: SentencePiece leaves out longer lines when it is trained, without a word.
LINE_BYTES = 4192
VOCABULARY = 8192
#: Options of the training. T5's numbers for padding, end of document and unknown, T5's normalisation. With a piece for every byte
#: nothing is ever unknown. One thread, since sums over threads depend on their number.
OPTIONS: dict[str, Any] = {
    "model_type": "unigram",
    "vocab_size": VOCABULARY,
    "character_coverage": 1.0,
    "byte_fallback": True,
    "normalization_rule_name": "nmt_nfkc",
    "max_sentence_length": LINE_BYTES,
    "pad_id": 0,
    "eos_id": END,
    "unk_id": 2,
    "bos_id": -1,
    "num_threads": 1,
}


@dataclass(frozen=True)
class Tokenizer:
    """A SentencePiece model.

    Attributes
    ----------
    model
        Content of its file.

    Raises
    ------
    InputError
        If it is no such file; where it is first used.
    """

    model: bytes = field(repr=False)

    def __post_init__(self) -> None:
        instance(self.model, "model", bytes, "give the bytes of a file of SentencePiece")

    @functools.cached_property
    def _processor(self) -> Any:
        from sentencepiece import SentencePieceProcessor

        try:
            return SentencePieceProcessor(model_proto=self.model)
        except RuntimeError as error:
            raise InputError("model: no file of SentencePiece; give the bytes of one.") from error

    @property
    def pieces(self) -> int:
        """Number of different tokens."""
        return int(self._processor.get_piece_size())

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of the model."""
        return hashlib.sha256(self.model).hexdigest()

    def encode(self, text: str) -> Tokens:
        """Return the tokens of a document and the one that ends it, uint16, shape (n,).

        Every character is in them, up to normalisation (NFKC; white space of any length, line breaks too, is one space),
        unless the model has no piece for it. Lines are encoded one by one, because likelihoods of long texts would be compared
        with few digits.

        Parameters
        ----------
        text
            Any length.
        """
        return self.encode_all([checked_text(text, "text")])[0]

    def encode_all(self, texts: Sequence[str]) -> list[Tokens]:
        """Return the tokens of several documents as :meth:`encode` gives them, made with all cores."""
        parts = [list(lines(text)) for text in instances(texts, "texts", str, "give a list of texts")]
        # each line is encoded by itself, so the result does not depend on the number of threads
        encoded = iter(self._processor.encode([line for part in parts for line in part], num_threads=-1))
        return [
            np.array([*itertools.chain.from_iterable(itertools.islice(encoded, len(part))), END], np.uint16)
            for part in parts
        ]

    def decode(self, tokens: npt.ArrayLike) -> str:
        """Return the text of tokens, without what ends documents."""
        known = array(tokens, "tokens", whole=True, least=0, most=self.pieces - 1)
        return str(self._processor.decode([int(token) for token in known if token != END]))

    def normalised(self, text: str) -> str:
        """Return a text as :meth:`decode` gives it back."""
        text = checked_text(text, "text")
        parts = [str(part).replace("\u2581", " ").strip() for part in self._processor.normalize(list(lines(text)))]
        return " ".join(part for part in parts if part)


def lines(text: str, limit: int = LINE_BYTES) -> Iterator[str]:
    """Yield the lines of a text that are not blank, in parts of at most ``limit`` bytes, cut between words where possible.

    Parameters
    ----------
    text
        Any.
    limit
        In UTF-8, at least the 4 bytes of one character.
    """
    limit = whole(limit, "limit", least=4)
    for line in checked_text(text, "text").splitlines():
        rest = line.strip()
        while rest:
            part = rest.encode()[:limit].decode(
                errors="ignore"
            )  # a character that is cut in two is left for the next part
            if len(part) < len(rest) and not rest[len(part)].isspace():
                words = part.rsplit(maxsplit=1)
                part = words[0] if len(words) == 2 else part
            yield part.rstrip()
            rest = rest[len(part) :].lstrip()


def train(texts: Iterable[str], options: dict[str, Any] = OPTIONS) -> Tokenizer:
    """Return a model trained on texts.

    Parameters
    ----------
    texts
        Training documents.
    options
        Of the trainer of SentencePiece.
    """
    from sentencepiece import SentencePieceTrainer

    instance(options, "options", dict, "give a dictionary, such as OPTIONS")
    written = io.BytesIO()
    listed = instances(texts, "texts", str, "give a list of texts")
    every = (line for text in listed for line in lines(text))
    SentencePieceTrainer.train(sentence_iterator=every, model_writer=written, minloglevel=1, **options)
    return Tokenizer(written.getvalue())


def committed() -> Tokenizer:
    """Return the model of the speeches and books that is part of the repository.

    Raises
    ------
    DatasetDamaged
        If it is not the one that was trained.
    DataRootMissing
        If there is no data folder.
    """
    path = committed_path()
    try:
        model, expected = path.read_bytes(), json.loads(path.with_suffix(".json").read_text("utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetDamaged(f"{path}: it cannot be read ({error}); restore it and the .json beside it.") from error
    found = Tokenizer(model)
    if found.sha256 != expected:
        raise DatasetDamaged(f"{path}: its sha256 is not that of the model that was trained; restore it.")
    return found


def committed_path() -> Path:
    """Return where the model of the speeches and books is."""
    return data_root() / "tokenizers" / "speeches-books.model"
