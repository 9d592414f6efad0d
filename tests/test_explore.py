"""The page of explorers computes what the library computes, at random points, and can be operated without a mouse."""

import json
import math
import re

import numpy as np
import pytest
from scipy.special import zeta

from browser import evaluate, operate
from companion.explorer import compute_explorer, explorer_html
from companion.pages import explore
from neural_scaling.dmft import decay_terms, kernel_flow
from neural_scaling.spectra import PowerLaw, Spectrum
from neural_scaling.theory import (
    chi,
    compute_optimum,
    edge_of_stability_step,
    frontier,
    lazy_loss,
    loss_terms,
    regime,
)

POINTS = 21
AT = slice(20, None, 40)  # of the times of a flow
NAMES = ("plane", "allocation", "edge", "spectrum")


def call(expression, folder, **data):
    """Evaluate an expression of ``E``, the functions, and of named lists of numbers."""
    given = "".join(f"const {name} = {json.dumps(value)};" for name, value in data.items())
    return evaluate("theory.js", f"(() => {{ const E = nsTheory; {given} return {expression}; }})()", folder)


def tasks(seed):
    """Return random capacities and sources, a third of each regime."""
    rng = np.random.default_rng(seed)
    alphas = rng.uniform(1.1, 3.9, POINTS)
    ends = [(0.1, 1, 2 - 1 / alpha, 3)[n % 3 :][:2] for n, alpha in enumerate(alphas)]
    betas = [rng.uniform(*pair) for pair in ends]
    return alphas.tolist(), betas, rng


def test_exponents_terms_and_optima(tmp_path):
    alphas, betas, rng = tasks(1)
    logs = rng.uniform(-2, 20, (POINTS, 3)).tolist()  # ln t, ln N, ln B/eta
    # JSON has no infinity, and writes null.
    expression = """alphas.map((alpha, i) => [false, true].map((rich) => ({
        regime: E.regime(alpha, betas[i]), chi: E.chi(betas[i], rich), optimum: E.optimum(alpha, betas[i], rich),
        terms: [false, true].map((corrected) => E.lossTerms(alpha, betas[i], rich, corrected).map((term) =>
          [E.logTerm(term, ...logs[i]), E.logTerm(term, logs[i][0], Infinity, Infinity)])) })))"""
    for alpha, beta, at, kinds in zip(
        alphas, betas, logs, call(expression, tmp_path, alphas=alphas, betas=betas, logs=logs), strict=True
    ):
        for rich, found in zip((False, True), kinds, strict=True):
            assert found["regime"] == regime(alpha, beta)
            assert found["chi"] == pytest.approx(chi(beta, rich), rel=1e-14)
            best = compute_optimum(alpha, beta, rich)
            assert [found["optimum"][name] for name in "ra"] == pytest.approx([best.r, best.a], rel=1e-13)
            for version, terms in zip(("paper", "corrected"), found["terms"], strict=True):
                t, N, batch = np.exp(at)
                for term, (log, limit) in zip(loss_terms(alpha, beta, rich, version), terms, strict=True):
                    assert log == pytest.approx(math.log(term(t, N, batch)), abs=1e-11)
                    infinite = float(term(t))
                    assert (limit is None) == (infinite == 0)
                    assert limit is None or limit == pytest.approx(math.log(infinite), abs=1e-11)


def test_allocation(tmp_path):
    alphas, betas, rng = tasks(2)
    computes, etas = rng.uniform(3, 46, POINTS).tolist(), (10 ** rng.uniform(-3, 0, POINTS)).tolist()
    batches = [None] * 4 + [float(batch) for batch in rng.integers(1, 10**6, POINTS - 4)]  # None: infinite
    expression = """alphas.map((alpha, i) => [false, true].map((rich) =>
        E.frontier(E.lossTerms(alpha, betas[i], rich, true), computes[i], Math.log((batches[i] ?? Infinity) / etas[i]))))"""
    points = {"alphas": alphas, "betas": betas, "computes": computes, "etas": etas, "batches": batches}
    for i, kinds in enumerate(call(expression, tmp_path, **points)):
        for rich, found in zip((False, True), kinds, strict=True):
            terms = loss_terms(alphas[i], betas[i], rich, "corrected")
            best = frontier(terms, computes[i], batches[i] or math.inf, etas[i])
            # The minimum is flat: where it lies is known to the root of the rounding of the shares.
            assert found["width"] == pytest.approx(float(best.log_width), abs=1e-9)
            assert found["time"] == pytest.approx(float(best.log_time), abs=1e-9)
            assert found["loss"] == pytest.approx(float(best.log_loss), abs=1e-12)
            assert found["r"] == pytest.approx(float(best.r), abs=1e-9)
            assert found["a"] == pytest.approx(float(best.a), rel=1e-6)
            assert found["shares"] == pytest.approx(best.shares.tolist(), abs=1e-9)


def test_edge_of_stability(tmp_path):
    alphas, _, rng = tasks(3)
    betas = rng.uniform(0.1, 0.6, POINTS).tolist()
    gammas, etas = (10 ** rng.uniform(0, 1, POINTS)).tolist(), rng.uniform(0.3, 1.5, POINTS).tolist()
    expression = """alphas.map((alpha, i) => {
        const { edge, guess } = E.findEdge(alpha, betas[i], gammas[i], etas[i]); return [edge, guess]; })"""
    found = call(expression, tmp_path, alphas=alphas, betas=betas, gammas=gammas, etas=etas)
    reached = 0
    for alpha, beta, gamma, eta, (edge, guess) in zip(alphas, betas, gammas, etas, found, strict=True):
        assert guess == pytest.approx(edge_of_stability_step(beta, gamma, eta), rel=1e-12)
        reached += edge is not None
        modes = PowerLaw(alpha, beta).quadrature(8 * edge / eta, nodes_per_bin=4)
        flow = kernel_flow(modes, gamma, [edge])
        # Between 32 points a decade the curve is taken as straight, which is good to a few parts in ten thousand.
        assert eta * flow.sharpness[0] == pytest.approx(2, rel=1e-3)
    assert reached == POINTS


def test_edge_of_stability_at_its_limits(tmp_path):
    cases = [[0.4, 1.0, 2.0], [1.5, 3.0, 1.0], [1.5, 0.7, 1.0], [0.999, 0.1, 0.1]]  # beta, gamma, eta
    found = call("cases.map((one) => E.edgeStep(...one))", tmp_path, cases=cases)
    assert found == [None if (step := edge_of_stability_step(*one)) == math.inf else step for one in cases]


def test_flow_of_random_spectra(tmp_path):
    rng = np.random.default_rng(4)
    sizes, gammas = rng.integers(1, 13, POINTS), (10 ** rng.uniform(-2, 2, POINTS)).tolist()
    spectra = [
        Spectrum(np.sort(10 ** rng.uniform(-3, 1, size))[::-1], rng.normal(size=size) * 10 ** rng.uniform(-1, 1))
        for size in sizes
    ]
    # As pasted: every number in full, in any order of modes.
    pasted = []
    for spectrum in spectra:
        order = rng.permutation(spectrum.modes)
        rows = zip(spectrum.eigenvalues[order].tolist(), spectrum.target[order].tolist(), strict=True)
        pasted.append("lambda;w\n" + "\n".join(f"{value!r}; {target!r}" for value, target in rows))
    expression = """texts.map((text, i) => {
        const modes = E.readSpectrum(text), flow = E.richFlow(modes, gammas[i], Infinity, 1 / modes.rate.at(-1), true);
        return { flow, lazy: E.lazyFlow(modes, flow.time) }; })"""
    for spectrum, gamma, found in zip(
        spectra, gammas, call(expression, tmp_path, texts=pasted, gammas=gammas), strict=True
    ):
        flow = {name: np.array(values)[AT] for name, values in found["flow"].items() if name != "error"}
        slow = kernel_flow(spectrum, gamma, flow["time"])
        # The page states the error of the halved step; extrapolation is better, and the library keeps about 1e-6.
        off = np.abs(flow["loss"] / slow.loss - 1).max()
        assert off < 1e-5
        assert off < found["flow"]["error"] + 2e-6
        assert found["flow"]["error"] < 2e-3
        np.testing.assert_allclose(flow["scale"], slow.scale, rtol=1e-5)
        np.testing.assert_allclose(flow["sharpness"], slow.sharpness, rtol=2e-3)  # not extrapolated
        terms = decay_terms(slow)
        exponent = 2 * flow["time"] * (terms.lazy + terms.scale + terms.spike) / slow.loss
        np.testing.assert_allclose(flow["exponent"], exponent, rtol=1e-4, atol=1e-6)
        lazy = lazy_loss(spectrum.quadrature(), flow["time"])
        np.testing.assert_allclose(np.array(found["lazy"]["loss"])[AT], lazy, rtol=1e-12)


def test_modes_of_power_laws_with_and_without_a_kink(tmp_path):
    alphas, betas, rng = tasks(5)
    beyond = rng.uniform([1.1, 0.3], [3.0, 2.0], (POINTS, 2)).tolist()
    kinks = [None] * 4 + np.round(10 ** rng.uniform(0, 4, POINTS - 4)).tolist()
    times = [1.0, 30.0, 1e3]
    expression = """alphas.map((alpha, i) => {
        const [alphaBeyond, betaBeyond] = beyond[i], kink = kinks[i] ?? Infinity;
        return E.lazyFlow(E.powerLaw({ alpha, beta: betas[i], kink, alphaBeyond, betaBeyond }, 1e3), times); })"""
    found = call(expression, tmp_path, alphas=alphas, betas=betas, kinks=kinks, beyond=beyond, times=times)
    k = np.arange(1, 200_001.0)
    for alpha, beta, kink, (alpha2, beta2), curve in zip(alphas, betas, kinks, beyond, found, strict=True):
        if kink is None:
            kink, alpha2, beta2 = math.inf, alpha, beta
        near, far = np.minimum(k, kink), np.maximum(k / kink, 1)
        rates, variances = near**-alpha * far**-alpha2, near ** (-alpha * beta - 1) * far ** (-alpha2 * beta2 - 1)
        # All modes beyond the last one, at the start, and the most that can be learned of them.
        rest = variances[-1] * k[-1] ** (alpha2 * beta2 + 1) * zeta(alpha2 * beta2 + 1, k[-1] + 1)
        for time, value in zip(times, curve["loss"], strict=True):
            loss, learned = variances @ np.exp(-2 * rates * time), -np.expm1(-2 * rates[-1] * time)
            assert loss + rest * (1 - learned) < value * (1 + 1e-5)
            assert value < (loss + rest) * (1 + 1e-5)


def test_flow_of_a_kinked_power_law(tmp_path):
    law, gamma = {"alpha": 1.5, "beta": 0.4, "kink": 30.0, "alphaBeyond": 2.5, "betaBeyond": 1.6}, 2.0
    found = call("E.powerLawFlow(law, gamma, 1e4).flow", tmp_path, law=law, gamma=gamma)
    k = np.arange(1, 3001.0)
    near, far = np.minimum(k, 30), np.maximum(k / 30, 1)
    rates, variances = near**-1.5 * far**-2.5, near**-1.6 * far**-5.0
    slow = kernel_flow(Spectrum(rates, np.sqrt(variances / rates)), gamma, found["time"][20::40])
    rest = variances[-1] * k[-1] ** 5 * zeta(5, k[-1] + 1)  # no step reaches these modes
    np.testing.assert_allclose(found["loss"][20::40], slow.loss + rest, rtol=1e-5)


def test_many_modes_are_merged_without_loss(tmp_path):
    text = "\n".join(f"{k**-1.2:.17g} {k**-0.3:.17g}" for k in range(1, 5001))
    whole, merged = call(
        """[2400, 5000].map((count) => { const modes = E.readSpectrum(text.split("\\n").slice(0, count).join("\\n"));
        return { count: modes.rate.length, lazy: E.lazyFlow(modes, [1, 100, 1000]).loss }; })""",
        tmp_path,
        text=text,
    )
    for found, count in ((whole, 2400), (merged, 5000)):
        assert found["count"] < 2000
        k = np.arange(1, count + 1.0)
        exact = [k**-1.8 @ np.exp(-2 * k**-1.2 * time) for time in (1, 100, 1000)]
        np.testing.assert_allclose(found["lazy"], exact, rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The table is empty"),
        ("lambda,w\n", "The table is empty"),
        ("1,1\n0.5\n", "Line 2, “0.5”: give two numbers"),
        ("1,1\n\n0.5 1 2\n", "Line 3, “0.5 1 2”: give two numbers"),
        ("1,1\n0.5,x\n", "Line 2, “0.5,x”: one of the two is not a finite number"),
        ("1,nan", "Line 1, “1,nan”: one of the two is not a finite number"),
        ("# a comment\n1,1\n-1e-9\t2\n", "Line 3, “-1e-9\t2”: λ must be positive"),
        ("1,1\n0,1", "Line 2, “0,1”: λ must be positive"),
        ("1,\n", "Line 1, “1,”: one of the two"),
        ("1,0\n2,0", "Every w is zero"),
        ("1,1\n1e-300,1", "Line 2, “1e-300,1”: sizes from 1e-60"),
        ("0,5; 1,2", "Line 1, “0,5; 1,2”: give two numbers"),
    ],
)
def test_a_bad_table_is_refused_by_its_line(text, message, tmp_path):
    expression = "(() => { try { E.readSpectrum(text); return null; } catch (error) { return error.message; } })()"
    assert call(expression, tmp_path, text=text).startswith(message)


def page():
    front = explorer_html(compute_explorer([1.5, 2.0], [0.4, 1.2], [0.5, 2.0], 20.0, 0.1), (1.5, 0.4, 2.0))
    return front + explore.shared(explore.Plan()) + "".join(map(explore.explorer, NAMES))


SCRIPT = """
    const later = (time) => new Promise((done) => setTimeout(done, time));
    const part = (name) => document.querySelector(`[data-explorer="${name}"]`);
    const labels = (name) => [...part(name).querySelectorAll("label")];
    const field = (name, label) => labels(name).find((one) => one.textContent.startsWith(label)).control;
    const enter = (name, label, value) => {
      const control = field(name, label);
      control.value = value;
      control.dispatchEvent(new Event("input", { bubbles: true }));
    };
    const text = (name, kind) => part(name).querySelector(kind).textContent;
    const key = (target, name, shiftKey = false) =>
      target.dispatchEvent(new KeyboardEvent("keydown", { key: name, shiftKey, bubbles: true }));
"""


def test_the_page_is_operated(tmp_path):
    found = operate(
        page(),
        SCRIPT
        + """
        const found = { start: field("edge", "Learning").value, eta: field("plane", "Learning").value };
        found.unlabelled = [...document.querySelectorAll("input, select, textarea")]
          .filter((one) => !one.labels.length && !one.getAttribute("aria-label")).length;
        const svg = part("plane").querySelector("svg"), point = svg.querySelector(".ns-point");
        key(point, "ArrowRight");
        key(point, "ArrowUp", true);
        found.keys = [field("plane", "Capacity").value, field("plane", "Source").value, point.getAttribute("aria-valuetext")];
        const box = svg.getBoundingClientRect();
        const at = (share) => ({ clientX: box.left + share * box.width, clientY: box.top + 0.4 * box.height });
        svg.dispatchEvent(new PointerEvent("pointerdown", { ...at(0.9), pointerType: "mouse", bubbles: true }));
        window.dispatchEvent(new PointerEvent("pointermove", at(0.8)));
        window.dispatchEvent(new PointerEvent("pointerup"));
        window.dispatchEvent(new PointerEvent("pointermove", at(0.2)));
        found.dragged = [Number(field("plane", "Source").value), text("plane", "[role=status]")];
        const plot = part("allocation").querySelector("svg");
        plot.dispatchEvent(new Event("focus"));
        found.middle = plot.getAttribute("aria-valuetext");
        key(plot, "ArrowRight");
        found.right = plot.getAttribute("aria-valuetext");
        enter("edge", "Richness", "-1");
        found.wrong = [text("edge", "[role=alert]"), getComputedStyle(part("edge").querySelector(".ns-results")).visibility];
        enter("edge", "Richness", "4");
        found.right_again = [text("edge", "[role=alert]"), text("edge", "[role=status]")];
        enter("spectrum", "Modes", "table");
        found.table = text("spectrum", "[role=status]");
        enter("spectrum", "λ and w", "1 1\\n0.1 oops");
        found.line = text("spectrum", "[role=alert]");
        const front = document.querySelector(".ns-explorer:not([data-explorer])");
        const source = front.querySelector("[data-slider=beta]");
        source.value = "1";
        source.dispatchEvent(new Event("input"));
        const curve = front.querySelector("svg");
        curve.dispatchEvent(new Event("focus"));
        found.front = [front.querySelector(".ns-verdict").textContent.slice(0, 10), curve.getAttribute("aria-valuetext")];
        const count = (one, anchor) => one.querySelectorAll(`text[text-anchor="${anchor}"]:not(.ns-name)`).length;
        found.ticks = [...document.querySelectorAll(".ns-plot")].map((one) => [count(one, "middle"), count(one, "end")]);
        await later(500);
        found.hash = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
        location.hash = "#plane.alpha=2.5&model.gamma=0.5";
        await later(500);
        found.back = ["Capacity", "Source"].map((name) => field("plane", name).value);
        found.back.push(field("edge", "Richness").value, source.value);
        found.gamma = front.querySelector("[data-slider=gamma]").value;
        found.requests = performance.getEntriesByType("resource").length;
        return found;""",
        tmp_path,
        "#edge.eta=0.25",
    )
    assert (found["start"], found["eta"]) == ("0.25", "0.1")
    assert found["unlabelled"] == found["requests"] == 0
    assert found["keys"] == ["1.51", "0.45", "β 0.45, α 1.51, hard"]
    assert (
        1.7 < found["dragged"][0] < 2.1
    )  # four fifths of the width of the drawing, and not where the pointer went later
    assert found["dragged"][1].startswith("Super-easy task")
    assert re.fullmatch(r"C = \S.*: lazy \S.*, rich \S.*", found["middle"])
    assert found["middle"] != found["right"]
    assert found["wrong"] == ["Richness γ: got “-1”; give a number from 0.001 to 100.", "hidden"]
    assert found["right_again"][0] == ""
    assert "η × sharpness reaches 2 after" in found["right_again"][1]
    assert "40 modes" in found["table"]
    assert found["line"].startswith("Line 2, “0.1 oops”")
    assert found["front"][0] == "Easy task:"
    assert re.fullmatch(r"t = \S+: lazy \S+, rich \S+", found["front"][1])
    assert {key: found["hash"][key] for key in ("edge.eta", "edge.gamma", "spectrum.table", "model.beta")} == {
        "edge.eta": "0.25",
        "edge.gamma": "4",
        "spectrum.table": "1 1\n0.1 oops",
        "model.beta": "1.2",
    }
    # The name of the horizontal axis, and at least two numbers on either.
    assert len(found["ticks"]) == 5
    assert all(across >= 3 and up >= 2 for across, up in found["ticks"])
    assert found["back"] == ["2.5", "0.4", "1", "0"]
    assert found["gamma"] == "0"


def test_nothing_is_wider_than_the_page(tmp_path):
    # A window of a headless browser is at least 500 wide, a frame may be narrower.
    inner = json.dumps(f'<!doctype html><meta charset="utf-8"><body>{page()}').replace("</", "<\\/")
    script = f"""
        const frame = document.createElement("iframe");
        frame.style = "width: 1400px; height: 800px; border: 0";
        frame.srcdoc = {inner};
        document.body.append(frame);
        await new Promise((done) => frame.addEventListener("load", done));
        const root = frame.contentDocument.documentElement, found = [];
        for (const width of [1400, 390]) {{
          frame.style.width = `${{width}}px`;
          await new Promise((done) => setTimeout(done, 300));
          found.push([root.scrollWidth, root.clientWidth, root.querySelectorAll("[data-ready] .ns-plot polyline").length]);
        }}
        return found;"""
    for needed, there, lines in operate("", script, tmp_path, size="1500,900"):
        assert needed <= there
        assert lines >= 10


def test_the_page_asks_no_other_host_and_is_light():
    html = page()
    assert not re.search(r"https?:|[\"'(]//[a-z]|@import|url\(", html, re.IGNORECASE)
    shared = explore.shared(explore.Plan())
    assert "__" not in re.sub(r"__proto__", "", shared)
    assert len(shared.encode()) < 75_000
