"""What is known about a dataset beforehand, what it must consist of, and how its arrays are opened."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from neural_scaling.data.images import ImageDataset, ImageSplit, moments
from neural_scaling.data.problems import SourceFailed
from neural_scaling.data.text_data import TextDataset

AnyArray = npt.NDArray[Any]
Opened = TypeVar("Opened")


@dataclass(frozen=True, kw_only=True)
class Record(ABC, Generic[Opened]):
    """What is known about a dataset.

    Attributes
    ----------
    name
        What :func:`~neural_scaling.data.load` calls it.
    title
        A few words.
    licence
        What is known of it.
    citation
        Whose work it is.
    obtained
        How it is obtained, in the order in which the ways are tried.
    sha256
        Of each array; empty where no checksum is known beforehand.
    version
        What is on disk with another version is made anew.
    """

    #: Name of each array, in the order of the checksums, and the type of its numbers.
    arrays: ClassVar[Mapping[str, str]]

    name: str
    title: str
    licence: str
    citation: str
    obtained: tuple[str, ...]
    sha256: tuple[str, ...] = ()
    version: str = "1"

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes on disk."""

    @property
    @abstractmethod
    def contents(self) -> str:
        """How much of what is in it, for training and for testing."""

    @property
    @abstractmethod
    def details(self) -> str:
        """What else there is to say about its contents."""

    @abstractmethod
    def check(self, arrays: Mapping[str, AnyArray]) -> None:
        """Hold arrays of the right types to what is known; raise :exc:`SourceFailed` if they are something else."""

    @abstractmethod
    def measured(self, arrays: Mapping[str, AnyArray]) -> dict[str, Any]:
        """Return what is to be written down about the arrays, as JSON."""

    @abstractmethod
    def opened(self, arrays: Mapping[str, AnyArray], measured: Mapping[str, Any]) -> Opened:
        """Return the dataset made of arrays on disk and of what was written down about them."""


@dataclass(frozen=True, kw_only=True)
class ImageRecord(Record[ImageDataset]):
    """What is known about a dataset of images.

    Attributes
    ----------
    train, test
        Number of images.
    shape
        Height, width, channels.
    classes
        Name of each class.
    """

    arrays: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("train_images", "train_labels", "test_images", "test_labels"), "uint8"
    )

    train: int
    test: int
    shape: tuple[int, int, int]
    classes: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return (self.train + self.test) * (math.prod(self.shape) + 1)

    @property
    def contents(self) -> str:
        """Number of images."""
        return f"{self.train} + {self.test} images"

    @property
    def details(self) -> str:
        """Shape of an image."""
        return " x ".join(map(str, self.shape))

    def check(self, arrays: Mapping[str, AnyArray]) -> None:
        """Hold arrays to the number and shape of images and the number of classes."""
        for part, count in (("train", self.train), ("test", self.test)):
            images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
            if images.shape != (count, *self.shape) or labels.shape != (count,):
                raise SourceFailed(
                    f"images of shape {images.shape} and {labels.size} labels instead of {(count, *self.shape)}"
                )
            if int(labels.max()) >= len(self.classes):
                raise SourceFailed("labels out of range")

    def measured(self, arrays: Mapping[str, AnyArray]) -> dict[str, Any]:
        """Return mean and standard deviation of the training images."""
        mean, std = moments(arrays["train_images"])
        return {"mean": mean.tolist(), "std": std.tolist()}

    def opened(self, arrays: Mapping[str, AnyArray], measured: Mapping[str, Any]) -> ImageDataset:
        """Return the dataset; images stay on disk."""
        return ImageDataset(
            self.name,
            ImageSplit(arrays["train_images"], np.array(arrays["train_labels"])),
            ImageSplit(arrays["test_images"], np.array(arrays["test_labels"])),
            self.classes,
            np.array(measured["mean"], float),
            np.array(measured["std"], float),
        )


@dataclass(frozen=True, kw_only=True)
class TextRecord(Record[TextDataset]):
    """What is known about a text.

    Attributes
    ----------
    train, test
        Number of tokens.
    vocabulary
        Number of different tokens.
    documents, characters
        Their numbers for training and for testing; None if they are not known beforehand.
    """

    arrays: ClassVar[Mapping[str, str]] = {
        "train_tokens": "uint16",
        "train_lengths": "uint32",
        "test_tokens": "uint16",
        "test_lengths": "uint32",
    }

    train: int
    test: int
    vocabulary: int
    documents: tuple[int, int] | None = None
    characters: tuple[int, int] | None = None

    @property
    def size(self) -> int:
        """Bytes on disk; the lengths of documents, where their number is not known, are left out."""
        return 2 * (self.train + self.test) + 8 * sum(self.documents or ())

    @property
    def contents(self) -> str:
        """Number of tokens."""
        return f"{self.train} + {self.test} tokens"

    @property
    def details(self) -> str:
        """Numbers of documents, of characters and of different tokens."""
        counted = ((self.documents, "documents"), (self.characters, "characters"))
        known = "".join(f"{numbers[0]} + {numbers[1]} {what}, " for numbers, what in counted if numbers)
        return f"{known}vocabulary of {self.vocabulary}"

    def check(self, arrays: Mapping[str, AnyArray]) -> None:
        """Hold arrays to the number of tokens, the vocabulary and the lengths of documents."""
        for number, (part, count) in enumerate((("train", self.train), ("test", self.test))):
            tokens, lengths = arrays[f"{part}_tokens"], arrays[f"{part}_lengths"]
            documents = self.documents[number] if self.documents else len(lengths)
            if tokens.shape != (count,) or len(lengths) != documents:
                raise SourceFailed(
                    f"{tokens.size} tokens of {len(lengths)} documents instead of {count} of {documents}"
                )
            if int(tokens.max()) >= self.vocabulary:
                raise SourceFailed("tokens out of range")
            if lengths.shape != (documents, 2) or int(lengths[:, 0].sum(dtype=np.int64)) != count:
                raise SourceFailed("documents of other lengths")
            if self.characters and int(lengths[:, 1].sum(dtype=np.int64)) != self.characters[number]:
                raise SourceFailed("documents of other lengths")

    def measured(self, arrays: Mapping[str, AnyArray]) -> dict[str, Any]:
        """Return the numbers of documents and of their characters."""
        lengths = [arrays[f"{part}_lengths"] for part in ("train", "test")]
        return {
            "documents": [len(length) for length in lengths],
            "characters": [int(length[:, 1].sum(dtype=np.int64)) for length in lengths],
        }

    def opened(self, arrays: Mapping[str, AnyArray], measured: Mapping[str, Any]) -> TextDataset:
        """Return the dataset; tokens stay on disk."""
        return TextDataset(self.name, self.vocabulary, arrays["train_tokens"], arrays["test_tokens"])
