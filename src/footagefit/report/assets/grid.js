/* The grid of shots by checkpoints. Rows are of one height and only those in view exist, so that
   two hundred shots scroll as twenty do. */
"use strict";

(function () {
  const { make, number, signed, columns, value, better } = footagefit.parts;
  const { order, decisions } = footagefit;
  const data = footagefit.data;
  const root = document.getElementById("grid");
  const body = make("div", { class: "rows", role: "rowgroup" });
  const rows = new Map(); // shot's name: its element
  const BEYOND = 3; // rows kept above and below what is seen
  const WORDS_PX = 30; // under a picture
  let list = [];
  let at = { row: 0, column: Math.max(0, data.columns.findIndex((one) => one.fit)) };
  let cellPx = 0;
  let rowPx = 0;

  /** Cells as wide as the window allows, in the shape of the pictures. */
  function measure() {
    const style = window.getComputedStyle(root);
    const name = parseFloat(style.getPropertyValue("--name"));
    const room = (root.clientWidth - name) / data.columns.length;
    cellPx = Math.max(120, Math.min(260, Math.floor(room)));
    rowPx = Math.round(((cellPx - 6) * data.cell[1]) / data.cell[0]) + WORDS_PX;
    root.style.setProperty("--cell", `${cellPx}px`);
  }

  function headings() {
    const direction = (key) => order.direction(key);
    const arrow = { ascending: " ▲", descending: " ▼", none: "" };
    const cells = data.columns.map((column) => {
      const judged = column.key in data.means;
      const mean = judged ? data.means[column.key][order.state.metric] : null;
      const words = [column.label + arrow[direction(column.key)], make("br")];
      words.push(make("span", { class: "faint" }, mean ? `mean ${number(mean[0])}` : "\u00a0"));
      if (column.fit && decisions.approved(column.key)) {
        words.push(make("span", { class: "mark" }, "approved"));
      }
      const face = judged
        ? make("button", { type: "button", tabindex: "-1", title: `Sort by ${column.label}`,
            onclick: () => order.sortBy(column.key) }, ...words)
        : make("div", { style: "padding: 4px 6px" }, ...words);
      return make("div", { class: "heading", role: "columnheader",
        "aria-sort": judged ? direction(column.key) : null }, face);
    });
    const first = make("div", { class: "name", role: "columnheader" }, "shot");
    return make("div", { class: "headings", role: "rowgroup" },
      make("div", { role: "row", "aria-rowindex": "1" }, first, ...cells));
  }

  function best(shot) {
    let found = null;
    for (const fit of footagefit.parts.fits) {
      const here = value(shot, fit.key, order.state.metric);
      if (here === null) continue;
      if (!found || better(order.state.metric, here, found.here)) found = { key: fit.key, here };
    }
    return found && footagefit.parts.fits.length > 1 ? found.key : "";
  }

  function words(shot, column, winner) {
    const here = value(shot, column.key, order.state.metric);
    const line = make("span", { class: `value${column.key === winner ? " best" : ""}` }, number(here));
    if (column.fit && here !== null) {
      const plate = value(shot, "plate", order.state.metric);
      if (plate !== null) line.append(make("span", { class: "faint" }, ` ${signed(here - plate)}`));
      const picked = decisions.picked(shot.name);
      if (picked && picked.fit === column.key) line.append(make("span", { class: "mark" }, "picked"));
    }
    return line;
  }

  function cell(shot, index, winner) {
    const column = data.columns[index];
    const count = data.columns.length;
    const there = shot.has.includes(column.key);
    const x = count > 1 ? (100 * index) / (count - 1) : 0;
    const picture = make("span", {
      class: "picture",
      style: `height:${rowPx - WORDS_PX}px;` + (there
        ? `background-image:url("${shot.folder}/strip.jpg");` +
          `background-size:${100 * count}% 100%;background-position:${x}% 0`
        : ""),
    });
    const line = words(shot, column, winner);
    const said = `${shot.name}, ${column.label}${line.textContent ? `: ${line.textContent}` : ""}`;
    return make("button", {
      class: "cell", role: "gridcell", type: "button", tabindex: "-1", "aria-label": said,
      "aria-colindex": String(index + 2), "data-column": column.key,
      onclick: () => {
        go(list.indexOf(shot), index);
        footagefit.viewer.open(list, list.indexOf(shot), column.key);
      },
    }, picture, line);
  }

  function nameOf(shot) {
    const marks = make("div", {});
    if (decisions.picked(shot.name)) marks.append(make("span", { class: "mark" }, "picked"));
    const notes = decisions.notesOf(shot.name).length;
    if (notes) marks.append(make("span", { class: "mark note" }, `${notes} note${notes > 1 ? "s" : ""}`));
    const where = `scene ${shot.scene} · ${shot.setup}${shot.take ? ` · take ${shot.take}` : ""}`;
    return make("div", { class: "name", role: "rowheader" }, make("div", {}, shot.name),
      make("div", { class: "faint" }, where),
      make("div", { class: "faint digits" }, `${shot.frames[0]}-${shot.frames.at(-1)}`), marks);
  }

  function row(shot, index) {
    const winner = best(shot);
    const cells = data.columns.map((column, place) => cell(shot, place, winner));
    return make("div", {
      role: "row", "aria-rowindex": String(index + 2),
      style: `top:${index * rowPx}px;height:${rowPx}px`,
    }, nameOf(shot), ...cells);
  }

  /** Make the rows in view, and that of the cell the keys are on; let the others go. */
  function fill() {
    const seen = Math.ceil(root.clientHeight / rowPx);
    const top = Math.floor(root.scrollTop / rowPx);
    const first = Math.max(0, top - BEYOND);
    const last = Math.min(list.length - 1, top + seen + BEYOND);
    const wanted = new Set();
    for (let index = first; index <= last; index += 1) wanted.add(index);
    if (list[at.row]) wanted.add(at.row);
    const names = new Set([...wanted].map((index) => list[index].name));
    for (const [name, element] of rows) {
      if (!names.has(name)) {
        element.remove();
        rows.delete(name);
      }
    }
    for (const index of [...wanted].sort((a, b) => a - b)) {
      const shot = list[index];
      if (rows.has(shot.name)) continue;
      const element = row(shot, index);
      rows.set(shot.name, element);
      const next = [...rows].map(([, other]) => other)
        .find((other) => Number(other.getAttribute("aria-rowindex")) > index + 2);
      body.insertBefore(element, next && next.parentNode === body ? next : null);
    }
    mark();
  }

  function current() {
    const shot = list[at.row];
    const element = shot && rows.get(shot.name);
    return element ? element.querySelectorAll(".cell")[at.column] : null;
  }

  function mark() {
    for (const old of body.querySelectorAll('.cell[tabindex="0"]')) old.tabIndex = -1;
    const now = current();
    if (now) now.tabIndex = 0;
  }

  /** Move the keys' cell, and the view with it. */
  function go(row, column) {
    at = {
      row: Math.max(0, Math.min(list.length - 1, row)),
      column: Math.max(0, Math.min(data.columns.length - 1, column)),
    };
    const head = root.querySelector(".headings").offsetHeight;
    const top = at.row * rowPx;
    if (top < root.scrollTop) root.scrollTop = top;
    const bottom = top + rowPx + head - root.clientHeight;
    if (bottom > root.scrollTop) root.scrollTop = bottom;
    fill();
    const now = current();
    if (now) {
      now.focus({ preventScroll: true });
      now.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  /** All anew: another order, another width, another decision. */
  function draw() {
    const kept = list[at.row] ? list[at.row].name : "";
    const focused = root.contains(document.activeElement);
    list = order.list();
    const place = list.findIndex((shot) => shot.name === kept);
    at.row = Math.max(0, place);
    measure();
    rows.clear();
    body.replaceChildren();
    body.style.height = `${list.length * rowPx}px`;
    const name = parseFloat(window.getComputedStyle(root).getPropertyValue("--name"));
    body.style.width = `${name + cellPx * data.columns.length}px`;
    root.setAttribute("aria-rowcount", String(list.length + 1));
    root.setAttribute("aria-colcount", String(data.columns.length + 1));
    root.replaceChildren(headings(), body);
    fill();
    const shown = list.length === data.shots.length ? "" : ` of ${data.shots.length}`;
    document.getElementById("counted").textContent =
      `${list.length}${shown} shots, ${footagefit.parts.fits.length} fits, shown at ` +
      `${signed(data.exposureEv)} ev; under each picture ${order.state.metric}, and over the plate's`;
    if (focused && current()) current().focus({ preventScroll: true });
  }

  const here = () => ({ shot: list[at.row], column: columns.get(data.columns[at.column].key) });

  function keys() {
    const on = (keys, what, run) => footagefit.keys.on("grid", keys, what, run);
    on(["ArrowUp", "ArrowDown"], "the shot before, the shot after", (event) =>
      go(at.row + (event.key === "ArrowDown" ? 1 : -1), at.column));
    on(["ArrowLeft", "ArrowRight"], "the column to the left, to the right", (event) =>
      go(at.row, at.column + (event.key === "ArrowRight" ? 1 : -1)));
    on(["Home", "End"], "first shot, last shot", (event) =>
      go(event.key === "Home" ? 0 : list.length - 1, at.column));
    on(["Enter", " "], "open the viewer on it", () => {
      if (list.length) footagefit.viewer.open(list, at.row, here().column.key);
    });
    on("p", "pick this fit for this shot, or take it back", () => {
      const { shot, column } = here();
      if (shot && column.fit) decisions.pick(shot.name, column.key, shot.still);
    });
    on("a", "approve this fit as a whole, or take it back", () => {
      if (here().column.fit) decisions.approve(here().column.key, "");
    });
    on("s", "sort by this column", () => {
      if (here().column.key in data.means) order.sortBy(here().column.key);
    });
    on("/", "find shots", () => document.getElementById("words").focus());
  }

  root.addEventListener("scroll", () => window.requestAnimationFrame(fill), { passive: true });
  document.addEventListener("ordered", draw);
  document.addEventListener("decided", draw);

  footagefit.grid = { draw, keys, go };
})();
