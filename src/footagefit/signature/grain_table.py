"""Grain as an AV1 film-grain table: for encoders that code clean pictures and put grain on again.

Here: fitting what the table holds (scaling by luma, autoregressive fields of lag 3) to a measured
grain, and writing it as aomenc and SVT-AV1 read it. Not here: measuring grain.

A table speaks of 8-bit codes of the delivered picture. What our grain is there is found by making
it on grey and looking, through the delivery's colour space (AV1 specification 7.18.3).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from footagefit.footage import colour
from footagefit.signature.grain import Grain
from footagefit.signature.grain_synthesis import Synthesis

LAG = 3
_POINTS = 14
_SHIFT = 7  # of the coefficients
_SEEN_PX = 192
_TEMPLATE_STD = 32.0  # of the decoder's white noise at 8 bits, before its filter
_YUV = np.array(
    [[0.2126, 0.7152, 0.0722], [-0.114572, -0.385428, 0.5], [0.5, -0.454153, -0.045847]]
)
_WHOLE_FILM = 9223372036854775807


def lines(grain: Grain, *, space: str = "g24_rec709", seed: int = 7391) -> list[str]:
    """The table's lines.

    Args:
        grain: What to hand on.
        space: Display space that the film is coded in.
        seed: Of the decoder's noise.
    """
    codes, planes = _on_grey(grain, space)
    deviation = planes.std((2, 3))  # (points, 3) in 8-bit codes
    fields = [_regression(planes[:, c] / np.maximum(deviation[:, c], 1e-6)[:, None, None])
              for c in range(3)]  # fmt: skip
    gains = np.array([_gain(f) for f in fields])
    wanted = deviation / (_TEMPLATE_STD * gains)
    shift = int(np.clip(np.floor(np.log2(255.0 / max(float(wanted.max()), 1e-6))), 8, 11))
    scaling = np.clip(np.round(wanted * 2**shift), 0, 255).astype(int)
    out = ["filmgrn1", f"E 0 {_WHOLE_FILM} 1 {seed} 1"]
    # Chroma is scaled by luma: multipliers 128 + 64, offset 256 of the specification.
    out.append(f"\tp {LAG} {_SHIFT} 0 {shift} 0 1 128 192 256 128 192 256")
    for name, plane in zip(("sY", "sCb", "sCr"), range(3), strict=True):
        count = _POINTS if name == "sY" else 10
        at = np.linspace(0, len(codes) - 1, count).round().astype(int)
        pairs = " ".join(f" {codes[i]} {scaling[i, plane]}" for i in at)
        out.append(f"\t{name} {count} {pairs}")
    for name, field in zip(("cY", "cCb", "cCr"), fields, strict=True):
        numbers = np.clip(np.round(field * 2**_SHIFT), -128, 127).astype(int).tolist()
        numbers += [] if name == "cY" else [0]  # chroma's share of luma's own field
        out.append(f"\t{name} " + " ".join(str(n) for n in numbers))
    return out


def write(path: Path, grain: Grain, *, space: str = "g24_rec709") -> Path:
    """Write the table whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text("\n".join(lines(grain, space=space)) + "\n", encoding="utf-8")
    part.replace(path)
    return path


def _on_grey(grain: Grain, space: str) -> tuple[np.ndarray, np.ndarray]:
    """Luma codes, ascending, and grain there as Y, Cb, Cr in 8-bit codes (points,3,n,n)."""
    codes = np.linspace(16, 235, _POINTS).round().astype(int)
    made = Synthesis(grain, seed=1)
    planes = []
    for number, code in enumerate(codes):
        grey = np.full((1, 1, 3), (code - 16) / 219, np.float32)
        colour.to_working(grey, space)
        import torch

        light = torch.from_numpy(np.ascontiguousarray(grey[0, 0])).view(3, 1, 1)
        frame = made.apply(light.expand(3, _SEEN_PX, _SEEN_PX).contiguous(), number=number)
        shown = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
        colour.from_working(shown, space)
        yuv = shown @ _YUV.T.astype(np.float32) * np.array([219, 224, 224], np.float32)
        planes.append((yuv - yuv.mean((0, 1))).transpose(2, 0, 1))
    return codes, np.stack(planes)


def _neighbours() -> list[tuple[int, int]]:
    """Steps to the 24 pixels before, row by row, as the specification counts them."""
    rows = [(-dy, dx) for dy in range(LAG, 0, -1) for dx in range(-LAG, LAG + 1)]
    return rows + [(0, dx) for dx in range(-LAG, 0)]


def _regression(fields_NHW: np.ndarray) -> np.ndarray:
    """Coefficients of the pixels before, by least squares (Yule and Walker)."""
    steps = _neighbours()
    there = [_moved(fields_NHW, dy, dx) for dy, dx in steps]
    lean = np.stack([t.ravel() for t in there], 1)
    here = _moved(fields_NHW, 0, 0).ravel()
    found = np.linalg.lstsq(lean.T @ lean, lean.T @ here, rcond=None)[0]
    total = np.abs(found).sum()
    return found * min(1.0, 0.98 / max(total, 1e-9)) if total > 2.5 else found


def _moved(fields_NHW: np.ndarray, dy: int, dx: int) -> np.ndarray:
    height, width = fields_NHW.shape[1:]
    return fields_NHW[:, LAG + dy : height + dy, LAG + dx : width - LAG + dx]


def _gain(field: np.ndarray) -> float:
    """Deviation of the filtered field over that of the white noise it is made of."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(0)
    side = 96
    out = np.zeros((side + LAG, side + 2 * LAG))
    white = rng.standard_normal(out.shape)
    steps = _neighbours()
    above = [(k, s) for k, s in enumerate(steps) if s[0] < 0]
    own = field[-LAG:]  # of the same row, the furthest first
    for y in range(LAG, side + LAG):
        drive = white[y].copy()
        for k, (dy, dx) in above:
            row = out[y + dy]
            drive[LAG:-LAG] += field[k] * row[LAG + dx : side + LAG + dx]
        out[y] = lfilter([1.0], np.concatenate([[1.0], -own[::-1]]), drive)
    return max(1e-3, float(out[LAG + 16 :, LAG + 16 : -LAG].std()))
