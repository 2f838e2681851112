/* The stage: pictures at one zoom and one place, one, two by wipe or difference, or all of them.
   Here: layers, zoom, pan, wipe, exposure and gamma. Not here: which shot and which columns. */
"use strict";

(function () {
  const { make } = footagefit.parts;
  const CLOSE = 0.999; // from 1:1 on, pixels are shown as they are
  const MOST = 16; // device pixels a pixel
  const cache = new Map(); // address: a promise of a decoded picture
  const KEPT = 60;

  /** A decoded picture; the last ones stay in memory. */
  function load(address) {
    const held = cache.get(address);
    if (held) {
      cache.delete(address);
      cache.set(address, held);
      return held;
    }
    const picture = new Image();
    picture.alt = "";
    picture.src = address;
    const coming = picture.decode().then(() => picture);
    coming.catch(() => cache.delete(address));
    cache.set(address, coming);
    for (const old of [...cache.keys()].slice(0, Math.max(0, cache.size - KEPT))) cache.delete(old);
    return coming;
  }

  /** 256 codes through a gain in linear light and a gamma, as an SVG filter takes them. */
  function codes(exposureEv, gamma) {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const display = (l) => (l <= 0.0031308 ? l * 12.92 : 1.055 * l ** (1 / 2.4) - 0.055);
    const table = [];
    for (let code = 0; code < 256; code += 1) {
      const light = Math.min(1, linear(code / 255) * 2 ** exposureEv);
      table.push(Math.min(1, Math.max(0, display(light))) ** (1 / gamma));
    }
    return table;
  }

  class Stage {
    /** @param root The element that panes stand in; @param changed Called when anything moves. */
    constructor(root, changed) {
      this.root = root;
      this.changed = changed;
      this.mode = "wipe";
      this.size = [16, 9];
      this.fitted = true;
      this.scale = 1;
      this.x = 8;
      this.y = 4.5;
      this.wipe = 0.5;
      this.grade = { exposureEv: 0, gamma: 1, gain: 8 };
      this.panes = [];
      this.line = make("div", {
        class: "wipe", role: "slider", tabindex: "0", "aria-label": "Wipe between A and B",
        "aria-valuemin": "0", "aria-valuemax": "100", "aria-orientation": "horizontal",
      });
      this.pointers = new Map();
      this.listen();
      new ResizeObserver(() => this.place()).observe(root);
    }

    /** Panes of layers: [{tags: [text], layers: [{key, name}]}]; pictures come by `show`. */
    build(mode, panes, size) {
      const other = size[0] !== this.size[0] || size[1] !== this.size[1];
      this.mode = mode;
      this.size = size;
      if (other) this.fitted = true;
      this.panes = panes.map((pane) => {
        const layers = pane.layers.map((key, index) =>
          make("div", { class: `layer ${index ? "b" : "a"}`, "data-column": key }));
        const frame = make("div", { class: `frame${mode === "difference" ? " difference" : ""}` },
          ...layers);
        const tags = pane.tags.map((text, index) =>
          make("div", { class: `tag${index ? " right" : ""}` }, text));
        return { keys: pane.layers, layers, frame, box: make("div", { class: "pane" }, frame, ...tags) };
      });
      const across = Math.ceil(Math.sqrt(this.panes.length));
      this.root.style.gridTemplateColumns = `repeat(${across}, 1fr)`;
      this.root.style.gridTemplateRows = `repeat(${Math.ceil(this.panes.length / across)}, 1fr)`;
      this.root.replaceChildren(...this.panes.map((pane) => pane.box));
      if (mode === "wipe" && this.panes.length) this.panes[0].box.append(this.line);
      this.regrade();
      this.place();
    }

    /** Put pictures on their layers once all of them are decoded; a later call wins. */
    async show(addressOf) {
      const turn = (this.turn = (this.turn || 0) + 1);
      const wanted = this.panes.flatMap((pane) =>
        pane.layers.map((layer, index) => [layer, addressOf(pane.keys[index])]));
      const come = await Promise.all(wanted.map(([, address]) =>
        load(address).catch(() => make("img", { alt: "picture not found" }))));
      if (turn !== this.turn) return false;
      const used = new Set();
      wanted.forEach(([layer], index) => {
        const picture = used.has(come[index]) ? come[index].cloneNode() : come[index];
        used.add(come[index]);
        if (layer.firstChild !== picture) layer.replaceChildren(picture);
      });
      return true;
    }

    paneSize() {
      const box = this.panes.length ? this.panes[0].box : this.root;
      return [box.clientWidth || 1, box.clientHeight || 1];
    }

    fitScale() {
      const [width, height] = this.paneSize();
      return Math.min(width / this.size[0], height / this.size[1]);
    }

    /** One picture pixel is one pixel of the screen. */
    static oneToOne() {
      return 1 / (window.devicePixelRatio || 1);
    }

    /** Put every pane where zoom and pan say, and the wipe with them. */
    place() {
      const [width, height] = this.paneSize();
      if (this.fitted) {
        this.scale = this.fitScale();
        [this.x, this.y] = [this.size[0] / 2, this.size[1] / 2];
      }
      const left = width / 2 - this.x * this.scale;
      const top = height / 2 - this.y * this.scale;
      const close = this.scale >= Stage.oneToOne() * CLOSE;
      this.root.classList.toggle("close-up", close);
      for (const pane of this.panes) {
        pane.frame.style.width = `${this.size[0]}px`;
        pane.frame.style.height = `${this.size[1]}px`;
        pane.frame.style.transform = `translate(${left}px, ${top}px) scale(${this.scale})`;
        const over = pane.layers[1];
        if (over) {
          const cut = Math.max(0, (this.wipe * width - left) / this.scale);
          over.style.clipPath = this.mode === "wipe" ? `inset(0 0 0 ${cut}px)` : "";
        }
      }
      this.line.style.left = `${100 * this.wipe}%`;
      this.line.setAttribute("aria-valuenow", String(Math.round(100 * this.wipe)));
      this.changed();
    }

    /** Exposure and gamma, or the difference's gain, as one table of codes. */
    regrade() {
      const { exposureEv, gamma, gain } = this.grade;
      const difference = this.mode === "difference";
      const table = difference
        ? Array.from({ length: 256 }, (_, code) => Math.min(1, (gain * code) / 255))
        : codes(exposureEv, gamma);
      const plain = difference ? gain === 1 : exposureEv === 0 && gamma === 1;
      const text = table.map((value) => value.toFixed(4)).join(" ");
      for (const part of document.querySelectorAll("#graded feComponentTransfer > *")) {
        part.setAttribute("tableValues", text);
      }
      for (const pane of this.panes) pane.frame.style.filter = plain ? "" : "url(#graded)";
      this.changed();
    }

    setGrade(change) {
      Object.assign(this.grade, change);
      this.regrade();
    }

    setWipe(share) {
      this.wipe = Math.max(0, Math.min(1, share));
      this.place();
    }

    fit() {
      this.fitted = true;
      this.place();
    }

    /** Zoom about a point of the first pane, which stays where it is. */
    zoomTo(scale, px, py) {
      const [width, height] = this.paneSize();
      const [ax, ay] = [px === undefined ? width / 2 : px, py === undefined ? height / 2 : py];
      const most = MOST * Stage.oneToOne();
      const least = Math.min(this.fitScale(), Stage.oneToOne()) / 2;
      const next = Math.max(least, Math.min(most, scale));
      const [u, v] = [this.x + (ax - width / 2) / this.scale, this.y + (ay - height / 2) / this.scale];
      this.fitted = false;
      this.scale = next;
      this.x = u - (ax - width / 2) / next;
      this.y = v - (ay - height / 2) / next;
      this.place();
    }

    /** 1:1 about a point, or the whole picture if it is closer already. */
    toggle(px, py) {
      if (!this.fitted && this.scale >= Stage.oneToOne() * CLOSE) this.fit();
      else this.zoomTo(Stage.oneToOne(), px, py);
    }

    panBy(dx, dy) {
      this.fitted = false;
      this.x -= dx / this.scale;
      this.y -= dy / this.scale;
      this.place();
    }

    /** Where a pointer is in the pane it is over. */
    inPane(event) {
      const box = (event.target.closest(".pane") || this.root).getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top, box.width];
    }

    listen() {
      const { root, line } = this;
      root.addEventListener("wheel", (event) => {
        event.preventDefault();
        const [px, py] = this.inPane(event);
        this.zoomTo(this.scale * Math.exp(-event.deltaY / 400), px, py);
      }, { passive: false });
      root.addEventListener("dblclick", (event) => {
        if (event.target !== line) this.toggle(...this.inPane(event).slice(0, 2));
      });
      line.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        this.setWipe(this.wipe + step);
      });
      root.addEventListener("pointerdown", (event) => this.down(event));
      root.addEventListener("pointermove", (event) => this.move(event));
      for (const end of ["pointerup", "pointercancel"]) {
        root.addEventListener(end, (event) => {
          this.pointers.delete(event.pointerId);
          root.classList.toggle("held", this.pointers.size > 0);
        });
      }
    }

    down(event) {
      this.root.setPointerCapture(event.pointerId);
      const wiping = event.target === this.line;
      this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, wiping });
      this.root.classList.toggle("held", !wiping);
    }

    move(event) {
      const held = this.pointers.get(event.pointerId);
      if (!held) return;
      if (held.wiping) {
        const box = this.panes[0].box.getBoundingClientRect();
        this.setWipe((event.clientX - box.left) / box.width);
      } else if (this.pointers.size === 2) {
        this.pinch(event, held);
      } else {
        this.panBy(event.clientX - held.x, event.clientY - held.y);
      }
      [held.x, held.y] = [event.clientX, event.clientY];
    }

    pinch(event, held) {
      const other = [...this.pointers.values()].find((one) => one !== held);
      const before = Math.hypot(held.x - other.x, held.y - other.y);
      const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
      const box = this.panes[0].box.getBoundingClientRect();
      const [px, py] = [(event.clientX + other.x) / 2 - box.left, (event.clientY + other.y) / 2 - box.top];
      if (before > 1) this.zoomTo((this.scale * after) / before, px % box.width, py % box.height);
    }
  }

  footagefit.stage = { Stage, load, codes };
})();
