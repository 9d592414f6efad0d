"""Figures that can be read: a sign for each colour, legends where nothing is drawn, and what is still in the way.

A figure changes with its parameters and its scale, so that no page can say beforehand where there is room.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.collections import Collection, LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox, ScaledTranslation

import numpy as np

#: Greys are of guides and theory, which have words or a style of their own.
_PLAIN = ("#1a1a1a", "#5f6368", "#000000")
_SIGNS = ("s", "^", "D", "v", "P", "X", "<", "p", ">", "*")
_NO_SIGN = ("None", "none", "", " ", None)
_CAPS = ("_", "|", 0, 1, 2, 3)  # ends of error bars
_PLACES = ("upper right", "upper left", "lower left", "lower right", "center right", "center left", "upper center")
_PLACES += ("lower center", "center")


def tell_apart(figure: Figure) -> None:
    """Give curves of one style in several colours a sign each, here and in the legends, the same for a colour in all panels."""
    alike = {color for axes in figure.axes for color in _alike(axes)}
    drawn = dict.fromkeys(color for axes in figure.axes for color in _styles(axes) if color in alike)
    signs = dict(zip((color for color in drawn if color not in _PLAIN), itertools.cycle(_SIGNS), strict=False))
    for axes in figure.axes:
        for color, lines in _curves(axes).items():
            if color in signs:
                dots = [line for line in lines if line.get_marker() not in _NO_SIGN]
                for line in dots:
                    line.set_marker(signs[color])
                if not dots:
                    place = list(signs).index(color) / len(signs)
                    _mark(max(lines, key=Line2D.get_linewidth), signs[color], 0.05 + 0.2 * place)
    legends = [*figure.legends, *filter(None, (axes.get_legend() for axes in figure.axes))]
    for handle in (line for legend in legends for line in legend.findobj(Line2D)):
        color = to_hex(handle.get_color())
        if color in signs and handle.get_marker() not in _CAPS:
            handle.set_marker(signs[color])


def _mark(line: Line2D, sign: str, first: float) -> None:
    line.set(marker=sign, markersize=6, markevery=(first, 0.2), markeredgewidth=0)


def _curves(axes: Axes) -> dict[str, list[Line2D]]:
    """Return the curves of a panel by colour; straight lines without a name are guides."""
    found: dict[str, list[Line2D]] = {}
    for line in axes.lines if axes.axison else ():
        named = not str(line.get_label()).startswith("_")
        size = np.isfinite(np.asarray(line.get_xydata(), dtype=float)).all(axis=1).sum()
        if line.get_visible() and line.get_marker() not in _CAPS and (size > 2 or (named and size > 0)):
            found.setdefault(to_hex(line.get_color()), []).append(line)
    return found


def _styles(axes: Axes) -> dict[str, frozenset[tuple[str, object]]]:
    return {
        color: frozenset((str(line.get_linestyle()), line.get_marker()) for line in lines)
        for color, lines in _curves(axes).items()
    }


def _alike(axes: Axes) -> list[str]:
    """Return the colours that colour alone tells from another one of the panel."""
    styles = _styles(axes)
    return [color for color in styles if sum(styles[color] == other for other in styles.values()) > 1]


def place_legends(figure: Figure) -> None:
    """Move legends that lie on something to where nothing is drawn, or below their panel."""
    renderer = drawn(figure)
    for axes in figure.axes:
        legend = axes.get_legend()
        if legend is None or not any(_below(legend, axes, renderer)):
            continue
        legend.set_bbox_to_anchor(None)
        for place in _PLACES:
            legend.set_loc(place)
            if not any(_below(legend, axes, renderer)):
                break
        else:
            _put_out(legend, axes, renderer)
            renderer = drawn(figure)


def _put_out(legend: Legend, axes: Axes, renderer: RendererAgg) -> None:
    """Put a legend below its panel and make the figure taller by it."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    legend.set_in_layout(False)
    box = axes.get_tightbbox(renderer)
    assert box is not None
    legend.set_in_layout(True)
    down = ScaledTranslation(0, (box.y0 - axes.bbox.y0) / figure.dpi, figure.dpi_scale_trans)
    legend.set_loc("upper center")
    legend.set_bbox_to_anchor((0.5, 0.0), axes.transAxes + down)
    figure.set_figheight(figure.get_figheight() + legend.get_window_extent(renderer).height / figure.dpi)


def clashes(figure: Figure) -> list[str]:
    """Return what in a figure cannot be read, one line each: words on curves or on words, colours that only a colour tells apart."""
    renderer, found = drawn(figure), []
    for number, axes in enumerate(figure.axes, start=1):
        panel = axes.get_title(loc="left") or f"panel {number}"
        legend = axes.get_legend()
        if legend is not None:
            found += [f"{panel}: the legend lies on {what}" for what in _below(legend, axes, renderer)]
        texts = [text for text in axes.texts if text.get_visible() and text.get_text().strip() and not text.get_rotation()]
        found += [
            f"{panel}: {one.get_text()!r} lies on {other.get_text()!r}"
            for one, other in itertools.combinations(texts, 2)
            if _overlap(_box(one, renderer), _box(other, renderer))
        ]
        for axis in (axes.xaxis, axes.yaxis) if axes.axison else ():
            labels = [label for label in axis.get_ticklabels() if label.get_visible() and label.get_text()]
            boxes = [_box(label, renderer) for label in labels]
            if any(_overlap(one, other) for one, other in itertools.pairwise(boxes)):
                found.append(f"{panel}: the numbers of {axes.get_xlabel() or 'an axis'!r} lie on one another")
        found += [f"{panel}: {color} looks like another curve but for its colour" for color in _alike(axes)]
    return found


def drawn(figure: Figure) -> RendererAgg:
    """Lay a figure out, and return what measures it."""
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    return canvas.get_renderer()  # type: ignore[no-untyped-call,no-any-return]


def _box(artist: Artist, renderer: RendererAgg) -> Bbox:
    return artist.get_window_extent(renderer)


def _overlap(one: Bbox, other: Bbox, slack: float = 1.0) -> bool:
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    return across > slack and min(one.y1, other.y1) - max(one.y0, other.y0) > slack


def _below(legend: Legend, axes: Axes, renderer: RendererAgg) -> Iterator[str]:
    """Yield what lies below a legend."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    box = legend.get_window_extent(renderer).padded(-2 * figure.dpi / 72)  # the border is empty
    for other in figure.axes:
        if other is not axes and other.bbox.bounds != axes.bbox.bounds and _overlap(box, other.bbox):
            yield "another panel"
        seen = Bbox.intersection(box, other.bbox)
        if seen is not None:
            yield from (f"the curve {line.get_label()!r}" for line in other.lines if _line_meets(line, seen))
            yield from ("a band or bars" for part in other.collections if _collection_meets(part, seen))
        yield from (f"{text.get_text()!r}" for text in _words(other) if _overlap(box, _box(text, renderer)))


def _words(axes: Axes) -> Iterable[Text]:
    labels = [axes.xaxis.label, axes.yaxis.label, axes.title, *axes.get_xticklabels()] if axes.axison else []
    return (text for text in [*axes.texts, *labels] if text.get_visible() and text.get_text().strip())


def _line_meets(line: Line2D, box: Bbox) -> bool:
    if not line.get_visible():
        return False
    path = line.get_transform().transform_path(line.get_path())
    if line.get_linestyle() not in _NO_SIGN and path.intersects_bbox(box, filled=False):
        return True
    points = path.vertices[np.isfinite(path.vertices).all(axis=1)]
    return line.get_marker() not in _NO_SIGN and bool(_inside(points, box).any())


def _collection_meets(part: Collection, box: Bbox) -> bool:
    if not isinstance(part, LineCollection | PolyCollection) or not part.get_visible():
        return False
    filled, transform = isinstance(part, PolyCollection), part.get_transform()
    return any(transform.transform_path(path).intersects_bbox(box, filled=filled) for path in part.get_paths())


def _inside(points: np.ndarray, box: Bbox) -> np.ndarray:
    return ((points > box.min) & (points < box.max)).all(axis=1)
