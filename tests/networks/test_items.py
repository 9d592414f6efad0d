"""What the pages of Figures 5 and 7 conclude, and that they could conclude otherwise; their figures are drawn."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from scipy import stats

from companion import circle_clock as clocks
from companion import circle_compare as compare
from companion import circle_curves as curves
from companion import own_kernel
from companion.agreement import seeds_needed
from companion.claims import Measurement
from companion.pages import fig05 as figure05
from companion.pages import fig07 as figure07
from companion.pages import smallsteps
from companion.parameters import values_at
from neural_scaling.base.grids import log_spaced_steps
from neural_scaling.base.monitor import Monitor
from neural_scaling.fits import fit_power_law
from neural_scaling.networks.circle_kernel import CircleKernel, lazy_loss
from neural_scaling.networks.runs import CircleModesRun, CircleRun, OwnKernelRun
from neural_scaling.runs import Result
from neural_scaling.theory import chi

pytestmark = pytest.mark.slow

RUN = CircleRun(0.25, 1.0, 4, 512, 0.5, 0.05, 256, 10_000, 3, 2**17)
STEP = log_spaced_steps(10_000, 20)


def made_up(run, exponent, spread=0.001, sharpest=30.0):
    """Return the result of a run whose loss is a power of eta_0 t and whose kernel grows as the theory has it."""
    step = log_spaced_steps(run.steps, run.per_decade)
    time = np.maximum(step, 1.0) * run.eta / RUN.eta
    scatter = 1 + spread * np.arange(-1, 2)[:, None]
    growth = 4 + 0.3 * time ** (1 - chi(run.beta)) if run.richness else np.full_like(time, 4.0)
    arrays = {
        "step": step,
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
    widest = verdict(RUN, 0.4, spread=0.3)
    assert widest.reason.endswith(seeds_needed((widest.interval[1] - widest.interval[0]) / 2, 3, widest.tolerance))
    lazy = dataclasses.replace(RUN, richness=0.0)
    assert verdict(lazy, 0.25).verdict == "confirmed"
    assert verdict(lazy, 0.4).verdict == "not confirmed"


def test_seeds_that_would_decide():
    assert seeds_needed(1.0, 100_000, 1.0) == "about 400000 seeds would decide it"  # normal: errors fall as the root
    assert seeds_needed(0.1, 50, 1.0) == "about 100 seeds would decide it"
    few = stats.t.ppf(0.975, 2) / 3**0.5, stats.t.ppf(0.975, 19) / 20**0.5
    assert seeds_needed(few[0] * 0.98, 3, 2 * few[1]) == "about 20 seeds would decide it"
    assert seeds_needed(1.0, 3, 0.0) == "about 1000000000 seeds would decide it"


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


def test_small_steps():
    full = plan(smallsteps, "full")

    def of(exponent=None, factor=1.0):
        results = results_of([*full.runs(), *full.larger()], exponent)
        for run in full.larger():
            results[run].arrays["loss"][:, 1:] *= factor
        rows, larger = (curves.curve_rows(runs, results) for runs in (full.runs(), full.larger()))
        found, flows = smallsteps.compared(rows), smallsteps.flow(rows, larger)
        claims = smallsteps.claims_of(full, rows, found, flows, results)
        return rows, larger, found, flows, {claim.id.removeprefix("smallsteps."): claim for claim in claims}

    rows, larger, found, flows, claims = of()
    ends = [
        (full.eta * row.window.end, full.eta_larger * one.window.end) for row, one in zip(rows, larger, strict=True)
    ]
    assert all(small > large for small, large in ends)
    assert found.exponent.to_numpy() == pytest.approx(found.predicted.to_numpy(), rel=1e-4)
    assert np.stack([*found.share]) == pytest.approx(1.0, abs=0.05)
    both = smallsteps.table({full.eta: found, full.eta_larger: smallsteps.compared(larger)})
    assert both.eta.tolist() == [full.eta] * 3 + [full.eta_larger] * 3 and both.beta.tolist() == [0.1, 0.25, 0.5] * 2
    assert both.share.to_numpy() == pytest.approx(1.0, abs=0.05)
    assert flows.ratio.to_numpy() == pytest.approx(1.0, abs=1e-3)
    for row, (start, end) in zip(larger, flows.window, strict=True):
        calm = row.sharpness < curves.FLOW
        assert end == full.eta_larger * row.step[calm][-1] and end / start == pytest.approx(10**0.5)
    # Made up kernels double too late at beta = 0.75, and made up losses know nothing of kernels.
    verdicts = {name: claim.verdict for name, claim in claims.items()}
    assert verdicts.pop("beta-0.75") == "inconclusive"
    for name in ("kernel", "clock.beta-0.1", "clock.beta-0.25"):
        verdicts.pop(name)
    assert set(verdicts.values()) == {"confirmed"}
    assert len(verdicts) == 3 + 1 + 1 + 4 and "of 4 tasks 3 have a window" in claims["gain"].reason
    *_, other = of(0.3, factor=1.1)
    assert [other[f"beta-{beta:g}"].verdict for beta in full.betas[:3]] == ["not confirmed"] * 3
    assert other["gain"].verdict == other["flow.beta-0.1"].verdict == "not confirmed"
    assert other["flow.beta-0.1"].measured == pytest.approx(1.1, rel=1e-3)
    assert other["share"].statement.startswith("In small steps: On average")
    time, share = smallsteps.covered(rows[1])
    assert share[time > 1] == pytest.approx(1.0, abs=1e-3)
    png(smallsteps.figure(rows, larger))
    small = plan(smallsteps)
    assert all(claim.id.startswith("smallsteps.flow.") for claim in smallsteps.claims_of(small, rows, found, flows, {}))


def test_without_a_window_nothing_is_judged():
    full = dataclasses.replace(plan(smallsteps, "full"), steps=100)
    results = results_of([*full.runs(), *full.larger()])
    rows = curves.curve_rows(full.runs(), results)
    found, flows = smallsteps.compared(rows), smallsteps.flow(rows, curves.curve_rows(full.larger(), results))
    claims = smallsteps.claims_of(full, rows, found, flows, results)
    assert {claim.verdict for claim in claims if ".flow." not in claim.id} == {"inconclusive"}
    assert len(claims) == 4 + 3 + 4


def test_larger_steps_that_begin_at_the_edge_say_nothing():
    full = plan(smallsteps, "full")
    results = results_of([*full.runs(), *full.larger()])
    for run in full.larger():
        results[run].arrays["sharpness"][:] = 1.5 / run.eta
    flows = smallsteps.flow(*(curves.curve_rows(runs, results) for runs in (full.runs(), full.larger())))
    claims = smallsteps.flow_claims(full, flows)
    assert {claim.verdict for claim in claims} == {"inconclusive"}
    assert "the larger steps begin at the edge" in claims[0].reason


def test_of_several_tasks_a_refuted_one_comes_before_one_that_is_less_sure():
    unsure, refuted = Measurement(0.3, (-0.5, 1.1)), Measurement(-0.02, (-0.03, -0.01))
    assert min(unsure, refuted, key=compare.least_above) is refuted
    assert min(unsure, Measurement(0.1, (0.05, 0.15)), key=compare.least_above) is unsure
    names = ["beta", "rich", "lazy", "infinite", "halves", "window", "slopes"]
    ends, slopes = (100.0, 1000.0), np.ones(3)
    tasks = [
        (1.25, 1.0, 1.0, 1.0, (0.2, 0.0)),
        (1.5, 1.2, 1.0, 1.0, (0.01, 0.0)),
    ]  # reaches 1.2 either way; is 1.2 surely
    frame = pd.DataFrame([(*task, ends, slopes) for task in tasks], columns=names)
    assert compare.same_claim(figure07.Plan(), frame, []).verdict == "not confirmed"
    assert compare.same_claim(figure07.Plan(), frame[:1], []).verdict == "inconclusive"


def kernels_made_up(run, spread=0.02):
    """Return the result of kernels whose losses are those of infinite width but for a power of each network's own."""
    theory = [
        lazy_loss(curves.kernel_of(run.depth, run.power).tangent, beta, run.power, run.eta, STEP) for beta in run.betas
    ]
    own = np.random.default_rng(0).normal(size=run.seeds)
    power = np.maximum(STEP, 1.0) ** (-spread * own[:, None])
    return {run: Result({"step": STEP, "loss": np.stack(theory)[None] * power[:, None]}, {}, "computed")}


def results_of(runs, exponent=None):
    found = {}
    for run in runs:
        if isinstance(run, OwnKernelRun):
            found |= kernels_made_up(run)
            continue
        if isinstance(run, CircleModesRun):
            step, modes = kernels_by_mode(run)
            loss = np.maximum(step, 1.0) ** -(exponent or chi(run.beta))
            found[run] = Result({"step": step, "loss": loss[None], "modes": modes[None]}, {}, "computed")
            continue
        run_exponent = exponent if exponent is not None else chi(run.beta, rich=run.richness > 0)
        found |= made_up(run, run_exponent)
    return found


def test_excess_of_finite_width():
    full = plan(figure05, "full")
    results = results_of([*full.by_width_easy(), *full.by_width_kernels()])
    rows = curves.curve_rows(full.by_width_easy(), results)
    scatter = np.random.default_rng(0).normal(1, 0.05, own_kernel.MANY)[:, None]
    for run, row in zip(full.by_width_kernels(), rows, strict=True):
        excess = 3 / run.width * row.step**-0.5 * scatter
        results[run].arrays["loss"][:, 0, 1:] = row.theory + excess
    claims = figure05.width_claims(full, rows, results)
    assert [claim.verdict for claim in claims] == ["confirmed", "confirmed"]
    assert [claim.measured for claim in claims] == pytest.approx([1, 0.5], abs=0.01)
    for run, row in zip(
        full.by_width_kernels(), rows, strict=True
    ):  # the same excess at any width, and constant in time
        results[run].arrays["loss"][:, 0, 1:] = row.theory + 0.01 * scatter
    wrong = figure05.width_claims(full, rows, results)
    assert [claim.verdict for claim in wrong] == ["not confirmed", "not confirmed"]
    results[full.by_width_easy()[0]].arrays["loss"][:, 1:] = rows[0].theory + 3 / 64 * rows[0].step ** -0.5
    found = figure05.excess(curves.curve_rows(full.by_width_easy(), results))
    assert list(found.step) == [300, 1000, 3000, 10_000]
    assert found.width64.iloc[-1] == pytest.approx(1 + 3 / 64 * 1e-2 / rows[0].theory[-1], rel=1e-5)


def png(figure):
    assert isinstance(figure, Figure)
    assert figure.svg().startswith("<?xml")
    return figure


def test_figure_5():
    full = plan(figure05, "full")
    runs = full.experiments()
    assert len(set(runs)) == len(runs)
    assert {run.width for run in full.targets(0.0)} == {512}
    results = results_of(runs)
    targets, activations = curves_of(full, results)
    finite = curves.curve_rows(full.by_width_easy(), results)
    found = figure05.measure(full, targets, activations, results)
    claims = figure05.claims_of(full, targets, activations, finite, found, results)
    verdicts = {claim.id: claim.verdict for claim in claims}
    assert len(verdicts) == len(claims) == 7 + 1 + 1 + 1 + 3 + 1 + 1 + 4 + 2 + 4 + 2
    assert verdicts["fig05.a.rich.beta-0.25"] == verdicts["fig05.a.lazy.beta-0.25"] == "confirmed"
    assert verdicts["fig05.a.rich.share"] == "confirmed"
    assert verdicts["fig05.a.gain"] == verdicts["fig05.a.order"] == verdicts["fig05.lazy.infinite"] == "confirmed"
    assert verdicts["fig05.b.gamma0-0.5.q-1.8"] == "inconclusive"  # too few modes in 10 000 steps
    assert all(claim.needs for claim in claims if claim.verdict == "inconclusive")
    again = results_of(runs, 0.05)
    targets_wrong, activations_wrong = curves_of(full, again)
    found = figure05.measure(full, targets_wrong, activations_wrong, again)
    wrong = figure05.claims_of(full, targets_wrong, activations_wrong, finite, found, again)
    assert not any(
        claim.verdict == "confirmed" for claim in wrong if claim.id.startswith(("fig05.a.rich", "fig05.a.order"))
    )
    small = plan(figure05)
    assert figure05.measure(small, targets, activations, results) is None
    assert [claim.id for claim in figure05.claims_of(small, targets, activations, finite, None, results)] == [
        "fig05.lazy.infinite"
    ]
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
    assert claim.verdict != "not confirmed" and claim.relation == ("below" if power < 0.75 else "equals")
    off = figure07.scatter_claims(small, exponents.assign(exponent=0.8, interval=[(0.79, 0.81)]))[0]
    assert off.verdict == "not confirmed"


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
    sources = figure07.sources(spectra, small)
    claim = figure07.source_claim(small, sources)
    assert claim.verdict == "confirmed" and sources.exponent.to_numpy() == pytest.approx(sources.predicted, rel=0.01)
    wrong = figure07.source_claim(
        small, figure07.sources([dataclasses.replace(spectra[0], kernel=narrower(spectra[0]))], small)
    )
    assert wrong.verdict == "not confirmed"
    assert {claim.id[:7] for claim in figure07.claims_of(small, capacities, sources, exponents, None)} == {"fig07.a"}


def narrower(spectrum):
    return dataclasses.replace(spectrum.kernel, tangent=spectrum.kernel.tangent**1.2)


def test_claims_of_figure_7(monkeypatch):
    monkeypatch.setattr(figure07, "MODES_NETWORKS", 2)
    monkeypatch.setattr(figure07, "MODES_WIDTHS", (16, 64, 256))
    full = plan(figure07, "full")
    results = results_of(full.experiments())
    lazy, rich = (curves.curve_rows(full.tasks(gamma0), results) for gamma0 in (0.0, full.richness))
    assert [row.loss.shape[0] for row in (lazy[0], rich[0])] == [12, 12]
    found = figure07.measure(full, lazy, rich, results)
    nothing = pd.DataFrame(columns=["power", "predicted", "exponent", "interval", "window"])
    sources = pd.DataFrame(
        [(1.0, 1.0, 1.0, 1.0, (1.0, 1.0))], columns=["power", "q", "predicted", "exponent", "interval"]
    )
    capacities = pd.DataFrame(columns=["power", "predicted", "capacity", "interval", "window"])
    claims = figure07.claims_of(full, capacities, sources, nothing, found)
    verdicts = {claim.id: claim.verdict for claim in claims}
    assert verdicts["fig07.b.same"] == verdicts["fig07.b.easy"] == "confirmed"
    steeper = results_of(full.tasks(full.richness), 2.5)
    rich = curves.curve_rows(full.tasks(full.richness), steeper)
    found = compare.compared(rich, lazy, own_kernel.losses_of(full.networks(), results))
    assert compare.same_claim(full, found, []).verdict == compare.easy_claim(full, found, []).verdict == "not confirmed"


def test_what_lies_between_fourier_modes(monkeypatch):
    small = plan(figure07)
    monkeypatch.setattr(figure07, "MODES_NETWORKS", 3)
    offset = (np.arange(128)[:, None] - np.arange(128)) * 2 * math.pi / 128
    invariant = 1 + np.cos(offset) + 0.5 * np.cos(2 * offset)
    between = np.cos(offset[:, :1]) * np.cos(2 * offset[:1]) + np.cos(2 * offset[:, :1]) * np.cos(offset[:1])

    def kernels(depth, power, width, seeds, angles):
        return torch.tensor(invariant + width**-0.5 * between * (1 + 0.01 * seeds[0]))[None]

    monkeypatch.setattr(figure07, "_kernels", kernels)
    found = figure07.mixing(small)
    # Parseval: the constant, cos and cos 2 have squares 1, 1/2 and 1/8, what mixes them 1/2 over N.
    assert found.shares[0][0] == pytest.approx((0.5 / 64) / (1 + 0.5 + 0.125 + 0.5 / 64))
    assert figure07.mixing_claim(small, found).verdict == "confirmed"
    monkeypatch.setattr(figure07, "_kernels", lambda *args: kernels(args[0], args[1], 64, *args[3:]))
    assert figure07.mixing_claim(small, figure07.mixing(small)).verdict == "not confirmed"


def test_kernels_give_the_losses_of_linearised_networks():
    run = CircleRun(0.75, 1.0, 3, 48, 0.0, 0.1, 2048, 200, 2, 2**14)
    own = own_kernel.kernels_of([dataclasses.replace(run, beta=0.25), run], 2, 512)
    losses = own_kernel.losses_of(own, {own: Result(own.run(Monitor()), {}, "computed")})
    trained = run.run(Monitor())
    assert losses.shape == (2, 2, trained["step"].size - 1)
    assert losses[1] == pytest.approx(trained["loss"][:, 1:], rel=0.03)
    other = own_kernel.kernels_of([dataclasses.replace(run, beta=0.9)], 2, 512)
    assert abs(other.run(Monitor())["loss"][0, 0, -1] / trained["loss"][0, -1] - 1) > 0.1


def test_what_kernels_explain_is_averaged_over_many_networks():
    run = dataclasses.replace(RUN, richness=0.0)
    own = own_kernel.kernels_of([run], own_kernel.NETWORKS, own_kernel.ANGLES)
    results = kernels_made_up(own) | made_up(run, 0.25)
    losses = own_kernel.losses_of(own, results)
    results[run].arrays["loss"][:, 1:] = 1.01 * losses[0, :3]
    row = curves.curve_row(run, results)
    ((window, measured),) = own_kernel.before_departure([row], losses)
    assert window.start == curves.arrival(run)
    assert measured.value == pytest.approx(
        np.mean([fit_power_law(row.step, one, window.span).exponent for one in losses[0]])
    )
    scatter = Measurement.mean_of(row.slopes(*window.span)).interval
    assert own_kernel.steadied(row, losses[0], window.span)[1] < 0.2 * (scatter[1] - scatter[0])
    found = own_kernel.against_own([row], results | kernels_of_seeds(run, losses))
    assert found.own.item() == pytest.approx(1.01, rel=1e-5)
    assert own_kernel.own_claim(figure05.Plan(), found, "fig05.x", "Fig. 5a").verdict == "confirmed"
    off = own_kernel.own_claim(figure05.Plan(), found.assign(own=1.2, interval=[(1.19, 1.21)]), "fig05.x", "Fig. 5a")
    assert off.verdict == "not confirmed"
    few = found.assign(
        own=1.0, interval=[(0.99, 1.01)], seeds=3
    )  # of two tasks the seeds are those of the one that is farthest
    both = pd.concat([few, found.assign(seeds=12)], ignore_index=True)
    assert own_kernel.own_claim(figure05.Plan(), both, "fig05.x", "Fig. 5a").seeds == 12
    double = kernels_of_seeds(run, losses, 1.5)
    assert math.isnan(own_kernel.against_own([row], results | double).own.item())
    far = losses * np.where(row.step > 2000, 1.2, 1.0)
    ((window, _),) = own_kernel.before_departure([row], far)
    assert window.end < 2000


def kernels_of_seeds(run, losses, coarse=1.0):
    fine, half = own_kernel.own_runs([run], 3)
    arrays = np.concatenate([losses[:, :3, :1], losses[:, :3]], axis=2).transpose(1, 0, 2)
    return {fine: Result({"loss": arrays}, {}, ""), half: Result({"loss": coarse * arrays}, {}, "")}


def test_later_seeds_join():
    first, second = RUN.up_to(6)
    results = made_up(first, 0.4) | made_up(second, 0.4, spread=0.1)
    row = curves.curve_row(first, results)
    assert row.loss.shape == row.kernels.shape == (6, STEP.size - 1)
    assert row.loss[3:] == pytest.approx(curves.curve_row(second, {second: results[second]}).loss)
    assert row.measured.value == pytest.approx(0.4, abs=1e-4)


def test_growth_of_the_solvable_model(monkeypatch):
    # Eq. 52 with little richness, integrated as matrices over a few modes, on a network whose kernel does not grow.
    values = np.arange(1, 7, dtype=np.float64) ** -2.0
    kernel = CircleKernel(4, 1.0, np.concatenate([[0.0], values]), np.zeros(7), float(values.sum()))
    monkeypatch.setattr(clocks, "kernel_of", lambda depth, power: kernel)
    row = curves.curve_row(RUN, made_up(RUN, 0.4))
    found = clocks.predicted_growth(row, row.step)
    y = np.arange(1, 7) ** -0.75 / math.sqrt(2)
    gamma, left, growing, grown = 1e-7, y.copy(), np.diag(values), {}
    for number in range(1, 20_001):
        moved = np.outer(y - left, left) @ np.diag(values)
        rate = gamma * (moved + moved.T + 2 * (y - left) @ left * np.diag(values))
        left, growing = left - RUN.eta / 20 * growing @ left, growing + RUN.eta / 20 * rate
        grown[number / 20] = (np.trace(growing) - values.sum()) / gamma
    for step in (100, 1000):
        at = int(np.argmin(abs(row.step - step)))
        assert found[at] == pytest.approx(grown[row.step[at]], rel=0.02)


def test_growth_claim():
    rows = curves.curve_rows(plan(figure05, "full").targets(0.5), results_of(plan(figure05, "full").targets(0.5)))
    rows = [dataclasses.replace(row, kernels=1 + np.tile(row.step**0.3, (3, 1))) for row in rows]
    found = clocks.growths(rows)
    assert list(found.beta) == [0.1, 0.25, 0.5]  # the made-up kernel of 0.75 does not double
    assert found.exponent.tolist() == pytest.approx([0.3] * 3)
    assert found.late.tolist() == pytest.approx([1 - chi(beta) for beta in found.beta])
    right = found.assign(ratio=[np.array([0.98, 1.0, 1.02])] * 3)
    assert clocks.growth_claim(figure05.Plan(), right, [], "x").verdict == "confirmed"
    wrong = found.assign(ratio=[np.array([1.28, 1.3, 1.32])] * 3)
    assert clocks.growth_claim(figure05.Plan(), wrong, [], "x").verdict == "not confirmed"


def mode_by_mode(run, exponents, grown=()):
    """Return results whose losses are lazy on the clock but for a power; modes ``grown`` grow more, after they are learned."""
    found = {}
    for one, change in zip(clocks.followed(run), exponents, strict=True):
        step, modes = kernels_by_mode(one)
        clock = clocks.unlearned_clock(step, modes, run.beta + 0.5, run.eta)
        loss = lazy_loss(curves.kernel_of(4, 1.0).tangent, run.beta, 1.0, run.eta, clock) * (1 + clock) ** -change
        modes[:, grown] *= 1 + np.maximum(step - 300, 0)[:, None]
        found[one] = Result({"step": step, "loss": loss[None], "modes": modes[None]}, {}, "computed")
    return found


def kernels_by_mode(run):
    """Return steps and modes of a kernel that grows by a factor."""
    step = log_spaced_steps(run.steps, 20)
    growth = 4 + 0.3 * np.maximum(step, 1.0) ** (1 - chi(run.beta))
    return step, np.outer(growth / growth[0], curves.kernel_of(run.depth, run.power).tangent[:65])


@pytest.mark.parametrize("beta", [0.25, 0.5])
def test_a_rich_network_is_a_lazy_one_with_another_clock(beta, monkeypatch):
    monkeypatch.setattr(clocks, "FOLLOWED", dict.fromkeys((0.25, 0.5), clocks.Followed(5000, 3)))
    run = dataclasses.replace(RUN, beta=beta)
    found = made_up(run, 0.4)
    row = curves.curve_row(run, found)
    clock = row.clocks()
    loss = lazy_loss(curves.kernel_of(4, 1.0).tangent, beta, 1.0, 0.05, clock[0])
    found[run].arrays["loss"][:, 1:] = loss * clock ** np.array([[-0.001], [0], [0.001]])
    found |= mode_by_mode(run, (-0.001, 0.0, 0.001))
    clocked = clocks.clocked([curves.curve_row(run, found)], found)
    assert clocked.clock.tolist() == [clocks.TRACE, clocks.MODES]
    assert clocked.exponent.to_numpy() == pytest.approx(clocked.theory, rel=2e-3)
    (claim,) = clocks.clock_claims(figure05.Plan(), clocked, "fig05.a.clock")
    assert claim.verdict == "confirmed" and ("trace" in claim.quantity) == (beta < 0.5)
    steeper = made_up(run, 0.9) | mode_by_mode(run, (0.399, 0.4, 0.401))
    (claim,) = clocks.clock_claims(figure05.Plan(), clocks.clocked([curves.curve_row(run, steeper)], steeper), "x")
    assert claim.verdict == "not confirmed"
    assert clocked.window.tolist() == 2 * [(row.window.start, min(row.window.end, 5000))]


def test_what_is_learned_already_tells_no_clock(monkeypatch):
    monkeypatch.setattr(clocks, "FOLLOWED", {0.5: clocks.Followed(5000, 1)})
    run = dataclasses.replace(RUN, beta=0.5)
    found = made_up(run, 0.4)
    row = curves.curve_row(run, found)
    plain, more = (clocks.clocked([row], found | mode_by_mode(run, (0.0,), grown)).iloc[1] for grown in ((), (1,)))
    assert more.exponent == pytest.approx(plain.exponent, rel=0.01)
    (claim,) = clocks.clock_claims(figure05.Plan(), pd.DataFrame([plain]), "fig05.a.clock")
    assert claim.verdict == "inconclusive" and "one network" in claim.missing
    other = dataclasses.replace(RUN, beta=1.0)
    assert clocks.clocked([curves.curve_row(other, made_up(other, 0.6))], {}).empty
