/* Parts of the page of `footagefit ui` that know no server: the ball, and how values are shown.
   Directions as everywhere: azimuth 0 from the camera, +90 from image right; elevation + is up. */
"use strict";

window.footagefit.view = (() => {
  const RAD = Math.PI / 180;
  const BALL = 0.7; // radius of the ball, of the disc's: the ring about it is what lies behind

  function direction(azimuth, elevation) {
    const flat = Math.cos(elevation * RAD);
    return [Math.sin(azimuth * RAD) * flat, Math.sin(elevation * RAD),
      Math.cos(azimuth * RAD) * flat];
  }

  function angles([x, y, z]) {
    return [Math.atan2(x, z) / RAD, Math.asin(Math.max(-1, Math.min(1, y))) / RAD];
  }

  /* A light's place on the disc: where it faces you on the ball, beyond the rim when behind. */
  function placed(azimuth, elevation) {
    const [x, y, z] = direction(azimuth, elevation);
    const flat = Math.hypot(x, y);
    if (z >= 0) return [x * BALL, y * BALL];
    const turn = Math.acos(Math.max(-1, z)) / Math.PI; // 0.5 at the rim, 1 from behind
    const far = BALL + (1 - BALL) * (2 * turn - 1);
    return flat < 1e-6 ? [0, far] : [(x / flat) * far, (y / flat) * far];
  }

  function unplaced(x, y) {
    const far = Math.hypot(x, y);
    if (far <= BALL) {
      const [u, v] = [x / BALL, y / BALL];
      return angles([u, v, Math.sqrt(Math.max(0, 1 - u * u - v * v))]);
    }
    const turn = (0.5 + 0.5 * Math.min(1, (far - BALL) / (1 - BALL))) * Math.PI;
    const flat = Math.sin(turn);
    return angles([(x / far) * flat, (y / far) * flat, Math.cos(turn)]);
  }

  /* A light's colour on the screen, by kelvin beside the show's white: for eyes alone. */
  function colour(kelvin, white) {
    const mired = 1e6 / kelvin - 1e6 / (white || 5600);
    const warm = Math.max(-1, Math.min(1, mired / 170));
    return warm > 0 ? [1, 1 - 0.24 * warm, 1 - 0.58 * warm] : [1 + 0.3 * warm, 1 + 0.1 * warm, 1];
  }

  function shaded(image, light) {
    const side = image.width, rim = (side / 2) * BALL, data = image.data;
    const way = direction(light.azimuth, light.elevation);
    const wrap = Math.sin(Math.min(170, light.softness) * RAD * 0.5);
    const under = Math.min(4, 2 ** (light.fill_ev - light.key_ev));
    const level = Math.min(2.2, Math.max(0.25, 2 ** (0.5 * light.key_ev)));
    const key = colour(light.key_k), fill = colour(light.fill_k);
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const x = (column + 0.5 - side / 2) / rim, y = (side / 2 - row - 0.5) / rim;
        const off = x * x + y * y, at = 4 * (row * side + column);
        const edge = (1 - Math.sqrt(off)) * rim; // in pixels: an even rim
        if (edge < -1) { data[at + 3] = 0; continue; }
        const z = Math.sqrt(Math.max(0, 1 - off));
        const facing = x * way[0] + y * way[1] + z * way[2];
        const lit = Math.min(1, Math.max(0, (facing + wrap) / (1 + wrap)));
        for (let c = 0; c < 3; c++) {
          const linear = 0.36 * level * (lit * key[c] + under * fill[c]);
          data[at + c] = 255 * Math.min(1, linear) ** (1 / 2.4);
        }
        data[at + 3] = 255 * Math.min(1, Math.max(0, edge + 0.5));
      }
    }
    return image;
  }

  function ball(canvas, light, own) {
    const pen = canvas.getContext("2d"), side = canvas.width, half = side / 2;
    pen.clearRect(0, 0, side, side);
    pen.fillStyle = "#1b1b1b";
    pen.beginPath();
    pen.arc(half, half, half - 1, 0, 7);
    pen.fill();
    pen.strokeStyle = "#3a3a3a";
    for (const turn of [0.25, 0.5, 0.75]) {
      pen.beginPath();
      pen.arc(half, half, half * (BALL + (1 - BALL) * turn), 0, 7);
      pen.stroke();
    }
    const small = new OffscreenCanvas(280, 280), brush = small.getContext("2d");
    brush.putImageData(shaded(brush.createImageData(280, 280), light), 0, 0);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(small, 0, 0, side, side);
    pen.fillStyle = "#8a8a8a";
    pen.font = `${side / 26}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.fillText("behind", half, side * 0.045);
    const spot = (azimuth, elevation) => {
      const [x, y] = placed(azimuth, elevation);
      return [half + x * half, half - y * half];
    };
    if (own) {
      const [x, y] = spot(own.azimuth, own.elevation);
      pen.lineWidth = 2;
      for (const ink of ["#000000", "#ffffff"]) {
        pen.strokeStyle = ink;
        pen.setLineDash(ink === "#000000" ? [] : [5, 4]);
        pen.beginPath();
        pen.arc(x, y, 15, 0, 7);
        pen.stroke();
      }
      pen.setLineDash([]);
    }
    const [x, y] = spot(light.azimuth, light.elevation);
    const ink = colour(light.key_k).map((v) => Math.round(255 * v)).join(" ");
    pen.lineWidth = 6;
    pen.strokeStyle = "#000000";
    pen.beginPath();
    pen.arc(x, y, 13, 0, 7);
    pen.stroke();
    pen.fillStyle = light.set ? `rgb(${ink})` : "#00000000";
    pen.strokeStyle = `rgb(${ink})`;
    pen.lineWidth = 3;
    pen.fill();
    pen.stroke();
  }

  /* A slider's own scale: kelvin runs in mired, angles that start above 0 by doubling. */
  function scale(control) {
    if (control.unit === "k") return [(v) => -1e6 / v, (s) => -1e6 / s];
    if (control.unit === "deg" && control.low > 0) return [Math.log2, (s) => 2 ** s];
    return [(v) => v, (s) => s];
  }

  function step(control) {
    return { k: 10, deg: control.low > 0 ? 0.5 : 1, ev: 0.05 }[control.unit]
      ?? (control.high - control.low) / 200;
  }

  function rounded(control, value) {
    const unit = step(control);
    const near = Math.round(value / unit) * unit;
    return Number(Math.min(control.high, Math.max(control.low, near)).toFixed(6));
  }

  return { ball, placed, unplaced, scale, step, rounded };
})();
