/* In what the fits' recipes differ, what they were made from, and who approved what. */
"use strict";

(function () {
  const { make, table, fits } = footagefit.parts;
  let whole = false;

  const said = (value) => (value === null || value === undefined ? "" : String(value));

  function recipes(panel) {
    const names = [...new Set(fits.flatMap((fit) => Object.keys(fit.recipe)))];
    const apart = (name) => new Set(fits.map((fit) => said(fit.recipe[name]))).size > 1;
    const shown = names.filter((name) => whole || apart(name));
    const rows = shown.map((name) => [name, ...fits.map((fit) => ({ text: said(fit.recipe[name]), kind: "text" }))]);
    const all = make("input", { type: "checkbox", onchange: (event) => {
      whole = event.target.checked;
      recipes(panel);
    } });
    all.checked = whole;
    const caption = whole ? "Recipes, whole" : `Recipes, where they differ (${shown.length} of ${names.length} settings)`;
    panel.replaceChildren(make("h2", {}, "Recipes"),
      make("div", { class: "bar" }, make("label", {}, all, "settings that are the same, too")),
      table(caption, ["setting", ...fits.map((fit) => fit.label)], rows));
  }

  function madeFrom(one) {
    if (!one.found) return "not found when the report was made, so not known";
    if (one.stage) return `${one.stage.scenes} scenes of the soundstage, seed ${one.stage.seed}; ships with footagefit, Apache-2.0`;
    if (one.clips.length) return `${one.clips.length} shots of ${one.show}`;
    return "its card does not say what it learnt from";
  }

  function clips(one) {
    const rows = one.clips.map((clip) => [clip.shot, { text: clip.clip, kind: "text" }, clip.frames,
      make("code", {}, String(clip.content).slice(0, 16)), { text: clip.approved_by || "", kind: "text" }]);
    return make("details", {}, make("summary", {}, `its ${rows.length} clips`),
      table(`What ${one.fit} learnt from`, ["shot", "clip", "frames", "content", "approved by"], rows));
  }

  function ofFit(fit) {
    const chain = fit.chain.map((one, depth) => make("div", { style: `margin-left:${18 * depth}px` },
      make("p", {}, depth ? "from " : "", make("strong", {}, one.fit), `: ${madeFrom(one)}`),
      one.clips.length ? clips(one) : ""));
    const given = fit.approvals.map((one) => [one.what, { text: one.name, kind: "text" }, one.by, one.at,
      { text: one.note || "", kind: "text" }]);
    const remarks = fit.remarks.map((one) => [one.what, { text: one.shot, kind: "text" }, String(one.frame),
      one.by, one.at, { text: one.note || "", kind: "text" }]);
    return [
      make("h3", {}, fit.label),
      make("p", { class: "faint" }, "weights ", make("code", {}, fit.hash)),
      make("p", { class: "faint" }, `leak check: ${fit.leakCheck}`),
      ...chain,
      given.length ? table(`Approvals of ${fit.label}`, ["what", "name", "by", "on", "note"], given)
        : make("p", { class: "faint" }, "Nobody has approved it yet."),
      remarks.length ? table(`Picks and notes on ${fit.label} so far`, ["what", "shot", "frame", "by", "on", "note"], remarks) : "",
    ];
  }

  function lineage(panel) {
    panel.replaceChildren(make("h2", {}, "Lineage"), ...fits.flatMap(ofFit));
  }

  footagefit.lineage = { recipes, show: lineage };
})();
