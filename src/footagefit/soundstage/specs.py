"""What can be asked of the soundstage: set-ups, lenses, sensors. Plain records, no pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from footagefit.records import Light

KINDS = ("interior", "exterior", "night", "limbo")
FRAMINGS = ("wide", "medium", "close", "macro")


@dataclass(frozen=True)
class LensSpec:
    """A lens, by what it does to the picture.

    Attributes:
        name: As a slate would name it.
        focal_mm: Focal length on a sensor 24.9 mm wide.
        k1: Distortion r_d = r_u (1 + k1 r^2 + k2 r^4), r = 1 at the half-diagonal.
        k2: See `k1`.
        vignette: Light lost at the corner, 0..1: gain = 1 - vignette r^2 (plus a little r^4).
        fringe_px: Lateral colour at the corner of an HD frame: red out, blue in.
        blur_centre_px: Gaussian sigma in the centre, for an HD frame.
        blur_corner_px: The same in the corner.
        defocus_px: Radius of the out-of-focus disc, for an HD frame; 0 is in focus.
        bloom: Share of light that spreads into a wide halo.
        squeeze: Anamorphic squeeze; 2 for 2x.
    """

    name: str = "32 mm"
    focal_mm: float = 32.0
    k1: float = 0.0
    k2: float = 0.0
    vignette: float = 0.0
    fringe_px: float = 0.0
    blur_centre_px: float = 0.0
    blur_corner_px: float = 0.0
    defocus_px: float = 0.0
    bloom: float = 0.0
    squeeze: float = 1.0


@dataclass(frozen=True)
class SensorSpec:
    """A camera's answer to light.

    Attributes:
        exposure_ev: Stops added.
        white_k: Colour of light that the camera renders as R=G=B, in DESIGN's sense: a frame under
            5600 K light through a camera set to 4300 turns bluer.
        tint_duv: Green shift of that white.
        contrast: Gamma about 18% grey; 1 is linear.
        grain: Relative noise of an 18% grey, standard deviation over signal.
        read_noise: Signal-independent noise, in linear.
        grain_size_px: Gaussian sigma of the grain's correlation.
        grain_chroma: Share of grain that differs by channel, 0..1.
        clip: Linear value at which the sensor saturates.
    """

    exposure_ev: float = 0.0
    white_k: float = 5600.0
    tint_duv: float = 0.0
    contrast: float = 1.0
    grain: float = 0.02
    read_noise: float = 0.0005
    grain_size_px: float = 0.6
    grain_chroma: float = 0.6
    clip: float = 64.0


@dataclass(frozen=True)
class Obstacle:
    """Something in frame that should not be: a wire or a boom.

    Attributes:
        kind: What it is.
        seed: Where it hangs.
        sway_deg: How far it moves over the take.
    """

    kind: Literal["wire", "boom"]
    seed: int = 0
    sway_deg: float = 1.0


@dataclass(frozen=True)
class SetUp:
    """What a crew asks for: one camera on one set, under one light, for one performance.

    Attributes:
        set_seed: Which set: figures, props, walls and their materials.
        kind: Interior with walls and a window, exterior under a sky, night with practicals, or
            limbo (a figure before a plain or no background).
        camera: A looks from the front, B from a side.
        framing: Wide to macro.
        light: In DESIGN.md's convention, in the camera's axes at the start of the take, for
            camera A; camera B sees the same lamps from where it stands.
        lens: On this camera.
        performance_seed: Gestures, looks and camera shake: differs by take.
        move: Camera move over the take.
        wardrobe_hue: Turns the main figure's costume colour, in degrees.
        prop_shift_m: Moves one prop to the right.
        obstacle: A wire or a boom in frame.
        rack_px: A focus pull: how far out of focus the take begins, as `LensSpec.defocus_px`; sharp
            after a second.
    """

    set_seed: int = 0
    kind: str = "interior"
    camera: Literal["A", "B"] = "A"
    framing: str = "medium"
    light: Light = field(default_factory=lambda: KEY)
    lens: LensSpec = field(default_factory=LensSpec)
    performance_seed: int = 0
    move: Literal["static", "handheld", "dolly", "pan"] = "static"
    wardrobe_hue: float = 0.0
    prop_shift_m: float = 0.0
    obstacle: Obstacle | None = None
    rack_px: float = 0.0


KEY = Light(
    azimuth_deg=40.0, elevation_deg=35.0, softness_deg=20.0, key_ev=0.0, key_k=5600.0,
    key_tint_duv=0.0, fill_ev=-2.5, fill_k=5600.0, fill_tint_duv=0.0,
)  # fmt: skip
