"""Figures of generated digits."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neural_scaling.datasets import ImageDataset
from neural_scaling.diffusion.assessment import QUANTILES
from neural_scaling.diffusion.sizes import Pixels
from neural_scaling.figures.style import INK, MUTED, RICH, book_style, new_figure
from neural_scaling.runs import Result
from neural_scaling.spectra import Array

_GAP = 2  # pixels between images


def sheet_figure(result: Result, real: ImageDataset | None) -> Figure:
    """Draw ten generated images of each digit beside ten real ones.

    Parameters
    ----------
    result
        Of the quality run.
    real
        MNIST; without it the real ones are left out.

    Returns
    -------
    matplotlib.figure.Figure
    """
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
    """Draw of each digit the generated image nearest to a training image, that image, and images taken for another digit.

    Parameters
    ----------
    result
        Of the quality run.
    real
        MNIST; without it the training images are left out.

    Returns
    -------
    matplotlib.figure.Figure
    """
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
    """Draw the distribution of the distance to the nearest training image, of generated and of real test images.

    Parameters
    ----------
    result
        Of the quality run.

    Returns
    -------
    matplotlib.figure.Figure
    """
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
    """Draw the loss of training the denoiser.

    Parameters
    ----------
    denoiser
        Result of its training.

    Returns
    -------
    matplotlib.figure.Figure
    """
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
