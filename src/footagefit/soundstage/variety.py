"""How wide the training scenes range, as histograms, beside real pictures where those can tell.

    figures = of_scenes(seed=0, count=200)
    page(figures, out, beside=of_pictures(folder))

A net learns its scenes' framing if they have one; this page shows whether they do.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from footagefit.errors import FootagefitError
from footagefit.footage.opening import open_clip
from footagefit.footage.pattern import MOVIES, PICTURES
from footagefit.soundstage import training

BINS = 24
RANGES = {
    "subject distance, log2 m": (-3.0, 4.0),
    "share of frame with a set": (0.0, 1.0),
    "normal x": (-1.0, 1.0),
    "normal y": (-1.0, 1.0),
    "albedo": (0.0, 1.0),
    "albedo saturation": (0.0, 1.0),
    "luminance, stops over grey": (-8.0, 6.0),
    "picture saturation": (0.0, 1.0),
    "key azimuth, degrees": (-180.0, 180.0),
    "key elevation, degrees": (-90.0, 90.0),
    "key to fill, stops": (-4.0, 9.0),
}


def of_scenes(
    *, seed: int, count: int, size_px: tuple[int, int] = (48, 48)
) -> dict[str, np.ndarray]:
    """Histograms (shares that sum to 1) of training scenes."""
    values: dict[str, list[np.ndarray]] = {name: [] for name in RANGES}
    for index in range(0, count, 4):
        batch = training.draw(seed=seed, index=index, count=4, size_px=size_px, lights=2)
        hit = batch.depth[:, 0] > 0
        values["subject distance, log2 m"] += [
            np.log2(d[h].median().clamp_min(0.05).numpy())[None]
            for d, h in zip(batch.depth[:, 0], hit, strict=True) if bool(h.any())
        ]  # fmt: skip
        values["share of frame with a set"].append(hit.float().mean((1, 2)).numpy())
        values["normal x"].append(batch.normals[:, 0][hit].numpy())
        values["normal y"].append(batch.normals[:, 1][hit].numpy())
        albedo = batch.albedo.permute(0, 2, 3, 1)[hit]
        values["albedo"].append(albedo.mean(-1).numpy())
        values["albedo saturation"].append(_saturation(albedo))
        pixels = batch.images.permute(0, 1, 3, 4, 2).reshape(-1, 3)
        values["luminance, stops over grey"].append(_stops(pixels))
        values["picture saturation"].append(_saturation(pixels))
        for row in batch.lights:
            for light in row:
                values["key azimuth, degrees"].append(np.array([light.azimuth_deg]))
                values["key elevation, degrees"].append(np.array([light.elevation_deg]))
                ratio = (light.key_ev or 0.0) - (light.fill_ev or 0.0)
                values["key to fill, stops"].append(np.array([ratio]))
    return {name: _histogram(name, values[name]) for name in RANGES}


def of_pictures(folder: Path, *, most: int = 200) -> dict[str, np.ndarray]:
    """What can be told of real pictures: luminance and saturation, from up to `most` frames."""
    stops: list[np.ndarray] = []
    colours: list[np.ndarray] = []
    files = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in (*MOVIES, *PICTURES)]
    for path in files[:most]:
        try:
            with open_clip(path, space="srgb_texture") as clip:
                rgb = clip.read([clip.numbers[len(clip.numbers) // 2]]).rgb_TCHW[0]
        except FootagefitError:
            continue
        small = torch.nn.functional.interpolate(rgb[None], (48, 48), mode="area")[0]
        pixels = small.permute(1, 2, 0).reshape(-1, 3)
        stops.append(_stops(pixels))
        colours.append(_saturation(pixels))
    found = {"luminance, stops over grey": stops, "picture saturation": colours}
    return {name: _histogram(name, values) for name, values in found.items() if values}


def covered(histogram: np.ndarray, *, least: float = 0.001) -> float:
    """Share of the range that holds at least `least` of the values."""
    return float((histogram >= least).mean())


def page(scenes: dict[str, np.ndarray], out: Path, *,
         beside: dict[str, np.ndarray] | None = None) -> Path:  # fmt: skip
    """Draw the histograms to a PNG, the real pictures' as lines over the stage's bars."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 9), facecolor="#1c1c1c")
    FigureCanvasAgg(figure)
    for index, (name, shares) in enumerate(scenes.items()):
        axes = figure.add_subplot(3, 4, index + 1, facecolor="#262626")
        edges = np.linspace(*RANGES[name], BINS + 1)
        axes.bar(edges[:-1], shares, width=np.diff(edges), align="edge", color="#7a9cc6")
        if beside and name in beside:
            axes.step(edges[:-1], beside[name], where="post", color="#e8b04b", label="real")
            axes.legend(fontsize=7)
        axes.set_title(f"{name}\n{covered(shares):.0%} of the range", color="#dddddd", fontsize=9)
        axes.tick_params(colors="#aaaaaa", labelsize=7)
    figure.tight_layout()
    figure.savefig(out, dpi=80)
    return out


def _histogram(name: str, values: list[np.ndarray]) -> np.ndarray:
    low, high = RANGES[name]
    flat = np.clip(np.concatenate([np.ravel(v) for v in values]), low, high - 1e-6)
    counts, _ = np.histogram(flat, bins=BINS, range=(low, high))
    return counts / max(1, counts.sum())


def _stops(pixels: torch.Tensor) -> np.ndarray:
    luma = pixels @ torch.tensor([0.2722, 0.6741, 0.0537])
    return torch.log2(luma.clamp_min(1e-4) / 0.18).numpy()


def _saturation(pixels: torch.Tensor) -> np.ndarray:
    top = pixels.amax(-1)
    return ((top - pixels.amin(-1)) / top.clamp_min(1e-4)).clamp(0, 1).numpy()
