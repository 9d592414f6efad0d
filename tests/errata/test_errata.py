"""Each erratum: the printed form fails, the corrected one holds; and the machinery could say otherwise."""

import dataclasses
import re

import pytest

from companion.errata import ERRATA, FACTOR, Erratum, Errors, Setting, infinite_width, meanfield
from companion.pages import errata as page
from neural_scaling.base import paths
from neural_scaling.base.checks import InputError

pytestmark = pytest.mark.slow

SETTING = Setting()
CHECKED = [erratum for erratum in ERRATA if erratum.check is not None and erratum.kind != "suspicion"]


@pytest.fixture(scope="module")
def found():
    return page.check_all(SETTING)


@pytest.mark.parametrize("erratum", CHECKED, ids=[erratum.name for erratum in CHECKED])
def test_the_printed_form_fails_and_the_corrected_one_holds(found, erratum):
    (row,) = found[found.name == erratum.name].itertuples()
    assert row.corrected <= erratum.tolerance
    assert row.printed > FACTOR * erratum.tolerance
    assert row.outcome == erratum.outcome(Errors(row.printed, row.corrected)) == "stands"


@pytest.mark.parametrize("left", [0.0, 3e-17, 9e-10])
def test_what_rounding_leaves_is_shown_alike_even_if_it_is_nothing(found, left):
    (row,) = page.shown(found[found.name == "richness-in-b"].assign(corrected=left)).itertuples()
    assert (row.corrected, row.outcome) == ("< 1e-09", "stands")


def test_a_count_is_shown_as_it_is(found):
    (row,) = page.shown(found[(found.tolerance == 0) & (found.outcome == "stands")]).itertuples()
    assert (row.name, row.printed, row.corrected) == ("response-sign", "1.0", "0")


def test_a_bare_factor_of_two_in_the_rate_of_the_scale_does_not_stand():
    suspicion = next(erratum for erratum in ERRATA if erratum.name == "factor-two")
    errors = suspicion.errors(SETTING)
    assert errors.corrected > errors.printed > FACTOR * suspicion.tolerance
    assert suspicion.outcome(errors) == "did not stand"


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
        assert erratum.location and erratum.printed and erratum.corrected and erratum.reason
        assert (erratum.check is None) == (erratum.quantity == "")
        for text in (erratum.location, erratum.printed, erratum.corrected, erratum.reason, erratum.quantity):
            assert text.count("$") % 2 == 0
        assert "%(" not in erratum.quantity % dataclasses.asdict(SETTING)


def test_entries_link_to_labels_before_a_heading():
    notebooks = "".join(path.read_text() for path in (paths.checkout() / "notebooks").glob("*.py"))
    labels = set(re.findall(r"^# \(([a-z0-9-]+)\)=\n# #", notebooks, re.MULTILINE))
    pages = {erratum.page for erratum in ERRATA if erratum.page}
    assert len(pages) > 5
    assert pages <= labels


def test_all_kinds_are_shown(found):
    assert len(found) == len(ERRATA)
    assert set(found.kind) == {"misprint", "substance", "suspicion"}
    assert {"stands", "did not stand", "by reading"} == set(found.outcome)
    entries = page.entries(found, SETTING)
    assert entries.count("\n: *Printed:*") == len(ERRATA)
    assert entries.count("\n: *Suspected:*") == 1  # the other suspicion is checked by reading
    assert entries.count(" printed, **") == found.printed.notna().sum()
    table = page.shown(found)
    assert not table["where"].str.contains("$", regex=False).any()
    assert set(table[table.outcome == "by reading"].printed) == {"-"}


def test_claims():
    verdicts = {claim.id: claim.verdict for claim in page.substance_claims(SETTING)}
    right = {"weight-norm", "floor.hard", "data-floor", "transient.easy", "sgd.super-easy"}
    assert {name for name, verdict in verdicts.items() if verdict == "confirmed"} == {
        f"errata.{name}" for name in right
    }
    assert {name for name, verdict in verdicts.items() if verdict == "not confirmed"} == {"errata.spike-share"}
    assert set(verdicts.values()) == {"confirmed", "corrected", "not confirmed"}


def test_claims_can_come_out_otherwise(monkeypatch):
    monkeypatch.setattr(infinite_width, "loss_rate_ratio", lambda setting: 1.0)
    monkeypatch.setattr(meanfield, "fourth_moment_losses", lambda setting: (1.0, 1.1, 1.001, 0.001))
    verdicts = {claim.id: claim.verdict for claim in page.substance_claims(SETTING)}
    assert verdicts["errata.loss-rate"] == verdicts["errata.fourth-moment"] == "confirmed"


def test_figure():
    curves = page.curves(dataclasses.replace(SETTING, horizon=30.0))
    drawn = page.draw(curves, SETTING.alpha)
    assert [axes.get_title(loc="left")[:3] for axes in drawn.axes] == ["(a)", "(b)", "(c)", "(d)"]
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in drawn.axes)
    assert drawn._repr_png_().startswith(b"\x89PNG")
