/* Every key in one place: what is pressed, where it counts, what it does; and the list of them. */
"use strict";

(function () {
  const { make } = footagefit.parts;
  const known = [];
  const arrows = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", " ": "Space" };
  const face = (key) => key.replace(/Arrow\w+|^ $/, (word) => arrows[word]).replace("Shift+", "⇧ ");

  /** Where a key counts: "grid", "viewer" or "all". */
  function on(where, keys, what, run) {
    known.push({ where, keys: [].concat(keys), what, run });
  }

  function place() {
    if (document.getElementById("keys").open) return null;
    if (document.getElementById("viewer").open) return "viewer";
    return document.getElementById("shots").hidden ? "all" : "grid";
  }

  function typed(event) {
    const target = event.target;
    if (target.closest("textarea, select, input:not([type=range])")) return true;
    if (event.key === " " || event.key === "Enter") return Boolean(target.closest("button:not(.cell), a"));
    const moves = event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End";
    return moves && Boolean(target.closest("[role=slider], [role=tab], input"));
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typed(event)) return;
    const now = place();
    const key = (event.shiftKey && event.key.startsWith("Arrow") ? "Shift+" : "") + event.key;
    const found = known.find(
      (one) => now && (one.where === now || one.where === "all") && one.keys.includes(key),
    );
    if (!found) return;
    event.preventDefault();
    found.run(event);
  });

  function list() {
    const titles = { all: "Everywhere", grid: "In the grid", viewer: "In the viewer" };
    const blocks = [];
    for (const where of ["grid", "viewer", "all"]) {
      const rows = known.filter((one) => one.where === where);
      blocks.push(make("h3", {}, titles[where]));
      const lines = rows.map((one) =>
        make(
          "tr",
          {},
          make("td", {}, ...one.keys.flatMap((key) => [make("kbd", {}, face(key)), " "])),
          make("td", { class: "text" }, one.what),
        ),
      );
      blocks.push(make("table", {}, make("tbody", {}, ...lines)));
    }
    document.getElementById("keys-list").replaceChildren(...blocks);
  }

  function help() {
    list();
    document.getElementById("keys").showModal();
  }

  footagefit.keys = { on, help };
})();
