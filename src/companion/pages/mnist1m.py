"""MNIST-1M: generated digits beside real ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.claims import Claim, Measurement, judged
from companion.parameters import Parameters
from companion.style import INK, MUTED, RICH, book_style, new_figure
from neural_scaling.base.arrays import Array
from neural_scaling.data import ImageDataset
from neural_scaling.data.digits.assessment import QUANTILES, SETS, QualityRun
from neural_scaling.data.digits.runs import MODELS, trained_denoiser, trained_judge
from neural_scaling.data.digits.sizes import SIZES, Pixels, Size, find
from neural_scaling.data.digits.weights import digest
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.runs import Experiment, Result

#: Largest difference between the accuracies on generated and on real images that counts as none: one image in a hundred.
ACCURACY_TOLERANCE = 0.01
#: Largest part of the way from training images to the bad imitation that counts as none.
DISTANCE_TOLERANCE = 0.05
#: Largest share of copies that counts as none.
COPIES_TOLERANCE = 0.1


class Plan(Parameters):
    """What the page computes; the fields of :class:`~neural_scaling.data.digits.assessment.QualityRun` but the weights."""

    @property
    def drawn(self) -> Size:
        """How the images are drawn."""
        return find(self.size)

    @property
    def denoiser(self) -> Result:
        """The trained denoiser."""
        return trained_denoiser(self.drawn.model)

    def quality(self) -> QualityRun:
        """Return the run, for the weights that are there."""
        weights = digest(self.denoiser.arrays), digest(trained_judge().arrays)
        return QualityRun(self.size, *weights, self.images, self.each, self.repeats, self.neighbours, self.seed)

    def experiments(self) -> list[Experiment]:
        """Return the one run."""
        return [self.quality()]


@dataclass(frozen=True)
class Share:
    """A share of counted things."""

    value: float  # the share
    # low, high: 95 % interval (Wilson)
    low: float
    high: float

    @classmethod
    def of(cls, count: float, total: float) -> Share:
        """Return the share of ``count`` among ``total``, > 0."""
        p, z = count / total, NORMAL_95
        centre = (p + z**2 / (2 * total)) / (1 + z**2 / total)
        half = z * math.sqrt(p * (1 - p) / total + z**2 / (4 * total**2)) / (1 + z**2 / total)
        # At the ends of the range rounding would lead out of it.
        return cls(p, max(0.0, centre - half), min(1.0, centre + half))


@dataclass(frozen=True)
class DistanceRow:
    """Frechet distance of a kind of images from real test images."""

    name: str  # what images
    # mean, spread: mean and standard deviation over choices of the sets
    mean: float
    spread: float


def accuracy(result: Result, real: bool = False) -> Share:
    """Return the share of images that the classifier gives the label they were drawn for, or that they have."""
    table = result.arrays["confusion real" if real else "confusion"]
    return Share.of(int(np.trace(table)), int(table.sum()))


def distances(result: Result) -> list[DistanceRow]:
    """Return the Frechet distances, real test images first; see :data:`~neural_scaling.data.digits.assessment.SETS`."""
    table = result.arrays["frechet"]
    spread = table.std(axis=1, ddof=1)
    return [
        DistanceRow(name, float(mean), float(sd)) for name, mean, sd in zip(SETS, table.mean(1), spread, strict=True)
    ]


def way_to_bad(result: Result) -> tuple[float, float]:
    """Return which part of the way from training images to the bad imitation the generated ones are, and its spread.

    All distances are from test images. Training images are the best that a model of their distribution can be expected to give.
    The spread is the standard deviation over choices of the sets.
    """
    _, training, generated, bad = result.arrays["frechet"]
    part = (generated - training) / (bad - training)
    return float(part.mean()), float(part.std(ddof=1))


def copies(result: Result, neighbours: int) -> Share:
    """Return the share of generated images that must be copies for so many to have a training image as nearest real one.

    If generated images were as far from training as from test images, the nearest of all real images would be a training image
    in the proportion of their numbers. For copies it always is.
    """
    count, train, test = (int(number) for number in result.arrays["nearest is training"])
    expected = train / (train + test)
    share = Share.of(count, neighbours)
    return Share(*((part - expected) / (1 - expected) for part in (share.value, share.low, share.high)))


def counts(result: Result) -> list[tuple[int, int]]:
    """Return for each digit how many images were drawn for it and how many the classifier takes for it."""
    table = result.arrays["confusion"]
    return [(int(drawn), int(seen)) for drawn, seen in zip(table.sum(1), table.sum(0), strict=True)]


def grey_rows(result: Result) -> list[tuple[str, Array]]:
    """Return the statistics of :func:`~neural_scaling.data.digits.quality.grey_values` with the name of their images."""
    return list(zip(("generated", "real test", "real training"), result.arrays["grey"], strict=True))


def median_distance(result: Result, real: bool = False) -> float:
    """Return the median distance to the nearest training image, of generated or of real test images."""
    return float(np.median(result.arrays["nearest test" if real else "nearest generated"]))


def settings_table() -> str:
    """Return the settings of the three sets as a table in Markdown."""
    models = [MODELS[size.model] for size in SIZES.values()]
    churns = {0.0: "nothing", 1.0: "as much as ancestral sampling"}
    rows: dict[str, list[object]] = {
        "images": [f"{size.total:,}".replace(",", " ") for size in SIZES.values()],
        "of these held out for testing": [f"{size.held_out:,}".replace(",", " ") for size in SIZES.values()],
        "features of the network": [model.features for model in models],
        "noise levels $T$, their schedule": [f"{model.levels}, {model.schedule}" for model in models],
        "training: steps, images per step": [f"{model.until}, {model.batch}" for model in models],
        "levels visited": [size.steps for size in SIZES.values()],
        "noise drawn anew": [
            churns.get(size.churn, f"{size.churn:g} of ancestral sampling") for size in SIZES.values()
        ],
        "guidance $w$": [f"{size.guidance:g}" for size in SIZES.values()],
    }
    head = ["", *SIZES]
    lines = [head, ["---"] * len(head), *([name, *map(str, values)] for name, values in rows.items())]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def claims(plan: Plan, result: Result) -> list[Claim]:
    """Return the claims that the generated images are more of the same."""
    real, generated = accuracy(result, real=True), accuracy(result)
    part, spread = way_to_bad(result)
    copied = copies(result, plan.neighbours)
    rows = [
        (
            "labels",
            "Images drawn for a digit show that digit.",
            "share of generated images that a classifier of real digits gives the label they were drawn for; predicted: its "
            "accuracy on real test images",
            real.value,
            generated.value,
            (generated.low, generated.high),
            ACCURACY_TOLERANCE,
        ),
        (
            "distribution",
            "Images of MNIST-1M are distributed like those of MNIST.",
            "Frechet distance from real test images in features of the classifier, 0: that of real training images, 1: that of "
            "normal pixels",
            0.0,
            part,
            (part - NORMAL_95 * spread, part + NORMAL_95 * spread),
            DISTANCE_TOLERANCE,
        ),
        (
            "new",
            "Images of MNIST-1M are new and not copies of training images.",
            "share of copies that explains how often the real image nearest to a generated one is a training image",
            0.0,
            copied.value,
            (copied.low, copied.high),
            COPIES_TOLERANCE,
        ),
    ]
    return [
        judged(
            plan,
            f"mnist1m.{name}",
            "section 5.2",
            statement,
            quantity,
            predicted,
            Measurement(measured, interval),
            tolerance,
        )
        for name, statement, quantity, predicted, measured, interval, tolerance in rows
    ]


_GAP = 2  # pixels between images


def sheet_figure(result: Result, real: ImageDataset | None) -> Figure:
    """Draw ten generated images of each digit beside ten real ones."""
    sheets = [("generated", result.arrays["sheet"])]
    if real is not None:
        rows = [real.test.images[real.test.labels == label][:10] for label in range(10)]
        sheets.append(("real", np.concatenate(rows)))
    with book_style():
        figure = new_figure(3.8 if len(sheets) == 2 else 6.8)
        for axes, (title, images) in zip(figure.subplots(1, len(sheets), squeeze=False)[0], sheets, strict=True):
            _show(axes, images, 10)
            axes.set_title(title)
    return figure


def neighbours_figure(result: Result, real: ImageDataset | None) -> Figure:
    """Draw of each digit the generated image nearest to a training image, that image, and images taken for another digit."""
    arrays = result.arrays
    near = _numbers(arrays["closest distance"])
    panels = [(arrays["closest"], "generated, of each digit the nearest to a training image", near)]
    if real is not None:
        where = arrays["closest index"]
        panels.append((real.train.images[where], "that training image", [str(real.train.labels[i]) for i in where]))
    said = [f"{drawn}, {seen}" for drawn, seen in arrays["mistaken labels"]]
    if said:
        panels.append((arrays["mistaken"], "generated for the first digit, taken for the second", said))
    with book_style():
        figure = new_figure(1.25 * len(panels))
        for axes, (images, title, below) in zip(
            figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True
        ):
            _show(axes, images, 10)
            axes.set_title(title, fontsize=12)
            side = images.shape[1] + _GAP
            for column, text in enumerate(below):
                axes.text(column * side + side / 2, side + 1, text, ha="center", va="top", fontsize=10, color=MUTED)
    return figure


def distance_figure(result: Result) -> Figure:
    """Draw the distribution of the distance to the nearest training image, of generated and of real test images."""
    with book_style():
        figure = new_figure(3.6)
        axes = figure.subplots()
        axes.plot(result.arrays["nearest test"], QUANTILES, color=INK, label="real test images")
        axes.plot(result.arrays["nearest generated"], QUANTILES, color=RICH, label="generated images")
        axes.set_xlabel("distance to the nearest training image (white = 1)")
        axes.set_ylabel("share of images below")
        axes.set_xlim(0, None)
        axes.set_ylim(0, 1)
        axes.legend(loc="lower right")
    return figure


def loss_figure(denoiser: Result) -> Figure:
    """Draw the loss of training the denoiser."""
    with book_style():
        figure = new_figure(3.4)
        axes = figure.subplots()
        axes.loglog(denoiser.arrays["step"], denoiser.arrays["loss"], color=INK)
        axes.set_xlabel("step")
        axes.set_ylabel("mean square error")
        axes.yaxis.set_minor_formatter("{x:.2f}")
        axes.yaxis.set_major_formatter("{x:.2f}")
    return figure


def _show(axes: Axes, images: Pixels, columns: int) -> None:
    """Show images in rows, dark on light so that they print."""
    side, rows = images.shape[1], math.ceil(len(images) / columns)
    canvas = np.zeros((rows * (side + _GAP), columns * (side + _GAP)), np.uint8)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top, left = row * (side + _GAP) + _GAP // 2, column * (side + _GAP) + _GAP // 2
        canvas[top : top + side, left : left + side] = image[..., 0]
    axes.imshow(canvas, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()


def _numbers(values: Array) -> list[str]:
    return [f"{value:.2f}" for value in values]
