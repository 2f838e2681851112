/* Loss curves of the fits' runs, one name at a time, drawn as SVG. */
"use strict";

(function () {
  const { make, draw, number, choice, fits } = footagefit.parts;
  const INKS = ["#e8e8e8", "#e0b060", "#7fb6e6", "#8fcf9f", "#d99ad0", "#e58f80"];
  const DASHES = ["", "7 3", "2 3", "9 3 2 3", "12 4", "4 2"];
  const [WIDE, TALL, LEFT, RIGHT, TOP, BELOW] = [1000, 380, 70, 14, 12, 36];
  let name = null;

  const look = (index) => ({ stroke: INKS[index % INKS.length], "stroke-dasharray": DASHES[index % DASHES.length] });

  function ticks(low, high, count) {
    const raw = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw);
    const found = [];
    for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) found.push(at);
    return found;
  }

  function chart(lines) {
    const xs = lines.flatMap((line) => line.points[0]);
    const ys = lines.flatMap((line) => line.points[1]);
    const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
    let [y0, y1] = [Math.min(...ys), Math.max(...ys)];
    if (y0 === y1) [y0, y1] = [y0 - 1, y1 + 1];
    const x = (value) => LEFT + ((value - x0) / (x1 - x0 || 1)) * (WIDE - LEFT - RIGHT);
    const y = (value) => TOP + ((y1 - value) / (y1 - y0)) * (TALL - TOP - BELOW);
    const said = lines.map((line) => `${line.label} ends at ${number(line.points[1].at(-1))}`).join(", ");
    const root = draw("svg", { class: "chart", viewBox: `0 0 ${WIDE} ${TALL}`, role: "img",
      "aria-label": `${name} by step: ${said}` });
    const text = (at, words, anchor) => draw("text", { ...at, fill: "#b4b4b4", "font-size": 13,
      "text-anchor": anchor }, words);
    for (const value of ticks(y0, y1, 5)) {
      root.append(draw("line", { x1: LEFT, x2: WIDE - RIGHT, y1: y(value), y2: y(value), stroke: "#333333" }));
      root.append(text({ x: LEFT - 8, y: y(value) + 4 }, String(Number(value.toPrecision(6))), "end"));
    }
    for (const value of ticks(x0, x1, 8)) {
      root.append(text({ x: x(value), y: TALL - 14 }, String(Number(value.toPrecision(6))), "middle"));
    }
    root.append(text({ x: WIDE - RIGHT, y: TALL - 1 }, "step", "end"));
    for (const line of lines) {
      const points = line.points[0].map((at, i) => `${x(at).toFixed(1)},${y(line.points[1][i]).toFixed(1)}`);
      root.append(draw("polyline", { points: points.join(" "), fill: "none", "stroke-width": 2, ...look(line.index) }));
      if (points.length === 1) {
        const [cx, cy] = points[0].split(",");
        root.append(draw("circle", { cx, cy, r: 4, fill: look(line.index).stroke }));
      }
    }
    return root;
  }

  function legend(lines) {
    return make("ul", { class: "legend" }, ...lines.map((line) => make("li", {},
      draw("svg", { width: 34, height: 10, "aria-hidden": "true" },
        draw("line", { x1: 0, x2: 34, y1: 5, y2: 5, "stroke-width": 2, ...look(line.index) })),
      `${line.label}, last ${number(line.points[1].at(-1))}`)));
  }

  function show(panel) {
    const names = [...new Set(fits.flatMap((fit) => Object.keys(fit.curves)))].sort();
    const head = make("h2", {}, "Loss curves");
    if (!names.length) {
      panel.replaceChildren(head, make("p", { class: "faint" }, "No run of these fits lies in the show's work folder."));
      return;
    }
    const first = ["val/psnr", "loss", "train/loss"].find((one) => names.includes(one));
    name = names.includes(name) ? name : first || names[0];
    const lines = fits
      .map((fit, index) => ({ index, label: fit.label, points: fit.curves[name] }))
      .filter((line) => line.points);
    const without = fits.filter((fit) => !fit.curves[name]).map((fit) => fit.label);
    panel.replaceChildren(head,
      make("div", { class: "bar" }, choice("curve", names.map((one) => [one, one]), name, (chosen) => {
        name = chosen;
        show(panel);
      })),
      chart(lines), legend(lines),
      without.length ? make("p", { class: "faint" }, `Not recorded by ${without.join(", ")}.`) : "");
  }

  footagefit.curves = { show };
})();
