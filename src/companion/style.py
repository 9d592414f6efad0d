"""One look for the whole book: settings, and one colour per richness and per width.

Nothing here touches global state on import: figures are made inside :func:`book_style`. The background is
opaque white, against which every colour keeps a contrast of at least 3 to 1; the dark theme shows a twin in
other colours (``book/_ext/figures.py``). Type is sized for a phone: at 6 inches across, 12 points are 10 pixels high on
a screen 390 pixels wide.
"""

from __future__ import annotations

import base64
import html
import io
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files
from typing import Any, Literal

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter, StrMethodFormatter
from matplotlib.transforms import Bbox
from PIL import Image

from companion.legible import clashes, drawn, make_room, tell_apart
from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import real, require_positive

UNSEEN_VARIABLE = "NEURAL_SCALING_UNSEEN"
"""Set while notebooks run whose figures are not shown."""

WIDTH = 6.0
"""Width of a figure, inches."""

INK = "#1a1a1a"
MUTED = "#5f6368"
PAPER = "#ffffff"

LAZY = "#1a1a1a"
"""Colour of the lazy limit, gamma = 0."""
RICH = "#c2410c"
"""Colour of feature learning where no value of gamma is meant."""
TRAINABLE = "#d95f02"
"""Orange of trainable weights in diagrams."""
FROZEN = "#1a1a1a"
"""Black of frozen weights in diagrams."""
SERIES = ("#1a1a1a", "#0072b2", "#0d8577", "#c2410c", "#8e1a4f", "#6b5b00")
"""Colours of curves with no scale among them, black first."""
CASES = ("#0072b2", "#c2410c", "#0d8577", "#8e1a4f", "#7a7a12", "#7c3aed")
"""Colours of cases whose theory is drawn in black."""
SIZES = ("#2d1160", "#8c2981", "#c8406b", "#d9622b", "#8a8600", "#3d8a5f")
"""Colours of batches or numbers of samples, dark and small to light and large."""
THEORY: dict[str, Any] = {"color": INK, "linestyle": "--", "linewidth": 1.3}
"""Line of the theory beside simulations."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

# Both scales run from dark to light, so that order survives any colour vision and a grey printer.
# That of the richness takes eight steps of at least 10 in CIEDE2000 along CMRmap, in the light and in the dark theme.
_RICHNESS_MAP = LinearSegmentedColormap.from_list(
    "richness", ("#242478", "#4926ba", "#7b2e99", "#a73573", "#ca3954", "#e73d3b", "#f8511c", "#eb7109")
)
_WIDTH_MAP = mpl.colormaps["viridis"]


@contextmanager
def book_style() -> Iterator[None]:
    """Apply the settings of the book to the figures made inside the ``with`` block, and to nothing else."""
    located = as_file(files("companion").joinpath("book.mplstyle"))
    with located as sheet, mpl.style.context(sheet, after_reset=True):
        yield


class BookFigure(Figure):
    """A figure that notebooks show by itself, as SVG, without a plotting window or its global state.

    The SVG holds, as JSON in its metadata, what a page makes of it: the curves as drawn, to be downloaded, the boxes of its
    panels, which a narrow screen shows one below the other, what in it cannot be read, and a thumbnail.
    """

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        picture = {} if self._unseen() else {"image/svg+xml": self.svg()}
        return picture | {"text/plain": repr(self)}

    def _unseen(self) -> bool:
        """Return whether nobody will look at the figure, after drawing it for its errors; laying it out takes longest."""
        if not os.environ.get(UNSEEN_VARIABLE):
            return False
        self.set_layout_engine(None)
        FigureCanvasAgg(self).draw()  # type: ignore[no-untyped-call]
        return True

    def svg(self) -> str:
        """Return the figure as SVG, the same bytes for the same figure."""
        for axis in (axis for axes in self.axes for axis in (axes.xaxis, axes.yaxis)):
            if type(axis.get_major_formatter()) is LogFormatterSciNotation:
                axis.set_major_formatter(_Powers())
        tell_apart(self)
        make_room(self)
        buffer = io.StringIO()
        with mpl.rc_context({"svg.hashsalt": "neural-scaling", "path.simplify_threshold": 0.2}):
            mpl.rcParams["figure.constrained_layout.use"] = False
            self.set_layout_engine(None)  # it is laid out, and stays so however often it is drawn
            self.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        canvas = FigureCanvasAgg(self)
        canvas.draw()  # type: ignore[no-untyped-call]
        picture = canvas.get_renderer()  # type: ignore[no-untyped-call]
        about = {
            "panels": panels(self, picture),
            "curves": curves(self),
            "clashes": clashes(self, picture),
            "thumbnail": _thumbnail(picture),
        }
        inside = html.escape(json.dumps(about), quote=False)
        return buffer.getvalue().replace("</svg>", f'<metadata id="figure">{inside}</metadata>\n</svg>')

    def __repr__(self) -> str:
        return f"<Figure with {len(self.axes)} panels>"


class _Powers(LogFormatterSciNotation):
    """Powers of ten as plain characters; to typeset them as formulas takes a fifth of the time of a figure."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        power = re.fullmatch(r"\$\\mathdefault\{10\^\{(-?\d+)\}\}\$", text := super().__call__(x, pos))
        return "10" + power[1].translate(_RAISED) if power else text


def _thumbnail(picture: RendererAgg) -> str:
    """Return a drawn figure as a small picture."""
    small, whole = io.BytesIO(), Image.fromarray(np.asarray(picture.buffer_rgba())).convert("RGB")  # type: ignore[no-untyped-call]
    little = whole.resize((240, round(240 * whole.height / whole.width)), Image.Resampling.LANCZOS)
    # No more colours can be told apart, at a quarter of the bytes.
    little.quantize(64).save(small, "png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def panels(figure: Figure, picture: RendererAgg | None = None) -> list[list[float]]:
    """Return the boxes (x, y, width, height) of a drawn figure's panels in points from its upper left corner, in reading order.

    What touches stands in one box, as insets and twin axes do, and panels that share an axis, of which one alone has its numbers;
    what stands apart, as a legend or a bar of colours, has its own.
    """
    scale, height = 72 / figure.dpi, figure.bbox.height
    renderer = picture or drawn(figure)
    groups: list[tuple[Bbox, list[Artist]]] = []
    for part in [*figure.axes, *figure.legends]:
        box, inside = part.get_tightbbox(renderer), [part]
        if box is None:
            continue
        while together := [group for group in groups if group[0].overlaps(box) or _sharing(inside, group[1])]:
            groups = [group for group in groups if group not in together]
            box = Bbox.union([box, *(other for other, _ in together)])
            inside += [one for _, parts in together for one in parts]
        groups.append((box, inside))
    found = [[box.x0, height - box.y1, box.width, box.height] for box, _ in groups]
    # Panels of one row differ a little in height.
    rows = sorted(found, key=lambda box: (round((box[1] + box[3] / 2) / height * 12), box[0]))
    return [[round(value * scale, 1) for value in box] for box in rows]


def _sharing(some: Sequence[Artist], others: Sequence[Artist]) -> bool:
    pairs = [(a, b) for a in some for b in others if isinstance(a, Axes) and isinstance(b, Axes)]
    return any(a.get_shared_x_axes().joined(a, b) or a.get_shared_y_axes().joined(a, b) for a, b in pairs)


def curves(figure: Figure) -> list[dict[str, Any]]:
    """Return the curves and dots of a figure: panel, label, x and y; points that lie closer than a quarter point are left out."""
    found = []
    for number, axes in enumerate(figure.axes, start=1):
        drawn = [(line.get_label(), line.get_xydata()) for line in axes.lines]
        drawn += [
            (dots.get_label(), dots.get_offsets()) for dots in axes.collections if isinstance(dots, PathCollection)
        ]
        for label, points in drawn:
            kept = _visible(axes, np.asarray(points, dtype=float).reshape(-1, 2))
            if len(kept):
                x, y = ([float(f"{value:.6g}") for value in column] for column in kept.T)
                name = "" if str(label).startswith("_") else str(label)
                found.append({"panel": axes.get_title(loc="left") or str(number), "curve": name, "x": x, "y": y})
    return found


def _visible(axes: Axes, points: Array) -> Array:
    with np.errstate(all="ignore"):
        place = axes.transData.transform(points) * 72 / axes.figure.dpi
    points, place = points[np.isfinite(place).all(axis=1)], place[np.isfinite(place).all(axis=1)]
    kept: list[int] = []
    for index, at in enumerate(place):
        if not kept or index == len(place) - 1 or np.hypot(*(at - place[kept[-1]])) > 0.25:
            kept.append(index)
    return points[kept]


def new_figure(height: float, width: float = WIDTH) -> BookFigure:
    """Return an empty figure that belongs to no window system; call inside :func:`book_style`."""
    return BookFigure(figsize=(require_positive(width, "width"), require_positive(height, "height")))


@contextmanager
def drawing(height: float, rows: int = 0, columns: int = 1, **shared: Any) -> Iterator[tuple[BookFigure, Any]]:
    """Give a figure in the style of the book and its panels: one if no rows are named, else an array of them."""
    with book_style():
        figure = new_figure(height)
        yield figure, np.atleast_1d(figure.subplots(rows, columns, **shared)) if rows else figure.subplots()


def plain_ticks(axis: Axis) -> None:
    """Put numbers on a logarithmic axis of few decades at 1, 2 and 5 of each, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def guide(axes: Axes, x: Array, y: Array, label: str, *, above: bool, linewidth: float = 1.4, rise: float = 8) -> None:
    """Draw a power law between two points, named beside its middle, ``rise`` points above it if the label stands above."""
    axes.loglog(x, y, "--", color=MUTED, linewidth=linewidth)
    axes.annotate(
        label,
        (float(np.sqrt(x[0] * x[1])), float(np.sqrt(y[0] * y[1]))),
        (6, rise) if above else (-6, -18),
        textcoords="offset points",
        ha="left" if above else "right",
        color=MUTED,
    )


def richness_color(gamma: float) -> str:
    """Colour of a richness, the same on every page; gamma = 0 is black.

    The scale is logarithmic with most of its range between 2^-3 and 2, where the figures need it.
    """
    gamma = real(gamma, "gamma", "give 0 or a positive number", least=0.0)
    if gamma == 0:
        return LAZY
    return to_hex(_RICHNESS_MAP(np.interp(math.log10(gamma), (-4, -1, math.log10(2), 2), (0, 0.15, 0.95, 1))))


def richness_colors(gammas: Iterable[float]) -> dict[float, str]:
    """Colours of the richnesses of one figure, spaced in their order, so that neighbours differ however close; 0 is black."""
    rising = sorted({real(gamma, "gammas", "give 0 or a positive number", least=0.0) for gamma in gammas})
    rich = [gamma for gamma in rising if gamma > 0]
    places = np.linspace(0, 1, len(rich)) if len(rich) > 1 else [0.8]
    return {0.0: LAZY} | {gamma: to_hex(_RICHNESS_MAP(at)) for gamma, at in zip(rich, places, strict=True)}


def width_color(N: float) -> str:
    """Colour of a width, the same on every page; infinite width is black.

    The scale is logarithmic from 2^4 to 2^11, beyond which the colour stays.
    """
    N = real(N, "N", "give a positive width, or math.inf", above=0.0, infinite=True)
    if math.isinf(N):
        return INK
    return to_hex(_WIDTH_MAP(np.interp(math.log2(N), (4, 11), (0, 0.59))))


def entries(axes: Axes, more: Mapping[str, Mapping[str, Any]]) -> tuple[list[Artist], list[str]]:
    """Return handles and labels of a legend: those of the curves, then of lines that are drawn beside each and named once."""
    handles, labels = axes.get_legend_handles_labels()
    return [*handles, *(Line2D([], [], **line) for line in more.values())], [*labels, *more]


def grey_legend(axes: Axes, extra: Mapping[str, str], place: Literal["upper left", "lower left"]) -> None:
    """Add a legend with grey entries for line styles and markers after those of the curves, each label with its format."""
    for label, style in extra.items():
        axes.plot([], [], style, color=MUTED, linewidth=1.4, label=label)
    axes.legend(loc=place, ncols=2)
