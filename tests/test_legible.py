"""Curves are told apart without colour, and words have room; what cannot be read is found."""

import numpy as np
import pytest

from companion import legible, style

TIME = np.geomspace(1, 1e4, 200)


def figure_of(*exponents, loc="lower left", dots=False, panels=1):
    """A figure of power laws in several colours, with a legend in the first panel."""
    with style.book_style():
        figure = style.new_figure(3.0)
        axes = np.atleast_1d(figure.subplots(1, panels))
        for one in axes:
            for color, exponent in zip(style.CASES, exponents, strict=False):
                line = "o" if dots else "-"
                one.loglog(TIME, TIME**-exponent, line, color=color, label=f"exponent {exponent:g}")
        axes[0].legend(loc=loc)
        return figure


def made_legible(figure):
    legible.tell_apart(figure)
    legible.make_room(figure)
    return figure


def signs(axes):
    return [line.get_marker() for line in axes.lines]


@pytest.mark.parametrize("dots", [False, True])
def test_each_colour_has_a_sign_the_same_in_all_panels_and_in_the_legend(dots):
    figure = figure_of(0.5, 1.0, 2.0, dots=dots, panels=2)
    assert len([line for line in legible.clashes(figure) if "but for its colour" in line]) == 6
    made_legible(figure)
    left, right = figure.axes
    assert len(set(signs(left)) - {"None"}) == 3
    assert signs(left) == signs(right) == [handle.get_marker() for handle in left.get_legend().legend_handles]
    assert legible.clashes(figure) == []


def test_dots_without_a_name_stand_in_the_legend_with_their_curve():
    figure = figure_of(0.5, 1.0)
    (axes,) = figure.axes
    for line in list(axes.lines):
        axes.loglog(*line.get_data(), ".", color=line.get_color())
    made_legible(figure)
    dots = [line.get_marker() for line in axes.lines if line.get_linestyle() == "None"]
    assert len(set(dots)) == 2 and signs(axes)[:2] == ["None", "None"]
    assert [handle.get_marker() for handle in axes.get_legend().legend_handles] == dots


def test_curves_of_different_styles_keep_them():
    with style.book_style():
        figure = style.new_figure(3.0)
        axes = figure.subplots()
        axes.plot(TIME, TIME, "-", color=style.CASES[0], label="one")
        axes.plot(TIME, TIME**0.9, "--", color=style.CASES[1], label="other")
        axes.legend()
    made_legible(figure)
    assert signs(axes) == ["None", "None"]


def test_signs_that_mean_something_stay():
    with style.book_style():
        figure = style.new_figure(3.0)
        axes = figure.subplots()
        for color, factor in zip(style.CASES[:2], (1, 2), strict=True):
            axes.plot([1, 2, 3], [factor] * 3, "x", color=color)
            axes.plot([1, 2, 3], [factor + 0.2] * 3, "+", color=color)
            axes.plot([1, 2, 3], [factor + 0.4] * 3, color=color, label=str(factor))
        axes.legend()
    made_legible(figure)
    assert signs(axes) == ["x", "+", "s", "x", "+", "^"]


def test_a_sign_in_use_is_not_given_again():
    with style.book_style():
        figure = style.new_figure(3.0)
        axes = figure.subplots()
        for color, line in zip(style.CASES, ("o-", "o-", "s-"), strict=False):
            axes.plot(TIME, TIME * (1 + len(axes.lines)), line, color=color, label=color)
        axes.legend()
    made_legible(figure)
    assert signs(axes) == ["^", "D", "s"]
    assert legible.clashes(figure) == []


def test_a_legend_moves_to_where_nothing_is_drawn():
    figure = figure_of(0.5, 1.0, loc="upper left")
    (axes,) = figure.axes
    assert any("the legend lies on the curve" in line for line in legible.clashes(figure))
    height = figure.get_figheight()
    made_legible(figure)
    assert legible.clashes(figure) == []
    box, frame = (part.get_window_extent() for part in (axes.get_legend(), axes))
    assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
    assert figure.get_figheight() == height


def test_a_legend_without_a_place_in_its_panel_stands_below_it_and_the_panel_keeps_its_size():
    figure = figure_of(0.5)
    (axes,) = figure.axes
    x, y = np.meshgrid(np.linspace(0.02, 0.98, 40), np.linspace(0.02, 0.98, 40))
    axes.plot(x.ravel(), y.ravel(), "s", color=style.INK, transform=axes.transAxes)
    legible.drawn(figure)
    before = axes.get_window_extent().height
    made_legible(figure)
    assert legible.clashes(figure) == []
    legend, labels = axes.get_legend().get_window_extent(), axes.xaxis.get_tightbbox()
    assert legend.y1 < labels.y0 and legend.y0 >= 0
    assert axes.get_window_extent().height == pytest.approx(before, rel=0.05)


def test_words_beside_a_point_leave_the_curve():
    figure = figure_of(0.5)
    (axes,) = figure.axes
    words = axes.annotate("a name", (100.0, 0.1), (-20, -5), textcoords="offset points")
    assert any("'a name' lies on the curve" in line for line in legible.clashes(figure))
    made_legible(figure)
    assert legible.clashes(figure) == []
    assert np.hypot(*words.get_position()) < 40


def test_words_on_words_and_numbers_on_numbers_are_found():
    figure = figure_of(0.5)
    (axes,) = figure.axes
    for text in ("one", "other"):
        axes.text(0.5, 0.8, text, transform=axes.transAxes)
    axes.set_xticks([1.0, 1.1, 1.2], ["first", "second", "third"])
    found = legible.clashes(figure)
    assert any("'one' lies on 'other'" in line for line in found)
    assert any("the numbers of" in line for line in found)


def test_words_on_a_picture_keep_their_ink_in_the_dark():
    for ink, wrong in ((style.INK, 1), (legible.ON_PICTURE[0], 0)):
        with style.book_style():
            figure = style.new_figure(3.0)
            axes = figure.subplots()
            axes.imshow(np.eye(3))
            axes.text(1, 1, "a number", color=ink)
            axes.text(0, 3.5, "below", color=ink)
        assert len([line for line in legible.clashes(figure) if "lies on a picture" in line]) == wrong
