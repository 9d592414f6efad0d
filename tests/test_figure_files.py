"""What a page makes of a figure: two grounds, a stack of panels, data to download."""

import colorsys
import csv
import json
import re
from types import SimpleNamespace

import figures
import numpy as np
import pytest
from bs4 import BeautifulSoup
from matplotlib.colors import to_hex

from companion import style

NAMED = {style.INK, style.MUTED, style.LAZY, style.RICH, style.TRAINABLE, *style.SERIES, *style.CASES, *style.SIZES}
RICHNESS = {style.richness_color(gamma) for gamma in (1e-4, 1e-2, 0.1, 0.25, 0.5, 1.0, 2.0, 10.0, 100.0)}
COLOURS = sorted(NAMED | RICHNESS | {style.width_color(2**power) for power in range(4, 12)})


def channels(colour):
    return np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])


def luminance(colour):
    rgb = channels(colour)
    return np.array([0.2126, 0.7152, 0.0722]) @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_colour_stands_out_from_the_dark_ground_and_keeps_its_hue(colour):
    turned = figures.dark(colour)
    assert (luminance(turned) + 0.05) / (luminance(figures.DARK) + 0.05) >= 3  # what guidelines ask of graphics
    before, after = (colorsys.rgb_to_hls(*channels(one)) for one in (colour, turned))
    if before[2] > 0.1:  # grey has no hue, and what is nearly grey has one up to a step of its channels
        assert abs((after[0] - before[0] + 0.5) % 1 - 0.5) < 0.01  # 4 degrees


def test_white_becomes_the_ground_and_ink_light():
    assert figures.dark("#ffffff") == figures.DARK
    assert luminance(figures.dark(style.INK)) > 0.6
    assert luminance(figures.dark("#f2f2f2")) < 0.05  # a box near white does not shine
    assert [figures.dark(ink) for ink in figures.ON_PICTURE] == list(figures.ON_PICTURE)
    turned = figures.darkened(
        '<svg a="b"><path style="fill: #ffffff; stroke: #1a1a1a"/><use href="#p123456789"/></svg>'
    )
    black, ink = figures.dark("#000000"), figures.dark("#1a1a1a")
    assert turned == (
        f'<svg fill="{black}" a="b"><path style="fill: {figures.DARK}; stroke: {ink}"/><use href="#p123456789"/></svg>'
    )


def drawn():
    """Two panels, one with dots."""
    with style.book_style():
        figure = style.new_figure(2.5)
        left, right = figure.subplots(1, 2)
        left.set_title("(a) lines", loc="left")
        left.plot([1, 2, 3], [1.0, 2.0, 4.0], label="with, a comma")
        right.scatter([0.25, 1 / 3], [1e-9, 2.0], label="dots")
        right.axhline(1.0)
        return figure


@pytest.fixture(scope="module")
def svg():
    return drawn().svg()


def test_the_bytes_are_the_same_for_the_same_figure(svg):
    assert drawn().svg() == svg


def test_a_figure_that_nobody_sees_is_drawn_for_its_errors_alone(monkeypatch):
    with style.book_style():
        good, bad = style.new_figure(2.0), style.new_figure(2.0)
        good.subplots().plot([1, 2])
        bad.subplots().set_title("$\\nothing$")
    assert set(good._repr_mimebundle_()) == {"image/svg+xml", "text/plain"}
    monkeypatch.setenv(style.UNSEEN_VARIABLE, "1")
    assert set(good._repr_mimebundle_()) == {"text/plain"}
    with pytest.raises(ValueError, match="nothing"):
        bad._repr_mimebundle_()


def test_a_figure_takes_the_place_of_its_picture_and_the_name_of_its_caption(svg, tmp_path):
    (tmp_path / "some.svg").write_text(svg)
    (tmp_path / "plain.svg").write_text("<svg/>")
    images = {"some.svg": "one.svg", "plain.svg": "two.svg"}
    app = SimpleNamespace(builder=SimpleNamespace(images=images), srcdir=tmp_path, outdir=tmp_path)
    picture = '<img alt="A &lt; B" src="../_images/{}.svg"/>'
    link = f'<a class="reference" href="x">{picture.format("one")}</a>'
    body = f'<figure class="a" id="first">{link}<p>Caption</p></figure><p>{picture.format("one")}{picture.format("two")}</p>'
    context = {"body": body}
    figures.page_context(app, "pages/some", "", context, None)
    soup = BeautifulSoup(context["body"], "html.parser")
    named, bare = soup.select("div.book-figure")
    assert named.parent["id"] == "first" and bare.parent.name == "p"
    assert not soup.select("a.reference") and named.img["alt"] == "A < B"
    assert [one.img["src"] for one in (named, bare)] == ["../_figures/some-first.svg", "../_figures/some-2.svg"]
    assert soup.select("p > img")[-1]["src"] == "../_images/two.svg"


def test_files_hold_the_curves_and_the_figure_has_no_metadata(svg, tmp_path):
    about = figures.write(tmp_path, "page-fig", svg)
    assert [(curve["panel"], curve["curve"]) for curve in about["curves"]] == [
        ("(a) lines", "with, a comma"),
        ("2", ""),
        ("2", "dots"),
    ]
    with (tmp_path / "page-fig.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    expected = [
        (curve["panel"], curve["curve"], x, y)
        for curve in about["curves"]
        for x, y in zip(curve["x"], curve["y"], strict=True)
    ]
    assert [(row["panel"], row["curve"], float(row["x"]), float(row["y"])) for row in read] == expected
    assert expected[:3] == [("(a) lines", "with, a comma", n, y) for n, y in ((1.0, 1.0), (2.0, 2.0), (3.0, 4.0))]
    with np.load(tmp_path / "page-fig.npz") as arrays:
        assert list(arrays) == ["0 (a) lines: with, a comma", "1 2: ", "2 2: dots"]
        for array, curve in zip(arrays.values(), about["curves"], strict=True):
            np.testing.assert_array_equal(array, [curve["x"], curve["y"]])
    light, dark = ((tmp_path / f"page-fig{end}.svg").read_text() for end in ("", "-dark"))
    assert 'id="figure"' in svg and 'id="figure"' not in light + dark and "thumbnail" not in light + dark
    assert light.rstrip().endswith("</svg>") and "<metadata" not in light
    # Numbers have fewer digits, but not the scale of the letters: rounded, they would grow by a fourth.
    assert light.count("scale(0.015625)") == svg.count("scale(0.015625)") > 0
    assert not re.search(r"[1-9]\d*\.\d{3}", light.replace("0.015625", ""))
    assert "#ffffff" in light and "#ffffff" not in dark and figures.DARK in dark
    assert (tmp_path / "page-fig.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_without_curves_has_no_data_to_download(tmp_path):
    with style.book_style():
        figure = style.new_figure(1.0)
        figure.subplots().text(0.5, 0.5, "nothing")
    about = figures.write(tmp_path, "x", figure.svg())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x-dark.svg", "x.png", "x.svg"]
    assert figures.shown("x", about, 'a "word"', (504.0, 72.0)).count("<a ") == 1


def inside(box, part, slack=0.1):
    """Whether a part lies in a box, both (x, y, width, height), up to the rounding of boxes."""
    x, y, width, height = box
    return (
        x - slack <= part[0]
        and y - slack <= part[1]
        and part[0] + part[2] <= x + width + slack
        and part[1] + part[3] <= y + height + slack
    )


def frames(figure):
    """The frames of all axes in points from the upper left corner."""
    scale, height = 72 / figure.dpi, figure.bbox.height
    boxes = [axes.get_window_extent() for axes in figure.axes]
    return [[scale * v for v in (box.x0, height - box.y1, box.width, box.height)] for box in boxes]


def test_panels_that_share_an_axis_stay_together():
    with style.book_style():
        for shared, count in ((False, 2), (True, 1)):
            figure = style.new_figure(3.0)
            figure.subplots(1, 2, sharey=shared)
            assert len(style.panels(figure)) == count


def test_panels_stand_in_reading_order_and_cover_their_axes():
    with style.book_style():
        figure = style.new_figure(5.0)
        for axes in figure.subplots(2, 2).flat:
            axes.set(xlabel="x", ylabel="y", title="a title")
        found = style.panels(figure)
        boxes = frames(figure)
    assert len(found) == 4
    for box, frame in zip(found, boxes, strict=True):  # axes are made in reading order
        assert inside(box, frame) and box[1] < frame[1] and box[0] < frame[0]  # with title and label
    assert all(not inside(box, frame) for k, box in enumerate(found) for frame in boxes[:k] + boxes[k + 1 :])


def test_what_touches_stands_in_one_box_and_nothing_is_left_over():
    with style.book_style():
        figure = style.new_figure(3.0)
        figure.set_layout_engine("none")
        left, right = figure.add_axes((0.1, 0.2, 0.3, 0.6)), figure.add_axes((0.6, 0.2, 0.2, 0.6))
        bar = figure.add_axes((0.9, 0.2, 0.03, 0.6))
        left.twinx().plot([1, 2])
        left.inset_axes((0.2, 0.2, 0.3, 0.3)).plot([1, 2])
        shown = right.imshow(np.eye(3), aspect="auto")
        figure.colorbar(shown, cax=bar)
        apart = style.panels(figure)
        bridge = figure.add_axes((0.78, 0.3, 0.14, 0.2))  # made last, it touches both and joins them
        bridge.set_axis_off()
        bridge.text(0.5, 0.5, "a word across both")
        joined = style.panels(figure)
        boxes = frames(figure)
    assert len(apart) == 3 and len(joined) == 2
    assert joined[0] == apart[0]
    for frame in boxes:
        assert [inside(box, frame) for box in joined].count(True) == 1


def test_a_long_line_is_thinned_to_what_is_visible():
    x = np.linspace(1.0, 2.0, 100_001)
    y = 1e-3 * np.sin(20 * x)
    with style.book_style():
        figure = style.new_figure(3.0)
        axes = figure.subplots()
        axes.plot(x, y)
        (curve,) = style.curves(figure)
        steps = np.diff(axes.transData.transform(np.column_stack([curve["x"], curve["y"]])), axis=0) * 72 / figure.dpi
    assert 500 < len(curve["x"]) < 12_000
    assert (curve["x"][0], curve["x"][-1]) == (1.0, 2.0)
    assert np.hypot(*steps.T)[:-1].min() > 0.24 and np.hypot(*steps.T).max() < 0.3
    # Six digits are kept: each point is one of the line's, within half of the last digit of each coordinate.
    nearest = np.rint((np.array(curve["x"]) - 1) * 100_000).astype(int)
    np.testing.assert_allclose(curve["x"], x[nearest], rtol=1e-5, atol=0)
    np.testing.assert_allclose(curve["y"], y[nearest], rtol=1e-5, atol=0)


def test_what_cannot_be_drawn_is_left_out():
    with style.book_style():
        figure = style.new_figure(2.0)
        figure.subplots().loglog([1, 2, 3, 4], [1.0, np.nan, np.inf, 2.0], label="_hidden")
        assert style.curves(figure) == [{"panel": "1", "curve": "", "x": [1.0, 4.0], "y": [1.0, 2.0]}]


def test_a_narrow_screen_sees_each_panel_through_a_window(svg):
    about = json.loads(figures.html.unescape(figures.METADATA.search(svg)[1]))
    page = figures.shown("f", about, "Words.", (504.0, 180.0))
    windows = re.findall(r"aspect-ratio:([\d.]+)/([\d.]+);", page)
    assert [(float(w), float(h)) for w, h in windows] == [(box[2], box[3]) for box in about["panels"]]
    x, y, width, height = about["panels"][1]
    place = f"width:{504 / width:.2%};left:{-x / width:.2%};top:{-y / height:.2%}"
    assert page.count(place) == 2  # light and dark
    assert page.count('alt="Words."') == 2 * (1 + len(about["panels"]))


def test_a_bar_of_colours_and_a_legend_are_not_blown_up_and_no_part_is_wider_than_the_screen():
    about = {"panels": [[0, 0, 400, 300], [420, 0, 60, 300], [0, 320, 400, 40]], "curves": []}
    page = figures.shown("f", about, "Words.", (504.0, 380.0))
    assert re.findall(r"max-width:(\d+)px", page) == ["640", "48", "400"]
    assert "min-width" not in page


def test_colours_of_maps_are_written_as_the_extension_reads_them():
    assert all(figures.COLOUR.fullmatch(to_hex(colour)) for colour in COLOURS)
