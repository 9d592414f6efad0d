"""Figures that can be read: a sign for each colour, legends where nothing is drawn, and what is still in the way.

A figure changes with its parameters and its scale, so that no page can say beforehand where there is room.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.collections import Collection, LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox, BboxBase, ScaledTranslation

#: Dark and light ink of words on a picture: on a dark page they stay as they are, as the picture does.
ON_PICTURE = ("#010101", "#fefefe")
#: Of several curves of one style the black one stays as it is.
_PLAIN = ("#1a1a1a", "#000000")
_SIGNS = ("s", "^", "D", "v", "P", "X", "<", "p", ">", "*")
_NO_SIGN = ("None", "none", "", " ", None)
_CAPS = ("_", "|", 0, 1, 2, 3)  # ends of error bars
_PLACES = range(1, 11)  # all that matplotlib knows within a panel, corners first


def tell_apart(figure: Figure) -> None:
    """Give curves of one style in several colours a sign each, here and in the legends, the same for a colour in all panels."""
    alike = dict.fromkeys(color for axes in figure.axes for color in _alike(axes))
    curves = [pair for axes in figure.axes for pair in _curves(axes).items()]
    taken = {line.get_marker() for color, lines in curves if color not in alike for line in lines}
    free = [sign for sign in _SIGNS if sign not in taken]
    signs = dict(zip((color for color in alike if color not in _PLAIN), itertools.cycle(free), strict=False))
    marked = set()
    for axes in figure.axes:
        for color, lines in _curves(axes).items():
            if color not in signs:
                continue
            dots = [line for line in lines if line.get_marker() not in _NO_SIGN]
            if len({line.get_marker() for line in dots}) != 1:  # none, or several that mean something
                plain = [line for line in lines if line.get_marker() in _NO_SIGN]
                dots = [line for line in plain if _named(line)] or sorted(plain, key=Line2D.get_linewidth)[-1:]
                # Not at the same places as another curve that this one follows closely.
                first = 0.05 + 0.2 * list(signs).index(color) / len(signs)
                for line in dots:
                    line.set(markersize=6, markevery=(first, 0.2), markeredgewidth=0)
            for line in dots:
                line.set_marker(signs[color])
            # Dots without a name belong to the curve of their colour.
            marked |= {(color, line.get_linestyle()) for line in (dots if any(map(_named, dots)) else lines)}
    for handle in _handles(figure):
        color, mark = to_hex(handle.get_color()), handle.get_marker()
        shown = handle.get_markevery() == [1] if mark in _NO_SIGN else mark not in _CAPS
        if shown and (color, handle.get_linestyle()) in marked:
            handle.set(marker=signs[color], markeredgewidth=0 if mark in _NO_SIGN else handle.get_markeredgewidth())


def _curves(axes: Axes) -> dict[str, list[Line2D]]:
    """Return the curves of a panel by colour; straight lines without a name are guides."""
    found: dict[str, list[Line2D]] = {}
    for line in axes.lines if axes.axison else ():
        size = np.isfinite(np.asarray(line.get_xydata(), dtype=float)).all(axis=1).sum()
        if line.get_visible() and line.get_marker() not in _CAPS and (size > 2 or (_named(line) and size > 0)):
            found.setdefault(to_hex(line.get_color()), []).append(line)
    return found


def _named(line: Line2D) -> bool:
    return not str(line.get_label()).startswith("_")


def _styles(axes: Axes) -> dict[str, frozenset[tuple[str, object]]]:
    return {
        color: frozenset((str(line.get_linestyle()), line.get_marker()) for line in lines)
        for color, lines in _curves(axes).items()
    }


def _handles(figure: Figure) -> Iterator[Line2D]:
    for legend in (*figure.legends, *(axes.get_legend() for axes in figure.axes)):
        if legend is not None:
            yield from legend.findobj(Line2D)


def _alike(axes: Axes) -> list[str]:
    """Return the named colours that colour alone tells from another one of the panel; others only lie between these."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    named = {to_hex(handle.get_color()) for handle in _handles(figure)}
    styles = {color: style for color, style in _styles(axes).items() if color in named or not named}
    return [color for color in styles if sum(styles[color] == other for other in styles.values()) > 1]


def make_room(figure: Figure) -> None:
    """Move words beside a point off the curves, and legends to where nothing is drawn, or below their panel."""
    renderer = drawn(figure)
    for axes in figure.axes:
        for words in axes.texts:
            if isinstance(words, Annotation) and words.anncoords == "offset points" and words.arrow_patch is None:
                _move(words, axes, renderer)
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


def _move(words: Annotation, axes: Axes, renderer: RendererAgg) -> None:
    """Try places around a point, near ones first; words with a free place or without any stay."""
    first = (words.get_position(), words.get_horizontalalignment(), words.get_verticalalignment())
    around = [
        ((side * away, up * away + rise), {-1: "right", 0: "center", 1: "left"}[side], "baseline")
        for away in (8.0, 16.0, 28.0, 44.0)
        for side, up, rise in ((1, 1, 0), (-1, -1, -8), (1, -1, -8), (-1, 1, 0), (0, 1, 0), (0, -1, -8))
    ]
    for position, ha, va in (first, *around, first):
        words.set(position=position, ha=ha, va=va)
        near = position == first[0] or _holds(axes.bbox, _box(words, renderer))
        if near and not any(_under(words, axes, renderer)):
            return


def _under(words: Text, axes: Axes, renderer: RendererAgg) -> Iterator[str]:
    """Yield the curves and the other words that words lie on."""
    box = _box(words, renderer)
    core = box.expanded(0.9, 0.6)  # letters do not fill the box
    yield from (f"the curve {line.get_label()!r}" for line in axes.lines if _line_meets(line, core))
    yield from (
        f"{other.get_text()!r}" for other in _words(axes) if other is not words and _overlap(box, _box(other, renderer))
    )


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


def clashes(figure: Figure, picture: RendererAgg | None = None) -> list[str]:
    """Return what in a figure cannot be read, one line each: words on curves or on words, curves that only colour tells apart."""
    renderer = picture or drawn(figure)
    cut = [one for one in (*figure.legends, *figure.axes) if not _holds(figure.bbox, one.get_tightbbox(renderer))]
    found = ["the figure ends within its words" for _ in cut[:1]]
    for number, axes in enumerate(figure.axes, start=1):
        panel = axes.get_title(loc="left") or f"panel {number}"
        legend = axes.get_legend()
        if legend is not None:
            found += [f"{panel}: the legend lies on {what}" for what in _below(legend, axes, renderer)]
        texts = [text for text in axes.texts if axes.axison and text.get_text().strip() and not text.get_rotation()]
        found += [
            f"{panel}: {text.get_text()!r} lies on {what}" for text in texts for what in _under(text, axes, renderer)
        ]
        pictures = [one.get_window_extent(renderer) for one in axes.images]
        found += [
            f"{panel}: {text.get_text()!r} lies on a picture in an ink that is not of ON_PICTURE"
            for text in axes.texts
            if to_hex(text.get_color()) not in ON_PICTURE
            and any(_overlap(_box(text, renderer), one) for one in pictures)
        ]
        for axis in (axes.xaxis, axes.yaxis) if axes.axison else ():
            labels = [
                one for one in axis.get_ticklabels() if one.get_visible() and one.get_text() and not one.get_rotation()
            ]
            boxes = [_box(label, renderer) for label in labels]
            if any(_overlap(one, other) for one, other in itertools.pairwise(boxes)):
                found.append(f"{panel}: the numbers of {axes.get_xlabel() or 'an axis'!r} lie on one another")
        found += [f"{panel}: {color} looks like another curve but for its colour" for color in _alike(axes)]
    return found


def drawn(figure: Figure) -> RendererAgg:
    """Lay a figure out, and return what measures it."""
    canvas, engine = FigureCanvasAgg(figure), figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)  # drawing as well would move nothing more
    return canvas.get_renderer()  # type: ignore[no-untyped-call,no-any-return]


def _box(artist: Artist, renderer: RendererAgg) -> Bbox:
    return artist.get_window_extent(renderer)


def _overlap(one: Bbox, other: Bbox, slack: float = 1.0) -> bool:
    sides = (min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0))
    return bool(min(sides) > slack)


def _holds(outer: BboxBase, inner: BboxBase | None, slack: float = 2.0) -> bool:
    if inner is None:
        return True
    edges = (inner.x0 - outer.x0, inner.y0 - outer.y0, outer.x1 - inner.x1, outer.y1 - inner.y1)
    return bool(min(edges) > -slack)


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
    points = np.asarray(path.vertices, dtype=float)
    return line.get_marker() not in _NO_SIGN and bool(((points > box.min) & (points < box.max)).all(axis=1).any())


def _collection_meets(part: Collection, box: Bbox) -> bool:
    if not isinstance(part, LineCollection | PolyCollection) or not part.get_visible():
        return False
    filled, transform = isinstance(part, PolyCollection), part.get_transform()
    return any(transform.transform_path(path).intersects_bbox(box, filled=filled) for path in part.get_paths())
