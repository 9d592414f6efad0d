"""The explorer of the front page shows what the library computes, at every position, with no outside request."""

import itertools
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from companion import explorer as items_explorer
from companion.explorer import LARGEST_SHARPNESS, compute_explorer, explorer_data, explorer_html, script_safe_json
from companion.pages import intro
from neural_scaling.base.checks import InputError
from neural_scaling.dmft import gradient_flow, infinite_limit
from neural_scaling.fits import fit_power_law
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import chi, compute_optimum, kernel_scale, regime

ALPHAS, BETAS, GAMMAS = [1.5, 2.0], [0.3, 1.0, 1.2, 1.8], [0.5, 2.0]
END, ETA = 20.0, 0.1
START = (1.5, 0.3, 2.0)


@pytest.fixture(scope="module")
def explorer():
    return compute_explorer(ALPHAS, BETAS, GAMMAS, END, ETA)


@pytest.fixture(scope="module")
def html(explorer):
    return explorer_html(explorer, START)


class _Scripts(HTMLParser):
    """Collects elements with attributes, and the text of the data script as a browser delimits it."""

    def __init__(self):
        super().__init__()
        self.elements, self.data, self.inside = [], "", False

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside = tag == "script" and dict(attrs).get("class") == "ns-data"

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "script"

    def handle_data(self, data):
        if self.inside:
            self.data += data


def parsed(html):
    parser = _Scripts()
    parser.feed(html)
    return parser


def test_every_combination_of_slider_positions_has_curves_and_numbers(html):
    data = json.loads(parsed(html).data)
    assert [data["alpha"], data["beta"], data["gamma"]] == [
        ["1.5", "2"],
        ["0.3", "1", "1.2", "1.8"],
        ["0.5", "2"],
    ]
    for i, j, k in itertools.product(range(len(ALPHAS)), range(len(BETAS)), range(len(GAMMAS))):
        task = data["tasks"][i][j]
        for curve in (task["curves"][0], task["curves"][k + 1]):
            assert len(curve["loss"]) == len(data["time"]["points"]) >= 25
            assert all(task["axis"]["low"] < loss < task["axis"]["high"] for loss in curve["loss"])
            assert len(curve["guide"]) == 2
            assert re.fullmatch(r"\d\.\d\d", curve["slope"])
        for name in ("chi", "r", "a"):
            assert len(task[name]) == 2


@pytest.mark.parametrize(("i", "j", "k"), [(0, 0, 1), (1, 2, 0), (0, 3, 1)])
def test_data_are_the_values_of_the_library(explorer, i, j, k):
    data = explorer_data(explorer, START)
    alpha, beta, gamma = ALPHAS[i], BETAS[j], GAMMAS[k]
    shown = data["tasks"][i][j]
    time = np.array(data["time"]["points"])
    for curve, richness in ((shown["curves"][0], 0.0), (shown["curves"][k + 1], gamma)):
        eta = explorer.tasks[i][j].curves[0 if richness == 0 else k + 1].eta
        assert curve["eta"] == f"{eta:.2g}"
        assert int(curve["steps"].replace("\u202f", "")) == round(END / eta)
        # A quadrature of its own, with ten times the horizon: the one that was used resolves all that matters.
        quadrature = PowerLaw(alpha, beta).quadrature(10 * END * 60)
        solution = infinite_limit(quadrature, eta, richness, round(END / eta), np.round(time / eta))
        np.testing.assert_allclose(curve["loss"], solution.loss, rtol=6e-4)  # four digits are kept
        fit = fit_power_law(eta * solution.time, solution.loss, (END * 10**-0.5, END))
        assert float(curve["slope"]) == pytest.approx(fit.exponent, abs=0.0051)
    assert shown["regime"] == regime(alpha, beta)
    for n, rich in enumerate((False, True)):
        assert shown["chi"][n] == f"{chi(beta, rich):.2f}"
        assert shown["r"][n] == f"{compute_optimum(alpha, beta, rich).r:.2f}"
        assert shown["a"][n] == f"{compute_optimum(alpha, beta, rich).a:.2f}"


def test_guides_have_the_predicted_slopes_and_keep_clear_of_the_curves(explorer):
    data = explorer_data(explorer, START)
    time = np.log(data["time"]["points"])
    for row, j in itertools.product(data["tasks"], range(len(BETAS))):
        for n, curve in enumerate(row[j]["curves"]):
            (t0, l0), (t1, l1) = curve["guide"]
            assert -np.log(l1 / l0) / np.log(t1 / t0) == pytest.approx(chi(BETAS[j], rich=n > 0), abs=2e-3)
            beside = np.exp(np.interp(np.log([t0, t1]), time, np.log(curve["loss"])))
            assert np.all(np.array([l0, l1]) > beside) if n == 0 else np.all(np.array([l0, l1]) < beside)
            assert row[j]["axis"]["low"] < l1 < l0 < row[j]["axis"]["high"]


def test_curves_stay_near_gradient_flow(explorer):
    assert explorer.largest_sharpness <= LARGEST_SHARPNESS
    task = explorer.tasks[0][0]
    curve = task.curves[-1]
    assert (curve.gamma, curve.eta < ETA) == (2.0, True)
    flow = gradient_flow(PowerLaw(task.alpha, task.beta).quadrature(1e4), curve.gamma, explorer.time)
    late = explorer.time > 1
    # Unit steps differ from the flow by a few eta times the rate of the fastest mode, which dies out early.
    np.testing.assert_allclose(curve.loss[late], flow.loss[late], rtol=0.02)


def test_boundaries_of_regimes_are_named(explorer):
    on_boundary = {(task.alpha, task.beta) for row in explorer.tasks for task in row if task.on_boundary}
    assert on_boundary == {(1.5, 1.0), (2.0, 1.0)}
    assert "logarithms" in explorer_data(explorer, START)["tasks"][0][1]["verdict"]


def test_sliders_start_at_the_nearest_position(explorer):
    assert explorer_data(explorer, (1.7, 1.05, 0.6))["start"] == [0, 1, 0]
    assert explorer_data(explorer, START)["start"] == [0, 0, 1]


def test_json_cannot_leave_its_script_element():
    hostile = {"a": "</script><script>alert(1)</script><!-- & \u2028"}
    text = script_safe_json(hostile)
    assert json.loads(text) == hostile
    assert not set("<>&\u2028") & set(text)
    with pytest.raises(ValueError, match="JSON"):
        script_safe_json({"loss": [float("nan")]})


def test_page_asks_no_other_host_and_carries_no_identifier(html):
    assert not re.search(r"https?:|//[a-z]|@import|url\(", html, re.IGNORECASE)
    for _, attributes in parsed(html).elements:
        assert not {"src", "href", "id", "name"} & set(attributes)
    assert "__" not in html.replace(parsed(html).data, "")


def test_page_is_operable_by_keyboard_and_announced(html):
    elements = parsed(html).elements
    sliders = [attributes for tag, attributes in elements if tag == "input"]
    assert [slider["type"] for slider in sliders] == ["range"] * 3
    assert len(re.findall(r"<label>[^<]+<.*?<input[^>]*></label>", html, re.DOTALL)) == 3
    assert any(attributes.get("aria-live") == "polite" for _, attributes in elements)
    assert "noscript" in [tag for tag, _ in elements]


def test_script_has_no_formula_of_the_theory(html):
    own = html[html.rindex('"use strict"') :]
    assert "explore.plot(" in own  # the check below means something
    assert not re.search(r"Math\.|\*\*", own)


def test_size_of_a_page_of_the_book():
    # Bytes a curve takes times the curves of the full-scale grid of 4 x 17 tasks and 5 richnesses.
    small = len(explorer_html(compute_explorer([2.0], [1.2], [1.0], 100.0, 0.1), START))
    larger = len(explorer_html(compute_explorer([2.0], [1.2], [0.5, 1.0], 100.0, 0.1), START))
    assert small + (larger - small) * 4 * 17 * 6 < 300_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alphas": []}, "alphas"),
        ({"alphas": [0.9]}, "alpha.*trace class"),
        ({"betas": [1.2, 0.4]}, "betas.*ascending"),
        ({"gammas": [0.0, 1.0]}, "gammas.*lazy"),
        ({"eta": -0.1}, "eta"),
        ({"time": 0.5}, "time"),
    ],
)
def test_bad_input_is_named(change, message):
    values = {"alphas": [2.0], "betas": [1.2], "gammas": [1.0], "time": 20.0, "eta": 0.1}
    with pytest.raises(InputError, match=message):
        compute_explorer(**{**values, **change})


def test_curves_near_the_edge_of_stability_are_refused(monkeypatch):
    monkeypatch.setattr(items_explorer, "_TARGET_SHARPNESS", 1.7)
    with pytest.raises(InputError, match=r"eta: got 0\.5, .*sharpness reaches 1\.[3-9]"):
        compute_explorer([2.0], [1.2], [2.0], 20.0, 0.5)


def test_growth_of_the_kernel_stays_within_what_the_quadrature_resolves(explorer):
    for task in itertools.chain(*explorer.tasks):
        predicted = kernel_scale(task.beta, max(GAMMAS), 1.0, END)
        assert max(curve.sharpness / curve.eta for curve in task.curves) < 2 * predicted


def test_front_page_shows_the_gain_on_the_hard_task_only():
    plan = intro.Plan(eta=0.05, steps=2000)
    lazy, rich = hard = intro.measured_curves(plan, plan.beta_hard)
    easy = intro.measured_curves(plan, plan.beta_easy)
    assert lazy.fit.exponent == pytest.approx(0.4, abs=0.005)
    assert rich.fit.exponent == pytest.approx(4 / 7, abs=0.03)
    for curve in (*hard, *easy):
        assert curve.fit.exponent == pytest.approx(curve.predicted, abs=0.1)
        assert curve.sharpness < 1  # far from the edge of stability, at 2
    table = intro.exponents(plan, [*hard, *easy])
    tasks = [f"{task}, {kind}" for task in ("hard", "easy", "super-easy") for kind in ("lazy", "rich")]
    assert list(table.task) == tasks
    assert list(table.exponent[:2]) == [lazy.fit.exponent, rich.fit.exponent]
    assert table.interval[1] == rich.fit.interval
    assert table.exponent[4:].isna().all()  # the super-easy task is not shown
    assert table.predicted[4] == 1.6
    assert table.optimum[4] == pytest.approx(0.67, abs=0.005)
