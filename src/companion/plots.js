/* What all explorers draw with: numbers as text, plots whose values can be read, the state in the address of a page. */
globalThis.nsPlots ??= (() => {
  "use strict";

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
    const slack = 1e-9,
      values = [];
    if (!log) {
      const step = [0.1, 0.2, 0.5, 1, 2, 5].find((size) => (high - low) / size <= 8);
      for (let n = Math.ceil(low / step - slack); n * step <= high + slack; n++)
        values.push(Number((n * step).toFixed(6)));
      return values;
    }
    const decades = Math.log10(high / low),
      digits = decades < 0.9 ? [1, 1.5, 2, 3, 4, 5, 6, 8] : decades < 2.5 ? [1, 2, 5] : [1];
    const every = Math.max(1, Math.ceil(decades / 9));
    for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) {
      if (e % every === 0) for (const digit of digits) values.push(digit * 10 ** e);
    }
    return values.filter((value) => value >= low * (1 - slack) && value <= high * (1 + slack));
  }

  function element(parent, kind, attributes = {}, text) {
    const made =
      parent.namespaceURI.endsWith("svg") || kind === "svg"
        ? document.createElementNS(svgSpace(), kind)
        : document.createElement(kind);
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
      A curve is { points, kind, name }; one with a name is labelled, and read out under the pointer and by arrow keys;
      `namesAt` is where the labels stand, as a share of the points. */
  function plot(svg, { x, y, curves = [], bands = [], rules = [], words = [], label, namesAt = 0.8 }) {
    // One unit of the drawing is one pixel of the page, so that text keeps its size on a phone.
    const width = Math.max(280, Math.round(svg.parentElement.clientWidth));
    const height = Math.round(Math.min(430, Math.max(300, 0.58 * width)));
    const frame = { left: 52, right: width - 16, top: 30, bottom: height - 46 };
    const scale = (axis, from, to) => {
      const of = axis.log === false ? (value) => value : Math.log;
      return (value) =>
        Number((from + ((to - from) * (of(value) - of(axis.low))) / (of(axis.high) - of(axis.low))).toFixed(1));
    };
    const across = scale(x, frame.left, frame.right),
      up = scale(y, frame.bottom, frame.top);
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
      element(layer, "rect", {
        x: x0,
        y: frame.top,
        width: Math.max(0, x1 - x0),
        height: frame.bottom - frame.top,
        class: "ns-band",
      });
    }
    for (const value of ticks(x.low, x.high, x.log !== false)) {
      element(layer, "line", {
        x1: across(value),
        x2: across(value),
        y1: frame.top,
        y2: frame.bottom,
        class: "ns-grid",
      });
      const anchor = across(value) > width - 24 ? "end" : "middle";
      element(
        layer,
        "text",
        { x: anchor === "end" ? width : across(value), y: frame.bottom + 19, "text-anchor": anchor },
        shown(value),
      );
    }
    for (const value of ticks(y.low, y.high, y.log !== false)) {
      element(layer, "line", { x1: frame.left, x2: frame.right, y1: up(value), y2: up(value), class: "ns-grid" });
      element(layer, "text", { x: frame.left - 6, y: up(value) + 5, "text-anchor": "end" }, shown(value));
    }
    element(layer, "text", { x: 4, y: 16 }, y.label);
    element(layer, "text", { x: (frame.left + frame.right) / 2, y: height - 6, "text-anchor": "middle" }, x.label);
    const inside = ([a, b]) => a >= x.low * 0.999 && a <= x.high * 1.001 && b >= y.low * 0.999 && b <= y.high * 1.001;
    const seen = curves.map((curve) => ({
      ...curve,
      points: curve.points.filter((point) => point.every(Number.isFinite) && inside(point)),
    }));
    for (const curve of [...rules, ...seen]) {
      element(layer, "polyline", {
        points: curve.points.map(([a, b]) => `${across(a)},${up(b)}`).join(" "),
        class: curve.kind,
      });
    }
    const named = seen.filter((curve) => curve.name && curve.points.length > 1);
    const at = Math.min(...named.map((curve) => curve.points[Math.floor(namesAt * (curve.points.length - 1))][0]));
    const order = [...named].sort((one, other) => valueAt(other.points, at) - valueAt(one.points, at));
    order.forEach((curve, n) => {
      const rising = curve.points.at(-1)[1] > curve.points[0][1],
        right = rising !== (n === 0);
      const place = { x: across(at) + (right ? 6 : -6), y: up(valueAt(curve.points, at)) + (n === 0 ? -10 : 20) };
      const anchor = right ? "start" : "end";
      const name = element(layer, "text", { ...place, "text-anchor": anchor, class: "ns-name" }, curve.name);
      const box = name.getBBox(); // a narrow plot would cut it; without width it is not shown yet
      const inward = Math.max(0, frame.left - box.x) - Math.max(0, box.x + box.width - frame.right);
      if (box.width) name.setAttribute("x", place.x + inward);
    });
    for (const word of words)
      element(
        layer,
        "text",
        { x: across(word.x), y: up(word.y), "text-anchor": "middle", class: "ns-name" },
        word.text,
      );
    svg.view = { ...svg.view, frame, across, up, x, named };
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
        const at = x.low * (x.high / x.low) ** place,
          left = frame.left + place * (frame.right - frame.left);
        for (const [name, value] of Object.entries({ x1: left, x2: left, y1: frame.top, y2: frame.bottom }))
          line.setAttribute(name, value);
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
      const box = svg.getBoundingClientRect(),
        { frame } = svg.view;
      move((event.clientX - box.left - frame.left) / (frame.right - frame.left));
    };
    svg.addEventListener("pointermove", follow);
    svg.addEventListener("pointerdown", follow);
    svg.addEventListener("focus", () => {
      if (place === null) move(0.5);
    });
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1 }[
        event.key
      ];
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

  const LONGEST = 4000,
    bookmarks = new Map();
  let later = 0;

  /** Keep the state of an explorer in the address: `current` gives what differs from the start, `apply` takes it up. */
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
    window.addEventListener("hashchange", () => {
      if (location.hash.includes("=")) apply(read());
    });
    if (location.hash.startsWith(`#${name}.`)) window.addEventListener("load", () => root.scrollIntoView());
  }

  function save() {
    clearTimeout(later);
    later = setTimeout(() => {
      const all = new URLSearchParams();
      for (const [name, current] of bookmarks) {
        for (const [key, value] of Object.entries(current()))
          if (value.length < LONGEST) all.set(`${name}.${key}`, value);
      }
      const text = all.toString();
      if (text || location.hash.includes("="))
        history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
    }, 150);
  }

  return { between, bookmark, element, fixed, LONGEST, onWidth, plot, save, shown, valueAt };
})();
