"""The study of predictions: some of its tasks again, and the tables that the book shows of all."""

import json
from pathlib import Path

import numpy as np
import pytest

import prediction_study as study
from neural_scaling.predict.estimate import estimate_spectrum

PAGE = Path(__file__).resolve().parents[2] / "book" / "library" / "predict.md"


def one_by_one(task, numbers):
    return [task(number) for number in numbers]


@pytest.mark.slow
def test_significant_bends_of_exact_modes_are_told_and_few_others():
    rows = study.bend_rows(10, one_by_one, given=("modes",))
    following, normal = rows
    assert following["power"][0] == 0
    assert following["kink"] == following["logarithm"] == [20, 20]
    assert normal["power"][0] <= 2  # 1 % is meant; three of 40 come once in 130


def test_what_normal_coefficients_hide_is_said():
    bent, _ = study.drawn(0, 0, normal=True, shape="kink", modes=1000, middle=58)
    assert estimate_spectrum(bent.eigenvalues, bent.coefficients).smallest_bend > 0.5
    straight, _ = study.drawn(0, 0)
    found = estimate_spectrum(straight.eigenvalues, np.abs(straight.eigenvalues) ** 0.1)
    assert found.smallest_bend == pytest.approx(0.1)


def test_a_kink_and_a_logarithm_change_slopes_by_what_is_said():
    """Of the power, in which a coefficient counts twice; from its mode on, or everywhere."""
    for shape, change in (("kink", 0.5), ("logarithm", 2 / np.log(2000))):
        bent, straight = (study.drawn(0, 3, shape=one, middle=100)[0].coefficients for one in (shape, "power"))
        more = 2 * np.diff(np.log(np.abs(bent / straight)[[1998, 1999]]))[0] / np.log(2000 / 1999)
        assert abs(more) == pytest.approx(change, rel=0.01)


@pytest.mark.long
def test_bands_of_kernels_hold_the_curves():
    """Two of the tasks; all of them are on the page."""
    held = np.array([study.bands(number, normal=False, noise=0.0) for number in range(2)])
    assert held[..., 0].mean() >= 0.9


def words(row):
    """Return the first columns of a row as the page writes them."""
    coefficients = "normal" if row["normal"] else "follow the law"
    if "given" in row:
        return ["300 or 3000 exact modes" if row["given"] == "modes" else "kernel on 1000 samples", coefficients]
    return [coefficients, "1 %" if row["noise"] else "none", "learned" if row["learned"] else "frozen"]


def test_the_page_shows_what_was_measured():
    kept, page = json.loads(study.KEPT.read_text("utf-8")), PAGE.read_text("utf-8")
    lines = [
        *(
            [row["noise"], f"{row['draws']}"]
            + [text for one in (row["capacity"], row["source"]) for text in (f"{one['held']}", f"{one['width']:.2g}")]
            for row in kept["recovery"]
        ),
        *(
            [*words(row), *(f"{told} of {of}" for told, of in (row[one] for one in study.SHAPES))]
            for row in kept["bends"]
        ),
        *(
            [*words(row), f"{100 * row['held']:.1f} ± {100 * row['error']:.1f} %", f"{row['half']:.2f}"]
            for row in kept["bands"]
        ),
        *(
            [
                "1 %" if row["noise"] else "none",
                f"{row['first']}",
                f"{row['width']:.2f}",
                "{} of {}".format(*row["held"]),
            ]
            for row in kept["sources"]
        ),
    ]
    missing = [line for line in (f"| {' | '.join(cells)} |" for cells in lines) if line not in page]
    assert not missing, "the page lacks:\n" + "\n".join(missing)
