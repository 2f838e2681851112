/* Tabs, and everything begins. */
"use strict";

(function () {
  const { make } = footagefit.parts;
  const data = footagefit.data;
  const parts = [
    ["shots", "Shots", () => footagefit.grid.draw()],
    ["numbers", "Numbers", (panel) => footagefit.numbers.show(panel)],
    ["curves", "Loss curves", (panel) => footagefit.curves.show(panel)],
    ["recipes", "Recipes", (panel) => footagefit.lineage.recipes(panel)],
    ["lineage", "Lineage", (panel) => footagefit.lineage.show(panel)],
    ["decisions", "Decisions", (panel) => footagefit.decisions.show(panel)],
  ];
  const root = document.getElementById("tabs");

  function turn(name) {
    for (const [key, , fill] of parts) {
      const here = key === name;
      const tab = document.getElementById(`tab-${key}`);
      tab.setAttribute("aria-selected", String(here));
      tab.tabIndex = here ? 0 : -1;
      document.getElementById(key).hidden = !here;
      if (here) fill(document.getElementById(key));
    }
  }

  const current = () => parts.find(([key]) => !document.getElementById(key).hidden)[0];

  document.getElementById("title").textContent = data.show;
  document.getElementById("about").textContent = `${data.task}, side by side`;
  root.replaceChildren(...parts.map(([key, text]) => make("button", {
    type: "button", role: "tab", id: `tab-${key}`, "aria-controls": key, onclick: () => turn(key),
  }, text)));
  root.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    const place = parts.findIndex(([key]) => key === current());
    const next = parts[(place + by + parts.length) % parts.length][0];
    turn(next);
    document.getElementById(`tab-${next}`).focus();
  });
  document.addEventListener("ordered", () => {
    if (current() === "numbers") turn("numbers");
  });
  document.getElementById("help").addEventListener("click", footagefit.keys.help);
  footagefit.keys.on("all", "?", "these keys", footagefit.keys.help);
  new ResizeObserver(() => {
    if (current() === "shots") footagefit.grid.draw();
  }).observe(document.getElementById("grid"));

  footagefit.order.controls(document.getElementById("order"));
  footagefit.viewer.start();
  footagefit.grid.keys();
  turn("shots");
})();
