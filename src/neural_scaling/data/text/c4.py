"""English C4 with the tokenizer of T5: streamed from its public place by the package ``datasets``, kept as tokens.

The package is an optional extra, ``pip install "neural-scaling[c4]"``. Only the tokens stay on disk, so that every run reads
the same ones, in an order of its own and from any step, and never waits for the network. An interrupted call goes on at the
document where it was.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from neural_scaling.base.checks import instance, instances, keep, keep_each, whole
from neural_scaling.base.files import write_atomically
from neural_scaling.base.terminal import progress
from neural_scaling.data import folders
from neural_scaling.data.catalogue import C4_REVISION, T5_SHA256
from neural_scaling.data.download import Say, fetch
from neural_scaling.data.folders import npy_header, write_array
from neural_scaling.data.problems import SourceFailed, is_disk_problem, network_trouble
from neural_scaling.data.records import TextRecord
from neural_scaling.data.sources import unavailable
from neural_scaling.data.text.prefetch import Prefetched
from neural_scaling.data.text.tokenizer import Tokenizer

__all__ = ["Position", "Streamed", "documents"]

ADDRESS = f"https://huggingface.co/datasets/allenai/c4/resolve/{C4_REVISION}/en"
TRAIN = tuple(f"{ADDRESS}/c4-train.{number:05d}-of-01024.json.gz" for number in range(1024))
TEST = tuple(f"{ADDRESS}/c4-validation.{number:05d}-of-00008.json.gz" for number in range(8))

TOKENIZER = "https://huggingface.co/google-t5/t5-small/resolve/df1b051c49625cf57a3d0d8d3863ed4d13564fe4/spiece.model"
PIECES = 32_000
#: T5 adds 100 numbers for its own task to the 32 000 pieces of the file; they never occur in text. The 32 101 of the public
#: code have room for one more, which never occurs here either. A network has to learn so; its loss at first is log(32 101).
VOCABULARY = PIECES + 101

MISSING = "the Python package datasets is not installed"
REMEDY = (
    'Install the extra package (`pip install "neural-scaling[c4]"`, in a checkout `pip install -c constraints.txt ".[c4]"`) and '
    "connect to the network; what has come is kept and continued. Or use speeches-books, which comes from package registries."
)

_CHUNK = 4096  # documents read, encoded and written at once
_STATE = "state.json"
_COLUMNS = ("text", "timestamp", "url")


@dataclass(frozen=True)
class Position:
    """A place in a stream of documents.

    Attributes
    ----------
    file
        Number of the file that holds the next document.
    document
        Number of that document in its file.
    """

    file: int = 0
    document: int = 0

    def __post_init__(self) -> None:
        keep_each(self, whole, "file", "document", least=0)


BEGINNING = Position()


def documents(addresses: Sequence[str], start: Position = BEGINNING) -> Iterator[tuple[str, Position]]:
    """Yield the texts in files of C4, one after the other, each with the position after it.

    Parameters
    ----------
    addresses
        Of the files: lines of JSON with ``text``, ``timestamp`` and ``url``, compressed or not; local paths will do.
    start
        Where to begin. Documents before it in the same file are read and dropped, files before it are not read.

    Raises
    ------
    SourceFailed
        If the package ``datasets`` is missing, or a file cannot be fetched or is something else.
    """
    addresses = instances(addresses, "addresses", str, "give a list of addresses or paths")
    instance(start, "start", Position, "give a Position")
    library = _library()
    features = library.Features({column: library.Value("string") for column in _COLUMNS})
    for file in range(start.file, len(addresses)):
        first = start.document if file == start.file else 0
        try:
            stream = library.load_dataset(
                "json", data_files=[addresses[file]], split="train", streaming=True, features=features
            )
            for number, row in enumerate(stream.skip(first), start=first + 1):
                yield str(row["text"]), Position(file, number)
        except Exception as error:  # the libraries below have exceptions of their own, of no common kind
            if isinstance(error, OSError) and is_disk_problem(error):
                raise
            lines = str(error).splitlines() or [type(error).__name__]
            trouble = network_trouble(f"{type(error).__name__} {error}")
            raise SourceFailed(f"{addresses[file]}: {trouble or lines[0][:200]}") from error


def t5_tokenizer(downloads: Path, say: Say) -> Tokenizer:
    """Fetch the tokenizer of T5."""
    return Tokenizer(fetch(TOKENIZER, T5_SHA256, downloads, say).read_bytes())


@dataclass(frozen=True)
class Streamed:
    """A text made of the first documents of C4, as many as have a given number of tokens; the last one is cut.

    Attributes
    ----------
    record
        What is known of the text; says how many tokens there are to be.
    train, test
        Addresses of files. Held-out documents are from the validation set of C4.
    model
        Tokenizer; None for that of T5.
    """

    record: TextRecord
    train: tuple[str, ...] = field(default_factory=lambda: TRAIN)  # a thousand addresses that no signature should show
    test: tuple[str, ...] = field(default_factory=lambda: TEST)
    model: Tokenizer | None = None

    def __post_init__(self) -> None:
        instance(self.record, "record", TextRecord, "give a TextRecord")
        for name in ("train", "test"):
            addresses = instances(getattr(self, name), name, str, "give addresses or paths")
            keep(self, **{name: tuple(addresses)})
        instance(self.model, "model", (Tokenizer, type(None)), "give a Tokenizer, or None for that of T5")

    def build(self, folder: Path, downloads: Path, say: Say) -> str:
        """Make the text; goes on where an interrupted call was (a build for ``data.folders.create``).

        Parameters
        ----------
        folder
            Where arrays are written; what an interrupted call left there is used.
        downloads
            Folder in which the tokenizer is kept; must exist.
        say
            Prints a line.

        Returns
        -------
        str
            Where the text is from.

        Raises
        ------
        DatasetUnavailable
            If the library, the tokenizer or the text cannot be fetched.
        OSError
            If the disk is full or cannot be written.
        """
        try:
            _library()  # what is missing is said before anything is fetched
            model = self.model or t5_tokenizer(downloads, say)
            _fill(folder, "test", self.test, self.record.test, model, say)
            _fill(folder, "train", self.train, self.record.train, model, say)
        except SourceFailed as reason:
            raise unavailable(self.record, [str(reason)], downloads, REMEDY) from reason
        return f"{self.train[0].rsplit('/', 1)[0]}, tokenizer {model.sha256[:16]}"


def _fill(folder: Path, part: str, addresses: Sequence[str], count: int, model: Tokenizer, say: Say) -> None:
    """Write the tokens and lengths of the first documents, ``count`` tokens in all."""
    tokens, lengths, state = folder / f"{part}_tokens.npy", folder / f"{part}_lengths.part", folder / f"{part}_{_STATE}"
    header = npy_header((count,), "uint16")
    done = _Done.read(state)
    if any(
        not path.exists() or path.stat().st_size < size
        for path, size in ((tokens, len(header) + 2 * done.tokens), (lengths, 8 * done.documents))
    ):
        done = _Done()
        write_atomically(tokens, [header], folders.REMEDY)
        write_atomically(lengths, [], folders.REMEDY)
    if done.tokens:
        say(f"{part}: going on after {done.tokens / 1e6:.1f} million tokens")
    stream = documents(addresses, Position(done.file, done.document))
    with (
        tokens.open("r+b") as tokens_file,
        lengths.open("r+b") as lengths_file,
        Prefetched(lambda _: list(itertools.islice(stream, _CHUNK)), ahead=2) as chunks,
        progress(count, f"{part} tokens") as bar,
    ):
        bar.update(done.tokens)
        # an interrupted call may have appended more than it noted
        tokens_file.truncate(len(header) + 2 * done.tokens)
        lengths_file.truncate(8 * done.documents)
        tokens_file.seek(0, os.SEEK_END)
        lengths_file.seek(0, os.SEEK_END)
        while done.tokens < count:
            chunk = next(chunks)
            if not chunk:
                raise SourceFailed(f"the files hold {done.tokens} tokens instead of {count}")
            room, sizes = count - done.tokens, []
            for encoded, (text, _) in zip(model.encode_all([text for text, _ in chunk]), chunk, strict=True):
                used = encoded[:room]
                if len(used):
                    tokens_file.write(used.astype("<u2").tobytes())
                    sizes.append((len(used), len(text)))
                    room -= len(used)
            lengths_file.write(np.array(sizes, "<u4").tobytes())
            for file in (tokens_file, lengths_file):
                file.flush()
                os.fsync(file.fileno())
            bar.update(count - room - done.tokens)
            done = _Done(count - room, done.documents + len(sizes), **asdict(chunk[-1][1]))
            write_atomically(state, [json.dumps(asdict(done)).encode()], folders.REMEDY)
    whole = np.fromfile(lengths, "<u4").reshape(-1, 2)
    write_array(folder / f"{part}_lengths.npy", whole.shape, [whole], "uint32")


def _library() -> Any:
    """Return the package ``datasets``; its import takes seconds and happens only here."""
    try:
        import datasets
    except ImportError as error:
        raise SourceFailed(MISSING) from error
    return datasets


@dataclass(frozen=True)
class _Done:
    """How much of a text is on disk, and the position of the next document."""

    tokens: int = 0
    documents: int = 0
    file: int = 0
    document: int = 0

    @classmethod
    def read(cls, path: Path) -> _Done:
        """Return what was noted; nothing if it cannot be read."""
        try:
            noted: dict[str, Any] = json.loads(path.read_text("utf-8"))
            return cls(**{name: int(value) for name, value in noted.items()})
        except (OSError, ValueError, TypeError, AttributeError):
            return cls()
