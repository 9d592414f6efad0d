"""What the pages on real images conclude, and that they could conclude otherwise; their figures are drawn."""

import dataclasses
import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from companion import image_figures as draw
from companion import image_tasks
from companion.pages import fig06 as figure06
from companion.pages import source
from companion.parameters import values_at
from neural_scaling.base.paths import shipped_scale
from neural_scaling.networks.image_kernel import TIMES, KernelRun
from neural_scaling.networks.image_runs import ImageRun
from neural_scaling.networks.output_mixing import MixingRun
from neural_scaling.runs import Result
from neural_scaling.theory import chi

STEP = np.unique(np.concatenate([[0.0], np.round(np.geomspace(1, 100_000, 75))]))
CAPACITY = 1.3


def plan(module, scale=None):
    scale = scale or shipped_scale(module.ITEM)
    return module.Plan(**values_at(module.ITEM, scale))


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


def trained(run, exponent, growth, late=None, spread=0.002, sharpness=1.0):
    """Return the result of runs whose loss is a power, or steeper by the last decade, and whose kernel grows."""
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
        "sharpness": np.full((3, step.size), sharpness / run.eta),
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
    assert figure._repr_png_().startswith(b"\x89PNG")
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
    assert "mnist     8    1000  0     1.30" in image_tasks.source_table([row])


def test_what_a_stream_remembers():
    panel = next(panel for panel in plan(figure06).panels() if panel.crops)
    results = results_of([*panel.runs(), panel.kernel()])
    for run in panel.runs():
        arrays = results[run].arrays
        more = {"stream": 0.8 * arrays["loss"], "repeated images": np.asarray(0.92)}
        results[run] = dataclasses.replace(results[run], arrays=arrays | more)
    found = figure06.curves(panel, results)
    assert [row.memory for row in found.rows] == [pytest.approx(0.8)] * len(found.rows)
    assert {row.repeated for row in found.rows} == {0.92}
    assert "0.92      0.800" in figure06.table(found)


def test_page_on_the_source():
    full = plan(source)
    runs = full.experiments()
    assert len(set(runs)) == len(runs)
    results = results_of(runs)
    tasks = [source.task(full, name, results) for name in full.datasets]
    found = {claim.id: claim for claim in source.claims(tasks, source.Plan())}
    assert len(found) == 4
    assert {claim.verdict for claim in found.values()} == {"confirmed"}
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
    assert tasks[0].above(digits, 100.0) == pytest.approx(0.1 * 500 ** -(0.3 * 0.998) / lazy, rel=1e-3)
    # eta_0 t = 200 with the planted powers 0.05 and 0.1
    assert "outputs that move each other give 1.30 or 1.70, at other" in found["source.mnist.lazy"].reason
    table = source.slowing_table(tasks).splitlines()
    assert len(table) == 1 + 2 * 4 * len(full.lazy_widths)
    assert "mnist     32    32        1       " in table[1] and "1.100 or 1.200" in table[1]
    assert source.noise(tasks[0]) == pytest.approx(0.2 * np.sum(np.arange(1, 4001.0) ** -CAPACITY) / 128)
    other = {run: spectrum(run, 0.8) if isinstance(run, KernelRun) else results[run] for run in runs}
    wrong = source.claims([source.task(full, name, other) for name in full.datasets], source.Plan())
    assert {claim.verdict for claim in wrong} == {"not confirmed"}
    for figure in (draw.spectrum_figure(tasks), draw.study_figure(tasks), draw.lazy_figure(tasks)):
        png(figure)


def test_small_plans_need_few_steps():
    for module in (source, figure06):
        runs = plan(module, "small").experiments()
        assert sum(run.work for run in runs if isinstance(run, ImageRun)) < 8000


def verdict_after(panel, **options):
    results = results_of([*panel.runs(), panel.kernel()], **options)
    return figure06.departure_claim(figure06.curves(panel, results), figure06.Plan()).verdict


def test_page_on_figure_6():
    full = plan(figure06)
    runs = full.experiments()
    assert len(set(runs)) == len(runs)
    results = results_of(runs, late=0.3)
    found = [figure06.curves(panel, results) for panel in full.panels()]
    digits, _, objects = found
    kinds = {row.run.richness: row.kind for row in digits.rows}
    assert kinds == {0.0: "lazy", 0.01: "lazy", 0.03: "lazy", 0.1: "lazy", 0.3: "rich", 1.0: "rich"}
    straight = figure06.curves(digits.panel, results_of(runs))
    # The planted prediction is (1 + eta_0 t)^-0.3, and eta_0 t is far above one in the windows.
    slopes = {row.run.richness: straight.spectral(row) for row in straight.rows}
    assert [slopes[richness] for richness in (0.0, 0.01, 0.03, 0.1)] == pytest.approx([0.3] * 4, rel=0.05)
    assert math.isnan(slopes[0.3]) and math.isnan(slopes[1.0])
    apart = dataclasses.replace(straight.source, train=straight.source.test / 2)
    assert math.isnan(dataclasses.replace(straight, source=apart).spectral(straight.rows[0]))
    assert apart.spread(10.0) == pytest.approx(2)
    verdicts = {claim.id: claim.verdict for claim in figure06.exponent_claims(straight, figure06.Plan())}
    assert len(verdicts) == 6
    assert set(verdicts.values()) == {"confirmed"}
    swapped = figure06.curves(digits.panel, results_of(runs, lazy=0.46, rich=0.3))
    assert {claim.verdict for claim in figure06.exponent_claims(swapped, figure06.Plan())} == {"not confirmed"}
    claim = figure06.departure_claim(objects, figure06.Plan())
    assert claim.verdict == "confirmed"
    assert claim.measured == pytest.approx(0.3 - float(chi(0.075)), abs=0.01)
    assert "linearised 0.075 and 0.075" in claim.reason
    flat = figure06.curves(objects.panel, results_of(runs, late=0.12))
    claim = figure06.departure_claim(flat, figure06.Plan())
    assert claim.verdict == "inconclusive" and "the paper has 1e+05 steps" in claim.reason
    long = dataclasses.replace(objects.panel, steps=100_000)
    assert verdict_after(long, late=0.12) == "not confirmed"
    assert verdict_after(long, late=0.3) == "confirmed"
    assert verdict_after(long, late=0.4, rich=0.3) == "inconclusive"  # it never was near the theory
    results = results_of([*long.runs(), long.kernel()], late=0.3)
    results[long.runs()[0]] = trained(long.runs()[0], 0.075, 1.0, late=0.3)
    claim = figure06.departure_claim(figure06.curves(long, results), figure06.Plan())
    assert claim.verdict == "inconclusive"  # the linearised curve steepens likewise
    noisy = figure06.curves(objects.panel, results_of(runs, spread=0.5, late=0.2))
    assert figure06.departure_claim(noisy, figure06.Plan()).verdict == "inconclusive"
    still = results_of(runs)
    still |= {run: trained(run, 0.1, 1.5, late=0.3) for run in objects.panel.runs()}
    claim = figure06.departure_claim(figure06.curves(objects.panel, still), figure06.Plan())
    assert claim.verdict == "inconclusive"
    assert "1.50-fold only" in claim.reason
    assert "rich" in figure06.table(objects)
    png(draw.loss_figure(found))
    png(draw.kernel_figure(found))


def test_kernels_that_grow_a_little_predict_nothing():
    panel = plan(figure06).panels()[0]
    results = results_of([panel.kernel(), *panel.runs()])
    run = panel.runs()[-1]
    results[run] = trained(run, 0.4, 1.6, sharpness=1.9)
    claim = figure06.exponent_claims(figure06.curves(panel, results), figure06.Plan())[-1]
    assert claim.verdict == "inconclusive"
    assert "1.60-fold" in claim.reason
    assert "edge of stability from step 1" in claim.reason


def test_windows_come_from_the_kernel():
    panel = plan(figure06).panels()[0]
    results = results_of([panel.kernel(), *panel.runs()])
    lazy, rich = (figure06.curves(panel, results).rows[place] for place in (0, -1))
    arrival = 10**CAPACITY / panel.eta
    assert lazy.window.start == STEP[np.searchsorted(STEP, arrival)]
    assert arrival / 5 < rich.window.start < arrival  # the clock of the growing kernel
    assert rich.window.end == panel.steps
    run = panel.runs()[-1]
    results[run].arrays["loss"][0, 30:] = math.inf
    results[run].arrays["diverged"][0] = STEP[30]
    broken = figure06.curves(panel, results).rows[-1]
    assert broken.window.end == STEP[29]
    assert np.isnan(broken.slopes(STEP[20], STEP[35])).all()
    png(draw.loss_figure([figure06.curves(panel, results)]))
    slow = dataclasses.replace(panel, eta=1e-3)
    results = results_of([slow.kernel(), *slow.runs()])
    none = figure06.curves(slow, results)
    assert not none.rows[0].fitted
    assert "10 modes learned: not before the last step" in figure06.table(none)
    assert {claim.verdict for claim in figure06.exponent_claims(none, figure06.Plan())[:4]} == {"inconclusive"}


def test_a_window_that_starts_late_has_no_decade_before():
    objects = plan(figure06).panels()[-1]
    found = figure06.curves(objects, results_of([*objects.runs(), objects.kernel()], late=0.3))
    last = float(found.rows[0].step[-1])
    unreached = [dataclasses.replace(row, window=dataclasses.replace(row.window, start=math.inf)) for row in found.rows]
    claim = figure06.departure_claim(dataclasses.replace(found, rows=unreached), figure06.Plan())
    assert found.rows[-1].window.start_reason in claim.reason and "inf" not in claim.reason
    for start, told in ((last / 10, True), (last / 40, False)):
        rows = [dataclasses.replace(row, window=dataclasses.replace(row.window, start=start)) for row in found.rows]
        claim = figure06.departure_claim(dataclasses.replace(found, rows=rows), figure06.Plan())
        assert ("exponent none in the decade before" in claim.reason) is told
        assert (f"the window starts at step {start:.0f} of {last:.0f}" in claim.reason) is told
        assert "nan" not in claim.reason
