"""The controls of light as a person sets them, and as the numbers a model sees.

What belongs here: names, units, ranges, and the one conversion of degrees, kelvin and tint into
the entries of the light vector. What does not: what a model makes of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from footagefit.footage.white import SHOW_WHITE_K, light_rgb
from footagefit.tasks.base import Control

MODES = ("replace", "add")


def _controls() -> dict[str, Control]:
    made = {
        "light.azimuth_deg": Control("deg", -180, 180, None, "where the key stands: + image right"),
        "light.elevation_deg": Control("deg", -90, 90, None, "how high the key stands"),
        "light.softness_deg": Control("deg", 0.5, 180, None, "the key's angular diameter"),
        "light.mode": Control("", 0, 1, 0, "replace the key, or add one", choices=MODES),
        "light.by.azimuth_deg": Control("deg", -180, 180, None, "turn the key"),
        "light.by.elevation_deg": Control("deg", -90, 90, None, "raise the key"),
        "light.by.softness_deg": Control("deg", -180, 180, None, "widen the key"),
        "light.plate.azimuth_deg": Control("deg", -180, 180, None, "where the plate's key stands"),
        "light.plate.elevation_deg": Control("deg", -90, 90, None, "how high the plate's key is"),
    }
    for which in ("key", "fill"):
        made[f"light.{which}_ev"] = Control("ev", -12, 8, None, f"level of the {which}")
        made[f"light.{which}_k"] = Control("k", 2000, 15000, None, f"colour of the {which}")
        made[f"light.{which}_tint_duv"] = Control("", -0.05, 0.05, None, "+ is greener")
        made[f"light.by.{which}_ev"] = Control("ev", -8, 8, None, f"brighten the {which}")
        made[f"light.by.{which}_mired"] = Control("", -150, 250, None, f"+ warms the {which}")
        made[f"light.by.{which}_tint_duv"] = Control("", -0.05, 0.05, None, "+ is greener")
    return made


CONTROLS: Mapping[str, Control] = _controls()


def values_of(controls: Mapping[str, float]) -> dict[str, float]:
    """Entries of the vector from controls by name; what is not set is not there."""
    made: dict[str, float] = {}
    for start in ("light", "light.plate"):
        azimuth = controls.get(f"{start}.azimuth_deg")
        elevation = controls.get(f"{start}.elevation_deg")
        if start == "light.plate" and (azimuth is not None or elevation is not None):
            azimuth, elevation = azimuth or 0.0, elevation or 0.0  # stated as one direction
        if azimuth is not None:
            made[f"{start}.azimuth_x"] = math.sin(math.radians(azimuth))
            made[f"{start}.azimuth_z"] = math.cos(math.radians(azimuth))
        if elevation is not None:
            made[f"{start}.elevation_y"] = math.sin(math.radians(elevation))
    if "light.softness_deg" in controls:
        made["light.softness_log2"] = math.log2(controls["light.softness_deg"])
    for name in ("azimuth", "elevation"):
        if f"light.by.{name}_deg" in controls:
            made[f"light.by.{name}"] = math.radians(controls[f"light.by.{name}_deg"])
    for name in ("light.by.softness_deg", "light.key_ev", "light.fill_ev",
                 "light.by.key_ev", "light.by.fill_ev"):  # fmt: skip
        if name in controls:
            made[name] = controls[name]
    for which in ("key", "fill"):
        made |= _coloured(controls, which) | _warmed(controls, which)
    if controls.get("light.mode", 0.0) >= 0.5:
        made["light.add"] = 1.0
    return made


def _coloured(controls: Mapping[str, float], which: str) -> dict[str, float]:
    """A colour by kelvin and tint, the show's white where only the tint is set."""
    kelvin, duv = controls.get(f"light.{which}_k"), controls.get(f"light.{which}_tint_duv")
    if kelvin is None and duv is None:
        return {}
    return _stops(f"light.{which}", kelvin or SHOW_WHITE_K, duv or 0.0)


def _warmed(controls: Mapping[str, float], which: str) -> dict[str, float]:
    """A colour moved by mired and tint, read about the show's white."""
    mired = controls.get(f"light.by.{which}_mired")
    duv = controls.get(f"light.by.{which}_tint_duv")
    if mired is None and duv is None:
        return {}
    kelvin = 1e6 / max(1e6 / SHOW_WHITE_K + (mired or 0.0), 25.0)
    return _stops(f"light.by.{which}", kelvin, duv or 0.0)


def _stops(start: str, kelvin: float, duv: float) -> dict[str, float]:
    rgb = light_rgb(round(kelvin, 2), round(duv, 6))
    return {f"{start}_{c}": math.log2(max(v, 1e-3)) for c, v in zip("rgb", rgb, strict=True)}
