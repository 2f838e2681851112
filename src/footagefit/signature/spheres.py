"""Grey balls, chrome balls and lat-long HDRIs as references for the light on set.

Here: what a named ball or map says of key and fill. Not here: ordinary footage (`light.py`).

Directions as everywhere: from the subject to the light, +x image right, +y up, +z to the camera.
"""

from __future__ import annotations

import math

import numpy as np

from footagefit.footage.white import SHOW_WHITE_K
from footagefit.records import Light
from footagefit.signature import coordinates
from footagefit.signature.grade import mired_of

GREY_REFLECTANCE = 0.18
CHROME_REFLECTANCE = 0.55  # of a polished steel ball at normal incidence
_LEAST_PX = 400  # pixels of a ball's disc


def grey_ball(
    frame_HWC: np.ndarray, centre: tuple[float, float], radius_px: float, *,
    white_k: float = SHOW_WHITE_K, reflectance: float = GREY_REFLECTANCE,
) -> Light | None:  # fmt: skip
    """Key and fill from a matt grey ball, or None where it is too small or lit from all sides.

    Args:
        frame_HWC: Scene-linear light.
        centre: x, y (down) in pixels.
        radius_px: Of its disc.
        white_k: Colour of light that is R=G=B in the show.
        reflectance: Of the ball's paint.
    """
    normal, light = _disc(frame_HWC, centre, radius_px)
    if len(normal) < _LEAST_PX:
        return None
    fill, key = light.mean(0) * 0.5, np.zeros(3)
    way = np.array([0.0, 0.0, 1.0])
    luma = coordinates.luma(light)
    way = (normal * (luma - luma.min())[:, None]).mean(0)
    way /= max(np.linalg.norm(way), 1e-9)
    for _ in range(40):
        facing = normal @ way
        lit = facing > 0.05
        lean = np.concatenate([normal[lit], np.ones((lit.sum(), 1))], 1)
        found = np.linalg.lstsq(lean, luma[lit], rcond=None)[0]
        length = float(np.linalg.norm(found[:3]))
        if length < 1e-6:
            return None
        moved = found[:3] / length
        if float(moved @ way) > 1 - 1e-9:
            break
        way = moved
    facing = np.maximum(normal @ way, 0.0)
    lean = np.stack([facing, np.ones_like(facing)], 1)
    both = np.linalg.lstsq(lean, light, rcond=None)[0]
    key, fill = both[0].clip(1e-6), both[1].clip(1e-6)
    return _named(way, key / reflectance * 0.18, fill / reflectance * 0.18, None, white_k)


def chrome_ball(
    frame_HWC: np.ndarray, centre: tuple[float, float], radius_px: float, *,
    white_k: float = SHOW_WHITE_K, reflectance: float = CHROME_REFLECTANCE,
) -> Light | None:  # fmt: skip
    """Key and fill from a mirror ball: the brightest light in it, and all the rest."""
    normal, light = _disc(frame_HWC, centre, radius_px, rim=0.97)
    if len(normal) < _LEAST_PX:
        return None
    seen = 2 * normal[:, 2:] * normal - np.array([0.0, 0.0, 1.0])
    # Equal parts of the disc show equal solid angles: all directions but those right behind it.
    solid = np.full(len(seen), 4 * math.pi / len(seen))
    return _of_directions(seen, light / reflectance, solid, white_k)


def lat_long(map_HWC: np.ndarray, *, white_k: float = SHOW_WHITE_K) -> Light | None:
    """Key and fill from a lat-long: its middle is what the camera looks away from, +z.

    Args:
        map_HWC: Scene-linear radiance; columns run from behind (left) by image left, the camera
            (middle) and image right; rows from the top down.
        white_k: Colour of light that is R=G=B in the show.
    """
    height, width = map_HWC.shape[:2]
    azimuth = ((np.arange(width) + 0.5) / width - 0.5) * 2 * math.pi
    elevation = (0.5 - (np.arange(height) + 0.5) / height) * math.pi
    a, e = np.meshgrid(azimuth, elevation)
    way = np.stack([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)], -1).reshape(-1, 3)
    solid = (np.cos(e) * (2 * math.pi / width) * (math.pi / height)).ravel()
    return _of_directions(way, map_HWC.reshape(-1, 3), solid, white_k)


def _disc(frame_HWC: np.ndarray, centre: tuple[float, float], radius_px: float, *,
          rim: float = 0.93) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Normals and light of the pixels of a ball."""
    height, width = frame_HWC.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    u, v = (x - centre[0]) / radius_px, -(y - centre[1]) / radius_px
    inside = u * u + v * v < rim * rim
    u, v = u[inside], v[inside]
    normal = np.stack([u, v, np.sqrt(1 - u * u - v * v)], 1)
    return normal, frame_HWC[inside].astype(np.float64)


def _of_directions(way: np.ndarray, light: np.ndarray, solid: np.ndarray,
                   white_k: float) -> Light | None:  # fmt: skip
    """The key is the brightest light and what lies within its own spread; fill is the rest."""
    luma = coordinates.luma(light)
    weight = luma * solid
    brightest = way[int(np.argmax(_soft(way, luma)))]
    near = way @ brightest > math.cos(math.radians(35))
    strong = near & (luma > 0.25 * float(luma[near].max()))
    centre = (way[strong] * weight[strong, None]).sum(0)
    centre /= max(np.linalg.norm(centre), 1e-9)
    apart = np.arccos(np.clip(way[strong] @ centre, -1, 1))
    share = weight[strong] / weight[strong].sum()
    softness = 2 * math.degrees(math.sqrt(2 * float((share * apart**2).sum())))
    rest = ~strong
    # A card facing the light shows E reflectance / pi.
    cosine = np.maximum(way[strong] @ centre, 0)
    key = (light[strong] * (solid[strong] * cosine)[:, None]).sum(0) * 0.18 / math.pi
    mean = (light[rest] * solid[rest, None]).sum(0) / solid[rest].sum()
    if float(coordinates.luma(key[None])[0]) <= 0:
        return None
    return _named(centre, key.clip(1e-9), (mean * 0.18).clip(1e-9), softness, white_k)


def _soft(way: np.ndarray, luma: np.ndarray) -> np.ndarray:
    """Light with single hot pixels held down: the key is a lamp, not a glint."""
    top = np.quantile(luma, 0.9995)
    del way
    return np.minimum(luma, max(float(top), 1e-9))


def _named(way: np.ndarray, key: np.ndarray, fill: np.ndarray, softness: float | None,
           white_k: float) -> Light:  # fmt: skip
    key_mired, key_duv = mired_of(key, white_k=white_k)
    fill_mired, fill_duv = mired_of(fill, white_k=white_k)
    level, under = (float(coordinates.luma(c[None])[0]) / 0.18 for c in (key, fill))
    return Light(
        azimuth_deg=math.degrees(math.atan2(way[0], way[2])),
        elevation_deg=math.degrees(math.asin(float(np.clip(way[1], -1, 1)))),
        softness_deg=softness,
        key_ev=math.log2(level), key_k=1e6 / key_mired, key_tint_duv=key_duv,
        fill_ev=math.log2(under), fill_k=1e6 / fill_mired, fill_tint_duv=fill_duv,
    )  # fmt: skip
