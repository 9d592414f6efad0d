"""What the pages on real images conclude, and that they could conclude otherwise; their figures are drawn."""

import dataclasses
import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from companion import image_tasks
from companion.pages import fig06 as figure06
from companion.pages import source
from companion.parameters import values_at
from neural_scaling.base.paths import shipped_scale
from neural_scaling.networks.image_kernel import TIMES
from neural_scaling.networks.image_runs import ImageRun, KernelRun, MixingRun
from neural_scaling.runs import Result
from neural_scaling.theory import chi

pytestmark = pytest.mark.slow

STEP = np.unique(np.concatenate([[0.0], np.round(np.geomspace(1, 100_000, 75))]))
CAPACITY = 1.3


def plan(module, scale=None):
    scale = scale or shipped_scale(module.Plan.item)
    return module.Plan(**values_at(module.Plan.item, scale))


def spectrum(run, beta, gap=1.0):
    """Return the result of a kernel with exact powers, bounds of the targets a little apart."""
    mode = np.arange(1, run.images + 1.0)
    rest = 0.1 * mode ** (-CAPACITY * beta)
    left = rest * (1 - gap * mode / run.images / 2)
    power = -np.diff(np.concatenate([[0.1], left]))
    curve = 0.1 / (1 + TIMES) ** beta * (1 + 0.1 * (64 / run.width - 1))
    arrays = {
        "eigenvalues": mode**-CAPACITY,
        # What is left at the last mode is nothing.
        "power": np.concatenate([power[:-1], [power[-1] + left[-1]]]),
        "rest": rest,
        "train": 0.97 * curve,
        "test": 1.03 * curve,
    }
    return Result(arrays, {}, "computed")


def mixed(run):
    """Return the result of outputs that slow each other the more the later."""
    curve = 0.1 / (1 + TIMES) ** 0.3
    test = np.stack([curve, 1.1 * curve, curve * (1 + TIMES) ** 0.05])
    arrays = {"test": test, "train": np.stack([curve, 1.2 * curve, curve * (1 + TIMES) ** 0.1]), "diagonal": np.ones(8)}
    return Result(arrays, {}, "computed")


def trained(run, exponent, growth, late=None, spread=0.002, sharpness=0.5):
    """Return the result of runs whose loss is a power, or steeper by the last decade, and whose kernel grows.

    ``sharpness`` is eta_0 times the largest eigenvalue, a number or its values at the steps.
    """
    step = STEP[run.steps >= STEP]
    step = np.append(step[:-1], float(run.steps))
    time = np.maximum(step, 1.0)
    scatter = 1 + spread * np.arange(-1, 2)[:, None]
    loss = 0.1 * time ** (-exponent * scatter)
    if late is not None:
        loss = loss * np.maximum(time / (run.steps / 10), 1) ** (-(late - exponent) * scatter)
    grown = 1 + (growth - 1) * np.minimum(step / 10, 1)
    arrays = {
        "step": step,
        "loss": loss,
        "trace": np.tile(3 * grown, (3, 1)),
        "sharpness": np.tile(np.broadcast_to(sharpness, step.shape) / run.eta, (3, 1)),
        "diverged": np.full(3, math.inf),
        "repeated": np.asarray(0.25),
    }
    return Result(arrays, {}, "computed")


def results_of(runs, lazy=None, rich=None, **options):
    found = {}
    for run in runs:
        beta = image_tasks.paper_source(run.dataset)
        if isinstance(run, KernelRun):
            found[run] = spectrum(run, beta)
            continue
        if isinstance(run, MixingRun):
            found[run] = mixed(run)
            continue
        is_rich = run.richness >= 0.25
        exponent = (rich or float(chi(beta))) if is_rich else (lazy or beta)
        found[run] = trained(run, exponent, 4.0 if is_rich else 1.0 + run.richness, **options if is_rich else {})
    return found


def png(figure):
    assert isinstance(figure, Figure)
    assert figure.svg().startswith("<?xml")
    return figure


def test_exponents_of_a_spectrum():
    run = KernelRun("mnist", 1000, 100, False, 8, 0)
    row = image_tasks.source_row(run, {run: spectrum(run, 0.3)})
    assert row.capacity == pytest.approx(CAPACITY)
    assert row.source == pytest.approx(0.3, abs=0.02)
    assert row.source_interval[0] < 0.3 < row.source_interval[1]
    wide = image_tasks.source_row(run, {run: spectrum(run, 0.3, gap=1.9)})
    assert wide.source_interval[1] - wide.source_interval[0] > row.source_interval[1] - row.source_interval[0]
    assert row.window == (10, 100)
    assert row.arrival == pytest.approx(10**CAPACITY)
    middle = 1.7 * np.sqrt(0.97 * 1.03) * 0.1 / (1 + TIMES[20:40]) ** 0.3  # planted at width 8
    np.testing.assert_allclose(row.lazy(TIMES[20:40]), middle)
    table = source.exponents([row]).frame
    assert table[["dataset", "width", "images", "seed", "paper"]].iloc[0].tolist() == ["mnist", 8, 1000, 0, 0.3]
    assert table.capacity.item() == row.capacity and table.bounds.item()[0] < row.source < table.bounds.item()[1]


def test_what_a_stream_remembers():
    full = plan(figure06)
    results = results_of([*full.runs("cifar10"), full.kernel("cifar10")])
    for run in full.runs("cifar10"):
        arrays = results[run].arrays
        more = {"stream": 0.8 * arrays["loss"], "repeated images": np.asarray(0.92)}
        results[run] = dataclasses.replace(results[run], arrays=arrays | more)
    found = figure06.curves(full, "cifar10", results)
    table = figure06.exponents(found)
    assert table.memory.tolist() == [pytest.approx(0.8)] * len(found.rows)
    assert set(table.repeated) == {0.92}


def test_page_on_the_source():
    full = plan(source)
    runs = full.experiments()
    assert len(set(runs)) == len(runs)
    results = results_of(runs)
    tasks = [source.task(full, name, results) for name in full.datasets]
    found = {claim.id: claim for claim in source.claims(full, tasks)}
    assert {id: claim.verdict for id, claim in found.items()} == {
        "source.mnist.hard": "confirmed",
        "source.cifar10.hard": "confirmed",
        "source.order": "confirmed",
        "source.mnist.beta": "confirmed",
        "source.mnist.lazy": "confirmed",
        "source.cifar10.beta": "confirmed",
        "source.cifar10.lazy": "confirmed",
    }
    # At small scale no exponent is judged.
    small = source.claims(plan(source, "small"), tasks)
    assert [claim.id for claim in small] == ["source.mnist.hard", "source.cifar10.hard", "source.order"]
    assert found["source.order"].measured == pytest.approx(0.3 - 0.075, abs=0.02)
    assert found["source.mnist.lazy"].predicted == pytest.approx(0.3, rel=0.05)
    slowing = tasks[0].slowing[-1]
    assert slowing.estimates(np.array([99.0])) == pytest.approx((100**0.05, 100**0.1), rel=1e-3)
    assert slowing.estimates(np.array([99.0]), 1) == pytest.approx((1.1, 1.2))
    # A network is compared with the kernel of its own width and seed, the widest one there is beyond these.
    assert [tasks[0].like(width).run.width for width in (8, 32, 64, 128)] == [8, 32, 64, 64]
    assert {tasks[0].like(width).run.seed for width in (8, 64, 128)} == {0}
    digits = tasks[0].lazy[0]
    lazy = tasks[0].like(32).lazy(np.array([100.0]))[0]
    assert lazy != tasks[0].rows[0].lazy(np.array([100.0]))[0]
    powers = 0.3 * np.array([0.998, 1.0, 1.002])
    assert tasks[0].above(digits, 100.0) == pytest.approx(0.1 * 500**-powers / lazy, rel=1e-3)
    # eta_0 t = 200 with the planted powers 0.05 and 0.1
    assert "coupled outputs would give 1.30 or 1.70, at other" in found["source.mnist.lazy"].reason
    table = source.slowing(tasks)
    assert len(table) == 2 * 4 * len(full.lazy_widths)
    assert table[["width", "kernel_width", "time"]].iloc[0].tolist() == [32, 32, 1]
    assert table.own[0] == pytest.approx((1.1, 1.2), rel=1e-3)
    lazy = source.lazy_exponents(tasks)
    assert lazy.noise[0] == pytest.approx(0.2 * np.sum(np.arange(1, 4001.0) ** -CAPACITY) / 128)
    assert lazy.exponent[:3].tolist() == pytest.approx([0.3] * 3, rel=0.01) and set(lazy.repeated) == {0.25}
    end = tasks[0].rows[0].lazy(np.array([200.0]))[0]
    assert lazy.ratio[0] == pytest.approx(tasks[0].lazy[0].mean[-1] / end)
    assert source.difficulty(tasks).to_dict("list") == {"dataset": ["mnist", "cifar10"], "hard": [True, True]}
    other = {run: spectrum(run, 1.2) if isinstance(run, KernelRun) else results[run] for run in runs}
    wrong = source.claims(full, [source.task(full, name, other) for name in full.datasets])
    assert {claim.verdict for claim in wrong if claim.id != "source.order"} == {"not confirmed"}
    swapped = source.claims(
        full, [dataclasses.replace(tasks[0], rows=tasks[1].rows), dataclasses.replace(tasks[1], rows=tasks[0].rows)]
    )
    assert next(claim for claim in swapped if claim.id == "source.order").verdict == "not confirmed"
    for figure in (source.spectrum_figure(tasks), source.study_figure(tasks), source.lazy_figure(tasks)):
        png(figure)


def test_small_plans_need_few_steps():
    for module in (source, figure06):
        runs = plan(module, "small").experiments()
        assert sum(run.work for run in runs if isinstance(run, ImageRun)) < 8000


def claims(plan, dataset, results):
    return {claim.id.split(".")[-1]: claim for claim in figure06.claims(plan, figure06.curves(plan, dataset, results))}


def test_page_on_figure_6():
    full = plan(figure06)
    runs = full.experiments()
    assert len(set(runs)) == len(runs)
    results = results_of(runs)
    found = [figure06.curves(full, dataset, results) for dataset in full.datasets()]
    digits = found[0]
    kinds = {row.run.richness: row.kind for row in digits.rows}
    assert kinds == {0.0: "lazy", 0.01: "lazy", 0.03: "lazy", 0.1: "lazy", 0.3: "rich", 1.0: "rich"}
    table = figure06.exponents(digits)
    # The planted prediction is (1 + eta_0 t)^-0.3, and eta_0 t is far above one in the windows; both bounds have this power.
    assert [pair for pair in table.curve[:4]] == [pytest.approx((0.3, 0.3), rel=0.05)] * 4
    assert table.curve[4:].isna().all()
    assert table.kind.tolist() == ["lazy"] * 4 + ["rich"] * 2
    assert table.paper.tolist() == pytest.approx([0.3] * 4 + [0.6 / 1.3] * 2)
    grows = "the kernel grows more the richer the network"
    assert figure06.sound(found)[grows]
    backwards = dataclasses.replace(
        digits, rows=[dataclasses.replace(digits.rows[0], growth=10 + STEP), *digits.rows[1:]]
    )
    assert not figure06.sound([backwards])[grows]
    figures = figure06.loss_figure(found), figure06.kernel_figure(found)
    lines = [line for figure in figures for axes in figure.axes for line in axes.lines]
    pairs = {(line.get_label(), line.get_color()) for line in lines if "gamma" in line.get_label()}
    assert [len(set(column)) for column in zip(*pairs, strict=True)] == [len(pairs)] * 2  # one richness, one colour
    for figure in figures:
        png(figure)


def test_claims_about_digits():
    full = plan(figure06)
    runs = [full.kernel("mnist1m-reduced"), *full.runs("mnist1m-reduced")]
    found = claims(full, "mnist1m-reduced", results_of(runs))
    assert {name: claim.verdict for name, claim in found.items()} == dict.fromkeys(
        ("order", "steeper", "gamma0-0", "rich"), "confirmed"
    )
    swapped = claims(full, "mnist1m-reduced", results_of(runs, lazy=0.46, rich=0.3))
    assert {claim.verdict for claim in swapped.values()} == {"not confirmed"}
    # Judged by their own source, not by the paper's.
    own = results_of(runs) | {runs[0]: spectrum(runs[0], 0.6)}
    other = claims(full, "mnist1m-reduced", own)
    assert other["gamma0-0"].verdict == other["rich"].verdict == "not confirmed"
    assert other["rich"].predicted == pytest.approx(float(chi(0.6)), abs=0.02)
    small = plan(figure06, "small")
    assert list(claims(small, "mnist", results_of([small.kernel("mnist"), *small.runs("mnist")]))) == ["order"]


def test_the_error_of_the_source_is_in_the_claim_on_rich_networks():
    full = plan(figure06)
    runs = [full.kernel("mnist1m-reduced"), *full.runs("mnist1m-reduced")]
    apart = results_of(runs) | {runs[0]: spectrum(runs[0], 0.3, gap=1.99)}
    curves = figure06.curves(full, "mnist1m-reduced", apart)
    low, high = claims(full, "mnist1m-reduced", apart)["rich"].interval
    beta, (least, most) = curves.source.source, curves.source.source_interval
    slope = (float(chi(beta + 1e-5)) - float(chi(beta - 1e-5))) / 2e-5
    alone = np.diff(curves.judged.measured.interval)[0] / 2
    assert (high - low) / 2 == pytest.approx(math.hypot(alone, slope * (most - least) / 2), rel=1e-3)


def test_the_bounds_of_the_predicted_curve_are_in_the_claim_on_lazy_networks():
    full = plan(figure06)
    runs = [full.kernel("mnist1m-reduced"), *full.runs("mnist1m-reduced")]
    results = results_of(runs)
    parted = results[runs[0]].arrays | {"train": 0.09 / TIMES**0.35, "test": 0.1 / TIMES**0.25}
    results[runs[0]] = dataclasses.replace(results[runs[0]], arrays=parted)
    alone = figure06.curves(full, "mnist1m-reduced", results).linearised.measured
    claim = claims(full, "mnist1m-reduced", results)["gamma0-0"]
    assert claim.predicted == pytest.approx(0.3)
    half = math.hypot(np.diff(alone.interval)[0] / 2, 0.05)
    assert claim.interval == pytest.approx((alone.value - half, alone.value + half), rel=1e-3)


def test_late_departure():
    full = plan(figure06)
    runs = [full.kernel("cifar10"), *full.runs("cifar10")]
    claim = claims(full, "cifar10", results_of(runs, late=0.3))["departure"]
    assert claim.verdict == "confirmed" and claim.window[1] == full.steps_objects
    late = figure06.halves(figure06.curves(full, "cifar10", results_of(runs, late=0.3)).judged)[1]
    assert late.mean() > 0.25  # the second half of the window is nearly the last decade, with 0.3
    assert claims(full, "cifar10", results_of(runs, rich=0.05))["departure"].verdict == "not confirmed"
    assert claims(full, "cifar10", results_of(runs, spread=0.9, late=0.2))["departure"].verdict == "inconclusive"
    table = figure06.departures(figure06.curves(full, "cifar10", results_of(runs, late=0.3)))
    assert table.difference[0] == pytest.approx(0, abs=1e-6) and table.difference.iloc[-1] > 0.05
    still = results_of(runs) | {run: trained(run, 0.1, 1.5, sharpness=2) for run in full.runs("cifar10")}
    claim = claims(full, "cifar10", still)["departure"]
    assert claim.verdict == "inconclusive" and "eta0 sharpness = 1" in claim.reason


def test_kernels_that_grow_a_little_predict_nothing():
    full = plan(figure06)
    results = results_of([full.kernel("mnist"), *full.runs("mnist")])
    run = full.runs("mnist")[-1]
    results[run] = trained(run, 0.4, 1.6)
    found = figure06.curves(full, "mnist", results)
    table = figure06.exponents(found)
    assert table.kind.iloc[-1] == "between" and math.isnan(table.paper.iloc[-1]) and math.isnan(table.own.iloc[-1])
    assert found.judged.run.richness == 0.3  # not the one that is neither


def test_windows_come_from_the_kernel():
    full = plan(figure06)
    results = results_of([full.kernel("mnist"), *full.runs("mnist")])
    lazy, rich = (figure06.curves(full, "mnist", results).rows[place] for place in (0, -1))
    arrival = 10**CAPACITY / full.eta_digits
    assert lazy.window.start == STEP[np.searchsorted(STEP, arrival)]
    assert arrival / 5 < rich.window.start < arrival  # the clock of the growing kernel
    assert rich.window.end == full.steps_digits
    run = full.runs("mnist")[-1]
    results[run].arrays["loss"][0, 30:] = math.inf
    results[run].arrays["diverged"][0] = STEP[30]
    broken = figure06.curves(full, "mnist", results)
    assert broken.rows[-1].window.end == STEP[29]
    assert np.isnan(broken.rows[-1].slopes(STEP[20], STEP[35])).all()
    png(figure06.loss_figure([broken]))
    slow = dataclasses.replace(full, eta_digits=1e-3)
    results = results_of([slow.kernel("mnist"), *slow.runs("mnist")])
    table = figure06.exponents(figure06.curves(slow, "mnist", results))
    assert math.isnan(table.exponent[0]) and table.window[0] is None
    claim = claims(slow, "mnist", results)["rich"]
    assert claim.verdict == "inconclusive" and "not before the last step" in claim.reason


def test_windows_end_half_way_to_the_edge_of_stability():
    full = plan(figure06)
    runs = full.runs("mnist")
    results = results_of([full.kernel("mnist"), *runs])
    step = results[runs[-1]].arrays["step"]
    rising = 0.4 + 0.6 * step / 400  # eta_0 times the largest eigenvalue reaches 1 at step 400
    for run in runs[-2:]:
        results[run] = trained(run, 0.46, 4.0, sharpness=rising if run is runs[-1] else 1.2)
    found = figure06.curves(full, "mnist", results)
    window = found.rows[-1].window
    assert window.end == step[step < 400][-1] and window.end_reason == "eta0 sharpness = 1"
    assert found.rows[-2].window.empty  # beyond it from the start
    assert found.judged is found.rows[-1]
    assert claims(full, "mnist", results)["rich"].window[1] == window.end
