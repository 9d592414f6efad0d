"""What the pages of Figures 1 and 10 and of Table 1 conclude, and that they could conclude otherwise."""

import pytest

from companion.pages import fig01 as figure01
from companion.pages import fig10 as figure10
from companion.pages import table1


def verdicts(claims):
    return {claim.id: claim.verdict for claim in claims}


def test_figure_1():
    plan = figure01.Plan(sources=[0.5, 1.2])
    found = figure01.exponents(plan)
    assert set(verdicts(figure01.exponent_claims(plan, found)).values()) == {"confirmed"}
    lazy_everywhere = verdicts(figure01.exponent_claims(plan, found.assign(predicted=found.beta)))
    assert lazy_everywhere["fig-1.exponent.hard.rich"] == "not confirmed"


def test_figure_1_phases():
    plan = figure01.Plan(grid=8)
    counts = figure01.phase_counts(plan)
    assert len(counts) == 6
    assert (counts.known == 1.0).all()
    assert counts.points.sum() <= 2 * 8 * 8
    assert (counts.named == 1.0).all()
    found = verdicts(figure01.phase_claims(plan, counts))
    corrected = {name for name, verdict in found.items() if verdict == "corrected"}
    assert corrected == {"fig-1.phase.easy.lazy", "fig-1.phase.easy.rich"}
    assert set(found.values()) == {"confirmed", "corrected"}
    spoiled = counts.assign(named=0.9, printed=0.0, known=0.9)
    assert set(verdicts(figure01.phase_claims(plan, spoiled)).values()) == {"not confirmed"}


def test_figure_1_improvements():
    plan = figure01.Plan(grid=8)
    found = figure01.improvements(plan)
    assert (found.printed >= 0).all()
    tasks = [(1 + 3 * (i + 0.5) / 8, 2.3 * (j + 0.5) / 8) for i in range(8) for j in range(8)]
    hard = [(alpha, beta) for alpha, beta in tasks if beta < 1]
    # The clock of a rich hard task runs as t^(2/(1 + beta)); the transient is (1/N) t^(1/alpha - beta) on that clock.
    transient = min((beta - 1 / alpha) * (1 - beta) / (1 + beta) for alpha, beta in hard)
    # Noise is L K: t^-beta lazy, t^-(2 chi - 1) rich.
    noise = min(2 * (2 * beta / (1 + beta)) - 1 - beta for _, beta in hard)
    assert list(found.corrected) == pytest.approx([0, transient, noise])
    claims = verdicts(figure01.improvement_claims(plan, found))
    assert list(claims.values()) == ["confirmed", "not confirmed", "not confirmed"]
    assert set(verdicts(figure01.improvement_claims(plan, found.assign(corrected=0.0))).values()) == {"confirmed"}


def test_figure_10():
    plan = figure10.Plan(sources=[0.4], levels=2)
    exponents = figure10.exponents(plan)
    assert exponents.level.tolist() == [0, 1, 2, float("inf")]
    found = verdicts(figure10.level_claims(plan, exponents))
    assert found == {
        "fig-10.level-1": "confirmed",
        "fig-10.level-2": "confirmed",
        "fig-10.limit": "corrected",
        "fig-10.levels": "confirmed",
    }
    moved = verdicts(figure10.level_claims(plan, exponents.assign(predicted=exponents.predicted + 0.01)))
    assert moved == dict.fromkeys(found, "not confirmed") | {"fig-10.limit": "corrected"}


def test_table_1():
    plan = table1.Plan(grid=9)
    found = table1.optima(plan)
    cases, gap = table1.largest_gap(plan)
    # beta = 1 lies on a boundary, and two tasks lie within 0.02 of beta = 2 - 1/alpha
    assert cases == (9 * 8 - 2) * 2 * 2
    assert gap < 1e-6  # what competing powers leave at ln C = 1e4 is far below
    claims = table1.table_claims(plan, found, cases, gap)
    assert len(claims) == 6
    assert set(verdicts(claims).values()) == {"confirmed"}
    wrong = found.assign(r=found.r + 0.02)
    assert set(verdicts(table1.table_claims(plan, wrong, cases, gap)).values()) == {"not confirmed"}
    # t^-(2 chi - 1) against N^-(alpha beta): 1/3 / (1 + 1/3)
    assert table1.fixed_batch_exponent(2.0, 0.5) == pytest.approx(0.25, abs=1e-6)
