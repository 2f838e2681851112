/* Which shots, in which order, by which metric: one state, which grid and tables follow. */
"use strict";

(function () {
  const { metrics, fits, value, better } = footagefit.parts;
  const data = footagefit.data;
  const state = {
    metric: metrics.has("psnr") ? "psnr" : data.metrics[0].name,
    by: "", // a column's key; empty keeps the catalogue's order
    down: false,
    words: "",
    only: "all",
  };

  const only = {
    all: ["every shot", () => true],
    open: ["nothing picked yet", (shot) => !footagefit.decisions.picked(shot.name)],
    picked: ["picked", (shot) => Boolean(footagefit.decisions.picked(shot.name))],
    noted: ["with notes", (shot) => footagefit.decisions.notesOf(shot.name).length > 0],
    worse: ["some fit worse than the plate", (shot) =>
      fits.some((fit) =>
        better(state.metric, value(shot, "plate", state.metric), value(shot, fit.key, state.metric)))],
  };

  function matches(shot) {
    const text = `${shot.name} ${shot.scene} ${shot.setup} ${shot.take}`.toLowerCase();
    return state.words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
  }

  /** The shots to show, in order. */
  function list() {
    const found = data.shots.filter((shot) => only[state.only][1](shot) && matches(shot));
    if (!state.by) return found;
    const number = (shot) => value(shot, state.by, state.metric);
    const missing = (shot) => (number(shot) === null ? 1 : 0);
    const sign = state.down ? -1 : 1;
    return [...found].sort(
      (a, b) => missing(a) - missing(b) || sign * (number(a) - number(b)) || 0,
    );
  }

  function set(change) {
    Object.assign(state, change);
    document.dispatchEvent(new CustomEvent("ordered"));
  }

  /** Sort by a column: first by least, then by most, then as the catalogue has it. */
  function sortBy(key) {
    if (state.by !== key) set({ by: key, down: false });
    else if (!state.down) set({ down: true });
    else set({ by: "", down: false });
  }

  const direction = (key) =>
    state.by !== key ? "none" : state.down ? "descending" : "ascending";

  /** Controls for a form. */
  function controls(form) {
    const { make, choice } = footagefit.parts;
    const words = make("input", {
      type: "search",
      id: "words",
      placeholder: "name, scene, set-up",
      oninput: (event) => set({ words: event.target.value.trim() }),
    });
    const named = data.metrics.map((one) => [one.name, one.name + (one.unit ? ` (${one.unit})` : "")]);
    const sorts = [["", "as catalogued"], ...footagefit.parts.judged.map((c) => [c.key, c.label])];
    const sort = choice("sorted by", sorts, state.by, (by) => set({ by, down: false }));
    document.addEventListener("ordered", () => { sort.querySelector("select").value = state.by; });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.replaceChildren(
      choice("metric", named, state.metric, (metric) => set({ metric })),
      sort,
      choice("show", Object.entries(only).map(([key, one]) => [key, one[0]]), state.only,
        (chosen) => set({ only: chosen })),
      make("label", {}, "find", words),
    );
  }

  footagefit.order = { state, list, set, sortBy, direction, controls };
})();
