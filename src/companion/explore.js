/* The page of explorers: controls, and the four explorers that they drive. */
globalThis.nsExplore ??= (() => {
  "use strict";

  const { between, bookmark, element, fixed, LONGEST, onWidth, plot, save, shown, valueAt } = globalThis.nsPlots;
  const { chi, findEdge, frontier, growth, lazyFlow, logSum, logTerm, lossTerms } = globalThis.nsTheory;
  const { optimum, powerLaw, powerLawFlow, readSpectrum, regime, richFlow } = globalThis.nsTheory;

  // ---- One explorer: controls from a list of fields, an alert for bad input, a status, a place for results ----

  function readNumber(field, text) {
    const value = /^(∞|inf(inity)?)$/i.test(text.trim()) ? Infinity : Number(text.trim() || NaN);
    const good = field.infinite && value === Infinity ? true : value >= field.low && value <= field.high;
    if (!good) {
      const range = `from ${shown(field.low)} to ${shown(field.high)}${field.infinite ? ", or inf" : ""}`;
      throw new Error(`${field.label}: got “${text}”; give a number ${range}.`);
    }
    return value;
  }

  const STEPS = 200;
  /** A number as one types it: 0.25, 1e6, inf. */
  function plain(value) {
    if (value === Infinity) return "inf";
    const short = Number(value.toPrecision(10));
    return short === 0 || (short >= 1e-3 && short < 1e5) ? String(short) : short.toExponential().replace("+", "");
  }

  function placed(field, value) {
    if (value === Infinity) return STEPS + 1;
    const of = field.log ? Math.log : (number) => number;
    return Math.round((STEPS * (of(value) - of(field.low))) / (of(field.high) - of(field.low)));
  }

  function fromPlace(field, place) {
    if (place > STEPS) return Infinity;
    const value = field.log
      ? field.low * (field.high / field.low) ** (place / STEPS)
      : field.low + ((field.high - field.low) * place) / STEPS;
    return Math.min(
      field.high,
      Math.max(field.low, field.log ? Number(value.toPrecision(2)) : Number(value.toFixed(2))),
    );
  }

  /** Build the controls of an explorer; `update(values)` shows results or throws an error that names the field. */
  function controls(root, name, fields, update) {
    const box = element(root, "div", { class: "ns-sliders" }),
      alert = element(root, "p", { class: "ns-error", role: "alert" });
    const status = element(root, "p", { class: "ns-verdict", role: "status", "aria-live": "polite" });
    const results = element(root, "div", { class: "ns-results" }),
      text = {},
      inputs = {};
    for (const field of fields) {
      const holder = element(box, "div", field.wide ? { class: "ns-wide" } : {});
      const label = element(holder, "label", {}, `${field.label} `);
      if (typeof field.start === "number") field.start = plain(field.start);
      text[field.name] = field.start;
      if (field.options) {
        const select = element(label, "select");
        for (const [value, words] of field.options) element(select, "option", { value }, words);
        inputs[field.name] = { holder, entry: select };
      } else if (field.wide) {
        const area = element(label, "textarea", { rows: 6, spellcheck: "false", autocomplete: "off" });
        inputs[field.name] = { holder, entry: area };
      } else {
        const entry = element(label, "input", {
          type: "text",
          inputmode: "decimal",
          autocomplete: "off",
          class: "ns-number",
        });
        const range = {
          type: "range",
          min: 0,
          max: STEPS + (field.infinite ? 1 : 0),
          step: 1,
          "aria-label": `${field.label}, slider`,
          autocomplete: "off",
        };
        inputs[field.name] = { holder, entry, slider: element(holder, "input", range) };
        inputs[field.name].slider.addEventListener("input", (event) =>
          set({ [field.name]: plain(fromPlace(field, Number(event.target.value))) }),
        );
      }
      inputs[field.name].entry.addEventListener("input", (event) => set({ [field.name]: event.target.value }));
    }
    function show() {
      const values = {};
      let wrong = "";
      for (const field of fields) {
        const { entry, slider } = inputs[field.name];
        if (entry.value !== text[field.name]) entry.value = text[field.name];
        try {
          values[field.name] = field.options || field.wide ? text[field.name] : readNumber(field, text[field.name]);
          if (slider) slider.value = String(placed(field, values[field.name]));
          slider?.setAttribute("aria-valuetext", shown(values[field.name]));
          entry.removeAttribute("aria-invalid");
        } catch (error) {
          entry.setAttribute("aria-invalid", "true");
          wrong ||= error.message;
        }
      }
      for (const field of fields) inputs[field.name].holder.hidden = Boolean(field.when && !field.when(text));
      if (!wrong) {
        try {
          update(values);
        } catch (error) {
          wrong = error.message;
        }
      }
      alert.textContent = wrong;
      root.toggleAttribute("data-wrong", Boolean(wrong));
    }
    function set(changes) {
      for (const [key, value] of Object.entries(changes)) if (key in text) text[key] = value;
      show();
      save();
    }
    root.setAttribute("data-ready", "");
    const say = (words) => {
      if (status.textContent !== words) status.textContent = words;
    };
    const start = () => {
      const differs = () =>
        Object.fromEntries(
          fields.filter((field) => text[field.name] !== field.start).map((field) => [field.name, text[field.name]]),
        );
      bookmark(root, name, differs, (found) => {
        for (const field of fields) text[field.name] = found[field.name] ?? field.start;
        for (const field of fields)
          if (field.options && !field.options.some(([value]) => value === text[field.name]))
            text[field.name] = field.start;
        show();
      });
      onWidth(root, show);
    };
    return { results, say, set, start };
  }

  /** A table with a head of texts and rows of texts or elements; the first cell of a row is its head. */
  function table(parent, caption, kind = "") {
    const made = element(parent, "table", { class: kind });
    element(made, "caption", {}, caption);
    return (head, rows) => {
      made.querySelectorAll("thead, tbody").forEach((part) => part.remove());
      const first = element(element(made, "thead"), "tr");
      for (const text of head) element(first, "th", { scope: "col" }, text);
      const body = element(made, "tbody");
      for (const [name, ...cells] of rows) {
        const row = element(body, "tr");
        element(row, "th", { scope: "row" }).append(name);
        for (const cell of cells) element(row, "td").append(cell);
      }
    };
  }

  /** A product of powers, such as t^-0.4 or N^-1 t^0.2, as an element. */
  function powers(parts) {
    const span = document.createElement("span");
    for (const [base, exponent] of parts.filter(([, value]) => value !== 0)) {
      span.append(`${span.childNodes.length ? " " : ""}${base}`);
      if (exponent !== 1) element(span, "sup", {}, typeof exponent === "string" ? exponent : shown(exponent, 2));
    }
    return span;
  }

  /** A power among words. */
  function withPower(before, base, exponent, after = "") {
    const span = powers([[base, exponent]]);
    span.prepend(before);
    span.append(after);
    return span;
  }

  const termPowers = (term) =>
    powers([
      ["(η/B)", -term.B],
      ["N", term.N],
      ["t", term.t],
    ]);

  /** Largest (eta / B) K, the relative noise of a hard rich task, that passes as the first order of an expansion. */
  const FIRST_ORDER = 0.1;

  /** Whether logarithms multiply the powers of a task. */
  const onBoundary = (alpha, beta) => Math.abs(beta - 1) < 1e-9 || Math.abs(beta - 2 + 1 / alpha) < 1e-9;

  const explorers = {};

  // ---- The plane of tasks ----

  explorers.plane = (root, data) => {
    const end = data.plane;
    const fields = [
      { name: "alpha", label: "Capacity α", low: end.alpha[0], high: end.alpha[1] },
      { name: "beta", label: "Source β", low: end.beta[0], high: end.beta[1] },
      { name: "time", label: "Time t = η × steps", low: 1, high: 1e12, log: true },
      { name: "width", label: "Width N", low: 1, high: 1e9, log: true, infinite: true },
      { name: "batch", label: "Batch B", low: 1, high: 1e9, log: true, infinite: true },
      { name: "eta", label: "Learning rate η", low: 1e-5, high: 2, log: true },
      {
        name: "regime",
        label: "Terms",
        options: [
          ["rich", "rich"],
          ["lazy", "lazy"],
        ],
      },
    ].map((field) => ({ ...field, start: data.start[field.name] }));
    const { results, say, set, start } = controls(root, "plane", fields, update);
    const holder = element(results, "div", { class: "ns-plane" });
    const svg = element(holder, "svg", { class: "ns-plot", role: "group" });
    const exponents = table(results, "Exponents"),
      terms = table(results, "Terms of the loss law, all prefactors one", "ns-wrap");
    let view = null,
      point = null;

    function update(values) {
      const { alpha, beta } = values,
        rich = values.regime === "rich";
      const logs = [values.time, values.width, values.batch / values.eta].map(Math.log);
      const versions = [false, true].map((corrected) => {
        const list = lossTerms(alpha, beta, rich, corrected),
          sizes = list.map((term) => logTerm(term, ...logs)),
          total = logSum(sizes);
        return { list, sizes, total, top: sizes.indexOf(Math.max(...sizes)) };
      });
      const [printed, corrected] = versions;
      const kind = regime(alpha, beta),
        [lazy, learned] = [chi(beta, false), chi(beta, true)];
      const gain = kind === "hard" ? `raises χ from ${fixed(lazy)} to ${fixed(learned)}` : `keeps χ at ${fixed(lazy)}`;
      const largest = ({ sizes, total, top }) =>
        `${data.terms[top]} (${Math.round(100 * Math.exp(sizes[top] - total))} %)`;
      // The term over the first is (eta/B) K, which the first order of an expansion needs small.
      const noise = Math.exp(corrected.sizes[3] - corrected.sizes[0]);
      say(
        `${kind[0].toUpperCase()}${kind.slice(1)} task: feature learning ${gain}. ` +
          `Largest ${values.regime} term: ${largest(corrected)} corrected, ` +
          `${largest(printed)} as printed.` +
          (onBoundary(alpha, beta) ? " On this boundary logarithms multiply the powers." : "") +
          (rich && beta < 1 && noise > FIRST_ORDER
            ? ` The noise is ${shown(noise, 2)} of gradient flow, beyond the first order that its term stands for.`
            : ""),
      );
      const optima = [optimum(alpha, beta, false), optimum(alpha, beta, true)];
      exponents(
        ["", "lazy", "rich"],
        [
          [withPower("Loss in time, L ~ ", "t", "−χ"), fixed(lazy), fixed(learned)],
          [withPower("Compute-optimal loss, L* ~ ", "C", "−r"), ...optima.map((one) => fixed(one.r))],
          [withPower("Compute-optimal width, N* ~ ", "C", "a"), ...optima.map((one) => fixed(one.a))],
        ],
      );
      const cell = ({ list, sizes, top }, i) => {
        const span = termPowers(list[i]);
        span.append(" ");
        element(span, "span", { class: "ns-whole" }, `= ${shown(Math.exp(sizes[i]), 2)}`);
        if (i === top) element(span, "strong", { class: "ns-whole" }, "\u00a0◀ largest");
        return span;
      };
      terms(
        [values.regime, "as printed", "corrected"],
        data.terms.map((name, i) => [name, cell(printed, i), cell(corrected, i)]),
      );
      draw(values, kind);
    }

    function draw({ alpha, beta }, kind) {
      const capacities = Array.from({ length: 41 }, (_, n) => end.alpha[0] + ((end.alpha[1] - end.alpha[0]) * n) / 40);
      const middle = (end.alpha[0] + end.alpha[1]) / 2,
        border = 2 - 1 / middle;
      view = plot(svg, {
        x: { low: end.beta[0], high: end.beta[1], label: "source β", log: false },
        y: { low: end.alpha[0], high: end.alpha[1], label: "capacity α", log: false },
        rules: [
          {
            points: [
              [1, end.alpha[0]],
              [1, end.alpha[1]],
            ],
            kind: "ns-border",
          },
          { points: capacities.map((value) => [2 - 1 / value, value]), kind: "ns-border ns-guide" },
        ],
        words: [
          { x: (end.beta[0] + 1) / 2, y: middle, text: "hard" },
          { x: (1 + border) / 2, y: middle + 0.9, text: "easy" },
          { x: (border + end.beta[1]) / 2, y: middle, text: "super-easy" },
        ],
        label: "Plane of tasks with its three regimes",
      });
      if (!point) {
        point = element(svg.view.above, "g", {
          class: "ns-point",
          role: "slider",
          tabindex: "0",
          "aria-label": "Task in the plane; left and right change β, up and down α",
          "aria-valuemin": end.beta[0],
          "aria-valuemax": end.beta[1],
        });
        element(point, "circle", { r: 22, class: "ns-reach" });
        element(point, "circle", { r: 9 });
        point.addEventListener("keydown", keys);
        point.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false }); // drag, do not scroll
        svg.addEventListener("pointerdown", grab);
        svg.addEventListener("click", place);
        window.addEventListener("pointermove", (event) => {
          if (dragged) place(event);
        });
        for (const end of ["pointerup", "pointercancel"])
          window.addEventListener(end, () => {
            dragged = false;
          });
      }
      point.setAttribute("transform", `translate(${view.across(beta)} ${view.up(alpha)})`);
      point.setAttribute("aria-valuenow", beta);
      point.setAttribute("aria-valuetext", `β ${shown(beta)}, α ${shown(alpha)}, ${kind}`);
      current = { alpha, beta };
    }

    let current = null,
      dragged = false;
    const move = (alpha, beta) => {
      const within = (value, [low, high]) => plain(Math.min(high, Math.max(low, Number(value.toFixed(2)))));
      set({ alpha: within(alpha, end.alpha), beta: within(beta, end.beta) });
    };
    function place(event) {
      const box = svg.getBoundingClientRect(),
        { frame } = view;
      const share = (from, to, at) => (at - from) / (to - from);
      const [x, y] = [
        share(frame.left, frame.right, event.clientX - box.left),
        share(frame.bottom, frame.top, event.clientY - box.top),
      ];
      move(end.alpha[0] + y * (end.alpha[1] - end.alpha[0]), end.beta[0] + x * (end.beta[1] - end.beta[0]));
    }
    function grab(event) {
      if (!point.contains(event.target) && event.pointerType !== "mouse") return; // a finger may scroll
      dragged = true;
      event.preventDefault();
      point.focus({ preventScroll: true });
      place(event);
    }
    function keys(event) {
      const step = event.shiftKey ? 0.01 : 0.05;
      const [right, up] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowDown: [0, -step], ArrowUp: [0, step] }[
        event.key
      ] ?? [0, 0];
      if (!right && !up) return;
      event.preventDefault();
      move(current.alpha + up, current.beta + right);
    }
    start();
  };

  // ---- Compute-optimal allocation ----

  explorers.allocation = (root, data) => {
    const fields = [
      { name: "alpha", label: "Capacity α", low: 1.01, high: 4 },
      { name: "beta", label: "Source β", low: 0.05, high: 3 },
      { name: "compute", label: "Compute C = N t", low: 10, high: 1e20, log: true },
      { name: "batch", label: "Batch B", low: 1, high: 1e9, log: true, infinite: true },
      { name: "eta", label: "Learning rate η", low: 1e-5, high: 2, log: true },
    ].map((field) => ({ ...field, start: data.start[field.name] }));
    const { results, say, start } = controls(root, "allocation", fields, update);
    const svg = element(element(results, "div"), "svg", { class: "ns-plot" });
    const shares = table(results, "At this compute, all prefactors one");

    function update({ alpha, beta, compute, batch, eta }) {
      const log = Math.log(compute),
        noise = Math.log(batch / eta),
        kinds = [false, true];
      const laws = kinds.map((rich) => lossTerms(alpha, beta, rich, true));
      const best = laws.map((terms) => frontier(terms, log, noise));
      const optima = kinds.map((rich) => optimum(alpha, beta, rich));
      const both = (of) => best.map(of);
      shares(
        ["", "lazy", "rich"],
        [
          ["Width N*", ...both((one) => shown(Math.exp(one.width)))],
          ["Time t* = η × steps", ...both((one) => shown(Math.exp(one.time)))],
          ["Steps", ...both((one) => shown(Math.exp(one.time) / eta))],
          ["Loss L*", ...both((one) => shown(Math.exp(one.loss)))],
          [withPower("Slope r here, L* ~ ", "C", "−r"), ...both((one) => fixed(one.r, 3))],
          ["r in Table 1", ...optima.map((one) => fixed(one.r, 3))],
          [withPower("Slope a here, N* ~ ", "C", "a"), ...both((one) => fixed(one.a, 3))],
          ["a in Table 1", ...optima.map((one) => fixed(one.a, 3))],
          ["Largest term", ...both((one) => data.terms[one.shares.indexOf(Math.max(...one.shares))])],
        ],
      );
      const grid = Array.from({ length: 61 }, (_, n) => Math.log(10) * (1 + (19 * n) / 60));
      const fronts = laws.map((terms) => grid.map((c) => frontier(terms, c, noise)));
      const curves = fronts.map((list) => list.map((one, n) => [Math.exp(grid[n]), Math.exp(one.loss)]));
      const expansion = (one) => beta >= 1 || one.shares[3] <= FIRST_ORDER * one.shares[0];
      const losses = curves.flat().map((point) => point[1]),
        low = Math.min(...losses) / 1.5,
        high = 1.5 * Math.max(...losses);
      const rich = best[1],
        ratio = rich.shares[3] / rich.shares[0];
      const [lazyBest, richBest] = both((one) =>
        ["width", "time", "loss"]
          .map((name, i) => `${["N", "t", "L"][i]}* = ${shown(Math.exp(one[name]), 2)}`)
          .join(", "),
      );
      say(
        `Lazy: ${lazyBest}. Rich: ${richBest}.` +
          (!expansion(rich)
            ? ` The rich noise is ${shown(ratio, 2)} of gradient flow, beyond the first order that its term stands for.`
            : ""),
      );
      const widths = [0, 2, 4, 6, 8].map((decade) => Math.log(10) * decade);
      plot(svg, {
        x: { low: 10, high: 1e20, label: "compute C = N t", symbol: "C" },
        y: { low, high, label: "loss L" },
        curves: [
          ...widths.map((width) => ({
            kind: "ns-thin",
            points: grid
              .filter((c) => c > width)
              .map((c) => [
                Math.exp(c),
                Math.exp(logSum(laws[1].map((term) => logTerm(term, c - width, width, noise)))),
              ]),
          })),
          { points: curves[0], kind: "ns-line-lazy", name: "lazy" },
          { points: curves[1].filter((_, n) => expansion(fronts[1][n])), kind: "ns-line-rich", name: "rich" },
          { points: curves[1].filter((_, n) => !expansion(fronts[1][n])), kind: "ns-line-rich ns-guide" },
        ],
        rules: [
          {
            points: [
              [compute, low],
              [compute, high],
            ],
            kind: "ns-here",
          },
        ],
        label: "Smallest loss at fixed compute, lazy and rich, on logarithmic axes",
      });
    }
    element(
      results,
      "p",
      { class: "ns-note" },
      "Thin: rich loss at N = 1, 10², 10⁴, 10⁶ and 10⁸. Vertical: the compute chosen. " +
        "Dotted: rich, where the noise is beyond its first order.",
    );
    start();
  };

  // ---- The edge of stability ----

  explorers.edge = (root, data) => {
    const fields = [
      { name: "alpha", label: "Capacity α", low: 1.05, high: 4 },
      { name: "beta", label: "Source β", low: 0.05, high: 3 },
      { name: "gamma", label: "Richness γ", low: 1e-3, high: 100, log: true },
      { name: "eta", label: "Learning rate η", low: 1e-5, high: 2, log: true },
    ].map((field) => ({ ...field, start: data.start[field.name] }));
    const { results, say, start } = controls(root, "edge", fields, update);
    const svg = element(element(results, "div"), "svg", { class: "ns-plot" }),
      numbers = table(results, "Where the gain ends");

    function update({ alpha, beta, gamma, eta }) {
      const { flow, edge, guess, end } = findEdge(alpha, beta, gamma, eta);
      const steps = flow.time.map((time) => time / eta),
        last = end / eta;
      const points = steps.map((step, n) => [step, eta * flow.sharpness[n]]);
      const lazy = lazyFlow(powerLaw({ alpha, beta }, 10 * end), [Math.min(edge, end)]).loss[0];
      const gain =
        edge > 0 && edge < Infinity
          ? valueAt(
              flow.time.map((time, n) => [time, flow.loss[n]]),
              edge,
            ) / lazy
          : NaN;
      const after =
        " From there, at a fixed learning rate, the loss falls no faster than with the exponent " +
        `${fixed(beta)}${beta < 1 ? `, in place of ${fixed(chi(beta, true))}` : ""}.`;
      if (edge === 0) say("The first steps are already beyond the edge: take a smaller learning rate.");
      else if (edge < Infinity)
        say(`η × sharpness reaches 2 after ${shown(edge / eta)} steps, at t = ${shown(edge)}.${after}`);
      else
        say(
          `η × sharpness stays below 2 up to t = ${shown(end)}, where it is ${shown(valueAt(points, last))}` +
            `${beta > 1 ? ": the kernel of an easy task settles" : ", and it still grows"}.`,
        );
      numbers(
        ["", "steps", "t = η × steps"],
        [
          ["On gradient flow", ...(edge < Infinity ? [shown(edge / eta), shown(edge)] : ["–", "–"])],
          [withPower("Estimate, η (1 + γ ", "t", "1−χ", ") = 2"), shown(guess), shown(guess * eta)],
          ["Rich over lazy loss at the edge", Number.isFinite(gain) ? shown(gain) : "–", ""],
        ],
      );
      const first = Math.max(steps[0], Math.min(1, last / 1e3)),
        rate = growth(beta, true);
      const rough = steps.map((step, n) => [step, eta * (1 + gamma * flow.time[n] ** rate)]);
      const sizes = [...points, ...rough].filter(([step]) => step >= first).map((point) => point[1]);
      const low = Math.min(...sizes, 1) / 1.5,
        high = Math.max(...sizes, 2) * 1.6;
      plot(svg, {
        x: { low: first, high: last, label: "steps", symbol: "steps" },
        y: { low, high, label: "η × sharpness" },
        curves: [
          { points, kind: "ns-line-rich", name: "gradient flow" },
          { points: rough, kind: "ns-line-lazy", name: "estimate" },
        ],
        rules: [
          {
            points: [
              [first, 2],
              [last, 2],
            ],
            kind: "ns-here",
          },
        ],
        bands: edge < end ? [{ x: [Math.max(first, edge / eta), last] }] : [],
        label:
          "Learning rate times largest eigenvalue of the kernel against steps, on logarithmic axes; " +
          "the edge of stability is at 2",
      });
    }
    element(results, "p", { class: "ns-note" }, "Shaded: beyond the edge, where steps no longer follow gradient flow.");
    start();
  };

  // ---- Your own spectrum ----

  explorers.spectrum = (root, data) => {
    const law = (text) => text.modes === "law",
      kinked = (text) => text.modes === "kink",
      table_ = (text) => text.modes === "table";
    const either = (text) => !table_(text);
    const fields = [
      {
        name: "modes",
        label: "Modes",
        options: [
          ["law", "power law"],
          ["kink", "power law with a kink"],
          ["table", "your own table"],
        ],
      },
      { name: "gamma", label: "Richness γ", low: 1e-3, high: 100, log: true },
      { name: "alpha", label: "Capacity α", low: 1.05, high: 4, when: either },
      { name: "beta", label: "Source β", low: 0.05, high: 3, when: either },
      { name: "kink", label: "Kink at mode k", low: 1, high: 1e6, log: true, when: kinked },
      { name: "alpha2", label: "α beyond the kink", low: 1.05, high: 4, when: kinked },
      { name: "beta2", label: "β beyond the kink", low: 0.05, high: 3, when: kinked },
      { name: "end", label: "Last time t", low: 10, high: 1e10, log: true, when: either },
      { name: "table", label: "λ and w of each mode, one mode a line", wide: true, when: table_ },
    ].map((field) => ({ ...field, start: data.start[field.name] }));
    const { results, say, start } = controls(root, "spectrum", fields, update);
    const svg = element(element(results, "div"), "svg", { class: "ns-plot" });
    const local = table(results, "Loss, and local exponent −d ln L / d ln t");

    function update(values) {
      const { flow, lazy, modes } = solveSpectrum(values);
      const at = [],
        last = values.modes === "table" ? flow.time.at(-1) : values.end;
      for (let e = Math.ceil(Math.log10(flow.time[0])); 10 ** e < 0.9 * last; e++) if (e >= -1) at.push(10 ** e);
      at.push(last);
      const curve = (list) => flow.time.map((time, n) => [time, list[n]]);
      const exponents = (list) => (time) => {
        const n = Math.max(
          1,
          flow.time.findIndex((value) => value >= time * (1 - 1e-9)),
        );
        return between(Math.log(flow.time[n - 1]), list[n - 1], Math.log(flow.time[n]), list[n], Math.log(time));
      };
      const losses = [lazy, flow].map((one) => shown(valueAt(curve(one.loss), last)));
      const slopes = [lazy, flow].map((one) => fixed(exponents(one.exponent)(last), 3));
      say(
        `At t = ${shown(last)} the loss is ${losses[0]} lazy and ${losses[1]} rich, ` +
          `the local exponent ${slopes[0]} and ${slopes[1]}. ` +
          `Error of the integration, from halving its step: ${shown(flow.error, 1)} of the loss.` +
          (values.modes === "table"
            ? ` ${modes.count} modes; the curves end where learning reaches the last of them.` +
              (values.table.length < LONGEST ? "" : " The table is too long for the address, which keeps the rest.")
            : ""),
      );
      local(
        ["t", "lazy loss", "exponent", "rich loss", "exponent"],
        at.map((time) => [
          shown(time),
          shown(valueAt(curve(lazy.loss), time)),
          fixed(exponents(lazy.exponent)(time), 3),
          shown(valueAt(curve(flow.loss), time)),
          fixed(exponents(flow.exponent)(time), 3),
        ]),
      );
      const first = Math.max(flow.time[0], Math.min(0.1 / modes.rate[0], flow.time.at(-1) / 100));
      const seen = [...lazy.loss, ...flow.loss].filter(
        (loss, n) => flow.time[n % flow.time.length] >= first && loss > 0,
      );
      plot(svg, {
        x: { low: first, high: last, label: "time t = η × steps", symbol: "t" },
        y: { low: Math.min(...seen) / 1.5, high: Math.max(...seen) * 1.3, label: "loss L" },
        curves: [
          { points: curve(lazy.loss), kind: "ns-line-lazy", name: "lazy" },
          { points: curve(flow.loss), kind: "ns-line-rich", name: "rich" },
        ],
        label: "Loss against time of your modes, lazy and rich, on logarithmic axes",
      });
    }
    start();
  };

  function solveSpectrum(values) {
    if (values.modes === "table") {
      const modes = readSpectrum(values.table);
      const flow = richFlow(modes, values.gamma, Infinity, 1 / modes.rate.at(-1));
      return { modes, flow, lazy: lazyFlow(modes, flow.time) };
    }
    const kink =
      values.modes === "kink" ? { kink: values.kink, alphaBeyond: values.alpha2, betaBeyond: values.beta2 } : {};
    const { modes, flow } = powerLawFlow({ alpha: values.alpha, beta: values.beta, ...kink }, values.gamma, values.end);
    return { modes, flow, lazy: lazyFlow(modes, flow.time) };
  }

  function start() {
    const data = JSON.parse(document.querySelector(".ns-explore-data").textContent);
    for (const root of document.querySelectorAll(".ns-explorer[data-explorer]:not([data-ready])"))
      explorers[root.dataset.explorer](root, data);
  }

  return { start };
})();
