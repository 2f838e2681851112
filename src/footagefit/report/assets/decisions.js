/* Picks, notes and approvals: kept in the browser, exported as JSON, loaded back from it.
   `report/decisions.py` reads what `asJson` writes. */
"use strict";

(function () {
  const { make, button, table, fits, columns, shots } = footagefit.parts;
  const data = footagefit.data;
  const empty = { by: "", picks: [], notes: [], approvals: [] };
  const labels = new Map(fits.map((fit) => [fit.label, fit.key]));
  let held = { ...empty, ...footagefit.saved.read() };

  function today() {
    const now = new Date();
    const two = (value) => String(value).padStart(2, "0");
    return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  }

  function keep(change) {
    held = { ...held, ...change };
    footagefit.saved.write(held);
    document.dispatchEvent(new CustomEvent("decided"));
  }

  const picked = (shot) => held.picks.find((one) => one.shot === shot) || null;
  const notesOf = (shot) => held.notes.filter((one) => one.shot === shot);
  const approved = (fit) => held.approvals.find((one) => one.fit === fit) || null;

  /** Pick a fit on a shot, or take the pick back. */
  function pick(shot, fit, frame) {
    const rest = held.picks.filter((one) => one.shot !== shot);
    const before = picked(shot);
    if (!before || before.fit !== fit) rest.push({ shot, fit, frame, at: today() });
    keep({ picks: rest });
  }

  function note(shot, fit, frame, text) {
    const said = text.trim();
    if (said) keep({ notes: [...held.notes, { shot, fit, frame, text: said, at: today() }] });
  }

  function forget(entry) {
    keep({ notes: held.notes.filter((one) => one !== entry) });
  }

  /** Approve a whole fit, or take the approval back. */
  function approve(fit, text) {
    const rest = held.approvals.filter((one) => one.fit !== fit);
    if (!approved(fit)) rest.push({ fit, text: (text || "").trim(), at: today() });
    keep({ approvals: rest });
  }

  /** What is exported: fits by the name a person reads, with the hashes that tell them apart. */
  function asJson() {
    const named = (one) => ({ ...one, fit: one.fit ? columns.get(one.fit).label : "" });
    const known = (one) => !one.fit || columns.has(one.fit);
    return {
      format: 1,
      kind: "footagefit decisions",
      report: data.id,
      show: data.show,
      by: held.by.trim(),
      fits: Object.fromEntries(fits.map((fit) => [fit.label, fit.hash])),
      picks: held.picks.filter(known).map(named),
      notes: held.notes.filter(known).map(named),
      approvals: held.approvals.filter(known).map(named),
    };
  }

  /** Decisions from an exported file, in place of those held; returns what went wrong, or "". */
  function load(text) {
    let raw;
    try {
      raw = JSON.parse(text);
    } catch (error) {
      return "That file is not JSON.";
    }
    if (!raw || raw.kind !== "footagefit decisions") return "That file holds no decisions.";
    if (raw.report !== data.id) return `Those decisions are of another report (show ${raw.show}).`;
    const keyed = (one) => ({ ...one, fit: one.fit ? labels.get(one.fit) : "" });
    const sound = (one) => one.fit !== undefined && (!one.shot || shots.has(one.shot));
    const list = (group) => (raw[group] || []).map(keyed).filter(sound);
    keep({
      by: String(raw.by || ""),
      picks: list("picks"),
      notes: list("notes"),
      approvals: list("approvals"),
    });
    return "";
  }

  function download(name, text, type) {
    const address = URL.createObjectURL(new Blob([text], { type }));
    make("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  const fitName = (key) => (key && columns.has(key) ? columns.get(key).label : "");

  function approvalRows(refresh) {
    return fits.map((fit) => {
      const given = approved(fit.key);
      const before = fit.approvals
        .filter((one) => one.what === "fit")
        .map((one) => `${one.by} on ${one.at}`)
        .join(", ");
      const words = make("input", {
        type: "text",
        "aria-label": `Why ${fit.label}`,
        value: given ? given.text : "",
        disabled: Boolean(given),
      });
      const press = button(given ? "Approved: take back" : "Approve", "", () => {
        approve(fit.key, words.value);
        refresh();
      }, { "aria-pressed": String(Boolean(given)), "aria-label": `Approve ${fit.label}` });
      return [fit.label, { text: before || "nobody yet", kind: "text" }, words, press];
    });
  }

  function files(said, refresh) {
    const json = () => JSON.stringify(asJson(), null, 1) + "\n";
    const input = make("input", {
      type: "file",
      accept: ".json,application/json",
      "aria-label": "Load decisions from JSON",
      onchange: async (event) => {
        const [file] = event.target.files;
        if (!file) return;
        const wrong = load(await file.text());
        if (wrong) said.textContent = wrong;
        else refresh();
      },
    });
    const stem = `${data.show}_decisions`;
    return make(
      "div",
      { class: "bar" },
      button("Export JSON", "", () => {
        said.textContent = held.by.trim() ? "" : "It goes out without a name: say who decides.";
        download(`${stem}.json`, json(), "application/json");
      }, { id: "export-json" }),
      button("Export markers (OTIO)", "", () => {
        const line = footagefit.otio.timeline(asJson());
        download(`${stem}.otio`, JSON.stringify(line, null, 1) + "\n", "application/json");
      }, { id: "export-otio" }),
      make("label", {}, "Load JSON", input),
    );
  }

  /** The part of the page where decisions are listed, exported and loaded. */
  function show(panel) {
    const refresh = () => show(panel);
    const said = make("p", { role: "status", class: "warn" });
    if (!footagefit.saved.works()) {
      said.textContent = "This browser keeps nothing for local files: export before you close.";
    }
    const name = make("input", {
      type: "text",
      id: "by",
      autocomplete: "name",
      onchange: (event) => keep({ by: event.target.value }),
    });
    name.value = held.by;
    const picks = held.picks.map((one) => [one.shot, fitName(one.fit), String(one.frame), one.at]);
    const notes = held.notes.map((one) => [
      one.shot, fitName(one.fit), String(one.frame), { text: one.text, kind: "text" }, one.at,
      button("Remove", "", () => { forget(one); refresh(); }, {
        "aria-label": `Remove the note on ${one.shot}`,
      }),
    ]);
    panel.replaceChildren(
      make("h2", {}, "Decisions"),
      make("p", { class: "faint" }, "Kept in this browser until they are exported. ",
        make("code", {}, `footagefit approve from=<the JSON> show=<the show's YAML>`),
        " takes them into the fits' cards and the catalogue."),
      make("div", { class: "bar" }, make("label", {}, "Who decides", name)),
      files(said, refresh),
      said,
      table("Approvals of whole fits", ["fit", "approved before by", "why", "approval"], approvalRows(refresh)),
      table(`${picks.length} picks`, ["shot", "fit", "frame", "on"], picks),
      table(`${notes.length} notes`, ["shot", "fit", "frame", "note", "on", "no more"], notes),
    );
  }

  footagefit.decisions = { pick, note, forget, approve, picked, notesOf, approved, asJson, load, show };
})();
