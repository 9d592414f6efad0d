"""The quality of a set of generated digits as one experiment."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import keep, keep_each, require, seed, text, whole
from neural_scaling.base.monitor import Arrays, Monitor, Parts
from neural_scaling.data.digits import dataset
from neural_scaling.data.digits.quality import frechet_distance, grey_values, nearest, normal_digits
from neural_scaling.data.digits.runs import trained_judge
from neural_scaling.data.digits.sizes import CLASSES, Pixels, find
from neural_scaling.data.digits.weights import digest
from neural_scaling.runs.device import DeviceRun

__all__ = ["QUANTILES", "SETS", "QualityRun"]

#: Sets whose distance to real test images is measured, in the order of the rows of ``frechet``.
SETS = ("real test images", "real training images", "generated images", "normal pixels")
#: Positions of the quantiles that distances to nearest neighbours are kept at.
QUANTILES = np.linspace(0, 1, 201)

_SHEET = 10  # images of each digit on the sheet
_MISTAKEN = 10  # kept for the eye at most


@dataclass(frozen=True)
class QualityRun(DeviceRun):
    """Judge generated digits beside real ones.

    Parameters
    ----------
    size
        Of the set. The small one is drawn anew, larger ones are taken from the user's cache as far as they are there.
    weights, judge
        Digests of the denoiser's and of the classifier's weights.
    images
        How many of the first images are judged.
    each
        Images per digit in the sets whose Fréchet distance is taken.
    repeats
        How often these sets are chosen at random.
    neighbours
        How many generated, and as many real test images, are compared with the training images.
    seed
        Of the choices.
    """

    kind: ClassVar[str] = "quality of generated images"
    algorithm: ClassVar[int] = 2
    # Another machine may change single grey values; single images of a few hundred may then be classified otherwise.
    tolerance: ClassVar[float] = 2e-2

    size: str
    weights: str
    judge: str
    images: int
    each: int
    repeats: int
    neighbours: int
    seed: int

    def __post_init__(self) -> None:
        keep_each(self, text, "size", "weights", "judge")
        keep_each(self, whole, "images", "repeats", "neighbours")
        keep(self, each=whole(self.each, "each", least=2), seed=seed(self.seed))

    @property
    def inputs(self) -> dict[str, str]:
        """Version of the set, which changes with the settings of its size."""
        return {f"mnist1m-{self.size}": dataset.version(self.size)}

    @property
    def work(self) -> int:
        """Number of images."""
        return self.images

    @property
    def label(self) -> str:
        """Size and number of images."""
        return f"quality of {self.images} images of {self.size}"

    def slice(self) -> Self:
        """Return the run with the first images and without repeats."""
        return replace(self, size="small", images=100, each=5, repeats=1, neighbours=100)

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Return the share of pixels that differ by more than two grey values, in the images that both keep."""
        both = min(len(arrays["first"]), len(recomputed["first"]))
        difference = arrays["first"][:both].astype(int) - recomputed["first"][:both]
        return float(np.mean(np.abs(difference) > 2))

    def run(self, monitor: Monitor) -> Arrays:
        """Return what is known about the images.

        ``confusion`` and ``confusion real`` (10, 10): number of generated and of real test images by label (rows) and the
        classifier's word (columns). ``frechet`` (4, repeats): distance of sets of images (:data:`SETS`) from real test images,
        all balanced and of the same size. ``nearest generated`` and ``nearest test`` (201,): quantiles of the distance to the
        nearest training image; ``closer`` (2,): number of generated images nearer to one than any test image is, and than 99 %
        of them are; ``nearest is training`` (3,): number of generated images whose nearest among all real ones is a training
        image, numbers of training and of test images. ``grey`` (3, 5): see
        :func:`~neural_scaling.data.digits.quality.grey_values`, of generated, test and training images. Images for the eye:
        ``sheet``, ten of each digit; ``first``, the first ten drawn;
        ``closest``, of each digit the one nearest to a training image, number ``closest index``, at ``closest distance``;
        ``mistaken``, up to ten that the classifier takes for another digit, with ``mistaken labels`` (k, 2).
        """
        from neural_scaling.data.digits.classifier import classify
        from neural_scaling.data.entries import MNIST

        self._check()
        kept = trained_judge().arrays
        require(digest(kept) == self.judge, "judge", f"{digest(kept)} is there, not {self.judge}", "plan the run anew")
        real = MNIST.load()
        parts = Parts(monitor)
        generated = _Set(*self._drawn(monitor, parts))
        test = _Set(np.asarray(real.test.images), np.asarray(real.test.labels))
        train = _Set(np.asarray(real.train.images), np.asarray(real.train.labels))
        said, said_real = (
            parts.call(f"labels of {number}", lambda images=images: vars(classify(images, kept)))["labels"]  # type: ignore[misc]
            for number, images in enumerate((generated.images, test.images))
        )
        wrong = np.flatnonzero(said != generated.labels)[:_MISTAKEN]
        sheet = [generated.images[generated.labels == label][:_SHEET] for label in range(CLASSES)]
        return {
            "confusion": _confusion(generated.labels, said),
            "confusion real": _confusion(test.labels, said_real),
            "frechet": self._distances(generated, test, train, kept, parts),
            "grey": np.array([grey_values(each.images) for each in (generated, test, train)]),
            "sheet": np.concatenate(sheet),
            "first": generated.images[:_SHEET],
            "mistaken": generated.images[wrong],
            "mistaken labels": np.stack([generated.labels[wrong], said[wrong]], 1),
        } | self._neighbours(generated, train.images, test.images, parts)

    def _check(self) -> None:
        settings = find(self.size)
        good = self.images <= settings.total and self.images % settings.batch == 0
        require(
            good,
            "images",
            f"got {self.images}",
            f"give a multiple of {settings.batch} up to the {settings.total} images of {self.size}",
        )
        enough = self.each * CLASSES <= self.images and self.neighbours <= self.images
        counts = f"got {self.images} for {self.each} of each digit and {self.neighbours} neighbours"
        require(enough, "images", counts, "judge more images")
        # So that there are all digits among them.
        good = self.neighbours % settings.batch == 0
        require(good, "neighbours", f"got {self.neighbours}", f"give a multiple of {settings.batch}")

    def _drawn(self, monitor: Monitor, parts: Parts) -> tuple[Pixels, Pixels]:
        pieces = zip(*self._shards(monitor, parts), strict=True)
        images, labels = (np.concatenate(piece)[: self.images] for piece in pieces)
        return images, labels

    def _shards(self, monitor: Monitor, parts: Parts) -> Iterator[tuple[Pixels, Pixels]]:
        settings = find(self.size)
        planned = dataset.planned(self.size)[: math.ceil(self.images / settings.images)]
        there = planned[0].weights
        require(there == self.weights, "weights", f"{there} are there, not {self.weights}", "plan the run anew")
        if self.size != "small":
            for images, labels in dataset.shards(self.size, count=len(planned)):
                monitor.advance(len(images))
                yield images, labels
            return
        for number, run in enumerate(planned):
            left = min(settings.images, self.images - number * settings.images)
            arrays = parts.run(f"shard {number}", replace(run, images=left).run)
            yield arrays["images"], arrays["labels"]

    def _distances(self, generated: _Set, test: _Set, train: _Set, kept: Arrays, parts: Parts) -> Array:
        """Return the Fréchet distances of sets chosen at random, balanced, from as many real test images."""
        from neural_scaling.data.digits.classifier import classify

        random = np.random.default_rng(self.seed)
        normal = _Set(*normal_digits(train.images, train.labels, 2 * self.each, self.seed))
        found = np.empty((len(SETS), self.repeats))
        for repeat in range(self.repeats):
            halves = test.chosen(2 * self.each, random)
            sets = [halves[:, : self.each], *(each.chosen(self.each, random) for each in (train, generated, normal))]

            def distances(halves: Pixels = halves, sets: list[Pixels] = sets) -> Arrays:
                other, *features = (
                    classify(chosen.reshape(-1, *chosen.shape[2:]), kept).features
                    for chosen in (halves[:, self.each :], *sets)
                )
                return {"frechet": np.array([frechet_distance(one, other) for one in features])}

            found[:, repeat] = parts.call(f"repeat {repeat}", distances)["frechet"]
        return found

    def _neighbours(self, generated: _Set, train: Pixels, test: Pixels, parts: Parts) -> Arrays:
        random = np.random.default_rng([self.seed, 1])
        some, real = generated.images[: self.neighbours], test[random.permutation(len(test))[: self.neighbours]]
        pairs = {"generated": (some, train), "to test": (some, test), "of test": (real, train)}
        found = [
            parts.call(f"nearest {name}", lambda pair=pair: vars(nearest(*pair)))  # type: ignore[misc]
            for name, pair in pairs.items()
        ]
        distance, to_test, of_test = (each["distance"] for each in found)
        closest = np.array([_least(distance, generated.labels[: self.neighbours] == label) for label in range(CLASSES)])
        return {
            "nearest generated": np.quantile(distance, QUANTILES),
            "nearest test": np.quantile(of_test, QUANTILES),
            "closer": np.array([np.sum(distance < of_test.min()), np.sum(distance < np.quantile(of_test, 0.01))]),
            "nearest is training": np.array([np.sum(distance < to_test), len(train), len(test)]),
            "closest": some[closest],
            "closest index": found[0]["index"][closest],
            "closest distance": distance[closest],
        }


@dataclass(frozen=True)
class _Set:
    images: Pixels
    labels: Pixels

    def chosen(self, each: int, random: np.random.Generator) -> Pixels:
        """Return so many images of each digit, shape (10, each, 28, 28, 1)."""
        rows = []
        for label in range(CLASSES):
            of_label = np.flatnonzero(self.labels == label)
            require(
                of_label.size >= each, "each", f"{each} of digit {label}, but there are {of_label.size}", "give less"
            )
            # Not in the order on disk: the second half of the test images of MNIST is by other writers than the first.
            rows.append(self.images[random.choice(of_label, each, replace=False)])
        return np.stack(rows)


def _least(distance: Array, allowed: npt.NDArray[np.bool_]) -> int:
    """Return the position of the least distance among those allowed."""
    return int(np.argmin(np.where(allowed, distance, np.inf)))


def _confusion(labels: Pixels, said: Pixels) -> npt.NDArray[np.int64]:
    table = np.zeros((CLASSES, CLASSES), np.int64)
    np.add.at(table, (labels, said), 1)
    return table
