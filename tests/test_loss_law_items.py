"""What the pages on the loss law conclude, and that they could conclude otherwise."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from companion.long_runs import LongRun
from companion.model_order import head_start, order_claims, order_figure
from companion.model_order import orders as orders_of
from companion.pages import bottleneck, losslaw, sgdnoise, transient
from neural_scaling import dmft
from neural_scaling.models.direct_model import initial_features, train_directly
from neural_scaling.models.limit_runs import LimitRun
from neural_scaling.models.toy_model import simulate
from neural_scaling.runs import Result, obtain_all
from neural_scaling.spectra import PowerLaw, Spectrum
from neural_scaling.theory import effective_scale, loss_terms, model_bottleneck

pytestmark = pytest.mark.slow

NOWHERE = {"date": "2026-01-01", "hardware": "none", "commit": "none", "seconds": 0.0}


def verdicts(claims):
    return {claim.id: claim.verdict for claim in claims}


def draws(figure):
    assert figure.svg().startswith("<?xml")


BOTTLENECK = bottleneck.Plan(
    alpha=1.5,
    sources=[0.5, 3.0],
    modes=1024,
    sizes=[4, 8, 16, 32],
    seeds=12,
    fit_from=4.0,
    largest=1e6,
    fit_equivalent=[1e3, 1e6],
    gammas=[0.0, 1.0],
    end_width=3,
    end_samples=3,
    end_modes=32,
    end_eta=0.1,
    end_steps=3000,
)


def test_bottleneck_page():
    plan = BOTTLENECK
    results = obtain_all(plan.experiments(), bottleneck.Plan.item, "small")
    model, data = (bottleneck.curves(plan, kind, results) for kind in (False, True))
    scales = [bottleneck.scale_curve(plan, kind, results) for kind in (False, True)]
    trained = bottleneck.ends(plan)
    exponents = bottleneck.exponents(plan, [*model, *data])

    def claims(exponents, trained):
        ends = bottleneck.end_claims(plan, bottleneck.distances(trained))
        limits = bottleneck.bottleneck_claims(plan, exponents)
        return verdicts([*limits, *bottleneck.scale_claims(plan, scales), *ends])

    found = claims(exponents, trained)
    assert found["bottleneck.model.beta-0.5.equivalent"] == "confirmed"
    assert found["bottleneck.model.beta-3.equivalent"] == "corrected"
    assert found["bottleneck.data.beta-3.equivalent"] == "confirmed"
    assert found["bottleneck.richness.model"] == found["bottleneck.richness.data"] == "confirmed"
    for row in exponents.itertuples():
        # Leading order in 1/size at sizes from 4 on, and two intervals.
        assert abs(row.agreement - 1) < 2 * (row.agreement_interval[1] - row.agreement) + 0.1
    draws(bottleneck.bottleneck_figure(model, data, exponents))
    draws(bottleneck.scale_figure(plan, scales))
    draws(bottleneck.end_figure(trained))
    wrong = exponents.assign(equivalent=3.0, equivalent_interval=[(3.0, 3.0)] * len(exponents))
    found = claims(wrong, [dataclasses.replace(end, gap=end.gap + 0.5) for end in trained])
    assert found["bottleneck.model.beta-0.5.equivalent"] == "not confirmed"
    assert found["bottleneck.model.beta-3.equivalent"] == "confirmed"
    assert found["bottleneck.richness.model"] == "not confirmed"


def test_the_theory_ends_where_projections_do():
    fixed = bottleneck.fixed_points(BOTTLENECK)
    assert set(verdicts(bottleneck.fixed_point_claims(BOTTLENECK, fixed)).values()) == {"confirmed"}
    # The learned part of mode k is the mean of its entry in the projection onto the random features.
    width, spectrum = 4 * BOTTLENECK.end_width, PowerLaw(1.5, 0.5, BOTTLENECK.end_modes).spectrum()
    random, root = np.random.default_rng(0), np.sqrt(spectrum.eigenvalues)
    draws = []
    for _ in range(400):
        basis = np.linalg.qr((random.standard_normal((width, root.size)) * root).T)[0]
        draws.append(np.sum(basis**2, axis=1))
    learned = 1 - 1 / (1 + spectrum.eigenvalues * effective_scale(spectrum, width))
    assert np.max(np.abs(np.mean(draws, axis=0) - learned)) < 0.05  # leading order at N = 12
    spoiled = fixed.assign(settled=1.1, quiet=0.1, modes=fixed.modes + 0.02, filled=0.9)
    assert set(verdicts(bottleneck.fixed_point_claims(BOTTLENECK, spoiled)).values()) == {"not confirmed"}


def test_a_limit_run_can_be_continued_by_its_slice():
    run = LimitRun(1.5, (0.5, 2.0), 200, 6, 3, True)
    whole, part = (obtain_all([one], "test", "small")[one].arrays for one in (run, run.slice()))
    assert run.deviation(whole, part) == 0.0


TRANSIENT = transient.Plan(
    tasks=[[2.0, 0.3], [2.0, 3.0]],
    lazy_end=1e6,
    lazy_window=[1e3, 1e6],
    gamma=1.0,
    rich_tasks=[[2.0, 0.3]],
    rich_end=1e6,
    rich_window=[1e3, 1e6],
    rich_share=0.03,
    sim_alpha=2.0,
    sim_beta=0.3,
    sim_modes=256,
    sim_width=16,
    sim_eta=0.1,
    sim_steps=60,
    sim_seeds=24,
    sim_from=2.0,
)


def long_result(run, correction, growth):
    """Two curves on a log grid: the power of the limit, and with ``correction(time, clock)`` added."""
    time = np.concatenate([[0.0], np.geomspace(0.1, run.end, 300)])
    norm = (growth(time) - 1) / max(run.gamma, 1e-300)
    clock = np.maximum(transient.effective_clock(time, norm, run.gamma), 1e-3)
    base = clock**-run.beta
    loss = np.array([base, base + correction(time, clock, base)])
    return Result(
        {"time": time, "loss": loss, "weight_norm": np.array([norm, norm]), "error": 0 * loss}, NOWHERE, "computed"
    )


def test_transient_page():
    plan = TRANSIENT
    results = obtain_all([*plan.simulated(0.0), *plan.simulated(1.0)], transient.Plan.item, "small")
    run = plan.long(2.0, 0.3)
    results[run] = long_result(run, lambda t, a, base: a**0.2 / run.widths[1], lambda t: 1 + t ** (1 - 0.6 / 1.3))
    lazy, rich = transient.lazy_coefficients(plan), transient.rich_coefficients(plan, results)
    lazy_exponents, rich_exponents = transient.exponents(lazy, rich=False), transient.exponents(rich, rich=True)
    simulations = [transient.simulated(plan, gamma, results) for gamma in (0.0, 1.0)]
    compared = transient.comparison(plan, simulations)
    found = verdicts(
        [
            *transient.term_claims(plan, lazy_exponents, rich=False),
            *transient.term_claims(plan, rich_exponents, rich=True),
            *transient.clock_claims(plan, rich_exponents),
            *transient.simulation_claims(plan, compared),
        ]
    )
    assert found.keys() >= {"transient.simulation.lazy", "transient.simulation.rich.sign"}
    assert found["transient.lazy.alpha-2.beta-0.3"] == "corrected"
    assert found["transient.lazy.alpha-2.beta-3"] == "confirmed"
    assert found["transient.rich.alpha-2.beta-0.3"] == found["transient.clock.alpha-2.beta-0.3"] == "corrected"
    for row in compared.itertuples():
        assert abs(row.ratio - 1) < 2 * (row.ratio_interval[1] - row.ratio) + 0.15  # N = 16: leading order in 1/N
    draws(transient.coefficient_figure(lazy, lazy_exponents))
    draws(transient.rich_figure(rich, rich_exponents))
    draws(transient.simulation_figure(simulations, compared))
    results[run] = long_result(run, lambda t, a, base: a**-0.5 / run.widths[1], lambda t: 1 + t ** (1 - 0.6 / 1.3))
    rich_exponents = transient.exponents(transient.rich_coefficients(plan, results), rich=True)
    found = verdicts(transient.clock_claims(plan, rich_exponents))
    assert found["transient.clock.alpha-2.beta-0.3"] == "confirmed"  # as printed


SGDNOISE = sgdnoise.Plan(
    tasks=[[2.0, 0.5], [1.5, 3.6]],
    lazy_end=1e6,
    lazy_window=[1e3, 1e6],
    exact_alpha=2.0,
    exact_beta=0.5,
    exact_eta=0.2,
    exact_batches=[1.0, 8.0],
    exact_steps=3000,
    gamma=1.0,
    rich_tasks=[[2.0, 0.5]],
    rich_noise=1e-3,
    rich_end=1e6,
    rich_window=[1e3, 1e6],
    sim_alpha=2.0,
    sim_beta=0.5,
    sim_modes=256,
    sim_width=16,
    sim_eta=0.1,
    sim_batch=2.0,
    sim_steps=60,
    sim_seeds=32,
    plateau_modes=50,
    plateau_width=8,
    plateau_batch=4.0,
    plateau_times=[2.0, 5.0],
    plateau_seeds=2,
)


def test_the_theory_near_gamma_0_has_the_transient_of_random_features():
    found = transient.lazy_limit(TRANSIENT)
    claim = transient.lazy_limit_claim(TRANSIENT, found)
    assert claim.verdict == "confirmed" and found.time.iloc[-1] == pytest.approx(1e4)
    assert transient.lazy_limit_claim(TRANSIENT, found.assign(ratio=found.ratio * 1.1)).verdict == "not confirmed"


def test_sgdnoise_page():
    plan = SGDNOISE
    assert list(sgdnoise.plateau(plan).time) == [2.0, 5.0]
    results = obtain_all([*plan.simulated(math.inf), *plan.simulated(2.0)], sgdnoise.Plan.item, "small")
    run = plan.long(2.0, 0.5)
    half_trace = PowerLaw(2.0, 0.5).quadrature(1e3).trace / 2
    kernel = lambda t: 1 + t ** (1 / 3)  # noqa: E731
    results[run] = long_result(run, lambda t, a, base: 1e-3 * half_trace * kernel(t) * base, kernel)
    lazy, ratios = sgdnoise.lazy_noise(plan), sgdnoise.exact_ratios(plan)
    terms, exact = sgdnoise.exponents(lazy, rich=False), sgdnoise.exact_limits(plan, ratios)
    simulation = sgdnoise.simulated(plan, results)

    def rich_claims():
        rich = sgdnoise.rich_noise(plan, results)
        found = sgdnoise.growth_claims(plan, sgdnoise.growth(plan, rich))
        return verdicts([*sgdnoise.term_claims(plan, sgdnoise.exponents(rich, rich=True), rich=True), *found])

    others = [sgdnoise.constant_claim(plan, exact), sgdnoise.simulation_claim(plan, simulation)]
    others += sgdnoise.appendix_claims(plan, terms, terms[:0])
    found = verdicts([*sgdnoise.term_claims(plan, terms, rich=False), *others]) | rich_claims()
    assert found["sgdnoise.lazy.alpha-2.beta-0.5"] == "corrected"
    assert found["sgdnoise.lazy.alpha-1.5.beta-3.6"] == "confirmed"
    assert found["sgdnoise.growth.alpha-2.beta-0.5"] == "confirmed"
    assert found["sgdnoise.insignificant.alpha-2.beta-0.5"] == "corrected"
    assert found["sgdnoise.lazy.constant"] == "confirmed"
    assert found["sgdnoise.appendix.lazy"] == "corrected" and "sgdnoise.appendix.rich" not in found
    draws(sgdnoise.lazy_figure(lazy, terms))
    draws(sgdnoise.exact_figure(ratios, exact))
    draws(sgdnoise.rich_figure(plan, sgdnoise.rich_noise(plan, results), simulation))
    results[run] = long_result(run, lambda t, a, base: 1e-3 * a**-1.5, kernel)  # as printed
    found = rich_claims()
    assert found["sgdnoise.growth.alpha-2.beta-0.5"] == "not confirmed"
    assert found["sgdnoise.insignificant.alpha-2.beta-0.5"] == "confirmed"


LOSSLAW = losslaw.Plan(
    capacities=[2.0],
    sources=[0.5, 2.5],
    gamma=1.0,
    end=1e6,
    widths=[4.0, 16.0],
    noise=0.02,
    noisy_widths=[math.inf, 16.0],
    fit_decades=2.0,
    powers=[0.6],
    models=8,
    order_modes=32,
    order_gamma=1.0,
    order_eta=0.05,
    order_steps=400,
)


def law_result(run, rich, version):
    """Curves that follow the law exactly, with constants that make the plateaus those of projections."""
    time = np.concatenate([[0.0], np.geomspace(0.1, run.end, 200)])
    modes = PowerLaw(run.alpha, run.beta).quadrature(1e6)
    terms = loss_terms(run.alpha, run.beta, rich, version)
    losses = []
    for width, noise in zip(run.widths, run.noises, strict=True):
        parts = [term(np.maximum(time, 0.1), width, 1 / noise if noise else math.inf) for term in terms]
        if math.isfinite(width):
            parts[1] = np.full(time.size, model_bottleneck(modes, width))
            parts[2] = 1e-6 * parts[2]
        losses.append(sum(parts))
    loss = np.array(losses)
    return Result({"time": time, "loss": loss, "weight_norm": 0 * loss, "error": 0 * loss}, NOWHERE, "computed")


@pytest.mark.parametrize("version", ["paper", "corrected"])
def test_losslaw_page(version):
    plan = LOSSLAW
    results = obtain_all(plan.orders(), losslaw.Plan.item, "small")
    for task in plan.tasks():
        for rich in (False, True):
            run = plan.long(*task, rich)
            results[run] = law_result(run, rich, version)
    laws = [losslaw.law(plan, *task, rich, results) for task in plan.tasks() for rich in (False, True)]
    compared, orders = losslaw.comparison(plan, laws), orders_of(plan.orders(), results)
    ahead = {0.6: head_start(0.6, 1.0, steps=600)}
    found = verdicts(
        [
            *losslaw.limit_claims(plan, compared),
            *losslaw.sum_claims(plan, laws),
            *losslaw.end_claims(plan, losslaw.ends(plan, laws)),
            *losslaw.constant_claims(plan, losslaw.constants(laws)),
            *order_claims(plan, orders, ahead),
        ]
    )
    assert found["losslaw.end"] == "confirmed"
    assert found["losslaw.limit.lazy.beta-0.5"] == found["losslaw.order.exponents"] == "confirmed"
    assert found["losslaw.head-start.hard"] == "confirmed"
    assert found.keys() >= {"losslaw.constant", "losslaw.order.hard", "losslaw.sum.rich"}
    if version == "corrected":
        assert compared.corrected.max() < 1.5  # up to the plateaus, which are no pure powers
        assert found["losslaw.sum.lazy"] == "not confirmed" and found["losslaw.sum.lazy.corrected"] == "confirmed"
    assert all((orders.reversed >= 0) & (orders.reversed <= orders.pairs) & (orders.pairs <= 28))
    draws(losslaw.ratio_figure(compared))
    draws(losslaw.curves_figure([law for law in laws if law.rich]))
    draws(order_figure(plan, results, orders, ahead))


def test_limits_are_judged_by_the_worst_capacity():
    rows = [(alpha, "rich", 0.6667, exponent) for alpha, exponent in ((1.5, 0.66), (2.0, 0.68), (3.0, 0.67))]
    found = pd.DataFrame(rows, columns=["alpha", "regime", "predicted", "exponent"])
    found = found.assign(
        beta=0.5, interval=[(one - 0.01, one + 0.01) for one in found.exponent], window=[(1.0, 1e3)] * 3
    )
    (claim,) = losslaw.limit_claims(LOSSLAW, found)
    assert (claim.measured, claim.interval) == (0.68, (0.65, 0.69))
    assert claim.verdict == "confirmed"
    found.at[0, "interval"] = (0.55, 0.67)
    assert losslaw.limit_claims(LOSSLAW, found)[0].verdict == "inconclusive"


def test_easy_tasks_that_gain_an_exponent_are_seen():
    window = [(1e5, 1e6)] * 2
    level = pd.DataFrame({"early": [0.41, 0.3], "late": [0.4, 0.3], "window": window})
    assert set(verdicts(losslaw.constant_claims(LOSSLAW, level)).values()) == {"confirmed"}
    steeper = level.assign(early=[0.5, 0.3])  # a tenth of the exponent
    found = verdicts(losslaw.constant_claims(LOSSLAW, steeper))
    assert (found["losslaw.constant"], found["losslaw.constant.level"]) == ("confirmed", "inconclusive")


def test_the_theory_holds_for_an_exponential_spectrum(monkeypatch):
    monkeypatch.setattr(losslaw, "SIZES", (16, 32, 64))
    monkeypatch.setattr(losslaw, "SEEDS", 24)
    seen = []

    def simulated(spectrum, width, *rest, batch):
        seen.append((spectrum.modes, width, batch))
        return simulate(spectrum, width, *rest, batch=batch)

    monkeypatch.setattr(losslaw, "simulate", simulated)
    found = losslaw.exponential(LOSSLAW)
    assert seen == [(16, 8, 8), (32, 16, 16), (64, 32, 32)]
    # The plain form of the model, batches drawn in full, as an oracle for the last size.
    values = 500.0 ** -(np.arange(64) / 64)
    spectrum = Spectrum(values, np.sqrt(1 / (64 * values)))
    assert spectrum.eigenvalues @ spectrum.target**2 == pytest.approx(1.0)
    runs = [
        train_directly(
            spectrum, initial_features(spectrum, 32, seed), 0.1, LOSSLAW.gamma, 100, batch=32, seed=seed
        ).loss
        for seed in range(24)
    ]
    theory = dmft.solve(spectrum, LOSSLAW.gamma, dmft.TimeGrid.unit_steps(0.1, 100), width=32, batch=32).loss
    direct = np.average((np.array(runs) / theory)[:, 1:], axis=1, weights=1 / np.arange(1, 101))
    last = found.iloc[-1]
    assert abs(direct.mean() - last.ratio) < 4 * np.hypot(direct.std(), last.spread) / np.sqrt(24)
    assert found.spread.iloc[-1] < found.spread.iloc[0]
    assert verdicts(losslaw.spectrum_claims(LOSSLAW, found)).keys() == {"losslaw.any-spectrum", "losslaw.proportional"}
    wrong = found.assign(ratio=1.2, interval=[(1.19, 1.21)] * 3, spread=[0.1, 0.2, 0.4])
    assert set(verdicts(losslaw.spectrum_claims(LOSSLAW, wrong)).values()) == {"not confirmed"}


def test_models_in_the_same_order_are_counted_as_such():
    run = LOSSLAW.orders()[0]
    arrays = obtain_all([run], losslaw.Plan.item, "small")[run].arrays
    same = Result(arrays | {"rich": arrays["lazy"] ** 1.2}, NOWHERE, "computed")
    row = orders_of(LOSSLAW.orders(), {run: same}).iloc[0]
    assert row.reversed == 0 and row.tau == 1.0 and row.example is None
    swapped = orders_of(
        LOSSLAW.orders(), {run: Result(arrays | {"rich": 1 / arrays["lazy"]}, NOWHERE, "computed")}
    ).iloc[0]
    assert swapped.reversed == swapped.pairs > 0
    assert swapped.lazy < 1 < swapped.rich


def test_long_runs_give_all_curves_on_the_same_times():
    run = LongRun(2.0, 0.5, 1.0, 20.0, (math.inf, 16.0, math.inf), (0.0, 0.0, 0.01))
    whole, part = (obtain_all([one], "test", "small")[one].arrays for one in (run, run.slice()))
    assert whole["loss"].shape == whole["weight_norm"].shape == (3, whole["time"].size)
    assert whole["time"][-1] == pytest.approx(20.0)
    assert np.all(whole["loss"][1:, -1] > whole["loss"][0, -1])  # finite width and noise cost something
    assert part["time"].size < whole["time"].size
    assert run.deviation(whole, part) < 1e-12  # the same cells
