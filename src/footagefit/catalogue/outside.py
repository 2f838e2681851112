"""Two aligned takes beside each other: what each shows that the other has nowhere near.

Here: light taken out, colours in stops, and how far every pixel lies outside of what the other take
shows about it at any of its moments: actors may sway, grain may crawl, a stronger change may not.
What hangs still is held to its own place. Not here: what such a difference is (`things`,
`differing`).

Shapes: K moments, H rows, W columns, C channels (luminance in stops, red over green, blue over
green).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from footagefit.catalogue.comparing import GREY, Fitted
from footagefit.catalogue.laying import Laid
from footagefit.signature import coordinates

_NEAR_SHARE = 1 / 40  # of the long side: how far what sways may sway
_EXACT_SHARE = 1 / 160  # of the long side: how far what stands may seem to have moved
_DARK, _BRIGHT = -4.5, 2.2  # stops about grey: beyond, both are taken for the same
_FAR = np.float32(99.0)
_SOFT_PX = 0.8
_LUMA_TOL, _CHROMA_TOL = 0.35, 0.25  # stops that neighbours may lie outside
_UNBALANCED = 0.3  # of the white's shift: colours that a camera clipped do not come back


@dataclass(frozen=True)
class Beside:
    """A take beside its reference, both as the take's camera would have recorded them.

    Attributes:
        was_KHWC: The reference's moments.
        shown_KHWC: The take's.
        was_HWC: The reference, its median over time.
        shown_HWC: The take, the same.
        added_HWC: How far the take lies outside of what the reference shows near it.
        missing_HWC: And the other way round.
        new_HWC: The same of what stands, held to its own place.
        old_HWC: And the other way round.
        inside_HW: Where both reach.
    """

    was_KHWC: np.ndarray
    shown_KHWC: np.ndarray
    was_HWC: np.ndarray
    shown_HWC: np.ndarray
    added_HWC: np.ndarray
    missing_HWC: np.ndarray
    new_HWC: np.ndarray
    old_HWC: np.ndarray
    inside_HW: np.ndarray


def beside(
    reference: Laid, take: Laid, fit: Fitted, *, soft_px: float = _SOFT_PX,
    colour_ev: float = _CHROMA_TOL,
) -> Beside:  # fmt: skip
    """Hold two takes beside each other.

    Args:
        reference: The take it is held against.
        take: The take, laid over it.
        fit: Its light in the reference's.
        soft_px: By which both are smoothed.
        colour_ev: Stops of colour that neighbours may lie outside.
    """
    stops = (coordinates.stops(take.frames_KHWC) - GREY).astype(np.float32)
    shown = opponent(stops, soft_px=soft_px)
    was = np.stack([fit.onto_take(f) for f in reference.frames_KHWC])
    was = opponent(was, soft_px=soft_px)
    was_at, shown_at = reference.inside_KHW, take.inside_KHW
    uneven = _UNBALANCED * float(np.abs(fit.offset_C - fit.offset_C.mean()).max())
    colour = colour_ev + uneven
    inside = np.asarray(was_at.all(0) & shown_at.all(0))
    last, first = np.median(shown, axis=0), np.median(was, axis=0)

    def in_place(one_HWC: np.ndarray, others_KHWC: np.ndarray) -> np.ndarray:
        at = np.broadcast_to(inside, others_KHWC.shape[:3])
        return outside(
            one_HWC[None], others_KHWC, inside[None], at, colour=colour, near=_EXACT_SHARE
        )

    return Beside(
        was, shown, first, last,
        outside(shown, was, shown_at, was_at, colour=colour),
        outside(was, shown, was_at, shown_at, colour=colour),
        in_place(last, was),
        in_place(first, shown),
        inside,
    )  # fmt: skip


def opponent(stops_KHWC: np.ndarray, *, soft_px: float = _SOFT_PX) -> np.ndarray:
    """Luminance and two colours in stops, smoothed; darkness and glare held."""
    import cv2

    held = np.clip(stops_KHWC, _DARK, _BRIGHT)
    r, g, b = np.moveaxis(held, -1, 0)
    out = np.stack([0.2722 * r + 0.6741 * g + 0.0537 * b, r - g, b - g], -1)
    return np.stack([cv2.GaussianBlur(f, (0, 0), soft_px) for f in out])


def outside(
    shown_KHWC: np.ndarray,
    other_KHWC: np.ndarray,
    shown_at: np.ndarray,
    other_at: np.ndarray,
    *,
    colour: float,
    near: float = _NEAR_SHARE,
) -> np.ndarray:
    """How far each pixel lies outside of what the other take shows near it (H,W,C), in stops."""
    import cv2

    reach = 2 * round(max(shown_KHWC.shape[1:3]) * near) + 1
    about = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    seen = other_at[..., None]
    high = cv2.dilate(np.where(seen, other_KHWC, -_FAR).max(0), about)
    low = cv2.erode(np.where(seen, other_KHWC, _FAR).min(0), about)
    tolerance = np.array([_LUMA_TOL, colour, colour], np.float32)
    excess = np.maximum(shown_KHWC - high, low - shown_KHWC) - tolerance
    excess = np.maximum(excess, 0.0) * shown_at[..., None]
    known = np.asarray(other_at.any(0) & shown_at.any(0))
    return excess.sum(0) / np.maximum(shown_at.sum(0), 1)[..., None] * known[..., None]
