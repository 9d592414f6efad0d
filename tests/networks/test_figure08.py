"""Figure 8: bins, averages, fits and claims on curves whose law is known."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from companion import notebook
from companion.learning_curves import bend
from companion.pages import fig08 as figure08
from companion.pages.fig08 import Plan
from neural_scaling.base.checks import InputError
from neural_scaling.runs import Result

PLAN = Plan(
    scale="reduced",
    dataset="speeches-books",
    context=128,
    depth=4,
    heads=8,
    head_size=32,
    residual=8.0,
    richness=[1e-4, 0.1],
    eta=20.0,
    batch=16,
    steps=2000,
    seeds=[0, 3],
    test=64,
    average=200,
    start=409_600.0,
    rates=[20.0, 40.0, 80.0],
    trial=10,
)
BETA = 0.06


def again(*pairs):
    """What `repeated` returns of these pairs of curves."""
    rows = [(seed, *figure08.compared(pair[0], pair[-1])) for seed, pair in enumerate(pairs) if pair]
    return pd.DataFrame(rows, columns=["seed", *figure08.COMPARED])


def verdicts(curves):
    return {claim.id: claim.verdict for claim in figure08.claims(PLAN, curves, again(curves))}


def test_one_constant_for_all():
    curves = made([0.1, 0.2], offset=4.0, noise=0.02)
    found = figure08.offsets(curves)
    assert list(found.shared) == ["each", "each", "all", "all"]
    common = found[found.shared == "all"]
    (low, high), *_ = common.bounds
    assert low <= 4 <= high and common.constant.tolist() == pytest.approx([4, 4], abs=1)
    assert common.exponent.iloc[1] > 1.5 * common.exponent.iloc[0]
    predicted = figure08.predicted(curves, found).set_index("fit")
    assert list(predicted.index[:2]) == ["no constant", "one constant for all"]
    lazy = common.exponent.iloc[0]
    assert predicted.loc["one constant for all"].tolist() == [lazy, *figure08.predictions(lazy).values()]
    gone = made([0.1, 0.2], diverged=100)
    assert figure08.offsets(gone).empty
    assert "one constant for all" not in list(figure08.predicted(gone, figure08.offsets(gone)).fit)


def made(exponents, offset=0.0, noise=0.15, diverged=math.inf, bend=0.0, seed=0):
    """Return curves that follow power laws, with noise of which nine tenths are that of the batches."""
    generator = np.random.default_rng(seed)
    steps = np.arange(1, PLAN.steps + 1)
    shared = noise * generator.standard_normal(PLAN.steps)
    recorded = np.array([0, 1, 10, 100, 1000, 2000])
    results = {}
    for run, exponent in zip(PLAN.runs(), exponents, strict=True):
        mean = offset + (9 - offset) * steps ** -(exponent + bend * np.log10(steps / 1000))
        loss = mean * (1 + (shared + 0.1 * noise * generator.standard_normal(PLAN.steps)) / 8)
        loss[steps > diverged] = np.inf
        held_out = np.where(recorded > diverged, np.inf, offset + (9 - offset) * np.maximum(recorded, 1.0) ** -exponent)
        arrays = {
            "loss": loss.astype(np.float32),
            "step": recorded.astype(float),
            "held_out": held_out.astype(np.float32),
            "final": np.full(64, held_out[-1]) + 0.01 * generator.standard_normal(64),
            "diverged": np.asarray(diverged),
            "moved": np.full(6, 0.3, np.float32),
            "vocabulary": np.asarray(8192),
        }
        results[run] = Result(arrays, {}, "computed")
    return [figure08.curve(run, PLAN.start, results) for run in PLAN.runs()]


def test_exponents_of_power_laws_are_found():
    rich = figure08.predictions(BETA)["t^(-2 beta/(1+beta))"]
    lazy, later = made([BETA, rich])
    assert lazy.window == (2000 * 128 * 16 / 10, 2000 * 128 * 16)
    assert lazy.binned.shape[1] >= 15
    assert lazy.fit.interval[0] < BETA < lazy.fit.interval[1]
    assert later.fit.interval[0] < rich < later.fit.interval[1]
    excess = figure08.gap(later, lazy)
    assert excess.interval[0] < rich - BETA < excess.interval[1]
    # Noise of batches that both share is gone.
    assert np.diff(excess.interval) < 0.3 * np.diff(lazy.fit.interval)


def test_halves_tell_a_bend():
    straight, _ = made([BETA, BETA], noise=0.002)
    assert straight.halves == pytest.approx((BETA, BETA), abs=0.005)
    early, late = made([BETA, BETA], noise=0.002, bend=0.03)[0].halves
    assert late > early + 0.01
    assert all(map(math.isnan, dataclasses.replace(straight, binned=straight.binned[:, :5]).halves))


def test_claims():
    rich = figure08.predictions(BETA)["t^(-2 beta/(1+beta))"]
    assert verdicts(made([BETA, rich], noise=0.002)) == {
        "fig08.lazy": "confirmed",
        "fig08.order": "confirmed",
        "fig08.rich": "confirmed",
    }
    found = verdicts(made([BETA, BETA], noise=0.05))
    assert found["fig08.rich"] == "not confirmed"
    assert found["fig08.order"] == "inconclusive"
    assert verdicts(made([BETA, BETA], noise=0.5))["fig08.lazy"] == "inconclusive"  # this noise hides a bend
    assert verdicts(made([rich, BETA], noise=0.05))["fig08.order"] == "not confirmed"


def test_a_curve_that_is_no_power_law_settles_nothing():
    found = verdicts(made([0.4, 0.5], 4.0, noise=0.01))
    assert found["fig08.lazy"] == "not confirmed"
    assert found["fig08.rich"] != "confirmed"
    steepens = verdicts(made([BETA, 2 * BETA], noise=0.002, bend=0.03))
    assert (
        steepens["fig08.lazy"] == "not confirmed"
    )  # no constant above zero would do that, but it is no power law either


def test_the_error_of_the_lazy_exponent_is_in_the_claim():
    rich = figure08.predictions(BETA)["t^(-beta(2-beta))"]
    curves = made([BETA, rich], noise=0.15)
    claim = next(claim for claim in figure08.claims(PLAN, curves, again(curves)) if claim.id == "fig08.rich")
    fit, alone = curves[0].fit, np.diff(figure08.gap(*curves[::-1]).interval)[0] / 2
    # beta(1 - beta) changes by 1 - 2 beta times as much as beta.
    half = math.hypot(alone, 1.96 * fit.standard_error * (1 - 2 * fit.exponent))
    assert claim.predicted == pytest.approx(fit.exponent * (1 - fit.exponent))
    assert claim.measured == pytest.approx(rich - BETA, abs=0.01)
    assert np.diff(claim.interval)[0] / 2 == pytest.approx(half, rel=1e-3)


def test_the_bend_is_the_change_of_the_exponent():
    curved, _ = made([BETA, BETA], noise=0.0005, bend=0.03)
    tokens = curved.binned[0]
    # The local exponent of steps^-(beta + b log10(steps/1000)) changes by 2 b a decade.
    decades = math.log10(tokens[-1] / tokens[0])
    found = bend(curved.binned, curved.window)
    assert found.value == pytest.approx(0.06 * decades, rel=0.02) and found.interval[0] > 0
    inside = 0
    for seed in range(40):
        straight, _ = made([BETA, BETA], noise=0.1, seed=seed)
        low, high = bend(straight.binned, straight.window).interval
        inside += low <= 0 <= high
    assert inside >= 34  # 38 expected, standard deviation 1.4


def test_small_runs_judge_no_exponent():
    small = dataclasses.replace(PLAN, scale="small")
    assert [claim.id for claim in figure08.claims(small, made([BETA, BETA]), again([]))] == ["fig08.order"]


def test_an_offset_is_found():
    lazy, _ = made([0.4, 0.5], 4.0, noise=0.02)
    assert lazy.offset.interval[0] < 0.4 < lazy.offset.interval[1]
    assert lazy.offset.offset_interval[0] < 4 < lazy.offset.offset_interval[1]


def test_a_curve_that_diverged_ends_there():
    lazy, later = made([BETA, BETA], diverged=500)
    assert lazy.loss.size == later.tokens.size == 500
    assert lazy.held_out_tokens[-1] == 100 * 128 * 16
    assert figure08.exponents([lazy, later]).diverged.tolist() == [500, 500]
    assert set(verdicts([lazy, later]).values()) <= {"inconclusive", "out of reach"}


@pytest.mark.parametrize("diverged", [1500, 1900])
def test_a_straight_curve_that_diverged_late_settles_nothing(diverged):
    lazy, later = made([BETA, BETA], noise=0.002, diverged=diverged)
    assert lazy.window[1] == diverged * 128 * 16
    found = figure08.claims(PLAN, [lazy, later], again([lazy, later]))
    assert {claim.verdict for claim in found} == {"inconclusive", "out of reach"}
    assert f"diverged at step {diverged}" in found[0].reason


def test_a_divergence_at_once_or_in_the_middle_is_told():
    gone = made([BETA, BETA], diverged=0)
    assert gone[0].loss.size == 0
    table = figure08.exponents(gone)
    assert table.diverged.tolist() == [0, 0] and table.exponent.isna().all()
    lazy, middle = made([BETA, 1.2 * BETA], noise=0.002)
    middle = dataclasses.replace(middle, diverged=1900.0, final=np.full(64, np.inf))
    richest = dataclasses.replace(lazy, final=lazy.final - 0.1)
    order = next(
        one for one in figure08.claims(PLAN, [lazy, middle, richest], again([lazy, richest])) if one.id == "fig08.order"
    )
    assert order.verdict == "inconclusive" and "nan" not in order.reason and "0.0001: " in order.reason
    assert order.reason.count("diverged") == 2


def test_errors_of_ratios_know_that_neighbours_go_together():
    generator, spread = np.random.default_rng(0), []
    (lazy, later) = made([BETA, BETA], noise=0.0)
    for _ in range(60):
        white = generator.standard_normal(PLAN.steps + 9)
        slow = 0.01 * np.convolve(white, np.full(10, 10**-0.5), "valid")
        gap = figure08.gap(dataclasses.replace(later, loss=lazy.loss * (1 + slow)), lazy)
        spread.append(gap.interval[0] <= 0 <= gap.interval[1])
    # 0.95 less three standard errors; with the errors of successive differences a third of them fall outside.
    assert np.mean(spread) > 0.86


def test_held_out_sequences_of_one_document_are_not_independent():
    lazy, later = made([BETA, BETA], noise=0.002)
    shifts = np.repeat(np.random.default_rng(1).standard_normal(16), 4)
    lazy, later = (dataclasses.replace(one, final=final) for one, final in ((lazy, np.zeros(64)), (later, shifts)))
    low, high = figure08._ends(later, lazy).interval
    assert high - low == pytest.approx(
        2 * 2.131 * shifts[::4].std(ddof=1) / 4, rel=1e-3
    )  # Student, 15 degrees of freedom


def test_seeds_are_set_beside_each_other():
    lazy, later = made([BETA, 2 * BETA], noise=0.002)
    one, other = figure08.compared(lazy, later), figure08.compared(later, lazy)
    assert (one[0], other[0]) == pytest.approx((BETA, 2 * BETA), abs=0.002)
    assert one[2] == pytest.approx(BETA, abs=0.002) == -other[2]
    assert one[3][0] < one[2] < one[3][1] and one[4] < 0 < other[4]
    gone, there = made([BETA, BETA], diverged=500)
    assert [figure08.compared(gone, there)[k] for k in (3, 5)] == [None, None]
    assert math.isnan(figure08.compared(dataclasses.replace(lazy, fit=None), later)[0])


def test_three_seeds_give_the_error_of_both_ends():
    pairs = [made([BETA, (2 + shift) * BETA], noise=0.002) for shift in (-0.1, 0.0, 0.1)]
    two, three = (
        {claim.id: claim for claim in figure08.claims(PLAN, pairs[1], again(*pairs[:count]))} for count in (2, 3)
    )
    assert set(three) - set(two) == {"fig08.ends"} and three["fig08.ends"].verdict == "confirmed"
    low, high = three["fig08.rich"].interval
    assert (high - low) / 2 == pytest.approx(
        4.303 * 0.1 * BETA / math.sqrt(3), rel=0.05
    )  # Student, two degrees of freedom
    assert three["fig08.rich"].measured == pytest.approx(BETA, rel=0.02)
    bent = {claim.id: claim for claim in figure08.claims(PLAN, pairs[1], again(*pairs).assign(bend=0.02))}
    wider = bent["fig08.rich"].interval
    assert (wider[1] - wider[0]) / 2 == pytest.approx(math.hypot((high - low) / 2, 1.96 * 0.02), rel=0.01)
    assert three["fig08.rich"].seeds == 3 and two["fig08.rich"].seeds == 1


def test_what_holds_of_the_shipped_runs():
    plan = notebook.shipped_plan(Plan)
    results = plan.results()
    found = [figure08.curve(run, plan.start, results) for run in plan.runs()]
    assert set(figure08.sound(found).values()) == {True}
    assert sum(figure08.sound(found[::-1]).values()) == 2  # they still learn
    again = figure08.repeated(plan, results)
    assert again.seed.tolist() == list(plan.seeds) and (again.difference < 0).all()


def test_trials_of_the_learning_rate():
    trials = PLAN.trials()
    assert [run.eta for run in trials] == [20.0, 40.0, 80.0]
    assert {(run.richness, run.steps) for run in trials} == {(1e-4, 10)}
    again = [dataclasses.replace(run, seed=3) for run in PLAN.runs()]
    assert PLAN.repeats() == [tuple(PLAN.runs()), tuple(again)]
    assert PLAN.experiments() == [*PLAN.runs(), *again, *trials, PLAN.frequencies()]
    assert PLAN.frequencies().tokens == 2000 * 16 * 128
    assert dataclasses.replace(PLAN, steps=100_000).frequencies().tokens == figure08.COUNTED
    losses = [np.linspace(9, 8, 10), np.linspace(9, 10, 10), np.full(10, np.inf)]
    results = {
        run: Result({"loss": loss, "diverged": np.asarray(stop), "vocabulary": np.asarray(8192)}, {}, "computed")
        for run, loss, stop in zip(trials, losses, (math.inf, math.inf, 1), strict=True)
    }
    found = figure08.trials(PLAN, results)
    assert found.eta.tolist() == [20, 40, 80]
    assert found.start.tolist() == pytest.approx([math.log(8192)] * 3)
    assert found.highest.tolist()[:2] == [9, 10] and math.isnan(found.highest[2])
    assert found.end.tolist()[:2] == pytest.approx([8 + 1 / 18, 10 - 1 / 18])
    assert found.diverged[2] == 1 and found.diverged[:2].isna().all()


def test_levels():
    results = {
        PLAN.frequencies(): Result({"loss": np.array([6.7, 5.2])}, {}, "computed"),
        PLAN.runs()[0]: Result({"vocabulary": np.asarray(8192)}, {}, "computed"),
    }
    found = figure08.levels(PLAN, results)
    assert found.loss.tolist() == [math.log(8192), 6.7, 5.2]


def test_plan():
    for richness in ([0.1], [0.1, 0.01], [0.1, 0.1]):
        with pytest.raises(InputError, match=r"richness: got .*sort it|richness: got .*at least 2 values"):
            dataclasses.replace(PLAN, richness=richness)
    for seeds in ([], [1, 1]):
        with pytest.raises(InputError, match="seeds: got"):
            dataclasses.replace(PLAN, seeds=seeds)
    with pytest.raises(InputError, match="average: got 0"):
        dataclasses.replace(PLAN, average=0)
    runs = PLAN.runs()
    assert [run.richness for run in runs] == [1e-4, 0.1]
    assert len({(run.seed, run.eta, run.heads) for run in runs}) == 1
    assert figure08.predictions(0.0325)["t^(-beta(2-beta))"] == pytest.approx(0.0639, abs=1e-4)
