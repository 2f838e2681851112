"""Sharpness: how far edges spread, by radius and by direction, as an MTF50 map and a kernel.

Here: edge spread of straight pieces of edges, the fit over the frame, the blur that puts it on
clean pixels. Not here: taking blur off again, which footage does not allow exactly; bloom
(`bloom.py`).

The sharpest edges at a place are the lens's; softer ones are out of focus or soft by themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.signature import coordinates

MTF50 = 0.18739  # sqrt(ln 2 / 2) / pi: MTF50 in cycles a pixel of a Gaussian of 1 px
_REACH_PX = 7
_SPREADS = np.geomspace(0.35, 4.0, 26)  # sigma in pixels that edges are compared with
_LEAST_EV = 0.7  # step of an edge
RINGS = (0.0, 0.3, 0.5, 0.7, 1.0)
_LEAST_IN_RING = 12
_SHARP_SHARE = 0.2  # the sharpest fifth of the edges at a place


@dataclass(frozen=True)
class Sharpness:
    """Edge spread as sigma = centre + corner term r^2, in pixels of an HD frame.

    Attributes:
        centre_px: Gaussian sigma in the middle, pixel and lens together.
        radial_px: Along the radius, at the corner.
        around_px: Across the radius, at the corner.
        centre_mtf50: Cycles a pixel (of the frames measured) at half contrast, in the middle.
        corner_mtf50: The mean of both directions in the corner.
        width_px: Width of the frames it was measured on.
        error: Standard error of sigma as a share; None where not measured.
        edges: Pieces of edges it was fitted to.
    """

    centre_px: float = 0.0
    radial_px: float = 0.0
    around_px: float = 0.0
    centre_mtf50: float = 0.0
    corner_mtf50: float = 0.0
    width_px: int = 1920
    error: float | None = None
    edges: int = 0

    def sigma_px(self, r: np.ndarray, *, width_px: int) -> tuple[np.ndarray, np.ndarray]:
        """Sigma along and across the radius at r, in pixels of a frame of that width."""
        scale = width_px / 1920.0
        r2 = np.minimum(r * r, 1.0)
        return (
            scale * (self.centre_px + (self.radial_px - self.centre_px) * r2),
            scale * (self.centre_px + (self.around_px - self.centre_px) * r2),
        )


@dataclass(frozen=True)
class Spreads:
    """Edge spread of pieces of edges.

    Attributes:
        r_N: Where, in lens coordinates.
        radial_N: Share of the edge's direction that is along the radius, 0..1.
        sigma_N: Pixels of the frame.
        width_px: Width of the frame.
    """

    r_N: np.ndarray
    radial_N: np.ndarray
    sigma_N: np.ndarray
    width_px: int

    @staticmethod
    def joined(parts: Sequence[Spreads]) -> Spreads:
        """All of them; all frames have one width."""
        return Spreads(
            np.concatenate([p.r_N for p in parts]),
            np.concatenate([p.radial_N for p in parts]),
            np.concatenate([p.sigma_N for p in parts]),
            parts[0].width_px,
        )


def spreads(
    luma_HW: np.ndarray, at_N2: np.ndarray, way_N2: np.ndarray, *, squeeze: float = 1.0,
    most: int = 4000,
) -> Spreads | None:  # fmt: skip
    """Edge spread at edge points, each with its neighbours along the edge.

    Args:
        luma_HW: Linear light.
        at_N2: Edge points x, y (down) to a fraction of a pixel.
        way_N2: Unit gradients there.
        squeeze: Of the frame.
        most: Edge points to look at.
    """
    from scipy.ndimage import map_coordinates
    from scipy.special import ndtr

    size = (luma_HW.shape[0], luma_HW.shape[1])
    edge = _REACH_PX + 3
    inner = (at_N2 > edge).all(1) & (at_N2 < np.array([size[1], size[0]]) - edge - 1).all(1)
    index = np.nonzero(inner)[0]
    if len(index) < 20:
        return None
    index = index[:: max(1, len(index) // most)]
    at, way = at_N2[index], way_N2[index]
    step = np.arange(-_REACH_PX, _REACH_PX + 0.01, 0.5)
    beside = np.array([-1.0, 0.0, 1.0])
    # Positions along the gradient, averaged over three steps along the edge: (N, 3, S)
    x = (
        at[:, None, None, 0]
        + way[:, None, None, 0] * step
        - way[:, None, None, 1] * beside[:, None]
    )
    y = (
        at[:, None, None, 1]
        + way[:, None, None, 1] * step
        + way[:, None, None, 0] * beside[:, None]
    )
    read = map_coordinates(luma_HW, [y, x], order=1, mode="nearest").mean(1)
    low, high = read[:, :5].mean(1), read[:, -5:].mean(1)
    noise = np.maximum(read[:, :5].std(1), read[:, -5:].std(1))
    plain = (high > low * 2.0**_LEAST_EV) & (low >= 0) & (noise < 0.06 * (high - low))
    profile = (read - low[:, None]) / np.maximum(high - low, 1e-6)[:, None]
    plain &= (profile.min(1) > -0.15) & (profile.max(1) < 1.15)
    if plain.sum() < 8:
        return None
    moves = np.linspace(-0.8, 0.8, 9)
    made = np.stack([[ndtr((step - m) / s) for m in moves] for s in _SPREADS])  # (26, 9, S)
    made = made.reshape(-1, len(step))
    rest = (profile[plain] ** 2).sum(1)[:, None] - 2 * profile[plain] @ made.T + (made**2).sum(1)
    by_sigma = rest.reshape(-1, len(_SPREADS), len(moves)).min(2)
    best = by_sigma.argmin(1).clip(1, len(_SPREADS) - 2)
    a, b, c = (by_sigma[np.arange(len(best)), best + k] for k in (-1, 0, 1))
    off = np.clip(0.5 * (a - c) / np.maximum(a + c - 2 * b, 1e-9), -1, 1)
    log = np.log(_SPREADS)
    sigma = np.exp(log[best] + off * (log[1] - log[0]))
    fits = b / len(step) < 0.02**2
    where = coordinates.to_lens(at[plain][fits], size, squeeze=squeeze)
    r = np.linalg.norm(where, axis=1)
    gradient = way[plain][fits] * np.array([1.0, -1.0])
    radial = np.abs((gradient * where).sum(1)) / np.maximum(r, 1e-6)
    # Reading between pixels blurs by itself: a tent of 1 px has a variance of 1/6 px.
    sigma = np.sqrt(np.maximum(sigma[fits] ** 2 - 1 / 6, 0.15**2))
    return Spreads(r, np.clip(radial, 0, 1), sigma, size[1])


def fit(seen: Spreads) -> Sharpness | None:
    """The sharpest edges of each ring and direction, over the frame; None where there are few."""
    rows, wanted, spread = [], [], []
    for inner, outer in itertools.pairwise(RINGS):
        for along in (True, False):
            mine = (seen.r_N >= inner) & (seen.r_N < outer)
            mine &= (seen.radial_N > 0.7) if along else (seen.radial_N < 0.7)
            if mine.sum() < _LEAST_IN_RING:
                continue
            sigma = np.sort(seen.sigma_N[mine])
            value = float(np.quantile(sigma, _SHARP_SHARE))
            r2 = float(np.mean(seen.r_N[mine] ** 2))
            rows.append([1 - r2, r2 if along else 0.0, 0.0 if along else r2])
            wanted.append(value)
            few = max(2, int(_SHARP_SHARE * 2 * len(sigma)))
            spread.append(float(sigma[:few].std() / np.sqrt(few)) + 0.03 * value)
    if len(rows) < 3:
        return None
    weight = 1 / np.array(spread)
    lean = np.array(rows) * weight[:, None]
    # Both directions are alike unless edges say otherwise.
    lean = np.concatenate([lean, [[0.0, 2.0, -2.0], [-0.5, 0.25, 0.25]]])
    goal = np.concatenate([np.array(wanted) * weight, [0.0, 0.0]])
    found = np.linalg.lstsq(lean, goal, rcond=None)[0].clip(0.15)
    error = float(np.sqrt(np.trace(np.linalg.inv(lean.T @ lean)) / 3) / found.mean())
    if error > 0.35:
        return None
    to_hd = 1920.0 / seen.width_px
    centre, radial, around = (float(v) for v in found)
    return Sharpness(
        centre * to_hd, radial * to_hd, around * to_hd, MTF50 / centre,
        0.5 * (MTF50 / radial + MTF50 / around), seen.width_px, round(error, 4), len(seen.r_N),
    )  # fmt: skip


def apply(frame_CHW: Tensor, lens: Sharpness) -> Tensor:
    """Blur clean pixels as the lens does: blends of a few blurs by radius.

    Args:
        frame_CHW: Sharp to the pixel.
        lens: What edges measured as; what the pixel itself spreads is taken off.
    """
    height, width = int(frame_CHW.shape[-2]), int(frame_CHW.shape[-1])
    x, y = coordinates.grid((height, width))
    r2 = torch.from_numpy(np.minimum(x * x + y * y, 1.0)).to(frame_CHW)
    rings = 4
    out = torch.zeros_like(frame_CHW)
    for ring in range(rings):
        r = np.array(np.sqrt(ring / (rings - 1)))
        share = (1 - (r2 * (rings - 1) - ring).abs()).clamp_min(0)
        radial, around = lens.sigma_px(r, width_px=width)
        sigma = float(np.sqrt(max(0.5 * (radial**2 + around**2) - 1 / 12, 0.0)))
        out = out + blurred(frame_CHW, sigma) * share
    return out


def blurred(frame_CHW: Tensor, sigma_px: float) -> Tensor:
    """A Gaussian, integrated over each pixel so that narrow ones keep their width."""
    if sigma_px < 0.1:
        return frame_CHW
    reach = max(1, int(np.ceil(3.5 * sigma_px)))
    at = torch.arange(-reach, reach + 1, dtype=frame_CHW.dtype)
    edge = 2.0**0.5 * sigma_px
    kernel = torch.erf((at + 0.5) / edge) - torch.erf((at - 0.5) / edge)
    kernel = (kernel / kernel.sum()).to(frame_CHW)
    count = frame_CHW.shape[0]
    padded = F.pad(frame_CHW[None], (reach,) * 4, mode="replicate")
    across = F.conv2d(padded, kernel.expand(count, 1, 1, -1), groups=count)
    return F.conv2d(across, kernel[:, None].expand(count, 1, -1, 1), groups=count)[0]
