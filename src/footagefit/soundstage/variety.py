"""How wide the training scenes range, as histograms, beside real pictures where those can tell.

    figures = of_scenes(measured(seed=0, count=200))
    report(figures, out, beside=of_pictures(folder))

A net learns its scenes' framing if they have one; this page shows whether they do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from footagefit.errors import FootagefitError
from footagefit.footage.opening import open_clip
from footagefit.footage.pattern import MOVIES, PICTURES
from footagefit.records import Light
from footagefit.soundstage import training, truth
from footagefit.soundstage.light_stage import Subject, subjects
from footagefit.soundstage.lights import angles

BINS = 24
RANGES = {
    "subject distance, log2 m": (-3.0, 4.0),
    "share of frame with a set": (0.0, 1.0),
    "depth across a frame, log2 of far over near": (0.0, 6.0),
    "normal x": (-1.0, 1.0),
    "normal y": (-1.0, 1.0),
    "normal z": (-0.25, 1.0),
    "albedo": (0.0, 1.0),
    "albedo saturation": (0.0, 1.0),
    "luminance, stops over grey": (-8.0, 6.0),
    "picture saturation": (0.0, 1.0),
    "contrast of a picture, stops": (0.0, 10.0),
    "share of the key that is seen": (0.0, 1.0),
    "key azimuth, degrees": (-180.0, 180.0),
    "key elevation, degrees": (-90.0, 90.0),
    "key softness, log2 degrees": (-1.5, 7.5),
    "key to fill, stops": (-4.0, 9.0),
}
_LIGHTS = 2
_SIZE = (48, 48)
Values = dict[str, np.ndarray]


def measured(*, seed: int, count: int, size_px: tuple[int, int] = _SIZE) -> Iterator[Values]:
    """What can be counted of each of `count` training scenes, scene by scene."""
    for index in range(0, count, 4):
        some = min(4, count - index)
        batch = training.draw(seed=seed, index=index, count=some, size_px=size_px, lights=_LIGHTS)
        for number in range(some):
            yield _of_scene(batch, number) | _of_lights(batch.lights[number])


def _of_scene(batch: training.Batch, number: int) -> Values:
    depth = batch.depth[number, 0]
    hit = depth > 0
    far = depth[hit].clamp_min(0.05)
    albedo = batch.albedo[number].permute(1, 2, 0)[hit]
    images = batch.images[number]
    pixels = images.permute(0, 2, 3, 1).reshape(-1, 3)
    low, high = (far.quantile(q) if far.numel() else depth.new_ones(()) for q in (0.02, 0.98))
    return {
        "subject distance, log2 m": far.median().log2().reshape(-1).numpy()[: far.numel()],
        "share of frame with a set": hit.float().mean().reshape(1).numpy(),
        "depth across a frame, log2 of far over near": (high / low).log2().reshape(1).numpy(),
        "normal x": batch.normals[number, 0][hit].numpy(),
        "normal y": batch.normals[number, 1][hit].numpy(),
        "normal z": batch.normals[number, 2][hit].numpy(),
        "albedo": albedo.mean(-1).numpy(),
        "albedo saturation": _saturation(albedo),
        "luminance, stops over grey": _stops(pixels),
        "picture saturation": _saturation(pixels),
        "contrast of a picture, stops": np.array([_contrast(image) for image in images]),
        "share of the key that is seen": batch.shadow[number][:, 0][:, hit].reshape(-1).numpy(),
    }


def _of_lights(asked: list[Light]) -> Values:
    return {
        "key azimuth, degrees": np.array([light.azimuth_deg for light in asked]),
        "key elevation, degrees": np.array([light.elevation_deg for light in asked]),
        "key softness, log2 degrees": np.log2([light.softness_deg or 1.0 for light in asked]),
        "key to fill, stops": np.array(
            [(light.key_ev or 0.0) - (light.fill_ev or 0.0) for light in asked]
        ),
    }


def of_scenes(scenes: Iterable[Values]) -> Values:
    """Histograms (shares that sum to 1) of what was measured."""
    values: dict[str, list[np.ndarray]] = {name: [] for name in RANGES}
    for one in scenes:
        for name, counted in one.items():
            values[name].append(counted)
    return {name: _histogram(name, values[name]) for name in RANGES}


def of_pictures(folder: Path, *, most: int = 200) -> Values:
    """What can be told of real pictures, from up to `most` frames.

    Luminance and saturation; of things lit one known light at a time (see `light_stage`) in the
    folder or in folders of it, normals and where their lights stood.
    """
    stops: list[np.ndarray] = []
    colours: list[np.ndarray] = []
    contrasts: list[np.ndarray] = []
    files = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in (*MOVIES, *PICTURES)]
    for path in files[:most]:
        try:
            small = _small(path)
        except FootagefitError:
            continue
        pixels = small.permute(1, 2, 0).reshape(-1, 3)
        stops.append(_stops(pixels))
        colours.append(_saturation(pixels))
        contrasts.append(np.array([_contrast(small)]))
    found = {
        "luminance, stops over grey": stops, "picture saturation": colours,
        "contrast of a picture, stops": contrasts,
    }  # fmt: skip
    found |= _of_lit(folder)
    return {name: _histogram(name, values) for name, values in found.items() if values}


def _of_lit(folder: Path) -> dict[str, list[np.ndarray]]:
    """Normals of subjects under known lights, and where those stood."""
    try:
        lit = subjects(folder)
    except FootagefitError:
        return {}
    facing = [_facing(subject) for subject in lit]
    turned = [angles(way) for subject in lit for way in subject.directions]
    return {
        **{f"normal {axis}": [one[i] for one in facing] for i, axis in enumerate("xyz")},
        "key azimuth, degrees": [np.array([azimuth for azimuth, _ in turned])],
        "key elevation, degrees": [np.array([elevation for _, elevation in turned])],
    }


def _facing(subject: Subject) -> np.ndarray:
    """(3,n) normals of a matte subject's bright parts, by least squares (Woodham 1980)."""
    level = torch.stack([_small(path).mean(0).flatten() for path in subject.pictures])
    level = level[:, level.amax(0) > 0.1 * level.amax()]
    solved = torch.linalg.lstsq(torch.tensor(subject.directions).float(), level).solution
    return (solved / solved.square().sum(0).sqrt().clamp_min(1e-9)).numpy()


def _small(path: Path) -> Tensor:
    """A picture, or a movie's middle frame, at 48 x 48 px."""
    with open_clip(path, space="srgb_texture") as clip:
        rgb = clip.read([clip.numbers[len(clip.numbers) // 2]]).rgb_TCHW[0]
    return torch.nn.functional.interpolate(rgb[None], (48, 48), mode="area")[0]


def covered(histogram: np.ndarray, *, least: float = 0.001) -> float:
    """Share of the range that holds at least `least` of the values."""
    return float((histogram >= least).mean())


def report(scenes: Values, out: Path, *, beside: Values | None = None) -> tuple[Path, Path]:
    """Write `variety.json` and `variety.png` into a folder."""
    record = {
        name: {
            "low": RANGES[name][0], "high": RANGES[name][1],
            "stage": [round(float(v), 6) for v in shares], "covered": covered(shares),
            "real": [round(float(v), 6) for v in beside[name]] if beside and name in beside
            else None,
        }
        for name, shares in scenes.items()
    }  # fmt: skip
    path = truth.write_json(out / "variety.json", {"version": truth.VERSION, "figures": record})
    return path, page(scenes, out / "variety.png", beside=beside)


def page(scenes: Values, out: Path, *, beside: Values | None = None) -> Path:
    """Draw the histograms to a PNG, the real pictures' as lines over the stage's bars."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 11), facecolor="#1c1c1c")
    FigureCanvasAgg(figure)
    for index, (name, shares) in enumerate(scenes.items()):
        axes = figure.add_subplot(4, 4, index + 1, facecolor="#262626")
        edges = np.linspace(*RANGES[name], BINS + 1)
        axes.bar(edges[:-1], shares, width=np.diff(edges), align="edge", color="#7a9cc6")
        if beside and name in beside:
            axes.step(edges[:-1], beside[name], where="post", color="#e8b04b", label="real")
            axes.legend(fontsize=7)
        axes.set_title(f"{name}\n{covered(shares):.0%} of the range", color="#dddddd", fontsize=9)
        axes.tick_params(colors="#aaaaaa", labelsize=7)
    figure.tight_layout()
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    figure.savefig(part, dpi=80, format="png", metadata={"Software": None})
    os.replace(part, out)
    return out


def _histogram(name: str, values: list[np.ndarray]) -> np.ndarray:
    low, high = RANGES[name]
    flat = np.clip(np.concatenate([np.ravel(v) for v in values]), low, high - 1e-6)
    counts, _ = np.histogram(flat, bins=BINS, range=(low, high))
    return counts / max(1, counts.sum())


def _stops(pixels: Tensor) -> np.ndarray:
    luma = pixels @ torch.tensor([0.2722, 0.6741, 0.0537])
    return torch.log2(luma.clamp_min(1e-4) / 0.18).numpy()


def _contrast(image: Tensor) -> float:
    """Stops between a picture's dark and bright parts."""
    stops = torch.from_numpy(_stops(image.permute(1, 2, 0).reshape(-1, 3)))
    return float(stops.quantile(0.95) - stops.quantile(0.05))


def _saturation(pixels: Tensor) -> np.ndarray:
    top = pixels.amax(-1)
    return ((top - pixels.amin(-1)) / top.clamp_min(1e-4)).clamp(0, 1).numpy()
