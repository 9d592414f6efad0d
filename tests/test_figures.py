"""Figures are drawn, labelled and legible; their colours stay apart for every kind of colour vision."""

import itertools
import math

import matplotlib as mpl
import numpy as np
import pytest
from figures import dark
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from companion.pages import fig01 as figure01
from companion.pages import fig09 as figure09
from companion.pages import fig10 as figure10
from companion.parameters import values_at
from companion.style import (
    FROZEN,
    INK,
    LAZY,
    MUTED,
    RICH,
    TRAINABLE,
    WIDTH,
    book_style,
    new_figure,
    richness_color,
    richness_colors,
    width_color,
)
from neural_scaling.base.checks import InputError
from neural_scaling.base.paths import shipped_scale


def rendered(draw, *arguments):
    """Draw twice: what a page shows does not depend on what was drawn before."""
    first, second = draw(*arguments), draw(*arguments)
    assert isinstance(first, Figure)
    picture = first.svg()
    assert picture.startswith("<?xml")
    assert picture == second.svg()
    return first


@pytest.mark.slow
def test_figure01():
    plan = figure01.Plan(sources=[0.5, 1.2], late=[1e10, 1e12], largest_capacity=3.0)
    figure = rendered(figure01.draw, plan, figure01.exponents(plan))
    a, b, c = figure.axes
    assert (a.get_xlabel(), a.get_ylabel()) == (r"source $\beta$", r"exponent $\chi$")
    assert b.get_ylabel() == r"capacity $\alpha$"
    assert b.get_ylim() == c.get_ylim() == (1.0, 3.0)
    lazy, rich = ({text.get_text() for text in axes.texts} for axes in (b, c))
    assert r"$t^{-2\beta/(1+\beta)}$" in rich - lazy
    assert any("10^{2}<" in text.get_text() for text in a.get_legend().get_texts())


def test_figure09():
    figure = rendered(figure09.draw)
    assert [axes.get_title() for axes in figure.axes] == [
        "(a) random features",
        "(b) two-layer linear",
        "(c) projected",
    ]
    colors = [{line.get_color() for line in axes.lines} - {INK} for axes in figure.axes]
    assert [TRAINABLE in found for found in colors] == [True, True, True]
    frozen = [{line.get_linestyle() for line in axes.lines if line.get_color() == FROZEN} for axes in figure.axes]
    assert ["--" in styles for styles in frozen] == [True, False, True]
    labels = [{text.get_text() for text in axes.texts} for axes in figure.axes]
    assert "$A_0$" in labels[0] and "$A(t)$" in labels[1] and {"$A_0$", "$B(t)$"} <= labels[2]


def test_figure10():
    plan = figure10.Plan(sources=[0.5], quoted=0.5, levels=2, window=[1e10, 1e12])
    figure = rendered(figure10.draw, plan, figure10.exponents(plan))
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == (r"source $\beta$", r"exponent $\chi_n$")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "level 0",
        "level 1",
        "level 2",
        r"level $\infty$",
    ]


def test_style_leaves_no_trace():
    before = dict(mpl.rcParams)
    with book_style():
        assert new_figure(3.0).get_facecolor() == (1.0, 1.0, 1.0, 1.0)
        assert (
            mpl.rcParams["font.size"] * 360 / (72 * WIDTH) >= 10
        )  # pixels where a phone leaves 360 of 390 for a figure
    assert dict(mpl.rcParams) == before


# Severe colour vision deficiencies in linear RGB: Machado, Oliveira and Fernandes (2009).
VISION = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def linear(color):
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    f = XYZ @ rgb / np.array([0.95047, 1.0, 1.08883])
    f = np.where(f > 0.008856, np.cbrt(f), 7.787 * f + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


GAMMAS = [richness_color(gamma) for gamma in (0.0, 0.125, 0.25, 0.5, 1.0, 2.0)]
WIDTHS = [width_color(2**power) for power in range(4, 12)]


@pytest.mark.parametrize("vision", VISION.values(), ids=VISION.keys())
@pytest.mark.parametrize("colors", [GAMMAS, WIDTHS], ids=["richness", "width"])
def test_colours_differ_for_every_vision(colors, vision):
    points = [lab(np.clip(vision @ linear(color), 0, 1)) for color in colors]
    distances = [np.linalg.norm(p - q) for i, p in enumerate(points) for q in points[:i]]
    assert min(distances) > 5  # a difference of 2.3 is just noticeable; twice that for thin lines


def test_colours_stand_out_from_white():
    for color in (*GAMMAS, *WIDTHS, INK, MUTED, LAZY, RICH, TRAINABLE):
        luminance = XYZ[1] @ linear(color)
        assert 1.05 / (luminance + 0.05) >= 3  # what accessibility guidelines ask of graphics


def ciede2000(first, second):
    """The standard's difference of two colours in Lab."""
    (l1, a1, b1), (l2, a2, b2) = first, second
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(chroma**7 / (chroma**7 + 25**7))
    c1, c2 = np.hypot(stretch * a1, b1), np.hypot(stretch * a2, b2)
    h1, h2 = np.arctan2(b1, stretch * a1), np.arctan2(b2, stretch * a2)
    turn = (h2 - h1 + np.pi) % (2 * np.pi) - np.pi
    hue, mean, light = np.degrees(h1 + turn / 2) % 360, (c1 + c2) / 2, (l1 + l2) / 2
    waves = ((0.17, 1, -30), (-0.24, 2, 0), (-0.32, 3, 6), (0.20, 4, -63))
    t = 1 - sum(size * np.cos(np.radians(times * hue + shift)) for size, times, shift in waves)
    lightness = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    saturation = (c2 - c1) / (1 + 0.045 * mean)
    tone = 2 * np.sqrt(c1 * c2) * np.sin(turn / 2) / (1 + 0.015 * mean * t)
    bend = 60 * np.exp(-(((hue - 275) / 25) ** 2))
    mixed = -2 * np.sqrt(mean**7 / (mean**7 + 25**7)) * np.sin(np.radians(bend)) * saturation * tone
    return float(np.sqrt(lightness**2 + saturation**2 + tone**2 + mixed))


def test_the_difference_of_colours_is_that_of_the_standard():
    # Sharma, Wu and Dalal (2005), pairs 1, 7, 17 and 25 of their table of test data.
    pairs = {
        2.0425: ((50, 2.6772, -79.7751), (50, 0, -82.7485)),
        2.3669: ((50, 0, 0), (50, -1, 2)),
        27.1492: ((50, 2.5, 0), (73, 25, -18)),
        1.2644: ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387)),
    }
    for expected, (first, second) in pairs.items():
        assert ciede2000(first, second) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("item", ["fig02", "fig06", "fig08", "fig11"])
def test_neighbouring_richnesses_of_a_page_are_told_apart(item):
    values = values_at(item, shipped_scale(item))
    names = ("gammas", "richness", "richness_digits", "richness_objects")
    gammas = sorted({gamma for name in names for gamma in values.get(name, ())})
    assert len(gammas) > 2
    colors = [richness_colors(gammas)[gamma] for gamma in gammas]
    for theme in (colors, [dark(color) for color in colors]):
        pairs = itertools.pairwise(lab(linear(color)) for color in theme)
        assert min(ciede2000(*pair) for pair in pairs) > 10  # 2.3 is just noticeable, 5 in thin lines


def test_colours_are_fixed_and_check_their_argument():
    assert richness_color(0.0) == LAZY
    assert richness_color(1e-9) == richness_color(1e-4)
    assert width_color(math.inf) == INK
    with pytest.raises(InputError, match=r"^gamma: "):
        richness_color(-0.1)
    with pytest.raises(InputError, match=r"^N: "):
        width_color(0)
