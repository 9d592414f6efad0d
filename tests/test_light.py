"""Figures in few bytes look as they did: curves stay where they were, and nothing that is referred to is lost."""

import re
import xml.etree.ElementTree as Tree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path

from companion import light, style

HREF = "{http://www.w3.org/1999/xlink}href"
#: Half of the last digit, in each of two directions.
ROUNDING = 0.0051 * 2**0.5


def written(outline):
    """Every point of a path as light.py writes it: absolute moves, relative steps."""
    at, start, found = np.zeros(2), np.zeros(2), []
    for letter, numbers in re.findall(r"([Mlqcz])([^Mlqcz]*)", outline):
        pairs = np.array([float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", numbers)]).reshape(-1, 2)
        if letter == "M":
            at = start = pairs[0]
            found.append(at)
        elif letter == "z":
            at = start
        else:
            size = {"l": 1, "q": 2, "c": 3}[letter]
            for step in pairs.reshape(-1, size, 2):
                found += list(at + step)
                at = at + step[-1]
    return np.array(found)


def apart(point, line):
    """The distance of a point from a broken line."""
    first, step = line[:-1], np.diff(line, axis=0)
    share = ((point - first) * step).sum(axis=1) / np.maximum((step**2).sum(axis=1), 1e-12)
    return np.hypot(*(first + np.clip(share, 0, 1)[:, None] * step - point).T).min()


def svg(*paths):
    parts = "".join(f'<g id="part"><path d="{path}" style="fill: none; stroke: #1a1a1a"/></g>' for path in paths)
    return f'<svg xmlns="http://www.w3.org/2000/svg"><style type="text/css">*{{}}</style>{parts}</svg>'


def outlines(text):
    return [element.get("d") for element in Tree.fromstring(text).iter() if "d" in element.attrib]


COORDINATE = st.floats(-900, 900).map(lambda value: round(value, 6))


@given(st.lists(st.tuples(COORDINATE, COORDINATE), min_size=2, max_size=40))
def test_a_line_stays_where_it_was(points):
    path = "M " + " L ".join(f"{x} {y}" for x, y in points) + " "
    (found,) = outlines(light.lighter(svg(path)))
    line, before = written(found), np.array(points)
    assert max(apart(point, line) for point in before) <= light.REACH + ROUNDING
    assert max(apart(point, before) for point in line) <= light.REACH + ROUNDING
    np.testing.assert_allclose(line[[0, -1]], before[[0, -1]], atol=0.0051)


def test_curves_and_closed_parts_keep_their_points():
    path = "M 1.234 2 Q 3 4 5.001 6 Q 7 8 9 10 L 11 12.5 z M 0.5 -0.25 C 1 2 3 4 5 6 z "
    (found,) = outlines(light.lighter(svg(path)))
    pairs = np.array([float(n) for n in re.findall(r"-?[\d.]+", path)]).reshape(-1, 2)
    np.testing.assert_allclose(written(found), pairs, atol=0.0051)
    assert found == "M1.23 2q1.77 2 3.77 4 2 2 4 4l2 2.5zM.5-.25c.5 2.25 2.5 4.25 4.5 6.25z"


@pytest.fixture(scope="module")
def pair():
    """A figure with bands, dots, a picture and words, before and after."""
    noise, x = np.random.default_rng(0), np.linspace(0, 1, 3000)
    with style.book_style():
        figure = style.new_figure(4.0)
        left, right = figure.subplots(1, 2)
        y = np.sin(6 * x) + 0.0002 * noise.standard_normal(3000)
        left.plot(x, y, label="a curve")
        left.fill_between(x, y - 0.1, y + 0.1, alpha=0.2)
        left.plot(x[::60], y[::60], "o")
        left.legend()
        right.imshow(noise.random((4, 4)))
        before = figure.svg()
    return before, light.lighter(before)


def test_what_is_referred_to_is_there_and_all_marks_letters_and_pictures_are(pair):
    before, after = map(Tree.fromstring, pair)

    def counted(root, kind):
        return sum(element.tag.endswith("}" + kind) for element in root.iter())

    for kind in ("use", "path", "image", "rect", "clipPath"):
        assert counted(after, kind) == counted(before, kind) > 0
    ids = [element.get("id") for element in after.iter() if "id" in element.attrib]
    named = {element.get(HREF, "")[1:] for element in after.iter() if element.tag.endswith("}use")}
    clips = {element.get("clip-path", "url(#)")[5:-1] for element in after.iter()}
    assert len(ids) == len(set(ids)) and named | clips - {""} == set(ids)
    assert not any(element.tag.endswith("}metadata") for element in after.iter())


def test_every_element_keeps_its_style(pair):
    def styles(text):
        root = Tree.fromstring(text)
        sheet = next(element.text for element in root.iter() if element.tag.endswith("}style"))
        named = dict(re.findall(r"\.(\w+)\{([^}]*)\}", sheet))
        found = (element.get("style") or named.get(element.get("class"), "") for element in root.iter())
        return [one.replace("; ", ";").replace(": ", ":") for one in found if one]

    assert len(styles(pair[1])) == len(styles(pair[0]))
    exact = [re.sub(r"\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}", one) for one in styles(pair[0])]
    assert sorted(styles(pair[1])) == sorted(exact)


def test_a_smooth_curve_takes_few_bytes_and_a_figure_a_third(pair):
    before, after = (re.sub(r"<metadata.*?</metadata>|<image[^>]*>", "", text, flags=re.DOTALL) for text in pair)
    assert len(after) < len(before) / 3
    assert max(map(len, outlines(after))) < 9000  # the band, whose 6000 points took 17 bytes each


def test_what_matplotlib_leaves_out_lies_within_reach():
    # The one function of matplotlib that is relied on, with a threshold of its own.
    x = np.linspace(0, 500, 2000)
    path = Path(np.column_stack([x, 50 * np.sin(x / 30)]))
    path.simplify_threshold = light.REACH
    kept = path.cleaned(simplify=True)
    assert len(kept.vertices) < 400 and kept.codes[-1] == Path.STOP
    assert max(apart(point, kept.vertices[:-1]) for point in path.vertices) < light.REACH
