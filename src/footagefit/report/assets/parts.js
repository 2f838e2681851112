/* Small parts that the report's other scripts use: numbers, choices, tables. */
"use strict";

(function () {
  const { make } = footagefit.elements;

  /** An element of SVG. */
  function draw(name, attributes, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  function number(value) {
    if (value === null || value === undefined) return "";
    const size = Math.abs(value);
    return value.toFixed(size >= 10 ? 2 : size >= 0.1 || size === 0 ? 3 : 4);
  }

  function signed(value) {
    return (value > 0 ? "+" : "") + number(value);
  }

  /** A choice with its label: [[value, text], ...]. */
  function choice(label, options, chosen, change) {
    const select = make("select", {
      onchange: (event) => change(event.target.value),
    });
    for (const [value, text] of options) {
      select.append(make("option", { value: value, selected: value === chosen }, text));
    }
    return make("label", {}, label, select);
  }

  function button(text, key, run, attributes) {
    const face = key ? [text + " ", make("kbd", {}, key)] : [text];
    return make("button", { type: "button", onclick: run, ...attributes }, ...face);
  }

  /** A table: heads are texts or elements, rows are lists of texts, elements or {text, kind}. */
  function table(caption, heads, rows) {
    const cell = (value, index) => {
      const whole = value !== null && typeof value === "object" && "text" in value;
      const kind = whole ? value.kind : null;
      const body = whole ? value.text : value;
      const own = index === 0 ? make("th", { scope: "row" }) : make("td", { class: kind });
      own.append(...(Array.isArray(body) ? body : [body === null ? "" : body]));
      return own;
    };
    const head = make("tr", {});
    for (const one of heads) {
      head.append(one instanceof Element && one.tagName === "TH" ? one : make("th", { scope: "col" }, one));
    }
    return make(
      "div",
      { class: "scrolls", tabindex: "0", role: "region", "aria-label": caption },
      make(
        "table",
        {},
        make("caption", {}, caption),
        make("thead", {}, head),
        make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell)))),
      ),
    );
  }

  const data = footagefit.data;
  const columns = new Map(data.columns.map((column) => [column.key, column]));
  const metrics = new Map(data.metrics.map((metric, index) => [metric.name, { ...metric, index }]));

  footagefit.parts = {
    make, draw, number, signed, choice, button, table, columns, metrics,
    shots: new Map(data.shots.map((shot) => [shot.name, shot])),
    judged: data.columns.filter((column) => column.key in data.means),
    fits: data.columns.filter((column) => column.fit),
    /** A metric of a shot in a column, or null. */
    value: (shot, key, metric) => {
      const row = shot.values[key];
      return row ? row[metrics.get(metric).index] : null;
    },
    /** Whether one value is better than another, by the metric's direction. */
    better: (metric, one, other) => {
      const way = metrics.get(metric).better;
      return way === "up" ? one > other : way === "down" ? one < other : false;
    },
    /** Where a picture lies; a frame that is played lies among the small ones. */
    address: (shot, key, frame, small) =>
      small
        ? `${shot.folder}/loop/${key}.${frame}.jpg`
        : `${shot.folder}/${key}.${frame}${shot.suffix}`,
  };
})();
