"""MNIST-1M: generated digits beside real ones."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest

from companion.claims import Claim, Measurement, Tolerance, bounded, judged, number
from companion.parameters import Parameters
from companion.style import INK, MUTED, RICH, drawing
from neural_scaling.base.arrays import Array
from neural_scaling.data import ImageDataset
from neural_scaling.data.digits.quality_runs import QUANTILES, SETS, QualityRun
from neural_scaling.data.digits.runs import MODELS, trained_denoiser, trained_judge
from neural_scaling.data.digits.sizes import SIZES, Pixels, Size, find
from neural_scaling.data.digits.weights import digest
from neural_scaling.runs import Experiment, Result

#: Share of copies below which images count as new.
FEW_COPIES = 0.1


class Plan(Parameters):
    """What the page computes; the fields of :class:`~neural_scaling.data.digits.quality_runs.QualityRun` but the weights."""

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


def share(count: int, total: int) -> Measurement:
    """Return the share of ``count`` among ``total`` with its Wilson interval."""
    ends = binomtest(count, total).proportion_ci(method="wilson")
    return Measurement.of(count / total, (float(ends.low), float(ends.high)), meaning="95 % interval of a share")


def accuracies(result: Result) -> pd.DataFrame:
    """Return the share of images that the classifier gives the label they were drawn for, or that they have."""
    rows = []
    for images, name in (("generated", "confusion"), ("real test", "confusion real")):
        table = result.arrays[name]
        rows.append((images, *share(int(np.trace(table)), int(table.sum())).columns()[:2]))
    return pd.DataFrame(rows, columns=["images", "accuracy", "interval"])


def counts(result: Result) -> pd.DataFrame:
    """Return for each digit how many images were drawn for it and how many the classifier takes for it."""
    table = result.arrays["confusion"]
    return pd.DataFrame({"digit": range(len(table)), "drawn": table.sum(1), "seen": table.sum(0)})


def distances(result: Result) -> pd.DataFrame:
    """Return mean and spread of the Fréchet distances from real test images over the choices of the sets, these first."""
    table = result.arrays["frechet"]
    return pd.DataFrame({"images": SETS, "mean": table.mean(1), "spread": table.std(axis=1, ddof=1)})


def way_to_bad(result: Result) -> Measurement:
    """Return which part of the way from training images to the bad imitation generated ones are, by distance from test images."""
    _, training, generated, bad = result.arrays["frechet"]
    return _over_choices((generated - training) / (bad - training))


def beyond_training(result: Result) -> Measurement:
    """Return the distance of generated images from test images over that of training images, the best that a model can give."""
    _, training, generated, _ = result.arrays["frechet"]
    return _over_choices(generated / training)


def _over_choices(values: Array) -> Measurement:
    """Return the mean over choices of the sets; choices share images, so its error is their whole standard deviation."""
    found = Measurement.with_error(float(values.mean()), float(values.std(ddof=1)))
    return replace(found, meaning="1.96 standard deviations over choices of the sets")


def grey_values(result: Result) -> pd.DataFrame:
    """Return the statistics of :func:`~neural_scaling.data.digits.quality.grey_values` with the name of their images."""
    found = pd.DataFrame(result.arrays["grey"], columns=["mean", "spread", "mean_spread", "black", "bright"])
    found.insert(0, "images", ["generated", "real test", "real training"])
    return found


def copies(plan: Plan, result: Result) -> Measurement:
    """Return the share of generated images that must be copies for so many to have a training image as nearest real one.

    If generated images were as far from training as from test images, the nearest of all real images would be a training image
    in the proportion of their numbers. For copies it always is.
    """
    count, train, test = (int(number) for number in result.arrays["nearest is training"])
    expected = train / (train + test)
    found = share(count, plan.neighbours)
    value, low, high = ((part - expected) / (1 - expected) for part in (found.value, *found.interval))  # type: ignore[misc]
    return Measurement.of(value, (low, high), meaning="95 % interval of a share")


def novelty(plan: Plan, result: Result, copied: Measurement) -> pd.DataFrame:
    """Return the numbers that tell new images from copies."""
    arrays = result.arrays
    count, train, test = arrays["nearest is training"]
    rows = [
        ("median distance to the nearest training image, generated", float(np.median(arrays["nearest generated"]))),
        ("median distance to the nearest training image, real test", float(np.median(arrays["nearest test"]))),
        (f"generated images, of {plan.neighbours}, nearer than any real test image", int(arrays["closer"][0])),
        ("generated images nearer than 99 % of real test images", int(arrays["closer"][1])),
        ("generated images with a training image as nearest real one", float(count / plan.neighbours)),
        ("share of training images among real ones", float(train / (train + test))),
        ("share of copies that would explain the difference", copied.value),
    ]
    found = pd.DataFrame(rows, columns=["quantity", "value"], dtype=object)
    return found.assign(interval=[None] * (len(rows) - 1) + [copied.interval])


def settings() -> pd.DataFrame:
    """Return the settings of the three sets."""
    sizes = SIZES.values()
    models = [MODELS[size.model] for size in sizes]
    churns = {0.0: "nothing", 1.0: "as much as ancestral sampling"}
    rows: dict[str, list[str]] = {
        "images": [f"{size.total:,}".replace(",", " ") for size in sizes],
        "of these held out for testing": [f"{size.held_out:,}".replace(",", " ") for size in sizes],
        "features of the network": [f"{model.features}" for model in models],
        "noise levels T, their schedule": [f"{model.levels}, {model.schedule}" for model in models],
        "training: steps, images per step": [f"{model.until}, {model.batch}" for model in models],
        "levels visited": [f"{size.steps}" for size in sizes],
        "noise drawn anew": [churns.get(size.churn, f"{size.churn:g} of ancestral sampling") for size in sizes],
        "guidance w": [f"{size.guidance:g}" for size in sizes],
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(SIZES)).reset_index(names="setting")


def claims(plan: Plan, result: Result, read: pd.DataFrame, copied: Measurement) -> list[Claim]:
    """Return the claims that the generated images are more of the same; small sets cannot tell distributions apart."""
    generated, real = read.itertuples()
    found = [
        judged(
            plan,
            "mnist1m.labels",
            "section 5.2",
            "Images drawn for a digit show that digit.",
            "share of generated images that a classifier of real digits gives the label they were drawn for; predicted: its "
            "accuracy on real test images",
            real.accuracy,
            Measurement.of(generated.accuracy, generated.interval, meaning="95 % interval of a share"),
            "network",
            Tolerance(0.01, "one image in a hundred"),
            needs="some thousand images",
        ),
        bounded(
            plan,
            "mnist1m.new",
            "section 5.2",
            "Images of MNIST-1M are new and not copies of training images.",
            "share of copies that explains how often the real image nearest to a generated one is a training image",
            "below",
            FEW_COPIES,
            copied,
            "network",
            needs="some thousand images",
        ),
    ]
    if plan.scale != "small":
        found.append(
            judged(
                plan,
                "mnist1m.distribution",
                "section 5.2",
                "Images of MNIST-1M are distributed like those of MNIST.",
                "Fréchet distance of generated images from real test images over that of real training images, in features of "
                "the classifier",
                1.0,
                beyond_training(result),
                "network",
                Tolerance(0.05, "5 %, as for losses"),
                note=f"they are {number(way_to_bad(result).value)} of the way from training images to normal pixels",
                needs="more images in a set",
            )
        )
    return found


_GAP = 2  # pixels between images


def sheet_figure(result: Result, real: ImageDataset | None) -> Figure:
    """Draw ten generated images of each digit beside ten real ones."""
    sheets = [("generated", result.arrays["sheet"])]
    if real is not None:
        rows = [real.test.images[real.test.labels == label][:10] for label in range(10)]
        sheets.append(("real", np.concatenate(rows)))
    with drawing(3.8 if len(sheets) == 2 else 6.8, 1, len(sheets)) as (figure, panels):
        for axes, (title, images) in zip(panels, sheets, strict=True):
            _show(axes, images, 10)
            axes.set_title(title)
    return figure


def neighbours_figure(result: Result, real: ImageDataset | None) -> Figure:
    """Draw of each digit the generated image nearest to a training image, that image, and images taken for another digit."""
    arrays = result.arrays
    near = [f"{distance:.2f}" for distance in arrays["closest distance"]]
    panels = [(arrays["closest"], "generated, of each digit the nearest to a training image", near)]
    if real is not None:
        where = arrays["closest index"]
        panels.append((real.train.images[where], "that training image", [str(real.train.labels[i]) for i in where]))
    said = [f"{drawn}, {seen}" for drawn, seen in arrays["mistaken labels"]]
    if said:
        panels.append((arrays["mistaken"], "generated for the first digit, taken for the second", said))
    with drawing(1.25 * len(panels), len(panels)) as (figure, drawn):
        for axes, (images, title, below) in zip(drawn, panels, strict=True):
            _show(axes, images, 10)
            axes.set_title(title, fontsize=12)
            side = images.shape[1] + _GAP
            for column, text in enumerate(below):
                axes.text(column * side + side / 2, side + 1, text, ha="center", va="top", fontsize=10, color=MUTED)
    return figure


def distance_figure(result: Result) -> Figure:
    """Draw the distribution of the distance to the nearest training image, of generated and of real test images."""
    with drawing(3.6) as (figure, axes):
        axes.plot(result.arrays["nearest test"], QUANTILES, color=INK, label="real test images")
        axes.plot(result.arrays["nearest generated"], QUANTILES, color=RICH, label="generated images")
        axes.set(xlabel="distance to the nearest training image (white = 1)", ylabel="share of images below")
        axes.set(xlim=(0, None), ylim=(0, 1))
        axes.legend(loc="lower right")
    return figure


def loss_figure(denoiser: Result) -> Figure:
    """Draw the loss of training the denoiser."""
    with drawing(3.4) as (figure, axes):
        axes.loglog(denoiser.arrays["step"], denoiser.arrays["loss"], color=INK)
        axes.set(xlabel="step", ylabel="mean square error")
        axes.yaxis.set_minor_formatter("{x:.2f}")
        axes.yaxis.set_major_formatter("{x:.2f}")
    return figure


def _show(axes: Axes, images: Pixels, columns: int) -> None:
    """Show images in rows, dark on light so that they print."""
    side, rows = images.shape[1], math.ceil(len(images) / columns)
    canvas = np.zeros((rows * (side + _GAP), columns * (side + _GAP)), np.uint8)
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        top, left = row * (side + _GAP) + _GAP // 2, column * (side + _GAP) + _GAP // 2
        canvas[top : top + side, left : left + side] = image[..., 0]
    axes.imshow(canvas, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()
