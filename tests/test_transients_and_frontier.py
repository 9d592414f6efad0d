"""What the pages of Figures 3 and 4 conclude from curves whose answer is known, and that they could conclude otherwise."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from companion import notebook
from companion.frontiers import Simulated
from companion.pages import fig03 as figure03
from companion.pages import fig04 as figure04
from neural_scaling.base.checks import InputError
from neural_scaling.base.grids import log_spaced_steps, resampled
from neural_scaling.base.monitor import Monitor
from neural_scaling.fits import frontier_start, resampled_exponent
from neural_scaling.models.runs import LongDMFTRun, OnlineDMFTRun
from neural_scaling.runs import Result
from neural_scaling.theory import compute_optimum, frontier, loss, loss_terms, modes_learned

pytestmark = pytest.mark.slow

ALPHA, GAMMA = 2.0, 0.75
#: What the fourth moments of the data multiply the loss by here.
FOURTH = 1.2


def result(step, values, **more):
    return Result({"step": step, "loss": values, **more}, {}, "computed")


def curve(run, version, steps=None):
    """Loss of a run by the four-term law, on steps 0, 1, ... T."""
    step = log_spaced_steps(steps or run.steps)
    terms = loss_terms(run.alpha, run.beta, True, version)
    time = run.eta * np.maximum(step, 0.5)
    return step, loss(terms, time, float(run.width), float(run.batch), run.eta)


def seeds(values, count, spread=0.05):
    noise = np.random.default_rng(1).lognormal(-0.5 * spread**2, spread, (count, values.size))
    return (noise * values).astype(np.float32)


def plan03():
    return figure03.Plan(
        alpha=ALPHA,
        beta_hard=0.5,
        beta_super_easy=3.6,
        gamma=GAMMA,
        eta_hard=0.1,
        eta_super_easy=0.2,
        modes=512,
        width=1024,
        steps=512,
        batches=[1, 4, 16, 64],
        seeds=[32, 16, 16, 16],
        time_long=1e5,
    )


def panel03(beta, version):
    plan, results = plan03(), {}
    for run in plan.simulation(beta):
        step, values = curve(run, version)
        results[run] = result(step, seeds(values, run.seeds))
    for run in plan.theory(beta):
        results[run] = result(*curve(run, version))
    coarse = log_spaced_steps(plan.steps, per_decade=10)
    terms = loss_terms(ALPHA, beta, True, version)
    values = loss(terms, plan.eta(beta) * np.maximum(coarse, 0.5), plan.width, plan.batches[0], plan.eta(beta))
    results[plan.fourth(beta)] = result(coarse, FOURTH * values)
    limit = plan.limit(beta)
    step = log_spaced_steps(limit.steps)
    values = loss(loss_terms(ALPHA, beta, True, version), limit.eta * np.maximum(step, 0.5))
    results[limit] = result(step, values, weight_norm=np.full(step.size, 0.5))
    for run in plan.long(beta).values():
        time = np.geomspace(0.1, run.time, 200)
        values = loss(loss_terms(ALPHA, beta, True, version), time, run.width, run.batch, run.eta)
        results[run] = result(time / run.eta, values)
    return figure03.panel(plan, beta, results)


@pytest.fixture(scope="module")
def hard():
    return panel03(0.5, "corrected")


@pytest.fixture(scope="module")
def super_easy():
    return panel03(3.6, "corrected")


def test_the_plan_runs_every_batch_in_every_way():
    kinds = [run.kind for run in plan03().experiments()]
    names = ("simulation", "DMFT", "minibatch DMFT", "infinite limit", "long DMFT")
    assert [kinds.count(kind) for kind in names] == [8, 8, 2, 2, 12]


def test_stability_grows_with_the_kernel(hard):
    found = figure03.stability(plan03(), hard)
    assert (found.growth == 1 + GAMMA * 0.5).all()
    # eta/B sum_k lambda_k/2 to leading order in eta
    assert found["first"][0] == pytest.approx(0.5 * 0.1 * math.pi**2 / 6, rel=0.1)
    assert ((found["first"] < found["last"]) & (found["last"] < 1)).all()
    assert found["first"][0] > 3.9 * found["first"][1]


def test_simulation_and_theory_agree_where_they_are_made_to(hard):
    plan = plan03()
    found = hard.agreement(figure03.RESAMPLES)
    # Twice the 95 % interval: four standard errors.
    assert all(abs(row.ratio - 1) < row.interval[1] - row.interval[0] for row in found.itertuples())
    assert {claim.verdict for claim in figure03.agreement_claims(plan, hard, found)} == {"confirmed"}
    above = [dataclasses.replace(one, arrays=one.arrays | {"loss": 2 * one.arrays["loss"]}) for one in hard.simulation]
    wrong = dataclasses.replace(hard, simulation=tuple(above))
    claims = figure03.agreement_claims(plan, wrong, wrong.agreement(figure03.RESAMPLES))
    assert {claim.verdict for claim in claims} == {"not confirmed"}
    # At the smallest batch the theory with fourth moments stands beside it.
    assert figure03.fourth_moment(hard) == pytest.approx(FOURTH, rel=1e-3)
    above = [
        dataclasses.replace(one, arrays=one.arrays | {"loss": FOURTH * one.arrays["loss"]}) for one in hard.simulation
    ]
    wrong = dataclasses.replace(hard, simulation=tuple(above))
    claims = figure03.agreement_claims(plan, wrong, wrong.agreement(figure03.RESAMPLES))
    assert [claim.verdict for claim in claims] == ["corrected", "not confirmed"]


def test_terms_of_the_super_easy_task(super_easy):
    plan = plan03()
    late = super_easy.late
    found = late.terms()
    assert list(found.predicted) == [3.6, 1.5, 0.5]
    claims = figure03.term_claims(plan, super_easy, found)
    assert {claim.verdict for claim in claims} == {"confirmed"}
    # The curve of another limit has another exponent.
    swapped = late.curves | {(math.inf, 1.0): late.curves[16.0 * 1024, math.inf]}
    wrong = dataclasses.replace(late, curves=swapped).terms()
    claims = figure03.term_claims(plan, super_easy, wrong)
    assert [claim.verdict for claim in claims] == ["confirmed", "not confirmed", "confirmed"]


def test_a_term_without_a_window_has_no_exponent(super_easy):
    late = super_easy.late
    curves = late.curves | {(64.0, math.inf): late.curves[1024.0, math.inf]}
    found = dataclasses.replace(late, width=4, curves=curves).terms()
    assert list(found.exponent.isna()) == [False, False, True]
    last = figure03.term_claims(plan03(), super_easy, found)[-1]
    assert (last.measured, last.window, last.verdict) == (None, None, "inconclusive")


@pytest.mark.parametrize(("version", "verdict"), [("paper", "confirmed"), ("corrected", "corrected")])
def test_noise_of_the_hard_task_tells_the_two_laws_apart(version, verdict):
    plan, panel = plan03(), panel03(0.5, version)
    _, claim = figure03.term_claims(plan, panel, panel.late.terms())
    assert (claim.id, claim.verdict) == ("fig03.hard.noise", verdict)
    assert claim.predicted == pytest.approx(4 / 3, rel=1e-5)


def test_the_loss_at_infinite_batch_has_the_rich_power(hard):
    plan = plan03()
    claim, _ = figure03.term_claims(plan, hard, hard.late.terms())
    assert (claim.id, claim.verdict) == ("fig03.hard.limit", "confirmed")
    assert claim.measured == pytest.approx(2 / 3, abs=1e-3)
    time, loss = hard.late.curves[math.inf, math.inf]
    steeper = hard.late.curves | {(math.inf, math.inf): (time, loss * time**-0.1)}
    claim, _ = figure03.term_claims(plan, hard, dataclasses.replace(hard.late, curves=steeper).terms())
    assert claim.verdict == "not confirmed"


def test_stages_of_the_super_easy_task(super_easy):
    plan = plan03()
    small, large = super_easy.late.crossovers().itertuples()
    # t^-3.6 = (0.2/B) t^-1.5, and (0.2/B) t^-1.5 = t^-0.5/N + N^-2, almost without the floor
    assert small.noise == pytest.approx(5 ** (1 / 2.1), rel=0.01)
    assert small.width == pytest.approx(0.2 * 1024, rel=0.03)
    assert large.noise == pytest.approx((64 / 0.2) ** (1 / 2.1), rel=0.01)
    assert large.width == pytest.approx(0.2 * 1024 / 64, rel=0.03)
    claim = figure03.order_claim(plan, super_easy, super_easy.late.crossovers())
    assert claim.verdict == "confirmed" and "SGD noise never leads" in claim.reason
    # The other order: at the largest batch finite width comes first.
    turned = super_easy.late.crossovers().iloc[::-1]
    assert figure03.order_claim(plan, super_easy, turned).verdict == "not confirmed"


def test_excess_and_its_claims(hard, super_easy):
    plan = plan03()
    found = figure03.excess(plan, hard)
    assert list(found.batch) == [1, 4, 16]
    assert found.interval[0][0] < found.theory[0] < found.interval[0][1]
    # In the paper's law the relative excess fades, and with it the difference of exponents.
    paper = panel03(0.5, "paper")
    claims = figure03.shift_claims(plan, paper, figure03.excess(plan, paper))
    assert [claim.verdict for claim in claims] == ["confirmed", "confirmed"]
    assert claims[0].predicted == pytest.approx(2 / 3, abs=0.05) and claims[0].measured == pytest.approx(
        2 / 3, abs=0.05
    )
    first, _ = figure03.shift_claims(plan, super_easy, figure03.excess(plan, super_easy))
    # The theory with fourth moments, here the same curve times a constant, has the exponent that the simulation has.
    assert first.verdict == "corrected"
    # In the law the SGD term is exactly proportional to 1/B; with another power of B it is not.
    claim = figure03.batch_claim(plan, super_easy)
    assert claim.measured == pytest.approx(1, abs=1e-6) and claim.verdict == "confirmed"
    steeper = super_easy.theory + 1e-3 / np.array(plan.batches)[:, None] ** 2
    claim = figure03.batch_claim(plan, dataclasses.replace(super_easy, theory=steeper))
    assert claim.verdict == "not confirmed"


def test_figures_of_the_transients(hard, super_easy):
    plan = plan03()
    a, b = figure03.loss_figure(plan, hard, super_easy).axes
    assert [axes.get_xlabel() for axes in (a, b)] == ["steps $t$"] * 2
    assert "$t^{-1.5}$" in {text.get_text() for text in b.texts}
    upper, lower = figure03.late_figure(plan, hard, super_easy).axes
    assert lower.get_ylabel() == "relative excess loss"
    assert len(upper.lines) == len(plan.batches) + 3


def plan04():
    widths = [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
    return figure04.Plan(
        alpha=ALPHA,
        gamma=GAMMA,
        betas=[0.5, 1.25, 1.75],
        etas=[0.1, 0.25, 0.25],
        batches=[16, 16, 4],
        modes=4096,
        widths=widths,
        seeds=[6] * len(widths),
        widest=[1024, 4096, 4096],
        compute=1e6,
        steps_theory=64,
        widths_theory=[8 * 2**power for power in range(15)],
        widest_theory=[16384, 32768, 131072],
        compute_theory=1e9,
        batches_limit=[math.inf, 16.0, 1.0],
    )


def panels04(scale=1.0):
    plan, results = plan04(), {}
    for index in range(3):
        for run in plan.simulation(index):
            step, values = curve(run, "corrected")
            results[run] = result(step, scale * seeds(values, run.seeds))
        for run in plan.theory(index):
            results[run] = result(*curve(run, "corrected"))
        for run in itertools.chain(*plan.long(index).values()):
            results[run] = result(*curve(run, "corrected", round(run.time / run.eta)))
    return [figure04.panel(plan, index, results) for index in range(3)]


@pytest.fixture(scope="module")
def panels():
    return panels04()


@pytest.fixture(scope="module")
def found(panels):
    return figure04.exponents(plan04(), panels)


def test_theory_curves_go_on_from_unit_steps(panels):
    for panel in panels:
        assert list(panel.theory) == list(panel.simulation.results)
        for width, (step, _) in panel.theory.items():
            assert np.all(np.diff(step) > 0)
            assert step[-1] == pytest.approx(1e6 // width, rel=0.05)


def test_settings_say_what_bounds_a_panel(panels):
    rows = figure04.settings(plan04(), panels)
    smallest = min(loss.min() for _, loss in panels[0].simulation.means.values())
    assert rows.left_out[0] == pytest.approx(1 / 4096 / smallest)
    assert list(np.isfinite(rows.edge)) == [True, False, False]


def test_fits_start_with_ten_parameters_and_ten_modes(panels):
    for panel in panels:
        batch = math.inf if panel.beta < 1 else panel.batch
        terms = loss_terms(ALPHA, panel.beta, True, "corrected")
        for compute, expected in ((1.01 * panel.first, True), (0.99 * panel.first, False)):
            best = frontier(terms, math.log(panel.eta * compute), batch, panel.eta)
            learned = modes_learned(ALPHA, panel.beta, GAMMA, 1.0, np.exp(best.log_time))
            assert (min(learned, math.exp(best.log_width)) >= 10) == expected


def test_a_frontier_that_stays_small_has_no_start():
    with pytest.raises(InputError, match=r"^c_max: at 2 the optimum has fewer"):
        frontier_start(ALPHA, 0.5, 0.1, GAMMA, 2.0)


def test_drawn_curves_give_the_error_of_an_exponent():
    t = np.geomspace(1.0, 1e3, 60)
    exponent, error = resampled_exponent(t, t**-0.5, (1.0, 1e3))
    assert exponent == pytest.approx(0.5) and error == pytest.approx(0, abs=1e-10)
    drawn = [t ** -(0.5 + shift) for shift in (-0.1, 0.0, 0.1)]
    assert resampled_exponent(t, t**-0.5, (1.0, 1e3), drawn)[1] == pytest.approx(0.1)
    bent = t**-0.5 + 0.01
    _, bend = resampled_exponent(t, bent, (1.0, 1e3))
    assert bend > 0.02
    # A bend that noise alone gives does not count.
    same = [bent * t**shift for shift in (-0.01, 0.0, 0.01)]
    assert resampled_exponent(t, bent, (1.0, 1e3), same)[1] == pytest.approx(math.hypot(0.01, bend), rel=1e-6)
    with pytest.raises(InputError, match=r"^resampled: has 3 points"):
        resampled_exponent(t, bent, (1.0, 1e3), np.ones((2, 3)))


def test_frontier_of_the_law(panels, found):
    plan, hard = plan04(), panels[0]
    rows = found[found.task == "hard"]
    assert list(found.source) == ["simulation", "theory", "limit", "simulation", "theory", *rows.source]
    expected = compute_optimum(ALPHA, 0.5, rich=True)
    for row in rows.itertuples():
        assert (row.predicted_r, row.predicted_a) == (expected.r, expected.a)
        assert row.r_interval[0] <= row.r <= row.r_interval[1]
        # The finite-N transient and the SGD term are still felt at these computes.
        assert row.r == pytest.approx(expected.r, abs=0.03)
        assert row.a == pytest.approx(expected.a, abs=0.06)
    assert rows.window[1][1] / rows.window[1][0] == pytest.approx(100, rel=0.3)
    claims = figure04.table_claims(plan, hard, rows)
    assert [claim.id.removeprefix("fig04.hard.") for claim in claims] == [
        "loss.simulation",
        "loss.limit",
        "width.limit",
    ]
    assert [claim.verdict for claim in figure04.gain_claims(plan, hard, rows)] == ["confirmed"] * 3
    lazy = rows.assign(r=0.33, r_interval=[(0.32, 0.333)] * 3, a=0.33, a_interval=[(0.32, 0.333)] * 3)
    assert {claim.verdict for claim in figure04.gain_claims(plan, hard, lazy)} == {"not confirmed"}
    wrong = rows.assign(predicted_r=rows.r + 0.1, r_interval=[(r, r) for r in rows.r])
    assert figure04.table_claims(plan, hard, wrong)[0].verdict == "not confirmed"


def test_simulations_beside_the_theory_in_one_window(panels):
    plan = plan04()
    beside = figure04.same_window(panels)
    for row in beside.itertuples():
        # Both follow one law: what is left is the noise of the seeds, and the widths at which curves are known.
        half = row.interval[1] - row.exponent
        assert abs(row.exponent - row.predicted) < 2 * half + 0.02 and half < 0.1
    # A power of compute takes the loss along and leaves the best width where it is.
    steeper = {
        width: dataclasses.replace(
            one, arrays=one.arrays | {"loss": one.arrays["loss"] * (width * np.maximum(one.arrays["step"], 1)) ** -0.1}
        )
        for width, one in panels[0].simulation.results.items()
    }
    moved = figure04.same_window([dataclasses.replace(panels[0], simulation=Simulated(steeper))])
    assert moved.exponent.to_numpy() == pytest.approx(beside.exponent[:2].to_numpy() + np.array([0.1, 0.0]), abs=0.01)
    assert list(moved.predicted) == list(beside.predicted[:2])
    claims = figure04.beside_claims(plan, panels[0], beside[beside.task == "hard"], "same-window")
    assert "not confirmed" not in {claim.verdict for claim in claims}
    wrong = beside[beside.task == "hard"].assign(predicted=[0.9, 0.9])
    assert {claim.verdict for claim in figure04.beside_claims(plan, panels[0], wrong, "same-window")} == {
        "not confirmed"
    }


def test_the_frontier_of_the_theory_beside_the_loss_law(panels, found):
    plan = plan04()
    by_law = figure04.law(plan, panels, found)
    # The curves here are those of the corrected law with prefactors one.
    assert by_law.exponent.to_numpy() == pytest.approx(by_law.corrected.to_numpy(), abs=0.01)
    assert by_law.exponent.to_numpy() == pytest.approx(
        [value for row in found[found.source == "theory"].itertuples() for value in (row.r, row.a)], abs=1e-6
    )
    claims = figure04.beside_claims(plan, panels[0], by_law[by_law.task == "hard"], "law")
    assert [claim.corrected for claim in claims] == pytest.approx(list(by_law.corrected[:2]), rel=1e-5)
    wrong = by_law[by_law.task == "hard"].assign(predicted=[0.5, 0.5])
    assert {claim.verdict for claim in figure04.beside_claims(plan, panels[0], wrong, "law")} == {"corrected"}


def test_agreement_of_frontiers(panels):
    plan = plan04()
    ratio = panels[0].simulation.over(panels[0].theory, panels[0].shared)
    assert abs(ratio.value - 1) < 0.05 and 0 < ratio.interval[1] - ratio.value < 0.04
    assert figure04.agreement_claim(plan, panels[0], ratio).verdict == "confirmed"
    higher = panels04(1.3)[0]
    ratio = higher.simulation.over(higher.theory, higher.shared)
    assert figure04.agreement_claim(plan, panels[0], ratio).verdict == "not confirmed"


def test_figures_of_the_frontier(panels, found):
    plan = plan04()
    figure = figure04.loss_figure(plan, panels)
    assert [axes.get_xlabel() for axes in figure.axes] == ["compute $C = N t$"] * 3
    assert len(figure04.allocation_figure(plan, panels).axes) == 2
    upper, _ = figure04.slope_figure(plan, panels, found).axes
    assert len(upper.get_legend().get_texts()) == 5  # three tasks, two of them at two batches


def test_a_long_run_follows_unit_steps_of_a_small_learning_rate():
    eta, steps = 0.02, 400
    run = LongDMFTRun(ALPHA, 0.5, math.inf, eta, GAMMA, eta * steps, width=32, batch=8)
    found = run.run(Monitor())
    unit = OnlineDMFTRun(ALPHA, 0.5, math.inf, eta, GAMMA, steps, width=32, batch=8).run(Monitor())
    assert found["step"][-1] == pytest.approx(steps)
    assert found["error"].max() < 1e-3
    shown = found["step"] >= 10
    expected = np.exp(np.interp(np.log(found["step"][shown]), np.log(unit["step"][1:]), np.log(unit["loss"][1:])))
    # The difference is of order eta lambda_1 = 0.02.
    np.testing.assert_allclose(found["loss"][shown], expected, rtol=0.02)
    assert run.slice().until == 10.0
    part = dataclasses.replace(run, until=4.0).run(Monitor())
    assert part["step"].size < found["step"].size
    assert run.deviation(found, part) < 1e-12  # the same cells with the same noise
    assert run.deviation(found, found | {"loss": 1.01 * found["loss"]}) == pytest.approx(0.01)


def test_smooth_curves_are_resampled_between_few_points():
    time = np.geomspace(0.1, 1e4, 31)
    at = np.geomspace(0.1, 1e4, 500)

    def law(t):
        return 1 / (1 + t) + 1e-3

    # Six points a decade: h = 0.38 in ln t, and h^4/384 times the fourth derivative, at most about 0.1.
    np.testing.assert_allclose(resampled(time, law(time), at), law(at), rtol=3e-4)
    with pytest.raises(InputError, match=r"^at: "):
        resampled(time, law(time), np.array([0.01]))
    with pytest.raises(InputError, match=r"^value: "):
        resampled(time, -law(time), at)


def test_what_bounds_the_settings_of_the_shipped_runs():
    plan = notebook.shipped_plan(figure03.Plan)
    results = plan.results()
    for beta in (plan.beta_hard, plan.beta_super_easy):
        assert figure03.stability(plan, figure03.panel(plan, beta, results))["last"].max() < 1
    plan = notebook.shipped_plan(figure04.Plan)
    results = plan.results()
    panels = [figure04.panel(plan, index, results) for index in range(len(plan.betas))]
    assert figure04.settings(plan, panels).left_out.max() < 0.01
