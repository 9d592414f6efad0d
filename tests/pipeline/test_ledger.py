"""Merging claims into the ledger, and comparing a fresh execution with it."""

import json
from types import SimpleNamespace

import pytest

from bookkit import ledger, registry
from bookkit.problems import Problem
from companion.claims import Measurement, Tolerance, judged, write_ledger


def claim(name, item="tiny", scale="small", measured=1.0, interval=(0.9, 1.1)):
    page = SimpleNamespace(item=item, scale=scale)
    found = Measurement.none("none") if measured is None else Measurement(measured, interval)
    return judged(page, name, "eq. 1", "It is so.", "exponent", 1.0, found, "theory", Tolerance(0.3, "a test"))


def test_merging_replaces_item_and_scale_and_sorts():
    old = [claim("z", "other"), claim("old"), claim("kept", scale="full")]
    made = {("tiny", "small"): [claim("b"), claim("a")]}
    merged = ledger.merge(old, made)
    assert [(c.item, c.scale, c.id) for c in merged] == [
        ("other", "small", "z"),
        ("tiny", "small", "a"),
        ("tiny", "small", "b"),
        ("tiny", "full", "kept"),
    ]


def test_a_notebook_without_claims_loses_its_old_ones():
    assert ledger.merge([claim("old")], {("tiny", "small"): []}) == []


def test_the_same_claims_within_the_interval_agree():
    assert ledger.differences([claim("a")], {("tiny", "small"): [claim("a", measured=1.05)]}) == []


def test_an_exact_claim_may_differ_by_rounding():
    old = claim("a", measured=0.8, interval=(0.8, 0.8))
    assert (
        ledger.differences([old], {("tiny", "small"): [claim("a", measured=0.8 + 1e-9, interval=(0.8, 0.8 + 1e-9))]})
        == []
    )
    assert ledger.differences([old], {("tiny", "small"): [claim("a", measured=0.8001, interval=(0.8, 0.81))]})


@pytest.mark.parametrize(
    ("fresh", "message"),
    [
        ([claim("a"), claim("b")], "claim 'b' of tiny (small) is not in the ledger"),
        ([], "claim 'a' of tiny (small) stands in the ledger but no notebook makes it"),
        ([claim("a", interval=(0.5, 1.1))], "verdict 'inconclusive', in the ledger 'confirmed'"),
        ([claim("a", measured=1.2, interval=(1.01, 1.3))], "measured 1.2, outside the ledger's (0.9, 1.1)"),
        ([claim("a", measured=None)], "verdict 'inconclusive'"),
    ],
)
def test_differences_are_named_with_the_remedy(fresh, message):
    wrong = ledger.differences([claim("a")], {("tiny", "small"): fresh})
    assert message in wrong[0]
    assert all("nox -s references" in one for one in wrong)


def test_a_claim_of_another_item_is_refused(project):
    job = registry.job(project, "tiny", "small")
    write_ledger(project.claims("tiny", "small"), [claim("a", item="other")])
    with pytest.raises(Problem, match="claim 'a' says item 'other'"):
        ledger.produced(project, [job])


def test_a_damaged_ledger_is_refused(project):
    project.ledger.write_text(json.dumps([{"id": "a"}]))
    with pytest.raises(Problem, match="nox -s references"):
        ledger.read(project.ledger)
    project.ledger.unlink()
    with pytest.raises(Problem, match="nox -s references"):
        ledger.read(project.ledger)


def test_a_written_ledger_is_read_back(project):
    ledger.write(project, [claim("a"), claim("b")])
    assert ledger.read(project.ledger) == [claim("a"), claim("b")]
    with pytest.raises(Problem, match="occurs twice"):
        ledger.write(project, [claim("a"), claim("a")])
