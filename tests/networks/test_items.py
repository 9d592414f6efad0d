"""What the pages of Figures 5 and 7 conclude, and that they could conclude otherwise; their figures are drawn."""

import dataclasses
import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from companion import circle_curves as curves
from companion.pages import fig05 as figure05
from companion.pages import fig07 as figure07
from companion.parameters import values_at
from neural_scaling.networks.runs import CircleRun
from neural_scaling.runs import Result
from neural_scaling.theory import chi

pytestmark = pytest.mark.slow

RUN = CircleRun(0.25, 1.0, 4, 512, 0.5, 0.05, 256, 10_000, 3, 2**17)
STEP = np.unique(np.concatenate([[0.0], np.round(np.geomspace(1, 10_000, 80))]))


def made_up(run, exponent, spread=0.001, sharpest=30.0):
    """Return the result of a run whose loss is a power and whose kernel grows as the theory has it."""
    time = np.maximum(STEP, 1.0)
    scatter = 1 + spread * np.arange(-1, 2)[:, None]
    growth = 4 + 0.3 * time ** (1 - chi(run.beta)) if run.richness else np.full_like(time, 4.0)
    arrays = {
        "step": STEP,
        "loss": (time ** (-exponent * scatter)).astype(np.float32),
        "trace": np.tile(growth, (3, 1)).astype(np.float32),
        "sharpness": np.tile(np.minimum(growth / 2.6, sharpest), (3, 1)).astype(np.float32),
        "diverged": np.full(3, math.inf),
    }
    return {run: Result(arrays, {}, "computed")}


def verdict(run, exponent, **options):
    row = curves.curve_row(run, made_up(run, exponent, **options))
    return claim_about(row)


def claim_about(row):
    return curves.curve_claim(figure05.Plan(), row, "fig05.x", "Fig. 5a")


def test_rich_exponents():
    assert verdict(RUN, 0.4).verdict == "confirmed"
    assert verdict(RUN, 0.25).verdict == "not confirmed"
    assert verdict(RUN, 0.4, spread=0.3).verdict == "inconclusive"
    lazy = dataclasses.replace(RUN, richness=0.0)
    claim = verdict(lazy, 0.25)
    assert claim.verdict == "confirmed"
    assert "infinitely wide" in claim.reason
    assert verdict(lazy, 0.4).verdict == "not confirmed"


def test_windows_come_from_kernel_and_theory():
    row = curves.curve_row(RUN, made_up(RUN, 0.4))
    assert row.growth[row.step >= row.window.start][0] >= curves.GROWN
    assert row.sharpness[row.step <= row.window.end][-1] < curves.FLOW
    assert row.window.end < 10_000  # this kernel goes on to the edge
    other = curves.curve_row(RUN, made_up(RUN, 1.4))
    assert other.window == row.window  # whatever the loss does
    flat = made_up(RUN, 0.4)
    flat[RUN].arrays["trace"][:] = 4.0
    claim = claim_about(curves.curve_row(RUN, flat))
    assert claim.verdict == "inconclusive"
    assert "kernel doubled" in claim.reason


def test_divergence_is_said():
    found = made_up(RUN, 0.4)
    found[RUN].arrays["loss"][0, 50:] = math.inf
    found[RUN].arrays["diverged"][0] = STEP[50]
    row = curves.curve_row(RUN, found)
    claim = claim_about(row)
    assert f"diverged at step {STEP[50]:.0f}" in claim.reason
    assert math.isnan(row.exponent_between(1000, 10_000))


def plan(module, scale="small"):
    return module.Plan(**values_at(module.Plan.item, scale))


def results_of(runs, exponent=None):
    found = {}
    for run in runs:
        run_exponent = exponent if exponent is not None else chi(run.beta, rich=run.richness > 0)
        found |= made_up(run, run_exponent)
    return found


def test_excess_of_finite_width():
    full = plan(figure05, "full")
    results = {}
    for run in full.by_width_easy():
        found = made_up(run, run.beta)
        theory = curves.curve_row(run, found).theory
        loss = np.concatenate([[1.0], theory + 3 / run.width * STEP[1:] ** -0.5])
        found[run].arrays["loss"] = np.tile(loss, (3, 1))
        results |= found
    rows = curves.curve_rows(results, results)
    claims = figure05.width_claims(full, rows)
    assert [claim.verdict for claim in claims] == ["confirmed", "confirmed"]
    found = figure05.excess(rows)
    assert list(found.step) == [300, 1000, 3000, 10_000]
    at = int(np.argmin(abs(rows[0].step - 10_000)))
    assert found.width64.iloc[-1] == pytest.approx(1 + 3 / 64 * 1e-2 / rows[0].theory[at], rel=1e-5)
    for run, result in results.items():  # the same excess at any width, and constant in time
        result.arrays["loss"][:, 1:] = curves.curve_row(run, results).theory + 0.01
    wrong = figure05.width_claims(full, curves.curve_rows(results, results))
    assert [claim.verdict for claim in wrong] == ["not confirmed", "not confirmed"]


def png(figure):
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    return figure


def test_figure_5():
    full = plan(figure05, "full")
    runs = full.experiments()
    assert len(set(runs)) == len(runs)
    assert {run.width for run in full.targets(0.0)} == {512}
    targets, activations = curves_of(full, results_of(runs))
    claims = figure05.exponent_claims(full, targets, activations) + figure05.growth_claims(full, targets[0.5])
    assert len({claim.id for claim in claims}) == len(claims) == 2 * 7 + 3 * 4 + 4
    found = {claim.id: claim.verdict for claim in claims}
    assert found["fig05.a.rich.beta-0.25"] == found["fig05.a.lazy.beta-0.25"] == "confirmed"
    assert found["fig05.a.kernel.beta-0.25"] == "confirmed"
    assert found["fig05.b.lazy.q-1.8"] == "inconclusive"  # too few modes in 10 000 steps
    wrong = figure05.exponent_claims(full, *curves_of(full, results_of(runs, 0.05)))
    assert not any(claim.verdict == "confirmed" for claim in wrong if claim.predicted > 0.2)
    figure = png(curves.loss_figure([("(a)", targets[0.5], targets[0.0])]))
    assert figure.axes[0].get_xlabel() == "steps $t$"
    assert png(figure05.kernel_figure(targets[0.5])).axes[1].get_ylim()[1] == 4.0
    table = curves.exponents([*targets[0.5], *activations[0.0]]).frame
    row = table[(table.beta == 0.25)].iloc[0]
    assert (row.power, row.gamma0, row.predicted, row.exponent) == pytest.approx((1, 0.5, 0.4, 0.4), rel=1e-5)
    assert table[table.power == 1.8].ends.item() == "none up to step 10000 (last step)"
    starts = figure05.window_starts([*targets[0.0], activations[0.0][0]])
    assert starts.start.isna().tolist() == [False] * 7 + [True]
    assert starts.start[0] == targets[0.0][0].window.start


def curves_of(plan, results):
    targets = {gamma0: curves.curve_rows(plan.targets(gamma0), results) for gamma0 in (0.0, 0.5)}
    return targets, {gamma0: curves.curve_rows(plan.activations(gamma0), results) for gamma0 in (0.0, 0.1, 0.5)}


def test_studies_of_figure_5():
    full = plan(figure05, "full")
    results = results_of(full.experiments())
    broken = full.by_width()[0]
    results[broken].arrays["loss"][0, 50:] = math.inf
    results[broken].arrays["diverged"][0] = STEP[50]
    found = figure05.studies(full, results)
    assert found.groupby("study").size().to_dict() == {"richness": 7, "step size": 15, "batch": 3, "width": 5}
    assert found.diverged.dropna().tolist() == [STEP[50]]
    assert found[found.gamma0 == 0].exponent.tolist() == pytest.approx([0.25] * 6, rel=1e-5)
    assert math.isnan(found[found.width == broken.width].decade.item())
    figure = png(figure05.study_figure(full, found))
    richness = figure.axes[0]
    assert richness.get_title(loc="left") == r"(c) richness, $\beta = 0.25$"
    assert [text.get_text() for text in richness.get_xticklabels()] == ["lin.", "0.03", "0.1", "0.25", "0.5", "1", "2"]


@pytest.mark.parametrize(("page", "slack"), [(figure05, 1.02), (figure07, 1.0)])
def test_learning_features_lowers_the_loss_and_grows_the_kernel_more_on_harder_tasks(page, slack):
    full = plan(page, "full")
    results = full.results()
    tasks = full.targets if page is figure05 else full.tasks
    rich, lazy = (curves.curve_rows(tasks(gamma0), results) for gamma0 in (full.richness, 0.0))
    assert set(curves.sound(rich, lazy, slack).values()) == {True}
    assert not curves.sound(lazy, rich, slack)["every rich network ends below its linearised twin"]


@pytest.mark.parametrize("power", [0.6, 1.0])
def test_scatter_of_finite_kernels(power):
    small = figure07.Plan(powers_scatter=[power], widths_scatter=[64, 256, 1024], seeds_scatter=128)
    exponents = figure07.scatter_exponents(small, figure07.scatter(small))
    assert exponents.predicted.item() == pytest.approx(min(0.5, 2 * power - 1))
    # Quartiles of 128 values: a tenth each, over 1.2 decades of width.
    assert exponents.exponent.item() == pytest.approx(exponents.predicted.item(), abs=0.15)
    claim = figure07.scatter_claims(small, exponents)[0]
    assert claim.verdict != ("confirmed" if power < 0.75 else "not confirmed")


def test_figure_7():
    small = figure07.Plan(
        depth=3, powers_kernel=[1.0, 1.5], window=[100, 400], angles_infinite=2**14, width=32, seeds_kernel=2,
        angles_kernel=64, powers_scatter=[0.6, 1.0], widths_scatter=[16, 64, 256], seeds_scatter=32,
    )  # fmt: skip
    spectra = figure07.spectra(small)
    capacities = figure07.capacities(small, spectra)
    assert capacities.capacity.tolist() == pytest.approx([2, 3], abs=0.03)
    claims = figure07.spectrum_claims(small, capacities)
    assert [claim.verdict for claim in claims] == ["confirmed", "confirmed"]
    wrong = dataclasses.replace(spectra[0], kernel=dataclasses.replace(spectra[0].kernel, power=1.2))
    claim = figure07.spectrum_claims(small, figure07.capacities(small, [wrong]))[0]
    assert claim.id == "fig07.a.q-1.2" and claim.verdict == "not confirmed"
    scatter = figure07.scatter(small)
    exponents = figure07.scatter_exponents(small, scatter)
    assert len(png(figure07.spectrum_figure(small, spectra, scatter, exponents)).axes) == 2
    full = plan(figure07, "full")
    results = results_of(full.experiments())
    lazy, rich = (curves.curve_rows(full.tasks(gamma0), results) for gamma0 in (0.0, full.richness))
    claims = figure07.exponent_claims(full, lazy, rich)
    assert len({claim.id for claim in claims}) == 8
    assert all(claim.verdict in {"confirmed", "inconclusive"} for claim in claims)
