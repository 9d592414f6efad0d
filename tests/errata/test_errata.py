"""Each erratum: the printed form fails, the corrected one holds; and the machinery could say otherwise."""

import dataclasses
import re

import pytest

from companion.errata import ERRATA, FACTOR, RANKED, TIERS, Erratum, Errors, Setting, infinite_width, meanfield
from companion.errata.transients import power_sums
from companion.pages import errata as page
from neural_scaling.base import paths
from neural_scaling.base.checks import InputError

pytestmark = pytest.mark.slow

SETTING = Setting()
CHECKED = [erratum for erratum in ERRATA if erratum.check is not None]


@pytest.fixture(scope="module")
def found():
    return page.check_all(SETTING)


@pytest.mark.parametrize("erratum", CHECKED, ids=[erratum.name for erratum in CHECKED])
def test_the_printed_form_fails_and_the_corrected_one_holds(found, erratum):
    (row,) = found[found.name == erratum.name].itertuples()
    assert row.corrected <= erratum.tolerance
    assert row.printed > FACTOR * erratum.tolerance
    assert row.outcome == erratum.outcome(Errors(row.printed, row.corrected)) == "stands"


def test_equations_are_named_as_those_of_the_paper(found):
    said = page.entries(found, SETTING) + page.contents() + "".join(page.shown(found)["where"])
    assert said.count("aper eq") > 100 and not re.findall(r"(?<![Pp]aper )\b[Ee]qs?\. \d", said)


@pytest.mark.parametrize("left", [0.0, 3e-17, 9e-10])
def test_what_rounding_leaves_is_shown_alike_even_if_it_is_nothing(found, left):
    (row,) = page.shown(found[found.name == "richness-in-b"].assign(corrected=left)).itertuples()
    assert (row.corrected, row.outcome) == ("< 1e-09", "stands")


def test_a_count_is_shown_as_it_is(found):
    (row,) = page.shown(found[(found.tolerance == 0) & (found.outcome == "stands")]).itertuples()
    assert (row.name, row.printed, row.corrected) == ("response-sign", "1.0", "0")


def test_eq_8_as_a_sum_of_powers_holds_for_hard_tasks_and_fails_for_easy_ones():
    sums = power_sums(SETTING).set_index("beta")
    # What is left where terms cross over is a factor below 1.5; a wrong power of N over a range of 256 leaves more than 3.
    assert (sums.corrected < 1.5).all()
    assert sums.printed[SETTING.hard] < 1.5
    assert sums.printed[SETTING.easy] > 3
    assert sums.printed[SETTING.super_easy] > 3


@pytest.mark.parametrize(
    ("errors", "outcome"),
    [
        (Errors(0.31, 0.1), "stands"),
        (Errors(0.3, 0.0), "did not stand"),  # the printed form is not off by enough
        (Errors(5.0, 0.2), "did not stand"),  # the corrected form does not hold
        (Errors(float("nan"), 0.0), "stands"),  # a printed form that gives no number has failed
        (Errors(5.0, float("nan")), "did not stand"),
        (None, "by reading"),
    ],
)
def test_the_rule(errors, outcome):
    assert Erratum("x", "eq. 1", "misprint", "a", "b", "c", "error", 0.1).outcome(errors) == outcome


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 1.0},
        {"gamma": 0.0},
        {"hard": 1.2},
        {"easy": 0.9},
        {"super_easy": 1.2},
        {"width": 200},
        {"steps": 1},
        {"seeds": 2.5},
        {"window": (1e6, 1e4)},
        {"horizon": 0.0},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Setting(**wrong)


def test_every_entry_is_complete():
    names = [erratum.name for erratum in ERRATA]
    assert len(set(names)) == len(names)
    for erratum in ERRATA:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", erratum.name)
        assert erratum.location and erratum.reason
        assert (
            bool(erratum.printed) == bool(erratum.corrected) == (erratum.check is not None) == (erratum.tier != "note")
        )
        assert (erratum.check is None) == (erratum.quantity == "")
        assert bool(erratum.title) == (erratum.tier != "note") and len(erratum.title) < 60
        assert bool(erratum.consequence) == (erratum.tier in ("law", "constant"))
        for text in (
            erratum.location,
            erratum.printed,
            erratum.corrected,
            erratum.reason,
            erratum.quantity,
            erratum.title,
        ):
            assert text.count("$") % 2 == 0
        assert "%(" not in erratum.quantity % dataclasses.asdict(SETTING)


def test_laws_and_constants_come_first_by_weight():
    tiers = [erratum.tier for erratum in ERRATA]
    assert tiers == sorted(tiers, key=TIERS.index)
    assert tuple(erratum.name for erratum in ERRATA if erratum.tier in ("law", "constant")) == RANKED


def test_entries_link_to_labels_before_a_heading():
    notebooks = "".join(path.read_text() for path in (paths.checkout() / "notebooks").glob("*.py"))
    labels = set(re.findall(r"^# \(([a-z0-9-]+)\)=\n# #", notebooks, re.MULTILINE))
    pages = {page for erratum in ERRATA for page in erratum.pages}
    assert len(pages) > 5
    assert pages <= labels


def test_all_tiers_are_shown(found):
    assert len(found) == len(ERRATA)
    assert set(found.tier) == set(TIERS)
    assert {"stands", "by reading"} == set(found.outcome)
    entries = page.entries(found, SETTING)
    notes = sum(erratum.tier == "note" for erratum in ERRATA)
    assert entries.count("\n*Printed:*") == entries.count(" printed, **") == len(ERRATA) - notes
    assert entries.count("<details") == entries.count("</details>") == len(ERRATA) - notes
    assert len(re.findall("^- ", entries, re.MULTILINE)) == notes
    assert re.findall('id="erratum-([a-z0-9-]+)"', entries) == [erratum.name for erratum in ERRATA]
    table = page.shown(found)
    assert not table["where"].str.contains("$", regex=False).any()
    assert set(table[table.outcome == "by reading"].printed) == {"-"}


def test_the_contents_lead_to_every_entry_by_weight():
    open_, folded = page.contents().split("<details>")
    links = re.findall('href="#erratum-([a-z0-9-]+)"', open_), re.findall('href="#erratum-([a-z0-9-]+)"', folded)
    assert links == (list(RANKED), [erratum.name for erratum in ERRATA if erratum.tier == "misprint"])
    rows = [line for line in page.contents().splitlines() if line.startswith("| <a")]
    assert {row.count("|") for row in rows} == {5}
    assert all("**Law:**" in row for row in rows[:4]) and "**Law:**" not in "".join(rows[4:])


def test_claims():
    verdicts = {claim.id: claim.verdict for claim in page.claims(SETTING)}
    names = ("loss-rate", "fourth-moment", "fourth-moment-width")
    assert verdicts == {f"errata.{name}": "corrected" for name in names}


def test_claims_can_come_out_otherwise(monkeypatch):
    monkeypatch.setattr(infinite_width, "loss_rate_ratio", lambda setting: 1.0)
    for name in ("fourth_moment_losses", "width_coefficients"):
        monkeypatch.setattr(meanfield, name, lambda setting: (1.0, 1.1, 1.001, 0.001))
    assert {claim.verdict for claim in page.claims(SETTING)} == {"confirmed"}


def test_figure():
    curves = page.curves(dataclasses.replace(SETTING, horizon=30.0))
    drawn = page.draw(curves, SETTING.alpha)
    assert [axes.get_title(loc="left")[:3] for axes in drawn.axes] == ["(a)", "(b)", "(c)"]
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in drawn.axes)
    assert drawn.svg().startswith("<?xml")
