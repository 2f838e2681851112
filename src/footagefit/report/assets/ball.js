/* The page of `footagefit ui`: what is set, asked of the server, shown. One preview is under way
   at a time, always of the newest values: dragging never queues up. */
"use strict";

(() => {
  const { data, view } = window.footagefit;
  const { make } = window.footagefit.elements;
  const $ = (id) => document.getElementById(id);
  const frames = data.plate.frames;
  const kept = `footagefit ui ${data.fit.hash} ${data.plate.path}`;
  const controls = new Map(data.controls.map((control) => [control.name, control]));
  const AZIMUTH = "light.azimuth_deg", ELEVATION = "light.elevation_deg";

  // tracks: a number, or values by frame. values: what they are here. own: the plate's own light.
  let tracks = { ...data.start }, values = {}, own = {}, state = data.state;
  let frame = frames[Math.floor((frames.length - 1) / 2)];
  let wipe = 0.5, whole = false;

  // -- asking ---------------------------------------------------------------------------------

  let asking = 0; // requests under way

  async function ask(name, body) {
    const asked = { method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body) };
    asking += 1;
    try {
      const answer = await fetch(name, body === undefined ? {} : asked);
      if (!answer.ok) throw new Error((await answer.json()).error);
      const picture = answer.headers.get("Content-Type") === "image/jpeg";
      return await (picture ? answer.blob() : answer.json());
    } finally {
      asking -= 1;
    }
  }

  const now = () => JSON.stringify({ frame, tracks });

  const say = (line) => { $("line").textContent = line; };

  /* What goes wrong is told till somebody does the next thing: a picture that comes wipes it not. */
  async function trying(job) {
    try {
      return await job();
    } catch (error) {
      say(error instanceof TypeError ? "footagefit has ended: start it again" : error.message);
      return undefined;
    }
  }

  for (const act of ["pointerdown", "keydown"]) addEventListener(act, () => say(""), true);

  /* Runs a job now, or once more when the one under way has ended. */
  function newest(job) {
    let busy = false, again = false;
    return async () => {
      again = true;
      if (busy) return;
      busy = true;
      while (again) {
        again = false;
        await trying(job);
      }
      busy = false;
    };
  }

  async function into(image, what) {
    const blob = await ask("preview", { frame, what, controls: tracks,
      exposure_ev: Number($("exposure").value) });
    const address = URL.createObjectURL(blob);
    image.src = address;
    await image.decode().catch(() => {});
    if (image.dataset.address) URL.revokeObjectURL(image.dataset.address);
    image.dataset.address = address;
  }

  const showResult = newest(async () => {
    if (!state.ready) return;
    const begun = performance.now(), asked = now();
    await into($("result"), "result");
    $("timing").textContent = `${Math.round(performance.now() - begun)} ms`;
    document.body.dataset.shown = asked;
  });

  const showPlate = newest(async () => {
    if (!state.ready) return;
    await into($("plate"), "plate");
    if (!$("mask").hidden) await into($("mask"), "mask");
  });

  const showValues = newest(async () => {
    if (!state.ready) return;
    const asked = now(), told = await ask("at", { frame, controls: tracks });
    if (asked !== now()) { showValues(); return; } // something was set in the meantime
    ({ values, own } = told);
    drawn();
  });

  const showCommand = newest(async () => {
    if (!state.ready) return;
    const asked = { controls: tracks, frames: $("frames").value };
    $("command").textContent = (await ask("command", asked)).line;
  });

  function changed() {
    sessionStorage.setItem(kept, JSON.stringify({ tracks, frame, wipe, whole }));
    showResult();
    showCommand();
  }

  function everything() {
    showPlate();
    showValues();
    changed();
  }

  // -- controls -------------------------------------------------------------------------------

  const moves = (name) => typeof tracks[name] === "object";

  function standing(name) {
    const control = controls.get(name);
    return values[name] ?? own[name] ?? control.default ?? Math.max(control.low, 0);
  }

  /* Sets a value here: at this frame where the control has keys, else for the whole shot. */
  function set(name, value) {
    const control = controls.get(name);
    value = control.choices.length ? value : view.rounded(control, value);
    values[name] = value;
    tracks[name] = moves(name) ? { ...tracks[name], [frame]: value } : value;
    drawn();
    changed();
  }

  function unset(name) {
    delete tracks[name];
    delete values[name];
    drawn();
    changed();
  }

  /* A key here, or this key away; the last key leaves its value for the whole shot. */
  function keyed(name) {
    const held = moves(name) ? { ...tracks[name] } : {};
    if (frame in held) {
      const value = held[frame];
      delete held[frame];
      tracks[name] = Object.keys(held).length ? held : value;
    } else {
      tracks[name] = { ...held, [frame]: view.rounded(controls.get(name), standing(name)) };
    }
    showValues();
    changed();
  }

  const drawers = [];

  function choice(control, row) {
    const select = make("select", { "aria-label": control.name, onchange: () =>
      set(control.name, Number(select.value)) }, ...control.choices.map((word, index) =>
      make("option", { value: index }, word)));
    row.append(select);
    return () => { select.value = String(Math.round(standing(control.name))); };
  }

  function number(control, row) {
    const [onto, back] = view.scale(control);
    const name = control.name;
    const range = make("input", { type: "range", min: onto(control.low), step: "any",
      max: onto(control.high), "aria-label": name,
      oninput: () => set(name, back(Number(range.value))) });
    const exact = make("input", { type: "number", min: control.low, max: control.high,
      step: view.step(control), "aria-label": `${name}, exactly`, onchange: () => {
        if (exact.value !== "") set(name, Number(exact.value));
      } });
    const key = make("button", { class: "key", title: "a key here, or none",
      "aria-label": `key of ${name}`, onclick: () => keyed(name) }, "◆");
    row.append(range, exact, key);
    return () => {
      const value = standing(name);
      range.value = onto(value);
      if (document.activeElement !== exact) exact.value = view.rounded(control, value);
      key.setAttribute("aria-pressed", moves(name) && frame in tracks[name]);
    };
  }

  const WORDS = [[/_deg$/, ""], [/_ev$/, " level"], [/_k$/, " colour"], [/_mired$/, " warmth"],
    [/_tint_duv$/, " tint"], [/_/g, " "]];

  function row(control) {
    const range = control.choices.length ? "" :
      `${control.low} to ${control.high} ${control.unit}`.trim();
    const made = make("div", { class: "control" }, make("label", { title: control.help },
      make("span", {}, WORDS.reduce((text, [was, now]) => text.replace(was, now), control.label)),
      make("span", { class: "faint" }, range)));
    const draw = (control.choices.length ? choice : number)(control, made);
    const clear = make("button", { title: "as it is by default", onclick: () =>
      unset(control.name), "aria-label": `${control.name} as it is by default` }, "×");
    made.append(clear);
    drawers.push(() => {
      const is = control.name in tracks;
      made.classList.toggle("unset", !is);
      clear.disabled = !is;
      draw();
    });
    return made;
  }

  const GROUPS = { "": "Change", light: "Light", "light.by": "Beside what it is",
    "light.plate": "The plate's own light, where it is known" };

  function build() {
    const groups = new Map();
    for (const control of data.controls) {
      groups.set(control.group, [...(groups.get(control.group) ?? []), control]);
    }
    for (const [group, members] of groups) {
      const open = group === "" || group === "light";
      $("groups").append(make("details", { class: "panel", open },
        make("summary", {}, GROUPS[group] ?? group), ...members.map(row)));
    }
  }

  // -- the ball -------------------------------------------------------------------------------

  function light() {
    const at = (name, other) => (controls.has(`light.${name}`) ? standing(`light.${name}`) : other);
    return { azimuth: at("azimuth_deg", 0), elevation: at("elevation_deg", 0),
      softness: at("softness_deg", 20), key_ev: at("key_ev", 0), fill_ev: at("fill_ev", -3),
      key_k: at("key_k", 5600), fill_k: at("fill_k", 5600),
      set: AZIMUTH in tracks || ELEVATION in tracks };
  }

  /* A direction is one thing: where one of its two numbers has keys, both have. */
  function aim(azimuth, elevation) {
    for (const [name, other] of [[AZIMUTH, ELEVATION], [ELEVATION, AZIMUTH]]) {
      if (moves(other) && !moves(name)) {
        const held = view.rounded(controls.get(name), standing(name));
        tracks[name] = Object.fromEntries(Object.keys(tracks[other]).map((key) => [key, held]));
      }
    }
    values[AZIMUTH] = view.rounded(controls.get(AZIMUTH), azimuth);
    set(ELEVATION, elevation);
    set(AZIMUTH, azimuth);
  }

  function dragging(target, moved) {
    target.addEventListener("pointerdown", (event) => {
      target.setPointerCapture(event.pointerId);
      moved(event);
    });
    target.addEventListener("pointermove", (event) => {
      if (target.hasPointerCapture(event.pointerId)) moved(event);
    });
  }

  function onBall() {
    const canvas = $("ball");
    dragging(canvas, (event) => {
      const box = canvas.getBoundingClientRect(), half = box.width / 2;
      aim(...view.unplaced((event.clientX - box.left) / half - 1,
        1 - (event.clientY - box.top) / half));
    });
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      if (!(event.key in by)) return;
      event.preventDefault();
      const far = event.shiftKey ? 10 : 2, [across, up] = by[event.key], is = light();
      const turned = is.azimuth + across * far;
      aim(((turned + 540) % 360) - 180, Math.max(-90, Math.min(90, is.elevation + up * far)));
    });
  }

  function drawn() {
    drawers.forEach((draw) => draw());
    if (data.ball) {
      const key = light(), there = AZIMUTH in own;
      view.ball($("ball"), key, there && { azimuth: own[AZIMUTH], elevation: own[ELEVATION] });
      const said = `key ${Math.round(key.azimuth)}° across, ${Math.round(key.elevation)}° up`;
      const read = there ? `the plate's own, as read: ${Math.round(own[AZIMUTH])}°, ` +
        `${Math.round(own[ELEVATION])}° (sure ${own.confidence.toFixed(1)} of 1)` : "";
      $("ball-said").textContent = key.set ? `${said}\n${read}` : read;
    }
    const marks = new Set(Object.keys(tracks).filter(moves)
      .flatMap((name) => Object.keys(tracks[name]).map(Number)));
    const span = Math.max(1, frames[frames.length - 1] - frames[0]);
    $("keys").replaceChildren(...[...marks].map((key) => make("i", {
      style: `left: ${(100 * (key - frames[0])) / span}%` })));
    $("keys").dataset.frames = JSON.stringify([...marks].sort((a, b) => a - b));
    $("number").textContent = frame;
    $("scrub").value = frames.indexOf(frame);
  }

  // -- time, wipe -----------------------------------------------------------------------------

  function go(to) {
    const index = Math.max(0, Math.min(frames.length - 1, to));
    if (frames[index] === frame) return;
    frame = frames[index];
    drawn();
    everything();
  }

  function goKey(side) {
    const all = JSON.parse($("keys").dataset.frames || "[]");
    const marks = all.filter((key) => side * (key - frame) > 0);
    const next = side > 0 ? marks[0] : marks[marks.length - 1];
    if (next !== undefined && frames.includes(next)) go(frames.indexOf(next));
  }

  function wiped(share) {
    wipe = Math.max(0, Math.min(1, share));
    $("frame").style.setProperty("--wipe", `${100 * wipe}%`);
    $("wipe").setAttribute("aria-valuenow", Math.round(100 * wipe));
  }

  function wholly(on) {
    whole = on;
    $("frame").classList.toggle("whole", whole);
    $("show-wipe").setAttribute("aria-pressed", !whole);
  }

  function masked(on) {
    $("mask").hidden = !on;
    $("show-mask").setAttribute("aria-pressed", on);
    if (on) trying(() => into($("mask"), "mask"));
  }

  const flipped = (on) => $("frame").classList.toggle("flipped", on);

  function onTime() {
    $("scrub").max = frames.length - 1;
    $("scrub").disabled = frames.length < 2;
    $("scrub").addEventListener("input", () => go(Number($("scrub").value)));
    $("earlier").onclick = () => go(frames.indexOf(frame) - 1);
    $("later").onclick = () => go(frames.indexOf(frame) + 1);
    $("key-before").onclick = () => goKey(-1);
    $("key-after").onclick = () => goKey(1);
    $("show-wipe").onclick = () => wholly(!whole);
    $("show-mask").onclick = () => masked($("mask").hidden);
    $("flip").onpointerdown = () => flipped(true);
    for (const end of ["pointerup", "pointerleave"]) $("flip").addEventListener(end, () =>
      flipped(false));
    dragging($("frame"), (event) => {
      const box = $("frame").getBoundingClientRect();
      if (!whole) wiped((event.clientX - box.left) / box.width);
    });
    $("wipe").addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
      if (by) { wiped(wipe + by); event.preventDefault(); event.stopPropagation(); }
    });
    $("exposure").addEventListener("input", () => {
      const ev = Number($("exposure").value);
      $("exposure-said").textContent = `${ev < 0 ? "" : "+"}${ev.toFixed(1)} ev`;
      showPlate();
      showResult();
    });
  }

  function onKeys() {
    const keys = { ",": () => go(frames.indexOf(frame) - 1),
      ".": () => go(frames.indexOf(frame) + 1), "[": () => goKey(-1), "]": () => goKey(1), w: () => wholly(!whole),
      m: () => masked($("mask").hidden), " ": () => flipped(true) };
    const typing = (event) => /^(INPUT|TEXTAREA|SELECT|BUTTON|SUMMARY)$/.test(event.target.tagName)
      && event.target.type !== "range";
    document.addEventListener("keydown", (event) => {
      if (typing(event) || event.ctrlKey || event.metaKey || !(event.key in keys)) return;
      event.preventDefault();
      keys[event.key]();
    });
    document.addEventListener("keyup", (event) => { if (event.key === " ") flipped(false); });
  }

  window.footagefit.desk = { $, ask, trying, data, showCommand, everything,
    asked: () => ({ controls: tracks, frames: $("frames").value }),
    state: () => state, now, busy: () => asking > 0,
    take: (told) => { state = told; },
    reset: () => { tracks = {}; values = {}; everything(); } };

  build();
  onBall();
  onTime();
  onKeys();
  try {
    const held = JSON.parse(sessionStorage.getItem(kept) || "null");
    if (held && frames.includes(held.frame)) ({ tracks, frame, wipe, whole } = held);
  } catch { sessionStorage.removeItem(kept); }
  $("title").textContent = data.plate.name;
  $("about").textContent = `${data.fit.name} · ${data.fit.task} · ${data.plate.width}×` +
    `${data.plate.height} · ${data.plate.space}`;
  $("ball-panel").hidden = !data.ball;
  $("frame").style.setProperty("--aspect", data.plate.aspect);
  wiped(wipe);
  wholly(whole);
  drawn();
})();
