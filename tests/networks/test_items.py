"""What the pages of Figures 5 and 7 conclude, and that they could conclude otherwise; their figures are drawn."""

import dataclasses
import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from companion import circle_curves as curves
from companion import circle_figures as draw
from companion.pages import fig05 as figure05
from companion.pages import fig07 as figure07
from companion.parameters import values_at
from neural_scaling.networks.runs import CircleRun
from neural_scaling.runs import Result
from neural_scaling.theory import chi

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
    return curves.curve_claim(row, "fig05.x", "Fig. 5a", figure05.Plan())


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
    claim = curves.curve_claim(curves.curve_row(RUN, flat), "fig05.x", "Fig. 5a", figure05.Plan())
    assert claim.verdict == "inconclusive"
    assert "kernel doubled" in claim.reason


def test_divergence_is_said():
    found = made_up(RUN, 0.4)
    found[RUN].arrays["loss"][0, 50:] = math.inf
    found[RUN].arrays["diverged"][0] = STEP[50]
    row = curves.curve_row(RUN, found)
    claim = curves.curve_claim(row, "fig05.x", "Fig. 5a", figure05.Plan())
    assert f"diverged at step {STEP[50]:.0f}" in claim.reason
    assert math.isnan(row.exponent_between(1000, 10_000))


def plan(module, scale="small"):
    return module.Plan(**values_at(module.ITEM, scale))


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
    claims = figure05.width_claims(full, results)
    assert [claim.verdict for claim in claims] == ["confirmed", "confirmed"]
    for run, result in results.items():  # the same excess at any width, and constant in time
        result.arrays["loss"][:, 1:] = curves.curve_row(run, results).theory + 0.01
    wrong = figure05.width_claims(full, results)
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
    results = results_of(runs)
    claims = figure05.exponent_claims(full, results) + figure05.growth_claims(full, results)
    assert len({claim.id for claim in claims}) == len(claims) == 2 * 7 + 3 * 4 + 4
    found = {claim.id: claim.verdict for claim in claims}
    assert found["fig05.a.rich.beta-0.25"] == found["fig05.a.lazy.beta-0.25"] == "confirmed"
    assert found["fig05.a.kernel.beta-0.25"] == "confirmed"
    assert found["fig05.b.lazy.q-1.8"] == "inconclusive"  # too few modes in 10 000 steps
    wrong = figure05.exponent_claims(full, results_of(runs, 0.05))
    assert not any(claim.verdict == "confirmed" for claim in wrong if claim.predicted > 0.2)

    def rows(some):
        return curves.curve_rows(some, results)

    figure = png(draw.loss_figure([("(a)", rows(full.targets(0.5)), rows(full.targets(0.0)))]))
    assert figure.axes[0].get_xlabel() == "steps $t$"
    assert png(draw.kernel_figure(rows(full.targets(0.5)))).axes[1].get_ylim()[1] == 4.0
    study = [("(c)", r"$\gamma_0$", [("", [0.01, *full.richness_study[1:]], rows(full.by_richness()))])] * 4
    assert len(png(draw.study_figure(study)).axes) == 4
    assert "0.25 1     0.5" in curves.table(rows(full.targets(0.5)))


@pytest.mark.parametrize("power", [0.6, 1.0])
def test_scatter_of_finite_kernels(power):
    row = figure07.fluctuation_row(2, power, [64, 256, 1024], 128)
    assert row.predicted == pytest.approx(min(0.5, 2 * power - 1))
    # Quartiles of 128 values: a tenth each, over 1.2 decades of width.
    assert row.fit.exponent == pytest.approx(row.predicted, abs=0.15)
    claim = figure07.fluctuation_claims([row], figure07.Plan())[0]
    assert claim.verdict != ("confirmed" if power < 0.75 else "not confirmed")


def test_figure_7():
    spectra = [figure07.spectrum_row(3, power, (100.0, 400.0), 2**14, 32, 2, 64) for power in (1.0, 1.5)]
    claims = figure07.spectrum_claims(spectra, figure07.Plan())
    assert [claim.verdict for claim in claims] == ["confirmed", "confirmed"]
    wrong = dataclasses.replace(spectra[0], kernel=dataclasses.replace(spectra[0].kernel, power=1.2))
    assert figure07.spectrum_claims([wrong], figure07.Plan())[0].verdict == "not confirmed"
    scatter = [figure07.fluctuation_row(2, power, [16, 64, 256], 32) for power in (0.6, 1.0)]
    assert len(png(draw.spectrum_figure(spectra, scatter)).axes) == 2
    small = plan(figure07, "full")
    claims = figure07.exponent_claims(small, results_of(small.experiments()))
    assert len({claim.id for claim in claims}) == 8
    assert all(claim.verdict in {"confirmed", "inconclusive"} for claim in claims)
