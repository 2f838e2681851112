/* The viewer: one shot, two columns or all of them, with scopes, numbers and notes beside. */
"use strict";

(function () {
  const { make, number, signed, button, choice, columns, value, address } = footagefit.parts;
  const { decisions } = footagefit;
  const data = footagefit.data;
  const MODES = [
    ["one", "One", "1", "one picture; x exchanges it with the other"],
    ["wipe", "Wipe", "w", "wipe between A and B"],
    ["difference", "Difference", "d", "what differs between A and B, brightened"],
    ["tiles", "All", "t", "every column at one zoom and place"],
  ];
  const PANS = {
    "Shift+ArrowLeft": [40, 0], "Shift+ArrowRight": [-40, 0],
    "Shift+ArrowUp": [0, 40], "Shift+ArrowDown": [0, -40],
  };
  const dialog = document.getElementById("viewer");
  const side = document.getElementById("side");
  const scopes = make("div", { id: "scopes", "aria-live": "off" });
  const facts = make("div", { id: "facts" });
  const words = make("div", { id: "words-of-shot" });
  const now = { list: [], place: 0, a: "", b: "", mode: "wipe", frame: null };
  const shown = {}; // controls whose text follows
  let stage = null;
  let loop = null;
  let scopeTimer = 0;

  const shot = () => now.list[now.place];
  const label = (key) => columns.get(key).label;
  const there = () => data.columns.filter((one) => shot().has.includes(one.key)).map((one) => one.key);

  /** The column that picks and notes are about: the fit in B, else the one in A. */
  function about() {
    return [now.b, now.a].find((key) => columns.get(key).fit) || "";
  }

  function panes() {
    if (now.mode === "tiles") return there().map((key) => ({ layers: [key], tags: [label(key)] }));
    const layers = [now.a, now.b];
    if (now.mode === "one") return [{ layers: [now.a], tags: [label(now.a)] }];
    if (now.mode === "wipe") return [{ layers, tags: layers.map(label) }];
    return [{ layers, tags: [`${label(now.a)} − ${label(now.b)}`] }];
  }

  const visible = () => [...new Set(panes().flatMap((pane) => pane.layers))];

  function addressOf(frame) {
    const one = shot();
    const other = frame !== null && frame !== one.still;
    return (key) => {
      const small = other && key !== "reference"; // of which one frame is kept
      return address(one, key, small ? frame : one.still, small);
    };
  }

  async function pictures() {
    const done = await stage.show(addressOf(now.frame));
    if (done) dialog.dispatchEvent(new CustomEvent("pictures"));
    return done;
  }

  async function arrange() {
    for (const key of ["a", "b"]) if (!there().includes(now[key])) now[key] = there().at(-1);
    stage.build(now.mode, panes(), shot().size);
    follow();
    await pictures();
    ahead();
  }

  /** The next shot's pictures, so that it is there at once. */
  function ahead() {
    const next = now.list[now.place + 1];
    if (!next || now.mode === "tiles") return;
    for (const key of visible()) {
      if (next.has.includes(key)) footagefit.stage.load(address(next, key, next.still, false)).catch(() => {});
    }
  }

  function visit(place) {
    now.place = Math.max(0, Math.min(now.list.length - 1, place));
    now.frame = null;
    loop.rest(shot());
    arrange();
    tell();
    say(`${shot().name}, ${label(now.a)} and ${label(now.b)}`);
  }

  function mode(name) {
    now.mode = name;
    arrange();
    say(MODES.find((one) => one[0] === name)[3]);
  }

  function exchange() {
    [now.a, now.b] = [now.b, now.a];
    arrange();
    say(`${label(now.a)} is A`);
  }

  function say(text) {
    document.getElementById("viewer-said").textContent = text;
  }

  /** Texts of controls that follow what is seen. */
  function follow() {
    if (!shot()) return;
    const one = shot();
    document.getElementById("viewer-title").textContent = one.name;
    document.getElementById("viewer-about").textContent =
      `${now.place + 1} of ${now.list.length} · scene ${one.scene} · ${one.setup} · ` +
      `${data.settings.draws > 1 ? "first mismatch · " : ""}${signed(data.exposureEv)} ev`;
    for (const [name, , key] of MODES) {
      document.getElementById(`mode-${name}`).setAttribute("aria-pressed", String(now.mode === name));
    }
    for (const key of ["a", "b"]) {
      const select = shown[key].querySelector("select");
      for (const option of select.options) option.disabled = !one.has.includes(option.value);
      select.value = now[key];
    }
    const grade = stage.grade;
    shown.exposure.value = String(grade.exposureEv);
    shown.gamma.value = String(grade.gamma);
    shown.said.textContent =
      now.mode === "difference"
        ? `difference x ${grade.gain}`
        : `${signed(grade.exposureEv)} ev, gamma ${grade.gamma.toFixed(2)}`;
    const device = stage.scale * (window.devicePixelRatio || 1);
    shown.zoom.textContent = Math.abs(device - 1) < 0.005 ? "1:1" : `${Math.round(100 * device)} %`;
    shown.frame.textContent = `frame ${now.frame === null ? one.still : now.frame}`;
    shown.play.disabled = !one.plays;
    shown.play.setAttribute("aria-pressed", String(loop.playing));
    scopesSoon();
  }

  function scopesSoon() {
    window.clearTimeout(scopeTimer);
    const key = JSON.stringify([shot().name, now.a, now.b, stage.grade]);
    if (scopes.dataset.of === key) return;
    scopeTimer = window.setTimeout(() => {
      scopes.dataset.of = key;
      const named = now.a === now.b ? [["A", now.a]] : [["A", now.a], ["B", now.b]];
      footagefit.scopes.show(scopes, shot(), named.map(([l, k]) => [l, k, label(k)]), stage.grade);
    }, 120);
  }

  /** Numbers, notes and picks of this shot. */
  function tell() {
    if (!dialog.open) return;
    const one = shot();
    const judged = footagefit.parts.judged;
    const rows = data.metrics.map((metric) => [
      make("span", { title: `${metric.about} (${metric.space})` }, metric.name),
      ...judged.map((column) => number(value(one, column.key, metric.name))),
    ]);
    facts.replaceChildren(make("h3", {}, "Numbers"),
      footagefit.parts.table(`${one.frames.length} frames of ${one.name}`,
        ["metric", ...judged.map((column) => column.label)], rows));
    words.replaceChildren(make("h3", {}, "Pick and notes"), ...wordsOf(one));
  }

  function wordsOf(one) {
    const fit = about();
    const picked = decisions.picked(one.name);
    const mine = Boolean(fit && picked && picked.fit === fit);
    const given = Boolean(fit && decisions.approved(fit));
    const name = fit ? label(fit) : "no fit is shown";
    const note = make("textarea", { id: "note", "aria-label": `Note on ${one.name}` });
    const frame = now.frame === null ? one.still : now.frame;
    const list = decisions.notesOf(one.name).map((entry) =>
      make("li", {}, make("span", { class: "faint" },
        `${entry.fit ? label(entry.fit) : "the shot"}, ${entry.frame}: `), entry.text, " ",
        button("Remove", "", () => decisions.forget(entry), { "aria-label": `Remove: ${entry.text}` })));
    return [
      make("div", { class: "bar" },
        button(mine ? "Picked" : "Pick", "p", () => pick(),
          { "aria-pressed": String(mine), disabled: !fit, id: "pick" }),
        button(given ? "Approved" : "Approve", "a", () => approve(),
          { "aria-pressed": String(given), disabled: !fit, id: "approve" })),
      make("p", { class: "faint" }, `${name}${picked && !mine ? `; picked: ${label(picked.fit)}` : ""}`),
      note,
      button("Keep the note", "", () => decisions.note(one.name, fit, frame, note.value), { id: "keep-note" }),
      make("ul", { class: "notes" }, ...list),
    ];
  }

  function pick() {
    if (about()) decisions.pick(shot().name, about(), shot().still);
  }

  function approve() {
    if (about()) decisions.approve(about(), "");
  }

  async function play() {
    if (loop.playing) {
      loop.stop();
      now.frame = null;
      await pictures();
    } else if (shot().plays) {
      const keys = visible().filter((key) => key !== "reference");
      await loop.play(keys.flatMap((key) => shot().frames.map((n) => addressOf(n)(key))));
    }
    follow();
  }

  function step(by) {
    if (!shot().plays) return;
    now.frame = loop.step(by);
    pictures();
    follow();
  }

  function frame(number) {
    now.frame = number;
    shown.frame.textContent = `frame ${number}`;
    return pictures();
  }

  function expose(by) {
    const grade = stage.grade;
    if (now.mode === "difference") stage.setGrade({ gain: Math.max(1, Math.min(64, grade.gain * 2 ** Math.sign(by))) });
    else stage.setGrade({ exposureEv: Math.max(-6, Math.min(6, grade.exposureEv + by)) });
    say(shown.said.textContent);
  }

  function bend(by) {
    const gamma = Math.round(100 * (stage.grade.gamma + by)) / 100;
    stage.setGrade({ gamma: Math.max(0.3, Math.min(3, gamma)) });
    say(shown.said.textContent);
  }

  function plain() {
    stage.setGrade({ exposureEv: 0, gamma: 1, gain: 8 });
  }

  function tools() {
    const options = data.columns.map((column) => [column.key, column.label]);
    const slider = (name, least, most, by, change) =>
      make("input", { type: "range", min: least, max: most, step: by, "aria-label": name,
        oninput: (event) => change(Number(event.target.value)) });
    shown.a = choice("A", options, now.a, (key) => { now.a = key; arrange(); tell(); });
    shown.b = choice("B", options, now.b, (key) => { now.b = key; arrange(); tell(); });
    shown.exposure = slider("Exposure, stops", -6, 6, 0.25, (ev) => stage.setGrade({ exposureEv: ev }));
    shown.gamma = slider("Gamma", 0.3, 3, 0.05, (gamma) => stage.setGrade({ gamma }));
    shown.said = make("span", { class: "digits" });
    shown.zoom = make("span", { class: "digits" });
    shown.frame = make("span", { class: "digits" });
    shown.play = button("Play", "l", play, { id: "play" });
    document.getElementById("modes").replaceChildren(
      ...MODES.map(([name, text, key]) => button(text, key, () => mode(name), { id: `mode-${name}` })));
    document.getElementById("viewer-tools").replaceChildren(
      button("↑ Shot", "", () => visit(now.place - 1), { "aria-label": "Shot before" }),
      button("↓ Shot", "", () => visit(now.place + 1), { "aria-label": "Shot after" }),
      shown.a, shown.b, button("Exchange", "x", exchange),
      shown.play, shown.frame,
      button("1:1", "z", () => stage.toggle()), button("Fit", "f", () => stage.fit()), shown.zoom,
      shown.exposure, shown.gamma, shown.said, button("Plain", "0", plain));
    side.replaceChildren(make("h3", {}, "Scopes of the still"), scopes, words, facts);
  }

  function keys() {
    const on = (keys, what, run) => footagefit.keys.on("viewer", keys, what, run);
    for (const [name, , key, what] of MODES) on(key, what, () => mode(name));
    on("x", "flip: exchange A and B", exchange);
    on(["ArrowUp", "ArrowDown"], "the shot before, the shot after", (event) =>
      visit(now.place + (event.key === "ArrowDown" ? 1 : -1)));
    on(["ArrowLeft", "ArrowRight"], "B is the column to the left, to the right", (event) => {
      const all = there();
      const by = event.key === "ArrowRight" ? 1 : -1;
      now.b = all[(all.indexOf(now.b) + by + all.length) % all.length];
      arrange();
      tell();
    });
    on(["{", "}"], "A is the column to the left, to the right", (event) => {
      const all = there();
      const by = event.key === "}" ? 1 : -1;
      now.a = all[(all.indexOf(now.a) + by + all.length) % all.length];
      arrange();
      tell();
    });
    on(["l", " "], "play the loop, or rest on the still", play);
    on([",", "."], "a frame back, a frame on", (event) => step(event.key === "." ? 1 : -1));
    on("z", "1:1 or the whole picture", () => stage.toggle());
    on("f", "the whole picture", () => stage.fit());
    on(["+", "=", "-"], "closer, farther", (event) =>
      stage.zoomTo(stage.scale * (event.key === "-" ? 1 / 1.25 : 1.25)));
    on(Object.keys(PANS), "move the picture", (event) => stage.panBy(...PANS[`Shift+${event.key}`]));
    on(["[", "]"], "exposure down, up by a quarter stop; in a difference, its gain", (event) =>
      expose(event.key === "]" ? 0.25 : -0.25));
    on(["g", "G"], "gamma up, down", (event) => bend(event.key === "g" ? 0.1 : -0.1));
    on("0", "exposure and gamma as they were", plain);
    on("p", "pick the fit shown, or take it back", pick);
    on("a", "approve the fit shown as a whole, or take it back", approve);
    on("n", "write a note", () => document.getElementById("note").focus());
    on("s", "scopes and words, or the picture alone", () => { side.hidden = !side.hidden; });
  }

  /** Open on a shot; what is beside the clicked column is the plate, or the target. */
  function open(list, place, key) {
    Object.assign(now, { list, place, frame: null, b: key, a: key === "plate" ? "target" : "plate" });
    loop.rest(shot());
    dialog.showModal();
    arrange();
    tell();
    document.getElementById("stage").focus();
  }

  function start() {
    stage = new footagefit.stage.Stage(document.getElementById("stage"), follow);
    loop = new footagefit.loops.Loop(frame);
    tools();
    keys();
    document.getElementById("viewer-close").addEventListener("click", () => dialog.close());
    document.addEventListener("decided", tell);
    dialog.addEventListener("close", () => {
      loop.stop();
      const place = footagefit.order.list().indexOf(shot());
      const column = data.columns.findIndex((one) => one.key === now.b);
      if (place >= 0) footagefit.grid.go(place, column);
    });
  }

  footagefit.viewer = { open, start, stage: () => stage, now };
})();
