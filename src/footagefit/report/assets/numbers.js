/* Numbers over all shots with their intervals, who is better than whom, and every shot in a table. */
"use strict";

(function () {
  const { make, number, signed, choice, table, judged, metrics, value } = footagefit.parts;
  const { order } = footagefit;
  const data = footagefit.data;

  /** A mean with its 95 % interval under it. */
  function spanned(found, form, kind) {
    if (!found) return "";
    const [mean, low, high] = found;
    return { text: [form(mean), make("span", { class: "span" }, `${form(low)} .. ${form(high)}`)], kind };
  }

  function means() {
    const rows = data.metrics.map((metric) => {
      const all = judged.map((column) => (data.means[column.key] || {})[metric.name]);
      const fits = judged.map((column, i) => (column.fit && all[i] ? all[i][0] : null));
      const known = fits.filter((one) => one !== null);
      const top = metric.better === "up" ? Math.max(...known) : Math.min(...known);
      const best = (i) => metric.better !== "none" && known.length > 1 && fits[i] === top;
      const name = make("span", { title: `${metric.about} (${metric.space})` },
        `${metric.name}${metric.unit ? `, ${metric.unit}` : ""} ${{ up: "↑", down: "↓" }[metric.better] || ""}`);
      return [name, ...all.map((found, i) => spanned(found, number, best(i) ? "best" : null))];
    });
    const heads = ["metric", ...judged.map((column) => column.label)];
    return table(`Means over ${data.shots.length} shots and 95 % intervals; ↑ more is better`, heads, rows);
  }

  /** Each fit over every other column; an interval that spans 0 tells nothing. */
  function gains() {
    const name = order.state.metric;
    const rows = judged.filter((column) => column.fit).map((column) => [
      column.label,
      ...judged.map((other) => {
        const found = ((data.gains[column.key] || {})[other.key] || {})[name];
        if (!found) return "";
        const kind = found[1] > 0 ? "good" : found[2] < 0 ? "bad" : null;
        return spanned(found, signed, kind);
      }),
    ]);
    const heads = ["gain of", ...judged.map((column) => `over ${column.label}`)];
    return table(`Gain in ${name}, paired by shot, + is better: green is sure, red is surely worse`, heads, rows);
  }

  function byShot() {
    const name = order.state.metric;
    const head = (column) =>
      make("th", { scope: "col", "aria-sort": order.direction(column.key) },
        make("button", { type: "button", onclick: () => order.sortBy(column.key) },
          column.label + ({ ascending: " ▲", descending: " ▼", none: "" })[order.direction(column.key)]));
    const rows = order.list().map((shot) => [
      shot.name, shot.scene, shot.setup,
      ...judged.map((column) => number(value(shot, column.key, name))),
    ]);
    return table(`${metrics.get(name).name} by shot, as sorted and filtered in the grid`,
      ["shot", "scene", "set-up", ...judged.map(head)], rows);
  }

  function show(panel) {
    const named = data.metrics.map((one) => [one.name, one.name]);
    const settings = Object.entries(data.settings).map(([key, one]) => `${key.replaceAll("_", " ")} ${one}`);
    panel.replaceChildren(
      make("h2", {}, "Numbers"),
      make("p", { class: "faint" }, `Held-out shots of ${data.show}, the same frames under the same ` +
        `mismatches for every fit: ${settings.join(", ")}. LPIPS: ${data.lpips}. ${data.madeBy}.`),
      means(),
      make("div", { class: "bar" },
        choice("metric", named, order.state.metric, (metric) => order.set({ metric }))),
      gains(),
      byShot(),
    );
  }

  footagefit.numbers = { show };
})();
