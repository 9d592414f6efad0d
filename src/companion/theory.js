/* What the explorers compute: the theory at any point and gradient flow for any modes, as plain functions.
   Tests hold them against the library at random points. */
globalThis.nsTheory ??= (() => {
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
    const kind = regime(alpha, beta),
      x = chi(beta, rich),
      width = alpha * beta;
    if (kind === "hard") return { r: (width * x) / (width + x), a: x / (width + x) };
    if (kind === "easy") return { r: width / (width + 1), a: (width - alpha + 1) / (width + 1) };
    return { r: 1 - 0.5 / alpha, a: 0.5 };
  }

  /** The smallest sum of terms at fixed C = N t, 1 <= N <= C, in logarithms; batch is ln(B / eta). */
  function frontier(terms, compute, batch) {
    const logs = (width) => terms.map((term) => logTerm(term, compute - width, width, batch));
    const shares = (width) => {
      const all = logs(width),
        total = logSum(all);
      return all.map((log) => Math.exp(log - total));
    };
    const mean = (weights, values) => weights.reduce((sum, weight, i) => sum + weight * values[i], 0);
    const slopes = terms.map((term) => term.N - term.t),
      times = terms.map((term) => term.t);
    let low = 0,
      high = compute;
    for (let n = 0; n < 100; n++) {
      const middle = (low + high) / 2;
      if (mean(shares(middle), slopes) > 0) high = middle;
      else low = middle;
    }
    const width = (low + high) / 2,
      parts = shares(width),
      slope = mean(parts, slopes);
    const away = slopes.map((value) => value - slope);
    const a =
      -mean(
        parts,
        away.map((value, i) => value * times[i]),
      ) /
      mean(
        parts,
        away.map((value) => value * value),
      );
    return { width, time: compute - width, loss: logSum(logs(width)), r: -mean(parts, times), a, shares: parts };
  }

  /** Step at which eta (1 + gamma (eta t)^(1 - chi)) reaches 2: the order of magnitude of the edge. */
  function edgeStep(beta, gamma, eta) {
    const excess = 2 / eta - 1,
      rate = growth(beta, true);
    if (excess <= 0) return 0;
    if (rate === 0) return gamma >= excess ? 0 : Infinity;
    const log = Math.log(excess / gamma) / rate;
    return log > 700 ? Infinity : Math.exp(log) / eta;
  }

  // ---- Modes: eigenvalues `rate` in falling order, squared coefficients `weight` ----

  const EXACT = 200,
    BIN = 0.3,
    UNLEARNED = 1e-4;
  const GAUSS = [
    [-Math.sqrt(0.6), 5 / 18],
    [0, 4 / 9],
    [Math.sqrt(0.6), 5 / 18],
  ];

  /** Infinitely many modes lambda = k^-alpha, lambda w^2 = k^(-alpha beta - 1), with other exponents beyond a kink.
      The first are exact, then come three Gauss nodes per bin of ln k, and one node for all that is not learned by the
      horizon. */
  function powerLaw({ alpha, beta, kink = Infinity, alphaBeyond = alpha, betaBeyond = beta }, horizon) {
    const rate = [],
      weight = [],
      bend = Math.log(kink);
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
    const last = kink < Infinity ? betaBeyond : beta,
      capacity = kink < Infinity ? alphaBeyond : alpha;
    add((rates(y) * last) / (last + 1), (variances(y) * Math.exp(y)) / (capacity * last));
    return { rate: Float64Array.from(rate), weight: Float64Array.from(weight) };
  }

  const MANY = 2000,
    NARROW = 0.005;

  /** Put modes whose eigenvalues lie within half a per cent into one, where there are very many. */
  function merged(pairs) {
    const rate = [],
      weight = [];
    let from = 0;
    for (let k = 1; k <= pairs.length; k++) {
      const together = pairs.length > MANY && k < pairs.length && pairs[k][0] > pairs[from][0] * (1 - NARROW);
      if (together) continue;
      let variance = 0,
        moment = 0;
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
      if (
        !header &&
        pairs.length === 0 &&
        cells.length === 2 &&
        cells.every((cell) => /^["'\p{L}]/u.test(cell) && !/^(nan|inf)/i.test(cell))
      ) {
        header = true;
        return;
      }
      const shown = trimmed.length > 40 ? `${trimmed.slice(0, 40)}…` : trimmed;
      const refuse = (remedy) => {
        throw new Error(`Line ${n + 1}, “${shown}”: ${remedy}`);
      };
      if (numbers.length !== 2) refuse("give two numbers, λ and w, with a comma, a tab or a space between them.");
      if (!numbers.every(Number.isFinite)) refuse("one of the two is not a finite number; write it like 0.25 or 1e-3.");
      if (numbers.some((value) => value !== 0 && !(Math.abs(value) > 1e-60 && Math.abs(value) < 1e60)))
        refuse("sizes from 1e-60 to 1e60 can be computed with; change the unit, or leave out what is rounding.");
      if (numbers[0] <= 0) refuse("λ must be positive; leave out modes of zero variance, no step can learn them.");
      pairs.push(numbers);
    });
    if (pairs.length === 0) throw new Error("The table is empty: paste two columns, λ and w, one mode a line.");
    // Modes of w = 0 have no part in the loss.
    const learned = pairs.filter(([, w]) => w !== 0).sort((one, other) => other[0] - one[0]);
    if (learned.length === 0)
      throw new Error("Every w is zero, so there is nothing to learn: give the coefficients of the target.");
    return { ...merged(learned), count: pairs.length };
  }

  // ---- Gradient flow at infinite width and batch ----

  const PER_DECADE = 32,
    SERIES = 0.02;

  /** Rich gradient flow on the clock tau, d tau = s dt. With error 1 - sqrt(s) q_k of mode k, each q_k relaxes at the
      rate lambda_k to f = s^(-1/2), and s = 1 + gamma sum_k w_k^2 q_k^2. While f is a straight line over a step, the modes
      are exact and one scalar equation is left, with one positive root: no step is too long to be stable. */
  function march({ rate, weight }, gamma, ratio, record, going) {
    const size = rate.length,
      q = new Float64Array(size),
      rest = new Float64Array(size),
      gain = new Float64Array(size);
    let squared = 0;
    for (let k = 0; k < size; k++) squared += weight[k] * rate[k] * rate[k];
    let clock = 0,
      time = 0,
      f = 1,
      next = 1e-3 * Math.min(1 / rate[0], 1 / Math.sqrt(gamma * squared));
    for (let n = 0; going(n, clock, time); n++) {
      const step = next - clock;
      let constant = 0,
        linear = 0,
        square = 0;
      for (let k = 0; k < size; k++) {
        const x = rate[k] * step,
          lost = -Math.expm1(-x);
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

  /** Largest eigenvalue of the kernel: s lambda on the diagonal and a spike of rank one. One over the sum of its secular
      equation is concave in the shift of the eigenvalue, so that Newton's method comes to the root from below. */
  function sharpness({ rate, weight }, gamma, scale, q) {
    const base = scale * rate[0];
    let shift = 1e-14 * base;
    for (let n = 0; n < 60; n++) {
      let sum = 0,
        slope = 0;
      for (let k = 0; k < rate.length; k++) {
        const gap = base - scale * rate[k] + shift,
          part = (gamma * weight[k] * rate[k] * q[k] * q[k]) / gap;
        sum += part;
        slope += part / gap;
      }
      if (sum <= 1) break; // at the root, or no target on the largest eigenvalue, which then stays the largest
      const step = (sum * (sum - 1)) / slope;
      shift += step;
      if (step < 1e-13 * base) break;
    }
    return base + shift;
  }

  /** Loss, local exponent -d ln L / d ln t and scale of the kernel until a time or a clock. The step is halved and the two
      results are extrapolated; `error` is what the halved one is off by, relative, at fixed time. */
  function richFlow(modes, gamma, endTime, endClock = Infinity, sharp = false) {
    const { rate, weight } = modes,
      ratio = 10 ** (1 / PER_DECADE),
      passes = [];
    for (const halved of [false, true]) {
      const rows = [],
        length = passes[0]?.length;
      const going = (n, clock, time) => (halved ? n < 2 * length - 1 : time < endTime && clock < endClock);
      march(
        modes,
        gamma,
        halved ? Math.sqrt(ratio) : ratio,
        (n, clock, time, scale, q) => {
          if (halved && n % 2) return;
          let loss = 0,
            pull = 0,
            overlap = 0;
          for (let k = 0; k < rate.length; k++) {
            const error = 1 - Math.sqrt(scale) * q[k],
              variance = weight[k] * rate[k];
            loss += variance * error * error;
            pull += variance * rate[k] * error * error;
            overlap += variance * error * (1 - error);
          }
          const exponent = (2 * time * (scale * pull + (gamma / scale) * overlap * overlap)) / loss;
          rows.push([
            Math.log(time),
            Math.log(loss),
            exponent,
            Math.log(scale),
            clock,
            sharp && halved ? sharpness(modes, gamma, scale, q) : 0,
          ]);
        },
        going,
      );
      passes.push(rows);
    }
    const [coarse, fine] = passes,
      result = { time: [], loss: [], exponent: [], scale: [], clock: [], sharpness: [], error: 0 };
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
      const modes = powerLaw(law, horizon),
        flow = richFlow(modes, gamma, endTime, Infinity, sharp);
      if (flow.clock.at(-1) <= horizon) return { modes, flow };
    }
  }

  /** Loss and local exponent of the lazy limit at some times. */
  function lazyFlow({ rate, weight }, times) {
    const rows = times.map((time) => {
      let loss = 0,
        pull = 0;
      for (let k = 0; k < rate.length; k++) {
        const part = weight[k] * rate[k] * Math.exp(-2 * rate[k] * time);
        loss += part;
        pull += part * rate[k];
      }
      return [loss, (2 * time * pull) / loss];
    });
    return { loss: rows.map((row) => row[0]), exponent: rows.map((row) => row[1]) };
  }

  /** Time at which eta times the largest eigenvalue reaches 2 on gradient flow; infinite if not on the way. */
  function edgeTime(flow, eta) {
    const n = flow.sharpness.findIndex((value) => eta * value >= 2);
    if (n < 1) return n < 0 ? Infinity : 0;
    const [before, after] = [n - 1, n].map((i) => Math.log((eta * flow.sharpness[i]) / 2));
    return Math.exp(
      Math.log(flow.time[n - 1]) + (Math.log(flow.time[n] / flow.time[n - 1]) * before) / (before - after),
    );
  }

  /** Gradient flow until well past the estimated edge, and where it meets the edge. */
  function findEdge(alpha, beta, gamma, eta) {
    const guess = edgeStep(beta, gamma, eta),
      end = Math.min(1e12, Math.max(1e3, 100 * (guess < Infinity ? guess * eta : 0)));
    const { flow } = powerLawFlow({ alpha, beta }, gamma, end, true);
    return { flow, guess, end, edge: eta >= 2 ? 0 : edgeTime(flow, eta) };
  }

  return {
    chi,
    edgeStep,
    findEdge,
    frontier,
    growth,
    lazyFlow,
    logSum,
    logTerm,
    lossTerms,
    optimum,
    powerLaw,
    powerLawFlow,
    readSpectrum,
    regime,
    richFlow,
  };
})();
