"""Merging claims into the ledger, and comparing a fresh execution with it."""

import dataclasses
import json

import pytest

from bookkit import ledger, registry
from bookkit.problems import Problem
from companion.claims import Claim, write_ledger


def claim(name, item="tiny", scale="small", **changes):
    base = Claim(
        id=name,
        item=item,
        location="eq. 1",
        statement="It is so.",
        quantity="exponent",
        predicted=1.0,
        measured=1.0,
        interval=(0.9, 1.1),
        window=None,
        scale=scale,
        verdict="confirmed",
        reason="It was measured.",
    )
    return dataclasses.replace(base, **changes)


def test_merging_replaces_item_and_scale_and_sorts():
    old = [claim("z", "other"), claim("old"), claim("kept", scale="full")]
    made = {("tiny", "small"): [claim("b"), claim("a")]}
    merged = ledger.merge(old, made)
    assert [(c.item, c.scale, c.id) for c in merged] == [
        ("other", "small", "z"),
        ("tiny", "full", "kept"),
        ("tiny", "small", "a"),
        ("tiny", "small", "b"),
    ]


def test_a_notebook_without_claims_loses_its_old_ones():
    assert ledger.merge([claim("old")], {("tiny", "small"): []}) == []


def test_the_same_claims_within_the_interval_agree():
    assert ledger.differences([claim("a")], {("tiny", "small"): [claim("a", measured=1.05)]}) == []


def test_an_exact_claim_may_differ_by_rounding():
    old = claim("a", measured=0.5, interval=(0.5, 0.5))
    assert ledger.differences([old], {("tiny", "small"): [claim("a", measured=0.5 + 1e-9)]}) == []
    assert ledger.differences([old], {("tiny", "small"): [claim("a", measured=0.5001)]})


@pytest.mark.parametrize(
    ("fresh", "message"),
    [
        ([claim("a"), claim("b")], "claim 'b' of tiny (small) is not in the ledger"),
        ([], "claim 'a' of tiny (small) stands in the ledger but no notebook makes it"),
        ([claim("a", verdict="inconclusive")], "verdict 'inconclusive', in the ledger 'confirmed'"),
        ([claim("a", measured=1.2)], "measured 1.2, outside the ledger's (0.9, 1.1)"),
        ([claim("a", measured=None)], "measured None, outside"),
    ],
)
def test_differences_are_named_with_the_remedy(fresh, message):
    (wrong,) = ledger.differences([claim("a")], {("tiny", "small"): fresh})
    assert message in wrong
    assert "nox -s references" in wrong


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
