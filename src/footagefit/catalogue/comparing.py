"""How one take's picture differs from another's, in photographic units, from what both show.

Here: one robust fit of all that stands still in both: log light of one is a line in log light of
the other, its slope contrast, its offset exposure and white; what is left over is light that came
from elsewhere. Not here: laying takes over each other (`laying`), things that were added, moved or
recoloured (`things`), what counts as too much (`judging`).

Differences are the take less the reference take. Shapes: K moments, H rows, W columns, C channels,
N pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from footagefit.catalogue.laying import Laid
from footagefit.dailies.pairs import same_things
from footagefit.footage.white import light_rgb
from footagefit.signature import coordinates, grade
from footagefit.signature.light_vector import LUMA

Box = tuple[int, int, int, int]  # x, y, width, height in pixels of the small picture
GREY = float(np.log2(0.18))
_DARKEST = np.float32(2.0**-10)
_FLOOR, _CEILING = 2.0**-7, 0.8  # light that noise and clipping leave alone
_LEAST_EFFECT = 0.75  # a slope that leaves more than that of what there is without it says nothing
# Where the still part spans fewer stops than this and lies as bright as before, a slope would have
# to come with just the exposure that hides it.
_NARROW, _SAME_LEVEL = 0.6, 0.08
_LOST_EV = 0.25  # darker than it should be
_BRIGHT, _NEAR_TOP = 0.9, 0.8  # the least that may be a ceiling; of the most there is
_FLAT_PX, _FLAT = (5, 5), 0.004  # what varies by less of itself within so many has no grain
# Levels that are compared, in stops about grey, how many, how well they must lie on a line; a slope
# that is none, the least that levels may tell, how near it must be, and of the change in level what
# may be left where contrast alone is to explain it.
_LEVELS, _LEAST_LEVELS, _SURE_LEVELS = (-6.0, 1.9), 10, 0.994
_NO_SLOPE, _LEAST_KNOWN, _AGREED, _ONE_CAUSE = 0.05, 0.18, 0.35, 0.35
_LEAST_SHARE = 0.03  # of the picture that must stand still in both
_FEW_SHARE = 0.06  # under which all levels say more of the exposure than what stands
_LEAST_BESIDE = 0.01
_SMOOTH_SHARE = 1 / 140  # of the long side: grain goes, light stays
_SURE, _UNSURE = 0.9, 0.75  # squared correlation from, and under, which a slope is (not) believed
_FIELD_SHARE = 1 / 24  # of the long side: light that varies more finely is structure, not light
_LEAST_SPREAD = 0.12  # stops (rms) the still part must span for its slope to mean contrast


@dataclass(frozen=True)
class Fitted:
    """Light of a take as a line in light of the reference take.

    Attributes:
        offset_C: Stops at 18% grey, by channel.
        slope: Contrast: 1 is the same.
        light_ev: Robust spread over the frame of what the line leaves, coarse, in stops.
        fine_ev: The same of all of it.
        still_HW: True where both show the same thing, neither dark nor burnt out.
        left_HW: What the line leaves, coarse, in stops.
    """

    offset_C: np.ndarray
    slope: float
    light_ev: float
    fine_ev: float
    still_HW: np.ndarray
    left_HW: np.ndarray

    @property
    def share(self) -> float:
        """Of the picture that was compared."""
        return float(self.still_HW.mean())

    @property
    def exposure_ev(self) -> float:
        """Stops at 18% grey."""
        return float(np.log2(np.array(LUMA) @ 2.0**self.offset_C))

    def light_beside(self, boxes: Sequence[Box]) -> float:
        """`light_ev` of what lies outside of some boxes: what somebody wears is no light."""
        still = self.still_HW.copy()
        for x, y, w, h in boxes:
            still[y : y + h, x : x + w] = False
        return _spread(self.left_HW[still]) if still.mean() > _LEAST_BESIDE else self.light_ev

    def white(self, *, white_k: float) -> tuple[float, float]:
        """Mired (warmer above 0) and Duv (greener above 0) by which the light differs."""
        neutral = np.array(light_rgb(white_k, white_k=white_k))
        mired, duv = grade.mired_of(2.0**self.offset_C * neutral, white_k=white_k)
        return mired - 1e6 / white_k, duv

    def onto_take(self, reference_HWC: np.ndarray) -> np.ndarray:
        """The reference's picture as the take would have recorded it, in stops about grey."""
        stops = coordinates.stops(reference_HWC) - GREY
        return (self.offset_C + self.slope * stops).astype(np.float32)


def fitted(reference: Laid, take: Laid) -> Fitted | None:
    """The line that the still parts of both agree on; None where too little stands still."""
    import cv2

    one, other = reference.middle_HWC, take.middle_HWC
    usable = reference.inside_HW & take.inside_HW & usable_light(one) & usable_light(other)
    still = usable & (same_things(one, other) > 0.5)
    if still.mean() < _LEAST_SHARE:
        return None
    blur = max(1.0, max(one.shape) * _SMOOTH_SHARE)
    a, b = (cv2.GaussianBlur(p, (0, 0), blur) for p in (one, other))
    x_HWC, y_HWC = (np.log2(np.maximum(p, _DARKEST)) - GREY for p in (a, b))
    luma = np.array(LUMA, np.float32)
    offset, slope = _line(x_HWC[still], y_HWC[still])
    left = (y_HWC - offset - slope * x_HWC) @ luma
    reach = float((x_HWC[still] @ luma).std())
    level = abs(float(np.median((y_HWC - x_HWC)[still] @ luma)))
    plain, _ = _line(x_HWC[still], y_HWC[still], slope=1.0)
    rest = (y_HWC - plain - x_HWC) @ luma
    weak = _spread(left[still]) > _LEAST_EFFECT * _spread(rest[still])
    if weak or (reach < _NARROW and level < _SAME_LEVEL):
        known = _slope_of_levels(reference, take)
        slope = _witnessed(slope, known, x_HWC[still], y_HWC[still], level=level)
        offset = plain if slope == 1.0 else _line(x_HWC[still], y_HWC[still], slope=slope)[0]
        left = (y_HWC - offset - slope * x_HWC) @ luma
    if still.mean() < _FEW_SHARE:
        offset = _shifted(offset, slope, reference, take)
    coarse = _field(left, still)
    return Fitted(offset, slope, _spread(coarse[still]), _spread(left[still]), still, coarse)


def burnt_more(reference: Laid, take: Laid, fit: Fitted) -> float:
    """Share of the picture that the take burnt out and the reference did not; below 0 the reverse.

    What is burnt out is darker than the other take says it should be, and as bright as it gets: a
    bright plain sky is not, and a ceiling that a codec overshoots still is.
    """
    one, other = reference.middle_HWC, take.middle_HWC
    expected = coordinates.luma(np.exp2(fit.onto_take(one) + GREY))
    missing = np.log2(
        np.maximum(expected, _DARKEST) / np.maximum(coordinates.luma(other), _DARKEST)
    )
    inside = reference.inside_HW & take.inside_HW
    lost, kept = (
        inside & (sign * missing > _LOST_EV) & (coordinates.luma(bright) > _CEILING)
        for sign, bright in ((1.0, other), (-1.0, one))
    )
    return float(lost.sum() - kept.sum()) / max(1, int(inside.sum()))


def clipped_share(frames_KHWC: np.ndarray) -> float:
    """Of the picture that is burnt out: near the most there is, and with neither shade nor grain.

    A bright plain wall has grain; where a codec overshoots, the most there is lies beyond the
    ceiling.
    """
    import cv2

    light = coordinates.luma(frames_KHWC)
    level = float(np.quantile(light, 0.9995))
    if level <= _BRIGHT:
        return 0.0
    mean = np.stack([cv2.blur(f, _FLAT_PX) for f in light])
    square = np.stack([cv2.blur(f * f, _FLAT_PX) for f in light])
    flat = square - mean**2 < (_FLAT * mean) ** 2
    return float((flat & (mean > _NEAR_TOP * level)).mean())


def detail_stops(reference_KHWC: np.ndarray, take_KHWC: np.ndarray) -> float:
    """How much finer the take's edges are than the reference's, in stops: below 0 is softer.

    At the strongest edges of each frame, which grain does not reach: how steep they are at a fine
    scale over a coarse one. Needs no alignment, and neither exposure nor contrast changes it.
    """
    there = np.median([_edge_steepness(f) for f in take_KHWC])
    here = np.median([_edge_steepness(f) for f in reference_KHWC])
    return float(np.log2(max(there, 1e-3) / max(here, 1e-3)))


def usable_light(picture_HWC: np.ndarray) -> np.ndarray:
    """True away from darkness and from what is burnt out."""
    import cv2

    burnt = (picture_HWC.max(-1) > _CEILING).astype(np.uint8)
    dark = coordinates.luma(picture_HWC) < _FLOOR
    return (cv2.dilate(burnt, np.ones((7, 7), np.uint8)) == 0) & ~dark


def _witnessed(
    slope: float, known: float, x_NC: np.ndarray, y_NC: np.ndarray, *, level: float
) -> float:
    """A slope that little was gained by, kept only where a second witness tells the same.

    Where none was seen, the witness is believed if it is sure and explains the change in level too.
    """
    if abs(slope - 1.0) >= _NO_SLOPE or level <= _SAME_LEVEL:
        return 1.0 if abs(slope - known) > _AGREED * abs(known - 1.0) else slope
    offset, _ = _line(x_NC, y_NC, slope=known)
    sure = abs(known - 1.0) > _LEAST_KNOWN and abs(offset @ LUMA) < _ONE_CAUSE * level
    return known if sure else 1.0


def _slope_of_levels(reference: Laid, take: Laid) -> float:
    """Contrast by which levels of the whole picture, people among it, are spread; 1 if unsure.

    It needs no place to be the same, so that it speaks where what stands is all one level. What
    somebody wears speaks too: it is a second witness.
    """
    x, y = _levels(reference, take)
    if len(x) < _LEAST_LEVELS or x.std() < _LEAST_SPREAD or y.std() < _LEAST_SPREAD:
        return 1.0
    alike = float(np.corrcoef(x, y)[0, 1])
    return float(y.std() / x.std()) if alike > _SURE_LEVELS else 1.0


def _shifted(offset_C: np.ndarray, slope: float, reference: Laid, take: Laid) -> np.ndarray:
    """Offsets as exposed as most levels of the whole picture are: little stands still to say so."""
    x, y = _levels(reference, take)
    if len(x) < _LEAST_LEVELS:
        return offset_C
    by = float(np.median(y - slope * x))
    return offset_C + by - float(np.log2(np.array(LUMA) @ 2.0**offset_C))


def _levels(reference: Laid, take: Laid) -> tuple[np.ndarray, np.ndarray]:
    """Levels of both pictures, in stops about grey, that are neither black nor burnt out."""
    inside = reference.inside_HW & take.inside_HW
    levels = []
    for frames in (reference.frames_KHWC, take.frames_KHWC):
        light = np.maximum(coordinates.luma(frames[:, inside]), _DARKEST)
        levels.append(np.quantile(np.log2(light) - GREY, np.linspace(0.02, 0.98, 49)))
    x, y = levels
    sound = (np.maximum(x, y) < _LEVELS[1]) & (np.minimum(x, y) > _LEVELS[0])
    return x[sound], y[sound]


def _line(
    x_NC: np.ndarray, y_NC: np.ndarray, *, slope: float | None = None
) -> tuple[np.ndarray, float]:
    """Offsets by channel and one slope, by total least squares with Geman and McClure's weights.

    Total: both pictures have noise, and a slope fitted to one of them alone comes out too flat.
    The slope stays what it is said to be.
    """
    x, y = x_NC.astype(np.float64), y_NC.astype(np.float64)
    free, slope = slope is None, 1.0 if slope is None else slope
    offset = np.median(y - slope * x, axis=0)
    for turn in range(20):
        rest = (y - offset - slope * x) / np.sqrt(1.0 + slope * slope)
        size = np.sqrt((rest**2).mean(1))
        scale = max(0.02, 2.0 * float(np.median(size)))
        weight = 1.0 / (1.0 + (size / scale) ** 2) ** 2
        total = weight.sum()
        mean_x, mean_y = (weight @ x) / total, (weight @ y) / total
        dx, dy = x - mean_x, y - mean_y
        xx, yy, xy = (float((weight[:, None] * p).sum()) for p in (dx * dx, dy * dy, dx * dy))
        if free and turn > 2 and np.sqrt(xx / (3 * total)) > _LEAST_SPREAD and xy > 0:
            found = np.clip((yy - xx + np.hypot(yy - xx, 2 * xy)) / (2 * xy), 0.4, 2.5)
            agreed = (xy * xy / (xx * yy) - _UNSURE) / (_SURE - _UNSURE)  # else grain has the say
            slope = float(found ** np.clip(agreed, 0.0, 1.0))
        offset = mean_y - slope * mean_x
    return offset.astype(np.float32), slope


def _field(left_HW: np.ndarray, still_HW: np.ndarray) -> np.ndarray:
    """What is left, averaged over neighbourhoods of the still part."""
    import cv2

    size = max(left_HW.shape) * _FIELD_SHARE
    weight = still_HW.astype(np.float32)
    capped = np.clip(left_HW, -3, 3).astype(np.float32) * weight
    return cv2.GaussianBlur(capped, (0, 0), size) / (cv2.GaussianBlur(weight, (0, 0), size) + 1e-3)


def _spread(values_N: np.ndarray) -> float:
    low, high = np.quantile(values_N, (0.1, 0.9))
    return float(high - low) / 2.563  # a normal's standard deviation


def _edge_steepness(frame_HWC: np.ndarray) -> float:
    """Gradient at a fine scale over that at a coarse one, along the strongest edges."""
    import cv2

    light = np.minimum(coordinates.luma(frame_HWC), 1.0)
    tone = coordinates.tones(light).astype(np.float32)
    steep = []
    for sigma in (0.7, 2.2):
        smooth = cv2.GaussianBlur(tone, (0, 0), sigma)
        across, down = (cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx) for dx in (1, 0))
        steep.append(np.hypot(across, down))
    fine, coarse = (s[4:-4, 4:-4] for s in steep)
    ridge = coarse >= np.quantile(coarse, 0.97)
    fine = cv2.dilate(np.ascontiguousarray(fine), np.ones((3, 3), np.uint8))
    return float(np.median(fine[ridge] / np.maximum(coarse[ridge], 1e-6)))
