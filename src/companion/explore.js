/* The explorers: theory and gradient flow as plain functions, drawing, and the state in the address of the page.
   Tests hold the functions against the library at random points. */
globalThis.nsExplore ??= (() => {
  "use strict";

  // ---- Theory: neural_scaling.theory, at any point ----

  const multiplier = (beta, rich) => (rich ? Math.max(1, 2 / (1 + beta)) : 1);
  const chi = (beta, rich) => beta * multiplier(beta, rich);
  const growth = (beta, rich) => (rich ? Math.max(0, 1 - chi(beta, true)) : 0);
  const regime = (alpha, beta) => (beta <= 1 ? "hard" : beta <= 2 - 1 / alpha ? "easy" : "super-easy");

  /** The four terms of the loss law as powers of t, N and B / eta. */
  function lossTerms(alpha, beta, rich, corrected) {
    const m = multiplier(beta, rich);
    const local = corrected && regime(alpha, beta) !== "super-easy";
    return [
      { t: -chi(beta, rich), N: 0, B: 0 },
      { t: 0, N: -alpha * Math.min(corrected ? 1 : 2, beta), B: 0 },
      { t: -((corrected ? Math.min(1, beta) : 1) - 1 / alpha) * m, N: -1, B: 0 },
      { t: local ? growth(beta, rich) - chi(beta, rich) : -(2 - 1 / alpha) * m, N: 0, B: -1 },
    ];
  }

  const power = (exponent, log) => (exponent === 0 ? 0 : exponent * log); // nothing, even of infinity
  const logTerm = (term, t, N, batch) => power(term.t, t) + power(term.N, N) + power(term.B, batch);

  function logSum(logs) {
    const top = Math.max(...logs);
    return top + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - top), 0));
  }

  /** Exponents of Table 1 at a finite batch. */
  function optimum(alpha, beta, rich) {
    const kind = regime(alpha, beta), x = chi(beta, rich), width = alpha * beta;
    if (kind === "hard") return { r: (width * x) / (width + x), a: x / (width + x) };
    if (kind === "easy") return { r: width / (width + 1), a: (width - alpha + 1) / (width + 1) };
    return { r: 1 - 0.5 / alpha, a: 0.5 };
  }

  /** The smallest sum of terms at fixed C = N t, 1 <= N <= C, in logarithms; batch is ln(B / eta). */
  function frontier(terms, compute, batch) {
    const logs = (width) => terms.map((term) => logTerm(term, compute - width, width, batch));
    const shares = (width) => {
      const all = logs(width), total = logSum(all);
      return all.map((log) => Math.exp(log - total));
    };
    const mean = (weights, values) => weights.reduce((sum, weight, i) => sum + weight * values[i], 0);
    const slopes = terms.map((term) => term.N - term.t), times = terms.map((term) => term.t);
    let low = 0, high = compute;
    for (let n = 0; n < 100; n++) {
      const middle = (low + high) / 2;
      if (mean(shares(middle), slopes) > 0) high = middle;
      else low = middle;
    }
    const width = (low + high) / 2, parts = shares(width), slope = mean(parts, slopes);
    const away = slopes.map((value) => value - slope);
    const a = -mean(parts, away.map((value, i) => value * times[i])) / mean(parts, away.map((value) => value * value));
    return { width, time: compute - width, loss: logSum(logs(width)), r: -mean(parts, times), a, shares: parts };
  }

  /** Step at which eta (1 + gamma (eta t)^(1 - chi)) reaches 2: the order of magnitude of the edge. */
  function edgeStep(beta, gamma, eta) {
    const excess = 2 / eta - 1, rate = growth(beta, true);
    if (excess <= 0) return 0;
    if (rate === 0) return gamma >= excess ? 0 : Infinity;
    const log = Math.log(excess / gamma) / rate;
    return log > 700 ? Infinity : Math.exp(log) / eta;
  }

  // ---- Modes: eigenvalues `rate` in falling order, squared coefficients `weight` ----

  const EXACT = 200, BIN = 0.3, UNLEARNED = 1e-4;
  const GAUSS = [[-Math.sqrt(0.6), 5 / 18], [0, 4 / 9], [Math.sqrt(0.6), 5 / 18]];

  /** Infinitely many modes lambda = k^-alpha, lambda w^2 = k^(-alpha beta - 1), with other exponents beyond a kink.
      The first are exact, the others three Gauss nodes per bin of ln k, the last one node where nothing is learned by the horizon. */
  function powerLaw({ alpha, beta, kink = Infinity, alphaBeyond = alpha, betaBeyond = beta }, horizon) {
    const rate = [], weight = [], bend = Math.log(kink);
    const log = (first, second, y) => (y <= bend ? -first * y : -first * bend - second * (y - bend));
    const rates = (y) => Math.exp(log(alpha, alphaBeyond, y));
    const variances = (y) => Math.exp(log(alpha * beta + 1, alphaBeyond * betaBeyond + 1, y));
    const add = (lambda, variance) => {
      rate.push(lambda);
      weight.push(variance / lambda);
    };
    for (let k = 1; k <= EXACT; k++) add(rates(Math.log(k)), variances(Math.log(k)));
    const pieces = [];
    if (kink > EXACT && kink < Infinity) pieces.push([alpha, Math.log(Math.floor(kink) + 0.5)]);
    pieces.push([kink < Infinity ? alphaBeyond : alpha, Infinity]);
    let y = Math.log(EXACT + 0.5);
    for (const [capacity, end] of pieces) {
      while (y < end && (end < Infinity || rates(y) * horizon > UNLEARNED)) {
        const width = Math.min(BIN / capacity, end - y);
        for (const [place, share] of GAUSS) {
          const at = y + (width * (1 + place)) / 2;
          add(rates(at), share * width * variances(at) * Math.exp(at));
        }
        y += width;
      }
    }
    const last = kink < Infinity ? betaBeyond : beta, capacity = kink < Infinity ? alphaBeyond : alpha;
    add((rates(y) * last) / (last + 1), (variances(y) * Math.exp(y)) / (capacity * last));
    return { rate: Float64Array.from(rate), weight: Float64Array.from(weight) };
  }

  const MANY = 2000, NARROW = 0.005;

  /** Put modes whose eigenvalues lie within half a per cent into one, where there are very many. */
  function merged(pairs) {
    const rate = [], weight = [];
    let from = 0;
    for (let k = 1; k <= pairs.length; k++) {
      const together = pairs.length > MANY && k < pairs.length && pairs[k][0] > pairs[from][0] * (1 - NARROW);
      if (together) continue;
      let variance = 0, moment = 0;
      for (const [lambda, w] of pairs.slice(from, k)) {
        variance += lambda * w * w;
        moment += lambda * lambda * w * w;
      }
      rate.push(variance > 0 ? moment / variance : pairs[from][0]);
      weight.push(variance > 0 ? (variance * variance) / moment : 0);
      from = k;
    }
    return { rate: Float64Array.from(rate), weight: Float64Array.from(weight) };
  }

  /** Read two columns, eigenvalue and coefficient; an error names the line and the remedy. */
  function readSpectrum(text) {
    const pairs = [];
    let header = false;
    text.split(/\r\n?|\n/).forEach((line, n) => {
      const trimmed = line.trim();
      if (trimmed === "" || trimmed.startsWith("#")) return;
      const cells = trimmed.split(/\s*[,;\t]\s*|\s+/);
      const numbers = cells.map((cell) => (cell === "" ? NaN : Number(cell)));
      if (!header && pairs.length === 0 && cells.length === 2 && cells.every((cell) => /^["'\p{L}]/u.test(cell) && !/^(nan|inf)/i.test(cell))) {
        header = true;
        return;
      }
      const shown = trimmed.length > 40 ? `${trimmed.slice(0, 40)}…` : trimmed;
      const refuse = (remedy) => {
        throw new Error(`Line ${n + 1}, “${shown}”: ${remedy}`);
      };
      if (numbers.length !== 2) refuse("give two numbers, λ and w, with a comma, a tab or a space between them.");
      if (!numbers.every(Number.isFinite)) refuse("one of the two is not a finite number; write it like 0.25 or 1e-3.");
      if (numbers[0] <= 0) refuse("λ must be positive; leave out modes of zero variance, no step can learn them.");
      pairs.push(numbers);
    });
    if (pairs.length === 0) throw new Error("The table is empty: paste two columns, λ and w, one mode a line.");
    if (!pairs.some(([, w]) => w !== 0)) throw new Error("Every w is zero, so there is nothing to learn: give the coefficients of the target.");
    return merged(pairs.sort((one, other) => other[0] - one[0]));
  }

  // ---- Gradient flow at infinite width and batch ----

  const PER_DECADE = 32, SERIES = 0.02;

  /** Rich gradient flow on the clock tau, d tau = s dt. With error 1 - sqrt(s) q_k of mode k, each q_k relaxes at the rate
      lambda_k to f = s^(-1/2), and s = 1 + gamma sum_k w_k^2 q_k^2. While f is a straight line over a step, the modes are exact
      and one scalar equation is left, with one positive root: no step is too long to be stable. */
  function march({ rate, weight }, gamma, ratio, record, going) {
    const size = rate.length, q = new Float64Array(size), rest = new Float64Array(size), gain = new Float64Array(size);
    let squared = 0;
    for (let k = 0; k < size; k++) squared += weight[k] * rate[k] * rate[k];
    let clock = 0, time = 0, f = 1, next = 1e-3 * Math.min(1 / rate[0], 1 / Math.sqrt(gamma * squared));
    for (let n = 0; going(n, clock, time); n++) {
      const step = next - clock;
      let constant = 0, linear = 0, square = 0;
      for (let k = 0; k < size; k++) {
        const x = rate[k] * step, lost = -Math.expm1(-x);
        gain[k] = x < SERIES ? x * (1 / 2 - x * (1 / 6 - x * (1 / 24 - x * (1 / 120 - x / 720)))) : 1 - lost / x;
        const start = x < SERIES ? x * (1 / 2 - x * (1 / 3 - x * (1 / 8 - x * (1 / 30 - x / 144)))) : lost - gain[k];
        rest[k] = (1 - lost) * q[k] + start * f;
        constant += weight[k] * rest[k] * rest[k];
        linear += weight[k] * rest[k] * gain[k];
        square += weight[k] * gain[k] * gain[k];
      }
      // f^2 s(f) = 1 rises and is convex: Newton's method from above its root stays above.
      let end = f;
      for (let i = 0; i < 60; i++) {
        const value = end * end * (1 + gamma * (constant + end * (2 * linear + end * square))) - 1;
        const slope = end * (2 + gamma * (2 * constant + end * (6 * linear + 4 * end * square)));
        end -= value / slope;
        if (Math.abs(value) < 4e-16 * Math.abs(end * slope)) break;
      }
      for (let k = 0; k < size; k++) q[k] = rest[k] + gain[k] * end;
      time += (step * (f * f + f * end + end * end)) / 3;
      f = end;
      clock = next;
      next *= ratio;
      record(n, clock, time, 1 / (f * f), q);
    }
  }

  /** Largest eigenvalue of the kernel: s lambda on the diagonal and a spike of rank one, by bisection of its secular equation. */
  function sharpness({ rate, weight }, gamma, scale, q) {
    const base = scale * rate[0], strength = q.map((value, k) => gamma * weight[k] * rate[k] * value * value);
    const sum = (shift) => strength.reduce((total, value, k) => total + value / (base - scale * rate[k] + shift), 0);
    let low = 1e-14 * base, high = strength.reduce((total, value) => total + value, 0);
    if (sum(low) <= 1) return base;
    for (let n = 0; n < 50; n++) {
      const middle = (low + high) / 2;
      if (sum(middle) > 1) low = middle;
      else high = middle;
    }
    return base + (low + high) / 2;
  }

  /** Loss, local exponent -d ln L / d ln t and scale of the kernel until a time or a clock. The step is halved and the two results
      are extrapolated; `error` is what the halved one is off by, relative, at fixed time. */
  function richFlow(modes, gamma, endTime, endClock = Infinity, sharp = false) {
    const { rate, weight } = modes, ratio = 10 ** (1 / PER_DECADE), passes = [];
    for (const halved of [false, true]) {
      const rows = [], length = passes[0]?.length;
      const going = (n, clock, time) => (halved ? n < 2 * length - 1 : time < endTime && clock < endClock);
      march(modes, gamma, halved ? Math.sqrt(ratio) : ratio, (n, clock, time, scale, q) => {
        if (halved && n % 2) return;
        let loss = 0, pull = 0, overlap = 0;
        for (let k = 0; k < rate.length; k++) {
          const error = 1 - Math.sqrt(scale) * q[k], variance = weight[k] * rate[k];
          loss += variance * error * error;
          pull += variance * rate[k] * error * error;
          overlap += variance * error * (1 - error);
        }
        const exponent = (2 * time * (scale * pull + (gamma / scale) * overlap * overlap)) / loss;
        rows.push([Math.log(time), Math.log(loss), exponent, Math.log(scale), clock, sharp && halved ? sharpness(modes, gamma, scale, q) : 0]);
      }, going);
      passes.push(rows);
    }
    const [coarse, fine] = passes, result = { time: [], loss: [], exponent: [], scale: [], clock: [], sharpness: [], error: 0 };
    fine.forEach((row, n) => {
      const best = row.map((value, i) => (i < 4 ? (4 * value - coarse[n][i]) / 3 : value));
      ["time", "loss", "exponent", "scale", "clock", "sharpness"].forEach((name, i) => {
        result[name].push(i === 2 || i > 3 ? best[i] : Math.exp(best[i]));
      });
      const off = row[1] - coarse[n][1] + row[2] * (row[0] - coarse[n][0]);
      result.error = Math.max(result.error, Math.abs(off) / 3);
    });
    return result;
  }

  /** The same for a power law: its nodes reach as far as the clock does. */
  function powerLawFlow(law, gamma, endTime, sharp = false) {
    const beta = law.kink < Infinity ? Math.min(law.beta, law.betaBeyond) : law.beta;
    for (let horizon = 10 * endTime * (1 + gamma * endTime ** growth(beta, true)); ; horizon *= 100) {
      const modes = powerLaw(law, horizon), flow = richFlow(modes, gamma, endTime, Infinity, sharp);
      if (flow.clock.at(-1) <= horizon) return { modes, flow };
    }
  }

  /** Loss and local exponent of the lazy limit at some times. */
  function lazyFlow({ rate, weight }, times) {
    const rows = times.map((time) => {
      let loss = 0, pull = 0;
      for (let k = 0; k < rate.length; k++) {
        const part = weight[k] * rate[k] * Math.exp(-2 * rate[k] * time);
        loss += part;
        pull += part * rate[k];
      }
      return [loss, (2 * time * pull) / loss];
    });
    return { loss: rows.map((row) => row[0]), exponent: rows.map((row) => row[1]) };
  }

  /** Time at which eta times the largest eigenvalue reaches 2 on gradient flow; 0 at the start, infinite if not on the way. */
  function edgeTime(flow, eta) {
    const n = flow.sharpness.findIndex((value) => eta * value >= 2);
    if (n < 1) return n < 0 ? Infinity : 0;
    const [before, after] = [n - 1, n].map((i) => Math.log((eta * flow.sharpness[i]) / 2));
    return Math.exp(Math.log(flow.time[n - 1]) + (Math.log(flow.time[n] / flow.time[n - 1]) * before) / (before - after));
  }

  // ---- Text ----

  const raised = (number) => String(number).replace(/[-\d]/g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);

  function shown(value, digits = 3) {
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "–";
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 1e-3 && size < 1e5) return String(Number(value.toPrecision(digits))).replace("-", "−");
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    const factor = Number(mantissa) === 1 ? "" : `${Number(mantissa)} × `.replace("-", "−");
    return `${factor}10${raised(Number(exponent))}`;
  }

  const fixed = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits).replace("-", "−") : "–");

  // ---- Drawing ----

  function ticks(low, high, log) {
    const slack = 1e-9, values = [];
    if (!log) {
      const step = [0.1, 0.2, 0.5, 1, 2, 5].find((size) => (high - low) / size <= 8);
      for (let n = Math.ceil(low / step - slack); n * step <= high + slack; n++) values.push(Number((n * step).toFixed(6)));
      return values;
    }
    const decades = Math.log10(high / low), digits = decades < 0.9 ? [1, 1.5, 2, 3, 4, 5, 6, 8] : decades < 2.5 ? [1, 2, 5] : [1];
    const every = Math.max(1, Math.ceil(decades / 9));
    for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) {
      if (e % every === 0) for (const digit of digits) values.push(digit * 10 ** e);
    }
    return values.filter((value) => value >= low * (1 - slack) && value <= high * (1 + slack));
  }

  function element(parent, kind, attributes = {}, text) {
    const made = parent.namespaceURI.endsWith("svg") || kind === "svg"
      ? document.createElementNS(svgSpace(), kind) : document.createElement(kind);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  /** The name of SVG, taken from the browser: it looks like an address and is none. */
  const svgSpace = () => new DOMParser().parseFromString("<svg/>", "text/html").querySelector("svg").namespaceURI;

  const between = (x0, y0, x1, y1, x) => y0 + ((y1 - y0) * (x - x0)) / (x1 - x0 || 1);

  /** Value of a curve of points (x, y) between two of them, on logarithmic axes; NaN outside. */
  function valueAt(points, x) {
    if (points.length === 0 || x < points[0][0] * (1 - 1e-9) || x > points.at(-1)[0] * (1 + 1e-9)) return NaN;
    let n = points.findIndex((point) => point[0] >= x);
    if (n < 0) n = points.length - 1;
    if (n === 0 || points.length === 1) return points[n][1];
    const [[x0, y0], [x1, y1]] = [points[n - 1], points[n]];
    return Math.exp(between(Math.log(x0), Math.log(y0), Math.log(x1), Math.log(y1), Math.log(x)));
  }

  /** Draw curves on axes into an svg, which keeps a layer above the drawing; returns the scales and the frame.
      A curve is { points, kind, name }; those with a name are labelled, and read out under the pointer and by arrow keys. */
  function plot(svg, { x, y, curves = [], bands = [], rules = [], words = [], label }) {
    // One unit of the drawing is one pixel of the page, so that text keeps its size on a phone.
    const width = Math.max(280, Math.round(svg.parentElement.clientWidth));
    const height = Math.round(Math.min(430, Math.max(300, 0.58 * width)));
    const frame = { left: 52, right: width - 16, top: 30, bottom: height - 46 };
    const scale = (axis, from, to) => {
      const of = axis.log === false ? (value) => value : Math.log;
      return (value) => Number((from + ((to - from) * (of(value) - of(axis.low))) / (of(axis.high) - of(axis.low))).toFixed(1));
    };
    const across = scale(x, frame.left, frame.right), up = scale(y, frame.bottom, frame.top);
    if (!svg.view) {
      svg.view = { layer: element(svg, "g", { "aria-hidden": "true" }), above: element(svg, "g") };
      if (curves.some((curve) => curve.name)) reader(svg);
    }
    const { layer } = svg.view;
    layer.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("aria-label", label);
    for (const band of bands) {
      const [x0, x1] = [band.x?.[0] ?? x.low, band.x?.[1] ?? x.high].map(across);
      element(layer, "rect", { x: x0, y: frame.top, width: Math.max(0, x1 - x0), height: frame.bottom - frame.top, class: "ns-band" });
    }
    for (const value of ticks(x.low, x.high, x.log !== false)) {
      element(layer, "line", { x1: across(value), x2: across(value), y1: frame.top, y2: frame.bottom, class: "ns-grid" });
      const anchor = across(value) > width - 24 ? "end" : "middle";
      element(layer, "text", { x: anchor === "end" ? width : across(value), y: frame.bottom + 19, "text-anchor": anchor }, shown(value));
    }
    for (const value of ticks(y.low, y.high, y.log !== false)) {
      element(layer, "line", { x1: frame.left, x2: frame.right, y1: up(value), y2: up(value), class: "ns-grid" });
      element(layer, "text", { x: frame.left - 6, y: up(value) + 5, "text-anchor": "end" }, shown(value));
    }
    element(layer, "text", { x: 4, y: 16 }, y.label);
    element(layer, "text", { x: (frame.left + frame.right) / 2, y: height - 6, "text-anchor": "middle" }, x.label);
    const inside = ([a, b]) => a >= x.low * 0.999 && a <= x.high * 1.001 && b >= y.low * 0.999 && b <= y.high * 1.001;
    const seen = curves.map((curve) => ({ ...curve, points: curve.points.filter((point) => point.every(Number.isFinite) && inside(point)) }));
    for (const curve of [...rules, ...seen]) {
      element(layer, "polyline", { points: curve.points.map(([a, b]) => `${across(a)},${up(b)}`).join(" "), class: curve.kind });
    }
    const named = seen.filter((curve) => curve.name && curve.points.length > 1);
    const at = Math.min(...named.map((curve) => curve.points[Math.floor(0.8 * (curve.points.length - 1))][0]));
    const order = named.toSorted((one, other) => valueAt(other.points, at) - valueAt(one.points, at));
    order.forEach((curve, n) => {
      const rising = curve.points.at(-1)[1] > curve.points[0][1], right = rising !== (n === 0);
      const place = { x: across(at) + (right ? 6 : -6), y: up(valueAt(curve.points, at)) + (n === 0 ? -10 : 20) };
      element(layer, "text", { ...place, "text-anchor": right ? "start" : "end", class: "ns-name" }, curve.name);
    });
    for (const word of words) element(layer, "text", { x: across(word.x), y: up(word.y), "text-anchor": "middle", class: "ns-name" }, word.text);
    svg.view = { ...svg.view, frame, across, up, x, named, y };
    svg.read?.();
    return svg.view;
  }

  /** Read values of the named curves under the pointer, and at a cursor that arrow keys move. */
  function reader(svg) {
    const line = element(svg.view.above, "line", { class: "ns-cursor" });
    const told = element(svg.parentElement, "p", { class: "ns-read" });
    const start = "Point at a curve, or focus the plot and use the arrow keys, to read values.";
    let place = null; // share of the width of the frame
    svg.setAttribute("role", "slider");
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("aria-valuemin", "0");
    svg.setAttribute("aria-valuemax", "100");
    svg.read = () => {
      const { frame, x, named } = svg.view;
      line.toggleAttribute("hidden", place === null);
      svg.setAttribute("aria-valuenow", String(Math.round(100 * (place ?? 0))));
      let text = start;
      if (place !== null) {
        const at = x.low * (x.high / x.low) ** place, left = frame.left + place * (frame.right - frame.left);
        for (const [name, value] of Object.entries({ x1: left, x2: left, y1: frame.top, y2: frame.bottom })) line.setAttribute(name, value);
        const values = named.map((curve) => `${curve.name} ${shown(valueAt(curve.points, at))}`);
        text = `${x.symbol} = ${shown(at)}: ${values.join(", ")}`;
      }
      told.textContent = text;
      svg.setAttribute("aria-valuetext", text);
    };
    const move = (to) => {
      place = to === null ? null : Math.min(1, Math.max(0, to));
      svg.read();
    };
    const follow = (event) => {
      const box = svg.getBoundingClientRect(), { frame } = svg.view;
      move((event.clientX - box.left - frame.left) / (frame.right - frame.left));
    };
    svg.addEventListener("pointermove", follow);
    svg.addEventListener("pointerdown", follow);
    svg.addEventListener("focus", () => { if (place === null) move(0.5); });
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1 }[event.key];
      const end = { Home: 0, End: 1 }[event.key];
      if (step === undefined && end === undefined) return;
      event.preventDefault();
      move(end ?? (place ?? 0.5) + step);
    });
  }

  /** Redraw when the width of an element changes. */
  function onWidth(root, draw) {
    let drawn = root.clientWidth;
    new ResizeObserver(() => {
      if (root.clientWidth !== drawn) {
        drawn = root.clientWidth;
        draw();
      }
    }).observe(root);
  }

  // ---- State in the address: #plane.beta=0.4&edge.eta=0.1, only what differs from the start ----

  const LONGEST = 4000, bookmarks = new Map();
  let later = 0;

  /** Keep the state of one explorer in the address: `current` gives what differs from the start, `apply` takes it up. */
  function bookmark(root, name, current, apply) {
    const read = () => {
      const found = {};
      for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
        if (key.startsWith(`${name}.`)) found[key.slice(name.length + 1)] = value;
      }
      return found;
    };
    bookmarks.set(name, current);
    apply(read());
    window.addEventListener("hashchange", () => { if (location.hash.includes("=")) apply(read()); });
    if (location.hash.startsWith(`#${name}.`)) window.addEventListener("load", () => root.scrollIntoView());
  }

  function save() {
    clearTimeout(later);
    later = setTimeout(() => {
      const all = new URLSearchParams();
      for (const [name, current] of bookmarks) {
        for (const [key, value] of Object.entries(current())) if (value.length < LONGEST) all.set(`${name}.${key}`, value);
      }
      const text = all.toString();
      if (text || location.hash.includes("=")) history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
    }, 150);
  }

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
    const value = field.log ? field.low * (field.high / field.low) ** (place / STEPS) : field.low + ((field.high - field.low) * place) / STEPS;
    return Math.min(field.high, Math.max(field.low, field.log ? Number(value.toPrecision(2)) : Number(value.toFixed(2))));
  }

  /** Build the controls of an explorer; `update(values)` shows results or throws an error that names the field. */
  function controls(root, name, fields, update) {
    const box = element(root, "div", { class: "ns-sliders" }), alert = element(root, "p", { class: "ns-error", role: "alert" });
    const status = element(root, "p", { class: "ns-verdict", role: "status", "aria-live": "polite" });
    const results = element(root, "div", { class: "ns-results" }), text = {}, inputs = {};
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
        const entry = element(label, "input", { type: "text", inputmode: "decimal", autocomplete: "off", class: "ns-number" });
        const range = { type: "range", min: 0, max: STEPS + (field.infinite ? 1 : 0), step: 1, "aria-label": `${field.label}, slider`, autocomplete: "off" };
        inputs[field.name] = { holder, entry, slider: element(holder, "input", range) };
        inputs[field.name].slider.addEventListener("input", (event) => set({ [field.name]: plain(fromPlace(field, Number(event.target.value))) }));
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
    const say = (words) => { if (status.textContent !== words) status.textContent = words; };
    const start = () => {
      const differs = () => Object.fromEntries(fields.filter((field) => text[field.name] !== field.start).map((field) => [field.name, text[field.name]]));
      bookmark(root, name, differs, (found) => {
        for (const field of fields) text[field.name] = found[field.name] ?? field.start;
        for (const field of fields) if (field.options && !field.options.some(([value]) => value === text[field.name])) text[field.name] = field.start;
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

  const termPowers = (term) => powers([["(η/B)", -term.B], ["N", term.N], ["t", term.t]]);

  /** Largest (eta / B) K, relative noise of a hard rich task, for which the first order of its expansion is shown without a warning. */
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
      { name: "regime", label: "Terms", options: [["rich", "rich"], ["lazy", "lazy"]] },
    ].map((field) => ({ ...field, start: data.start[field.name] }));
    const { results, say, set, start } = controls(root, "plane", fields, update);
    const holder = element(results, "div", { class: "ns-plane" });
    const svg = element(holder, "svg", { class: "ns-plot", role: "group" });
    const exponents = table(results, "Exponents"), terms = table(results, "Terms of the loss law, all prefactors one", "ns-wrap");
    let view = null, point = null, handle = null;

    function update(values) {
      const { alpha, beta } = values, rich = values.regime === "rich";
      const logs = [values.time, values.width, values.batch / values.eta].map(Math.log);
      const versions = [false, true].map((corrected) => {
        const list = lossTerms(alpha, beta, rich, corrected), sizes = list.map((term) => logTerm(term, ...logs)), total = logSum(sizes);
        return { list, sizes, total, top: sizes.indexOf(Math.max(...sizes)) };
      });
      const [printed, corrected] = versions;
      const kind = regime(alpha, beta), [lazy, learned] = [chi(beta, false), chi(beta, true)];
      const gain = kind === "hard" ? `raises χ from ${fixed(lazy)} to ${fixed(learned)}` : `leaves χ at ${fixed(lazy)}`;
      const largest = ({ sizes, total, top }) => `${data.terms[top]} (${Math.round(100 * Math.exp(sizes[top] - total))} %)`;
      // The term over the first is (eta/B) K, which the first order of an expansion needs small.
      const noise = Math.exp(corrected.sizes[3] - corrected.sizes[0]);
      say(`${kind[0].toUpperCase()}${kind.slice(1)} task: feature learning ${gain}. Largest ${values.regime} term: ${largest(corrected)} corrected, `
        + `${largest(printed)} as printed.`
        + (onBoundary(alpha, beta) ? " On this boundary logarithms multiply the powers." : "")
        + (rich && beta < 1 && noise > FIRST_ORDER ? ` The noise is ${shown(noise, 2)} of gradient flow, beyond the first order that its term stands for.` : ""));
      const optima = [optimum(alpha, beta, false), optimum(alpha, beta, true)];
      exponents(["", "lazy", "rich"], [
        [withPower("Loss in time, L ~ ", "t", "−χ"), fixed(lazy), fixed(learned)],
        [withPower("Compute-optimal loss, L* ~ ", "C", "−r"), ...optima.map((one) => fixed(one.r))],
        [withPower("Compute-optimal width, N* ~ ", "C", "a"), ...optima.map((one) => fixed(one.a))],
      ]);
      const cell = ({ list, sizes, top }, i) => {
        const span = termPowers(list[i]);
        span.append(" ");
        element(span, "span", { class: "ns-whole" }, `= ${shown(Math.exp(sizes[i]), 2)}`);
        if (i === top) element(span, "strong", {}, " ◀ largest");
        return span;
      };
      terms([values.regime, "as printed", "corrected"], data.terms.map((name, i) => [name, cell(printed, i), cell(corrected, i)]));
      draw(values, kind);
    }

    function draw({ alpha, beta }, kind) {
      const capacities = Array.from({ length: 41 }, (_, n) => end.alpha[0] + ((end.alpha[1] - end.alpha[0]) * n) / 40);
      const middle = (end.alpha[0] + end.alpha[1]) / 2, border = 2 - 1 / middle;
      view = plot(svg, {
        x: { low: end.beta[0], high: end.beta[1], label: "source β", log: false },
        y: { low: end.alpha[0], high: end.alpha[1], label: "capacity α", log: false },
        rules: [
          { points: [[1, end.alpha[0]], [1, end.alpha[1]]], kind: "ns-border" },
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
        point = element(svg.view.above, "g", { class: "ns-point", role: "slider", tabindex: "0", "aria-label": "Task in the plane; left and right change β, up and down α", "aria-valuemin": end.beta[0], "aria-valuemax": end.beta[1] });
        element(point, "circle", { r: 22, class: "ns-reach" });
        handle = element(point, "circle", { r: 9 });
        point.addEventListener("keydown", keys);
        svg.addEventListener("pointerdown", grab);
        svg.addEventListener("click", place);
        svg.addEventListener("pointermove", (event) => { if (svg.hasPointerCapture(event.pointerId)) place(event); });
      }
      point.setAttribute("transform", `translate(${view.across(beta)} ${view.up(alpha)})`);
      point.setAttribute("aria-valuenow", beta);
      point.setAttribute("aria-valuetext", `β ${shown(beta)}, α ${shown(alpha)}, ${kind}`);
      current = { alpha, beta };
    }

    let current = null;
    const move = (alpha, beta) => {
      const within = (value, [low, high]) => plain(Math.min(high, Math.max(low, Number(value.toFixed(2)))));
      set({ alpha: within(alpha, end.alpha), beta: within(beta, end.beta) });
    };
    function place(event) {
      const box = svg.getBoundingClientRect(), { frame } = view;
      const share = (from, to, at) => (at - from) / (to - from);
      const [x, y] = [share(frame.left, frame.right, event.clientX - box.left), share(frame.bottom, frame.top, event.clientY - box.top)];
      move(end.alpha[0] + y * (end.alpha[1] - end.alpha[0]), end.beta[0] + x * (end.beta[1] - end.beta[0]));
    }
    function grab(event) {
      if (!point.contains(event.target) && event.pointerType !== "mouse") return; // a finger beside the point may be scrolling
      svg.setPointerCapture(event.pointerId);
      event.preventDefault();
      point.focus({ preventScroll: true });
      place(event);
    }
    function keys(event) {
      const step = event.shiftKey ? 0.01 : 0.05;
      const [right, up] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowDown: [0, -step], ArrowUp: [0, step] }[event.key] ?? [0, 0];
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
      const log = Math.log(compute), noise = Math.log(batch / eta), kinds = [false, true];
      const laws = kinds.map((rich) => lossTerms(alpha, beta, rich, true));
      const best = laws.map((terms) => frontier(terms, log, noise));
      const optima = kinds.map((rich) => optimum(alpha, beta, rich));
      const both = (of) => best.map(of);
      shares(["", "lazy", "rich"], [
        ["Width N*", ...both((one) => shown(Math.exp(one.width)))],
        ["Time t* = η × steps", ...both((one) => shown(Math.exp(one.time)))],
        ["Steps", ...both((one) => shown(Math.exp(one.time) / eta))],
        ["Loss L*", ...both((one) => shown(Math.exp(one.loss)))],
        [withPower("Slope r here, L* ~ ", "C", "−r"), ...both((one) => fixed(one.r, 3))],
        ["r in Table 1", ...optima.map((one) => fixed(one.r, 3))],
        [withPower("Slope a here, N* ~ ", "C", "a"), ...both((one) => fixed(one.a, 3))],
        ["a in Table 1", ...optima.map((one) => fixed(one.a, 3))],
        ["Largest term", ...both((one) => data.terms[one.shares.indexOf(Math.max(...one.shares))])],
      ]);
      const grid = Array.from({ length: 61 }, (_, n) => Math.log(10) * (1 + (19 * n) / 60));
      const fronts = laws.map((terms) => grid.map((c) => frontier(terms, c, noise)));
      const curves = fronts.map((list) => list.map((one, n) => [Math.exp(grid[n]), Math.exp(one.loss)]));
      const expansion = (one) => beta >= 1 || one.shares[3] <= FIRST_ORDER * one.shares[0];
      const losses = curves.flat().map((point) => point[1]), low = Math.min(...losses) / 1.5, high = 1.5 * Math.max(...losses);
      const rich = best[1], ratio = rich.shares[3] / rich.shares[0];
      const [lazyBest, richBest] = both((one) => `N* = ${shown(Math.exp(one.width), 2)}, t* = ${shown(Math.exp(one.time), 2)}, L* = ${shown(Math.exp(one.loss), 2)}`);
      say(`Lazy: ${lazyBest}. Rich: ${richBest}.`
        + (!expansion(rich) ? ` The rich noise is ${shown(ratio, 2)} of gradient flow, beyond the first order that its term stands for.` : ""));
      const widths = [0, 2, 4, 6, 8].map((decade) => Math.log(10) * decade);
      plot(svg, {
        x: { low: 10, high: 1e20, label: "compute C = N t", symbol: "C" },
        y: { low, high, label: "loss L" },
        curves: [
          ...widths.map((width) => ({
            kind: "ns-thin",
            points: grid.filter((c) => c > width).map((c) => [Math.exp(c), Math.exp(logSum(laws[1].map((term) => logTerm(term, c - width, width, noise))))]),
          })),
          { points: curves[0], kind: "ns-line-lazy", name: "lazy" },
          { points: curves[1].filter((_, n) => expansion(fronts[1][n])), kind: "ns-line-rich", name: "rich" },
          { points: curves[1].filter((_, n) => !expansion(fronts[1][n])), kind: "ns-line-rich ns-guide" },
        ],
        rules: [{ points: [[compute, low], [compute, high]], kind: "ns-here" }],
        label: "Smallest loss at fixed compute, lazy and rich, on logarithmic axes",
      });
    }
    element(results, "p", { class: "ns-note" }, "Thin: rich loss at N = 1, 10², 10⁴, 10⁶ and 10⁸. Upright: the compute chosen. Dotted: rich, where the noise is beyond its first order.");
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
    const svg = element(element(results, "div"), "svg", { class: "ns-plot" }), numbers = table(results, "Where the gain ends");

    function update({ alpha, beta, gamma, eta }) {
      const { flow, edge, guess, end } = findEdge(alpha, beta, gamma, eta);
      const steps = flow.time.map((time) => time / eta), last = end / eta;
      const points = steps.map((step, n) => [step, eta * flow.sharpness[n]]);
      const lazy = lazyFlow(powerLaw({ alpha, beta }, 10 * end), [Math.min(edge, end)]).loss[0];
      const gain = edge > 0 && edge < Infinity ? valueAt(flow.time.map((time, n) => [time, flow.loss[n]]), edge) / lazy : NaN;
      const after = " From there, at a fixed learning rate, the loss falls no faster than with the exponent "
        + `${fixed(beta)}${beta < 1 ? `, in place of ${fixed(chi(beta, true))}` : ""}.`;
      if (edge === 0) say("The first steps are already beyond the edge: take a smaller learning rate.");
      else if (edge < Infinity) say(`η × sharpness reaches 2 after ${shown(edge / eta)} steps, at t = ${shown(edge)}.${after}`);
      else say(`η × sharpness stays below 2 up to t = ${shown(end)}, where it is ${shown(valueAt(points, last))}${beta > 1 ? ": the kernel of an easy task settles" : ", and it still grows"}.`);
      numbers(["", "steps", "t = η × steps"], [
        ["On gradient flow", ...(edge < Infinity ? [shown(edge / eta), shown(edge)] : ["–", "–"])],
        [withPower("Estimate, η (1 + γ ", "t", "1−χ", ") = 2"), shown(guess), shown(guess * eta)],
        ["Rich over lazy loss at the edge", Number.isFinite(gain) ? shown(gain) : "–", ""],
      ]);
      const first = Math.max(steps[0], Math.min(1, last / 1e3)), rate = growth(beta, true);
      const rough = steps.map((step, n) => [step, eta * (1 + gamma * flow.time[n] ** rate)]);
      const sizes = [...points, ...rough].filter(([step]) => step >= first).map((point) => point[1]);
      const low = Math.min(...sizes, 1) / 1.5, high = Math.max(...sizes, 2) * 1.6;
      plot(svg, {
        x: { low: first, high: last, label: "steps", symbol: "steps" },
        y: { low, high, label: "η × sharpness" },
        curves: [{ points, kind: "ns-line-rich", name: "gradient flow" }, { points: rough, kind: "ns-line-lazy", name: "estimate" }],
        rules: [{ points: [[first, 2], [last, 2]], kind: "ns-here" }],
        bands: edge < end ? [{ x: [Math.max(first, edge / eta), last] }] : [],
        label: "Learning rate times largest eigenvalue of the kernel against steps, on logarithmic axes; the edge of stability is at 2",
      });
    }
    element(results, "p", { class: "ns-note" }, "Shaded: beyond the edge, where steps no longer follow gradient flow.");
    start();
  };

  /** Gradient flow until well past the estimated edge, and where it meets the edge. */
  function findEdge(alpha, beta, gamma, eta) {
    const guess = edgeStep(beta, gamma, eta), end = Math.min(1e12, Math.max(1e3, 100 * (guess < Infinity ? guess * eta : 0)));
    const { flow } = powerLawFlow({ alpha, beta }, gamma, end, true);
    return { flow, guess, end, edge: eta >= 2 ? 0 : edgeTime(flow, eta) };
  }

  // ---- Your own spectrum ----

  explorers.spectrum = (root, data) => {
    const law = (text) => text.modes === "law", kinked = (text) => text.modes === "kink", table_ = (text) => text.modes === "table";
    const either = (text) => !table_(text);
    const fields = [
      { name: "modes", label: "Modes", options: [["law", "power law"], ["kink", "power law with a kink"], ["table", "your own table"]] },
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
      const solved = solveSpectrum(values), { flow, lazy, modes } = solved;
      const at = [], last = values.modes === "table" ? flow.time.at(-1) : values.end;
      for (let e = Math.ceil(Math.log10(flow.time[0])); 10 ** e < 0.9 * last; e++) if (e >= -1) at.push(10 ** e);
      at.push(last);
      const curve = (list) => flow.time.map((time, n) => [time, list[n]]);
      const exponents = (list) => (time) => {
        const n = Math.max(1, flow.time.findIndex((value) => value >= time * (1 - 1e-9)));
        return between(Math.log(flow.time[n - 1]), list[n - 1], Math.log(flow.time[n]), list[n], Math.log(time));
      };
      const losses = [lazy, flow].map((one) => shown(valueAt(curve(one.loss), last)));
      const slopes = [lazy, flow].map((one) => fixed(exponents(one.exponent)(last), 3));
      say(`At t = ${shown(last)} the loss is ${losses[0]} lazy and ${losses[1]} rich, the local exponent ${slopes[0]} and ${slopes[1]}. Error of the integration, from halving its step: ${shown(flow.error, 1)} of the loss.`
        + (values.modes === "table" ? ` ${solved.count} modes; the curves end where learning would reach the last of them.` : ""));
      local(["t", "lazy loss", "exponent", "rich loss", "exponent"], at.map((time) => [
        shown(time), shown(valueAt(curve(lazy.loss), time)), fixed(exponents(lazy.exponent)(time), 3),
        shown(valueAt(curve(flow.loss), time)), fixed(exponents(flow.exponent)(time), 3),
      ]));
      const first = Math.max(flow.time[0], Math.min(0.1 / modes.rate[0], flow.time.at(-1) / 100));
      const seen = [...lazy.loss, ...flow.loss].filter((loss, n) => flow.time[n % flow.time.length] >= first && loss > 0);
      plot(svg, {
        x: { low: first, high: last, label: "time t = η × steps", symbol: "t" },
        y: { low: Math.min(...seen) / 1.5, high: Math.max(...seen) * 1.3, label: "loss L" },
        curves: [{ points: curve(lazy.loss), kind: "ns-line-lazy", name: "lazy" }, { points: curve(flow.loss), kind: "ns-line-rich", name: "rich" }],
        label: "Loss against time of your modes, lazy and rich, on logarithmic axes",
      });
    }
    start();
  };

  function solveSpectrum(values) {
    if (values.modes === "table") {
      const modes = readSpectrum(values.table), count = values.table.split(/\r\n?|\n/).filter((line) => line.trim() && !/^\s*[#"'\p{L}]/u.test(line)).length;
      const flow = richFlow(modes, values.gamma, Infinity, 1 / modes.rate.at(-1));
      return { modes, flow, lazy: lazyFlow(modes, flow.time), count };
    }
    const kink = values.modes === "kink" ? { kink: values.kink, alphaBeyond: values.alpha2, betaBeyond: values.beta2 } : {};
    const { modes, flow } = powerLawFlow({ alpha: values.alpha, beta: values.beta, ...kink }, values.gamma, values.end);
    return { modes, flow, lazy: lazyFlow(modes, flow.time) };
  }

  function start() {
    const data = JSON.parse(document.querySelector(".ns-explore-data").textContent);
    for (const root of document.querySelectorAll(".ns-explorer[data-explorer]:not([data-ready])")) explorers[root.dataset.explorer](root, data);
  }

  return { bookmark, chi, edgeStep, edgeTime, findEdge, frontier, lazyFlow, logSum, logTerm, lossTerms, merged, onWidth, optimum, plot, powerLaw, powerLawFlow, readSpectrum, regime, richFlow, save, shown, solveSpectrum, start, table };
})();
