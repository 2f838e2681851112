"""Pictures of a signature that a DP or a comp supervisor reads at a glance.

Here: each figure as PNG bytes. Not here: the page they stand on (`page.py`).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from footagefit.footage import colour
from footagefit.footage.white import light_rgb
from footagefit.records import Light
from footagefit.signature import coordinates, grade
from footagefit.signature.chromatic import Chromatic
from footagefit.signature.distortion import Distortion
from footagefit.signature.grade import SHARES, Grade
from footagefit.signature.grain import BLOCK_PX, Grain
from footagefit.signature.grain_synthesis import Synthesis
from footagefit.signature.sharpness import MTF50, Sharpness
from footagefit.signature.vignette import Vignette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _FAINT, _RED, _GREEN, _BLUE = "#222222", "#b9b9b9", "#c8402f", "#3a8f4d", "#2f62c8"
_RGB = (_RED, _GREEN, _BLUE)
_TWIN_CONTRAST = 12.0  # grain is shown this much stronger than it is


def _drawn(draw: Callable[[Any], None], width: float, height: float, axes: int = 1) -> bytes:
    """A figure of one row of axes, drawn on without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    made = [figure.add_subplot(1, axes, i + 1) for i in range(axes)]
    for one in made:
        one.tick_params(labelsize=8, colors=_INK)
        for side in ("top", "right"):
            one.spines[side].set_visible(False)
    draw(made[0] if axes == 1 else made)
    stored = io.BytesIO()
    figure.savefig(stored, format="png", metadata={"Software": None})
    return stored.getvalue()


def _titled(axes: Axes, title: str, x: str = "", y: str = "") -> None:
    axes.set_title(title, fontsize=9, color=_INK, loc="left")
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(True)
        side.set_color(_FAINT)


def vignette_map(lens: Vignette, size: tuple[int, int]) -> bytes:
    """Stops lost over the frame, and along the radius by channel with its error."""
    small = (round(320 * size[0] / size[1]), 320)
    x, y = coordinates.grid(small, squeeze=lens.squeeze)
    stops = lens.stops(*np.broadcast_arrays(x, y))

    def draw(both: Any) -> None:
        left, right = both
        seen = left.imshow(stops[..., 1], cmap="gray", vmin=min(-0.5, stops.min()), vmax=0.05)
        steps = [s for s in np.arange(-3, 0.01, 0.1) if stops[..., 1].min() < s < 0]
        if steps:
            lines = left.contour(stops[..., 1], levels=steps, colors="#e8a33d", linewidths=0.8)
            left.clabel(lines, fmt="%.1f", fontsize=7)
        _bare(left)
        _titled(left, "stops against the middle")
        del seen
        r = np.linspace(0, 1, 60)
        curve = lens.stops(r + lens.centre_x, np.full_like(r, lens.centre_y))
        for channel, ink in enumerate(_RGB):
            right.plot(r, curve[:, channel], color=ink, lw=1.4)
        if lens.error_rms is not None:
            band = lens.error_rms / np.log(2)
            right.fill_between(r, curve[:, 1] - 2 * band, curve[:, 1] + 2 * band,
                               color=_FAINT, alpha=0.5, lw=0)  # fmt: skip
        right.axhline(0, color=_FAINT, lw=0.8)
        _titled(right, "along the radius (grey: 2 standard errors)", "r (1 is the corner)", "stops")

    return _drawn(draw, 8.2, 2.6, axes=2)


def distortion_grid(lens: Distortion, size: tuple[int, int]) -> bytes:
    """A square grid as the lens bends it, over the grid itself."""
    half = coordinates.half_diagonal_px(size, squeeze=lens.squeeze)
    wide, tall = size[1] * lens.squeeze / 2 / half, size[0] / 2 / half

    def draw(axes: Any) -> None:
        run = np.linspace(-1, 1, 80)
        for step in np.linspace(-1, 1, 13):
            for x, y in (
                (run * wide, np.full(80, step * tall)),
                (np.full(80, step * wide), run * tall),
            ):
                axes.plot(x, y, color=_FAINT, lw=0.6)
                axes.plot(*lens.distorted(x, y), color=_BLUE, lw=0.9)
        axes.plot([lens.centre_x], [lens.centre_y], "+", color=_RED, ms=9)
        axes.set_aspect("equal")
        _bare(axes)
        corner = lens.k1 + lens.k2
        _titled(axes, f"grey: straight, blue: through the lens; corner moves {100 * corner:+.2f} %")

    return _drawn(draw, 5.0, 3.1)


def chromatic_arrows(lens: Chromatic, size: tuple[int, int]) -> bytes:
    """Where red and blue land beside green, a hundred times as far."""
    half = coordinates.half_diagonal_px(size, squeeze=lens.squeeze)
    wide, tall = size[1] * lens.squeeze / 2 / half, size[0] / 2 / half

    def draw(axes: Any) -> None:
        x, y = np.meshgrid(np.linspace(-wide, wide, 9), np.linspace(-tall, tall, 5))
        for amount, ink in ((lens.red_px, _RED), (lens.blue_px, _BLUE)):
            long = amount / coordinates.HD_HALF_PX * 60
            axes.quiver(x, y, x * long, y * long, color=ink, angles="xy", scale_units="xy",
                        scale=1, width=0.004)  # fmt: skip
        axes.set_xlim(-wide * 1.15, wide * 1.15)
        axes.set_ylim(-tall * 1.15, tall * 1.15)
        axes.set_aspect("equal")
        _bare(axes)
        _titled(axes, f"x 60; corner: red {lens.red_px:+.2f} px, blue {lens.blue_px:+.2f} px (HD)")

    return _drawn(draw, 5.0, 3.1)


def mtf_map(lens: Sharpness, size: tuple[int, int]) -> bytes:
    """MTF50 over the frame, and both directions along the radius."""
    small = (round(160 * size[0] / size[1]), 160)
    x, y = coordinates.grid(small)
    radial, around = lens.sigma_px(np.sqrt(x * x + y * y), width_px=lens.width_px)
    mtf = MTF50 / np.sqrt(0.5 * (radial**2 + around**2))

    def draw(both: Any) -> None:
        left, right = both
        seen = left.imshow(mtf, cmap="viridis", vmin=0, vmax=max(0.5, float(mtf.max())))
        left.figure.colorbar(seen, ax=left, shrink=0.8).ax.tick_params(labelsize=7)
        _bare(left)
        _titled(left, "MTF50, cycles a pixel")
        r = np.linspace(0, 1, 40)
        for sigma, ink, name in zip(
            lens.sigma_px(r, width_px=lens.width_px), (_INK, _BLUE), ("along r", "across r"),
            strict=True,
        ):  # fmt: skip
            right.plot(r, MTF50 / sigma, color=ink, lw=1.4, label=name)
        right.set_ylim(0, None)
        right.legend(fontsize=7, frameon=False)
        _titled(right, "along the radius", "r", "cycles a pixel")

    return _drawn(draw, 8.2, 2.6, axes=2)


def grain_curves(grain: Grain) -> bytes:
    """Deviation by light, and the spatial correlation."""

    def draw(both: Any) -> None:
        left, right = both
        levels = np.array(grain.levels)
        for channel, ink in enumerate(_RGB):
            left.loglog(levels, np.array(grain.deviation[channel]), ".-", color=ink, lw=1, ms=4)
        left.axvline(0.18, color=_FAINT, lw=0.8)
        for axis in (left.xaxis, left.yaxis):
            axis.set_minor_formatter("")
            axis.set_major_formatter("{x:g}")
        _titled(left, "deviation by light (grey line: 18 %)", "scene-linear", "deviation")
        for channel, ink in enumerate(_RGB):
            made = grain.correlation(channel, reach=6)
            right.plot(range(6), made[0], ".-", color=ink, lw=1, ms=4)
            right.plot(range(6), made[:, 0], ".:", color=ink, lw=1, ms=4)
        right.axhline(0, color=_FAINT, lw=0.8)
        _titled(right, "correlation (dotted: down)", "pixels apart", "")

    return _drawn(draw, 8.2, 2.6, axes=2)


def grain_twins(crop_HWC: np.ndarray, grain: Grain) -> bytes:
    """A piece of a frame at 1:1 beside its twin: the same light, grain made anew.

    Both lose their drift of light and are shown with the same, stronger contrast.
    """
    import cv2
    import torch
    from PIL import Image

    drift = cv2.GaussianBlur(crop_HWC, (0, 0), 6.0)
    clean = torch.from_numpy(np.ascontiguousarray(drift)).permute(2, 0, 1)
    twin = Synthesis(grain, seed=5).apply(clean, number=1).permute(1, 2, 0).numpy()
    shown = []
    for picture in (crop_HWC, twin):
        apart = (picture - cv2.GaussianBlur(picture, (0, 0), 6.0)) / np.maximum(drift, 1e-3)
        shown.append(np.clip(0.5 + apart * _TWIN_CONTRAST * 0.1, 0, 1))
    gap = np.ones((crop_HWC.shape[0], 12, 3), np.float32)
    both = (np.concatenate([shown[0], gap, shown[1]], 1) * 255).astype(np.uint8)
    stored = io.BytesIO()
    Image.fromarray(both).save(stored, format="PNG")
    return stored.getvalue()


def tones(own: Grade, show: Grade | None) -> bytes:
    """The tone curve of a set-up over the show's."""

    def draw(axes: Any) -> None:
        shares = 100 * np.array(SHARES)
        if show is not None:
            axes.plot(shares, show.tones, ".-", color=_FAINT, lw=1.2, ms=4, label="show")
        axes.plot(shares, own.tones, ".-", color=_INK, lw=1.4, ms=4, label="this set-up")
        axes.legend(fontsize=7, frameon=False)
        axes.axhline(0, color=_FAINT, lw=0.6)
        _titled(axes, "tones", "% of the pixels", "stops about 18 %")

    return _drawn(draw, 3.6, 2.4)


def palette(samples_N3: np.ndarray) -> bytes:
    """Eight colours that most of a set-up's frames are made of, as wide as they are common."""
    import cv2
    from PIL import Image

    stops = coordinates.stops(samples_N3.astype(np.float32), toe=grade.TOE)
    few = np.ascontiguousarray(stops[:: max(1, len(stops) // 4000)], np.float32)
    count = min(8, len(few))
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 30, 0.01)
    cv2.setRNGSeed(1)
    _, label, centres = cv2.kmeans(few, count, None, criteria, 2, cv2.KMEANS_PP_CENTERS)  # pyright: ignore[reportCallIssue, reportArgumentType]
    order = np.argsort(centres.mean(1))
    light = np.exp2(centres[order]) - grade.TOE
    wide = np.maximum(1, 480 * np.bincount(label[:, 0], minlength=count)[order] // len(few))
    bar = np.concatenate([np.tile(c, (56, w, 1)) for c, w in zip(light, wide, strict=True)], 1)
    stored = io.BytesIO()
    Image.fromarray(colour.preview(bar.astype(np.float32))).save(stored, format="PNG")
    return stored.getvalue()


def light_sphere(light: Light, *, white_k: float) -> bytes:
    """A matt ball under key and fill, as it would stand beside the subject."""
    from PIL import Image

    side = 160
    x, y = np.meshgrid(np.linspace(-1.06, 1.06, side), np.linspace(1.06, -1.06, side))
    inside = x * x + y * y < 1
    z = np.sqrt(np.clip(1 - x * x - y * y, 0, 1))
    azimuth, elevation = np.radians([light.azimuth_deg or 0.0, light.elevation_deg or 0.0])
    way = (np.sin(azimuth) * np.cos(elevation), np.sin(elevation),
           np.cos(azimuth) * np.cos(elevation))  # fmt: skip
    wrap = np.sin(np.radians(min(light.softness_deg or 0.0, 170.0) / 2))
    facing = np.clip((x * way[0] + y * way[1] + z * way[2] + wrap) / (1 + wrap), 0, 1)
    key = np.array(light_rgb(light.key_k or white_k, light.key_tint_duv or 0.0, white_k))
    fill = np.array(light_rgb(light.fill_k or white_k, light.fill_tint_duv or 0.0, white_k))
    under = 2.0 ** ((light.fill_ev if light.fill_ev is not None else -4.0) - (light.key_ev or 0.0))
    ball = 0.4 * (facing[..., None] * key + under * fill)
    ball[~inside] = 0.02
    stored = io.BytesIO()
    Image.fromarray(colour.preview(ball.astype(np.float32))).save(stored, format="PNG")
    return stored.getvalue()


def frame(picture_HWC: np.ndarray) -> bytes:
    """A frame, small, through the view."""
    from PIL import Image

    stored = io.BytesIO()
    shown = colour.preview(np.ascontiguousarray(picture_HWC))
    Image.fromarray(shown).save(stored, format="JPEG", quality=85)
    return stored.getvalue()


def spectrum(grain: Grain) -> bytes:
    """Power of green's grain by frequency: rows go with y, fine is right and down."""

    def draw(axes: Any) -> None:
        power = np.log10(np.maximum(np.array(grain.spectrum[1]), 1e-4))
        axes.imshow(power, cmap="magma", extent=(0, 0.5, 0.5, 0))
        _titled(axes, f"log power ({BLOCK_PX} terms)", "cycles a pixel", "")

    return _drawn(draw, 2.6, 2.4)
