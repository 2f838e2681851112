/* Waveform and vectorscope of the still frame, from the picture's own pixels, evenly taken.
   A page from a file may not read other files' pixels: they come as a script (`samples.js`). */
"use strict";

(function () {
  const { make } = footagefit.parts;
  const waiting = new Map(); // shot: {done, coming}
  const KEPT = 12;
  const WAVE = [320, 180];
  const VECTOR = 160;
  const bars = { R: [1, 0, 0], Yl: [1, 1, 0], G: [0, 1, 0], Cy: [0, 1, 1], B: [0, 0, 1], Mg: [1, 0, 1] };

  /** A shot's samples by column, read once. */
  function samples(shot) {
    const held = waiting.get(shot.name);
    if (held) return held.coming;
    const entry = {};
    entry.coming = new Promise((done, failed) => {
      entry.done = done;
      const script = make("script", { src: `${shot.folder}/samples.js` });
      script.addEventListener("error", () => {
        waiting.delete(shot.name);
        failed(new Error("no samples"));
      });
      script.addEventListener("load", () => script.remove());
      document.body.append(script);
    });
    waiting.set(shot.name, entry);
    for (const old of [...waiting.keys()].slice(0, Math.max(0, waiting.size - KEPT))) waiting.delete(old);
    return entry.coming;
  }

  /** What `samples.js` calls. */
  async function take(name, stored) {
    const pixels = {};
    for (const [key, address] of Object.entries(stored)) pixels[key] = await read(address);
    const entry = waiting.get(name);
    if (entry) entry.done(pixels);
  }

  async function read(address) {
    const picture = new Image();
    picture.src = address;
    await picture.decode();
    const canvas = make("canvas", { width: picture.width, height: picture.height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, 0, 0);
    return context.getImageData(0, 0, picture.width, picture.height);
  }

  /** Cb and Cr of display R'G'B' in 0..1 (Rec.709), each within a half. */
  function chroma(r, g, b) {
    const y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    return [(b - y) / 1.8556, (r - y) / 1.5748];
  }

  function percent(sorted, share) {
    return Math.round((100 * sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]) / 255);
  }

  /** Levels in words, for those who do not read scopes, or cannot see them. */
  function levels(pixels, table) {
    const luma = new Float32Array(pixels.width * pixels.height);
    let clipped = 0;
    for (let i = 0; i < luma.length; i += 1) {
      const [r, g, b] = [0, 1, 2].map((c) => 255 * table[pixels.data[4 * i + c]]);
      luma[i] = 0.2126 * r + 0.7152 * g + 0.0722 * b;
      clipped += Math.max(r, g, b) >= 254.5 ? 1 : 0;
    }
    luma.sort();
    const share = ((100 * clipped) / luma.length).toFixed(1);
    return `black ${percent(luma, 0.02)} %, middle ${percent(luma, 0.5)} %, ` +
      `white ${percent(luma, 0.98)} %, clipped ${share} %`;
  }

  function plot(width, height, count) {
    const canvas = make("canvas", { width, height, role: "img" });
    const hits = new Uint16Array(width * height * 3);
    return {
      canvas,
      hit: (x, y, channel) => {
        if (x >= 0 && x < width && y >= 0 && y < height) hits[(y * width + x) * 3 + channel] += 1;
      },
      finish: (lines) => {
        const context = canvas.getContext("2d");
        const image = context.createImageData(width, height);
        const gain = (60 * width * height) / Math.max(1, count);
        for (let i = 0; i < width * height; i += 1) {
          for (let c = 0; c < 3; c += 1) image.data[4 * i + c] = Math.min(255, gain * hits[3 * i + c]);
          image.data[4 * i + 3] = 255;
        }
        context.putImageData(image, 0, 0);
        context.globalCompositeOperation = "lighten";
        lines(context);
        return canvas;
      },
    };
  }

  function waveform(pixels, table) {
    const [width, height] = WAVE;
    const made = plot(width, height, pixels.width * pixels.height * 3);
    const wide = Math.ceil(width / pixels.width);
    for (let i = 0; i < pixels.width * pixels.height; i += 1) {
      const x = Math.floor(((i % pixels.width) * width) / pixels.width);
      for (let c = 0; c < 3; c += 1) {
        const y = Math.round((1 - table[pixels.data[4 * i + c]]) * (height - 1));
        for (let k = 0; k < wide; k += 1) made.hit(x + k, y, c);
      }
    }
    return made.finish((context) => {
      context.strokeStyle = "#4a4a4a";
      context.fillStyle = "#a8a8a8";
      context.font = "10px system-ui, sans-serif";
      for (const level of [0, 0.25, 0.5, 0.75, 1]) {
        const y = Math.round((1 - level) * (height - 1)) + 0.5;
        context.beginPath();
        context.moveTo(0, y);
        context.lineTo(width, y);
        context.stroke();
        context.fillText(String(100 * level), 3, Math.max(10, y - 2));
      }
    });
  }

  function vectorscope(pixels, table) {
    const size = VECTOR;
    const at = (cb, cr) => [Math.round((0.5 + 0.9 * cb) * size), Math.round((0.5 - 0.9 * cr) * size)];
    const made = plot(size, size, pixels.width * pixels.height * 3);
    for (let i = 0; i < pixels.width * pixels.height; i += 1) {
      const [x, y] = at(...chroma(...[0, 1, 2].map((c) => table[pixels.data[4 * i + c]])));
      for (let c = 0; c < 3; c += 1) made.hit(x, y, c);
    }
    return made.finish((context) => {
      context.strokeStyle = "#4a4a4a";
      context.fillStyle = "#a8a8a8";
      context.font = "10px system-ui, sans-serif";
      context.beginPath();
      context.moveTo(size / 2, 0);
      context.lineTo(size / 2, size);
      context.moveTo(0, size / 2);
      context.lineTo(size, size / 2);
      const skin = (123 * Math.PI) / 180; // the I line, which skin of every tone lies along
      context.moveTo(size / 2, size / 2);
      context.lineTo(size / 2 + 0.45 * size * Math.cos(skin), size / 2 - 0.45 * size * Math.sin(skin));
      context.stroke();
      for (const [name, colour] of Object.entries(bars)) {
        const [x, y] = at(...chroma(...colour.map((one) => 0.75 * one)));
        context.strokeRect(x - 5.5, y - 5.5, 11, 11);
        context.fillText(name, x + 8, y + 3);
      }
    });
  }

  /** Both scopes of some columns, under one exposure and gamma. */
  async function show(root, shot, named, grade) {
    const turn = (root.turn = (root.turn || 0) + 1);
    let pixels;
    try {
      pixels = await samples(shot);
    } catch (error) {
      root.replaceChildren(make("p", { class: "warn" }, "The samples of this shot are not there."));
      return;
    }
    if (turn !== root.turn) return;
    const table = footagefit.stage.codes(grade.exposureEv, grade.gamma);
    const blocks = [];
    for (const [letter, key, label] of named) {
      if (!pixels[key]) continue;
      const said = levels(pixels[key], table);
      const [wave, vector] = [waveform(pixels[key], table), vectorscope(pixels[key], table)];
      wave.setAttribute("aria-label", `Waveform of ${label}: ${said}`);
      vector.setAttribute("aria-label", `Vectorscope of ${label}`);
      blocks.push(make("div", { class: "scopes" }, make("p", {}, `${letter} ${label}`), wave, vector,
        make("p", { class: "faint digits" }, said)));
    }
    root.replaceChildren(...blocks);
  }

  footagefit.scopes = { take, show };
})();
