"""What the page on kernel dynamics concludes, that it could conclude otherwise, and its figures."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from companion.pages import kernel as draw
from companion.pages import kernel as item
from neural_scaling.theory import mode_sum, self_similar_solution

PLAN = item.Plan(
    alpha=2.0,
    gamma=1.0,
    hard=(0.3,),
    easy=(1.5,),
    quoted_hard=0.3,
    quoted_easy=1.5,
    last=1e8,
    small_gamma=1e-3,
    levels=3,
    width=48,
    modes=200,
    seeds=12,
    eta=0.05,
    times=(1.0, 5.0),
    shown=(1, 2),
    small_width=8,
    small_modes=40,
    etas=(0.05, 0.025, 0.0125),
    small_time=5.0,
    batch=4,
    steps=100,
    single_modes=(8,),
    single_eta=0.2,
    single_steps=2000,
    single_seeds=2,
)


@pytest.fixture(scope="module")
def hard():
    return item.curve(PLAN, 0.3)


@pytest.fixture(scope="module")
def easy():
    return item.curve(PLAN, 1.5)


def verdicts(claims):
    return {claim.id: claim.verdict for claim in claims}


def test_windows_come_from_theory():
    # gamma t^(1 - chi) = 10 with chi = 0.4615 for the hard task, t^(1 - beta) = 0.1 for the easy one, ten modes for gamma large.
    assert item.late_window(PLAN, 0.3, 1.0) == (pytest.approx(10 ** (1.3 / 0.7)), 1e8)
    assert item.late_window(PLAN, 1.5, 1.0)[0] == pytest.approx(100.0)
    assert item.late_window(PLAN, 3.0, 1e-9)[0] == pytest.approx(100.0, rel=1e-6)
    assert item.late_window(PLAN, 0.3, 0.0)[0] == pytest.approx(100.0)  # ten modes; 10^(1/0.7) = 27


def test_growth(hard, easy):
    rows = [*item.growth_rows(PLAN, hard), *item.growth_rows(PLAN, easy)]
    found = verdicts(item.growth_claims(rows, item.Plan()))
    # The scale is 1 + gamma |w|^2: near the start of the window its 1 still bends the curve more than an exponent may differ.
    assert found.pop("kernel.scale.beta-0.3") in {"confirmed", "inconclusive"}
    assert set(found.values()) == {"confirmed"}
    assert len(found) == 5
    wrong = [dataclasses.replace(row, predicted=row.predicted + 0.1) for row in rows]
    assert set(verdicts(item.growth_claims(wrong, item.Plan())).values()) == {"not confirmed"}


def test_terms_and_prefactors(hard, easy):
    found = verdicts(item.decay_claims(PLAN, (hard, easy)))
    assert found == {
        "kernel.subleading.beta-0.3": "corrected",
        "kernel.subleading.beta-1.5": "confirmed",
        "kernel.prefactor.loss": "confirmed",
        "kernel.prefactor.scale": "confirmed",
        "kernel.prefactor.modes": "confirmed",
    }
    spoiled = dataclasses.replace(hard, ratio=2 * hard.ratio, modes=1.1 * hard.modes)
    found = verdicts(item.decay_claims(PLAN, (spoiled,)))
    assert found["kernel.subleading.beta-0.3"] == "not confirmed"
    assert found["kernel.prefactor.modes"] == "not confirmed"
    # The printed form of the second term is larger; both are one at first, when y = Delta(s) only changes sign of the rest.
    assert np.all(hard.printed_ratio > 0.99 * hard.ratio)


def test_spike(hard, easy):
    spike = next(row for row in item.growth_rows(PLAN, hard) if row.name == "spike")
    network = item.spike_rows(PLAN)
    weak = item.curve(PLAN, 1.5, PLAN.small_gamma)
    found = verdicts(item.spike_claims(PLAN, spike, weak, easy, network))
    assert found == {
        "kernel.spike.rank-one": "confirmed",
        "kernel.spike.hard": "corrected",
        "kernel.first-order.spike": "corrected",
        "kernel.first-order.scale": "corrected",
        "kernel.scale.limit": "confirmed",
    }
    assert network[-1].first == pytest.approx(network[-1].scale, rel=0.01)  # up to the learning rate, 0.0125
    thick = [dataclasses.replace(row, second=0.5) for row in network]
    assert verdicts(item.spike_claims(PLAN, spike, weak, easy, thick))["kernel.spike.rank-one"] == "not confirmed"


def test_levels(hard):
    rows = item.level_rows(PLAN, hard)
    found = verdicts(item.level_claims(PLAN, rows, hard))
    assert set(found.values()) == {"confirmed"}
    assert len(found) == 7
    exact = dataclasses.replace(rows[-1], predicted=rows[0].predicted)
    assert verdicts(item.level_claims(PLAN, [*rows[:-1], exact], hard))["kernel.level.exact"] == "not confirmed"


@pytest.mark.parametrize("exact_rate", [False, True])
def test_closure_constants(exact_rate):
    alpha, beta, gamma, log_end = 1.5, 0.3, 2.0, math.log(1e30)
    # y . Delta and |Delta|^2 with the scale alone are S(a) and S(2 a); in log time, from t = 0.01 on.

    def slope(log_t, state):
        a, norm = state
        drive = mode_sum(alpha, beta, a)
        rate = 2 * (drive - mode_sum(alpha, beta, 2 * a)) if exact_rate else drive
        return np.exp(log_t) * np.array([1 + gamma * norm, rate])

    start = math.log(0.01)
    end = solve_ivp(slope, (start, log_end), [0.01, 0.01], method="DOP853", rtol=1e-9, atol=0.0).y[0, -1]
    solution = self_similar_solution(alpha, beta, gamma)
    ratio = mode_sum(alpha, beta, 2 * end) / solution.loss(1e30)
    assert ratio == pytest.approx(item.closure_ratio(solution, exact_rate), rel=1e-6)


def test_networks(hard):
    rows = item.network_rows(PLAN, (1, 4))
    assert item.network_claim(PLAN, rows, hard).verdict in {"confirmed", "inconclusive"}
    for row in rows:
        theory = [np.interp(row.time, hard.flow.time, item.effective_kernel(PLAN, hard, mode)) for mode in (1, 4)]
        np.testing.assert_allclose(row.diagonal, theory, rtol=0.1)  # order 1/sqrt(N) = 0.14 over 12 seeds, and 1/N
    off = [dataclasses.replace(row, scale=2 * row.scale) for row in rows]
    assert item.network_claim(PLAN, off, hard).verdict == "not confirmed"


def test_forms_and_single_networks():
    forms, single = item.forms_rows(PLAN), item.single_rows(PLAN)
    assert [row.batch for row in forms] == [math.inf, 4.0]
    assert set(verdicts(item.model_claims(PLAN, forms, single)).values()) == {"confirmed"}
    apart = [dataclasses.replace(row, loss=1e-3) for row in forms]
    swapped = [dataclasses.replace(row, projected=row.unprojected, unprojected=row.projected) for row in single]
    assert set(verdicts(item.model_claims(PLAN, apart, swapped)).values()) == {"not confirmed"}


def test_figures(hard, easy):
    growth = draw.growth_figure(PLAN, [hard], [easy])
    assert [axes.get_ylabel() for axes in growth.axes] == [
        r"scale of the kernel $1 + \gamma C_w$",
        r"mode half learned $k_*$",
    ]
    levels = draw.level_figure(item.level_rows(PLAN, hard), hard)
    assert levels.axes[0].get_legend().get_texts()[-1].get_text() == r"level $\infty$"
    networks = [item.NetworkRow(1.0, 1.5, 0.1, np.array([1.6, 1.5]))]
    single = [item.SingleRow(8, np.array([1.0, 2.0]), np.ones((1, 2)), np.array([[1.0, 0.1]]), np.ones(1))]
    for figure in (
        growth,
        levels,
        draw.parts_figure(PLAN, hard, easy),
        draw.network_figure(PLAN, networks, (1, 4), hard),
        draw.terms_figure(PLAN, [hard], [easy]),
        draw.norm_figure(PLAN, [hard], [easy]),
        draw.single_figure(single),
    ):
        assert figure._repr_png_().startswith(b"\x89PNG")
        assert all(axes.get_legend() for axes in figure.axes[:1])
