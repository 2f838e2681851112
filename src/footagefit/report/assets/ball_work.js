/* The page of `footagefit ui`, what goes on beside the picture: references, mask, render. */
"use strict";

(() => {
  const { $, ask, trying, data, showCommand, everything, asked, state, take, reset } =
    window.footagefit.desk;
  const { make } = window.footagefit.elements;

  function shown() {
    const now = state();
    $("waits").hidden = now.ready;
    $("waits").textContent = now.ready ? "" : "pick what the plate must sit beside";
    const name = (now.reference || "").split("/").pop();
    $("reference-said").textContent = !now.reference ? "nothing yet"
      : name + (now.reference_frames ? `, frames ${now.reference_frames}` : "");
    $("mask-path").value = now.mask || "";
    progress(now.render);
  }

  async function settled(name, body) {
    const told = await trying(() => ask(name, body));
    if (told === undefined) return;
    take(told);
    shown();
    everything();
  }

  // -- references -----------------------------------------------------------------------------

  let shots = [], chosen = "";

  function listed() {
    const words = $("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = shots.filter((shot) => {
      const said = `${shot.name} ${shot.slate} ${shot.setup} ${shot.flags.join(" ")}`.toLowerCase();
      return words.every((word) => said.includes(word));
    });
    $("shots").replaceChildren(...fits.slice(0, 120).map((shot) => {
      const address = `thumbnail?shot=${encodeURIComponent(shot.name)}`;
      const picture = make("img", { src: address, alt: "", loading: "lazy" });
      return make("button", { type: "button", title: `${shot.name}, ${shot.frames} frames`,
        "aria-pressed": String(shot.name === chosen), onclick: () => picked(shot, address),
      }, picture, shot.slate || shot.name);
    }));
  }

  function picked(shot, address) {
    chosen = shot.name;
    listed();
    $("reference-picture").src = address;
    $("reference-picture").hidden = false;
    settled("reference", { shot: shot.name });
  }

  async function references() {
    if (!data.references) $("groups").after($("reference-panel")); // it may have one
    $("reference-none").hidden = data.references > 0;
    $("reference-none").onclick = () => {
      $("reference-picture").hidden = true;
      chosen = "";
      listed();
      settled("reference", { path: "" });
    };
    $("find").parentElement.hidden = !data.catalogue;
    $("shots").hidden = !data.catalogue;
    if (data.catalogue) ({ shots } = (await trying(() => ask("shots"))) ?? { shots: [] });
    listed();
    $("find").addEventListener("input", listed);
    $("reference-form").addEventListener("submit", (event) => {
      event.preventDefault();
      chosen = "";
      listed();
      $("reference-picture").hidden = true;
      settled("reference", { path: $("reference-path").value });
    });
  }

  // -- mask and render ------------------------------------------------------------------------

  let watching = 0;

  function progress(told) {
    const running = told.state === "running";
    $("progress").hidden = told.state === "none";
    $("render").disabled = running;
    $("stop").hidden = !running;
    $("bar").max = Math.max(1, told.total);
    $("bar").value = told.state === "done" ? $("bar").max : told.done;
    const left = told.left_s === null ? "" : `, ${Math.ceil(told.left_s)} s left`;
    const out = told.out.split("/").pop();
    $("progress-said").textContent = { none: "", failed: told.error,
      running: `${told.label} ${told.done} of ${told.total} frames${left}`,
      done: `done: ${told.out}`,
      stopped: `stopped; what is written is kept, rendering again goes on: ${out}`,
    }[told.state];
    if (running && !watching) watching = setInterval(watch, 500);
    if (!running && watching) { clearInterval(watching); watching = 0; }
  }

  async function watch() {
    const told = await trying(() => ask("state"));
    if (told) { take(told); progress(told.render); }
  }

  async function copied() {
    const line = await trying(() => ask("command", asked()));
    if (!line) return;
    $("command").textContent = line.line;
    await navigator.clipboard.writeText(line.line).then(
      () => { $("copy").textContent = "copied"; },
      () => { getSelection().selectAllChildren($("command")); });
    setTimeout(() => { $("copy").textContent = "copy the command"; }, 1500);
  }

  $("mask-form").addEventListener("submit", (event) => {
    event.preventDefault();
    settled("mask", { path: $("mask-path").value });
  });
  $("mask-none").onclick = () => settled("mask", { path: "" });
  $("render").onclick = async () => {
    const told = await trying(() => ask("render", asked()));
    if (told) { take(told); progress(told.render); }
  };
  $("stop").onclick = () => trying(() => ask("stop", {}));
  $("copy").onclick = copied;
  $("reset").onclick = reset;
  $("frames").addEventListener("change", showCommand);
  references();
  shown();
  everything();
})();
