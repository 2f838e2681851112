"""Charts as references: a Macbeth chart for white and exposure, a chessboard for distortion.

Here: finding them in a frame and what they say. Not here: balls and lat-longs (`spheres.py`),
reading light off ordinary footage (`light.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from footagefit.footage.white import SHOW_WHITE_K
from footagefit.records import Light
from footagefit.signature import coordinates
from footagefit.signature.distortion import Distortion
from footagefit.signature.grade import mired_of

# Reflectance of the chart's grey row from white to black (luminance factors published for the
# ColorChecker Classic, X-Rite 2009: L* 96.5, 81.3, 66.8, 50.9, 35.7, 20.5).
GREYS = (0.912, 0.589, 0.363, 0.191, 0.0886, 0.0311)
_LEAST_PX = 60  # a chart narrower than this says nothing
_LONG_PX = 960
_LEAST_FIELDS = 18  # of 24


@dataclass(frozen=True)
class Macbeth:
    """A Macbeth chart in a frame.

    Attributes:
        corners: Four corners x, y (down) in pixels of the frame.
        colours: The 24 patches, row by row, scene-linear.
        exposure_ev: Stops over a frame in which an 18% card renders 0.18.
        mired: Of the light on it.
        duv: Off the locus, + greener.
        scatter_ev: RMS of the grey row about its published steps: shade, glare or a bent curve.
    """

    corners: tuple[tuple[float, float], ...]
    colours: tuple[tuple[float, ...], ...]
    exposure_ev: float
    mired: float
    duv: float
    scatter_ev: float

    def light(self) -> Light:
        """The chart's word on the key: level and white."""
        return Light(key_ev=self.exposure_ev, key_k=1e6 / self.mired, key_tint_duv=self.duv)


def find_macbeth(frame_HWC: np.ndarray, *, white_k: float = SHOW_WHITE_K) -> Macbeth | None:
    """The chart in a frame, or None: four rows of six even fields on a lattice.

    Args:
        frame_HWC: Scene-linear light.
        white_k: Colour of light that is R=G=B in the show.
    """
    import cv2

    scale = min(1.0, _LONG_PX / max(frame_HWC.shape))
    small = cv2.resize(frame_HWC, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    corners = _lattice(*_fields(small))
    if corners is None or np.linalg.norm(corners[1] - corners[0]) < _LEAST_PX * scale:
        return None
    return read_macbeth(frame_HWC, corners / scale, white_k=white_k)


def _fields(small_HWC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middles (N,2) and widths of even, squarish fields between edges."""
    import cv2

    top = max(float(np.quantile(small_HWC, 0.995)), 1e-4)
    shown = (np.clip(small_HWC / top, 0, 1) ** (1 / 2.4) * 255).astype(np.uint8)
    shown = cv2.medianBlur(np.ascontiguousarray(shown), 5)
    steps = np.max([cv2.Canny(np.ascontiguousarray(shown[..., c]), 12, 30) for c in range(3)], 0)
    even = (cv2.dilate(steps.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0).astype(np.uint8)
    _, _, stats, middles = cv2.connectedComponentsWithStats(even, connectivity=4)
    wide, tall, area = (stats[:, i].astype(float) for i in (2, 3, 4))
    square = (wide > 8) & (tall > 8) & (wide < 2 * tall) & (tall < 2 * wide)
    square &= area > 0.6 * wide * tall
    return middles[square], np.sqrt(wide * tall)[square]


def _lattice(middles_N2: np.ndarray, widths_N: np.ndarray) -> np.ndarray | None:
    """Corners (4,2) of the six by four cells that most fields lie in, clockwise; or None."""
    import cv2

    best: tuple[int, np.ndarray] | None = None
    for i in range(len(middles_N2)):
        alike = (widths_N > 0.6 * widths_N[i]) & (widths_N < 1.6 * widths_N[i])
        about = middles_N2[alike] - middles_N2[i]
        far = np.linalg.norm(about, axis=1)
        near = np.argsort(far)[1:5]
        near = near[far[near] < 2.2 * widths_N[i]]
        for j in near:
            for k in near:
                turn = about[j, 0] * about[k, 1] - about[j, 1] * about[k, 0]
                if turn < 0.6 * far[j] * far[k]:
                    continue
                made = _grown(middles_N2[alike], middles_N2[i], about[j], about[k])
                if made is not None and (best is None or made[0] > best[0]):
                    best = made
    if best is None or best[0] < _LEAST_FIELDS:
        return None
    ends = np.array([[-0.5, -0.5], [5.5, -0.5], [5.5, 3.5], [-0.5, 3.5]])
    return cv2.perspectiveTransform(ends[None], best[1])[0].astype(np.float32)


def _grown(
    middles_N2: np.ndarray, start: np.ndarray, right: np.ndarray, down: np.ndarray
) -> tuple[int, np.ndarray] | None:
    """Fields on the lattice of two steps, and the homography from cells to the picture."""
    import cv2

    warp = np.array([[right[0], down[0], start[0]], [right[1], down[1], start[1]], [0, 0, 1.0]])
    cells, on = np.zeros((0, 2)), np.zeros(0, bool)
    for _ in range(3):  # perspective shows more of them from turn to turn
        place = cv2.perspectiveTransform(middles_N2[None].astype(float), np.linalg.inv(warp))[0]
        cells = np.round(place)
        on = np.abs(place - cells).max(1) < 0.22
        if on.sum() < 8:
            return None
        found, _ = cv2.findHomography(cells[on], middles_N2[on].astype(float), 0)
        if found is None or not np.isfinite(found).all() or abs(np.linalg.det(found)) < 1e-9:
            return None
        warp = found
    low, high = cells[on].min(0), cells[on].max(0)
    if tuple(high - low) != (5.0, 3.0):
        return None
    shift = np.array([[1, 0, low[0]], [0, 1, low[1]], [0, 0, 1.0]])
    return len(np.unique(cells[on], axis=0)), warp @ shift


def read_macbeth(
    frame_HWC: np.ndarray, corners_42: np.ndarray, *, white_k: float = SHOW_WHITE_K
) -> Macbeth | None:
    """A chart whose corners are known: white end of the grey row bottom left, or turned about.

    Args:
        frame_HWC: Scene-linear light.
        corners_42: x, y (down) of its corners, clockwise from where dark skin is.
        white_k: Colour of light that is R=G=B in the show.
    """
    import cv2

    square = np.array([[0, 0], [600, 0], [600, 400], [0, 400]], np.float32)
    best: Macbeth | None = None
    for turn in range(4):
        corners = np.roll(corners_42.astype(np.float32), -turn, axis=0)
        warp = cv2.getPerspectiveTransform(corners, square)
        flat = cv2.warpPerspective(frame_HWC.astype(np.float32), warp, (600, 400),
                                   flags=cv2.INTER_AREA)  # fmt: skip
        cells = flat.reshape(4, 100, 6, 100, 3)[:, 32:68, :, 32:68]
        colours = np.median(cells.transpose(0, 2, 1, 3, 4).reshape(24, -1, 3), axis=1)
        made = _read(colours, corners, white_k)
        if made is not None and (best is None or made.scatter_ev < best.scatter_ev):
            best = made
    return best if best is not None and best.scatter_ev < 0.35 else None


def _read(colours: np.ndarray, corners: np.ndarray, white_k: float) -> Macbeth | None:
    greys = colours[18:24]
    if (greys <= 1e-5).any():
        return None
    steps = np.log2(coordinates.luma(greys.astype(np.float32)) / np.array(GREYS))
    level = float(np.median(steps[1:5]))
    scatter = float(np.sqrt(np.mean((steps[1:5] - level) ** 2)))
    white = np.exp(np.log(greys[1:4]).mean(0))
    mired, duv = mired_of(white, white_k=white_k)
    return Macbeth(
        tuple((float(x), float(y)) for x, y in corners),
        tuple(tuple(float(v) for v in c) for c in colours),
        level, mired, duv, scatter,
    )  # fmt: skip


def fit_chessboard(
    frames: Sequence[np.ndarray], corners: tuple[int, int], *, squeeze: float = 1.0
) -> Distortion | None:
    """The distortion of a lens from frames of a chessboard, by bundle adjustment.

    Args:
        frames: Scene-linear (H,W,3) or display pictures; only corners count.
        corners: Inner corners across and down.
        squeeze: Of the frames.
    """
    import cv2

    places, size = [], (0, 0)
    for frame in frames:
        grey = frame if frame.ndim == 2 else coordinates.luma(frame.astype(np.float32))
        size = (grey.shape[0], grey.shape[1])
        top = max(float(np.quantile(grey, 0.99)), 1e-6)
        shown = (np.clip(grey / top, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
        found, at = cv2.findChessboardCornersSB(shown, corners, None, cv2.CALIB_CB_ACCURACY)
        if found:
            places.append(coordinates.to_lens(at.reshape(-1, 2), size, squeeze=squeeze))
    return None if len(places) < 3 else _calibrated(places, corners, size, squeeze)


def _calibrated(places: list[np.ndarray], corners: tuple[int, int], size: tuple[int, int],
                squeeze: float) -> Distortion | None:  # fmt: skip
    """Calibration in lens coordinates: our r for r_u is what the pinhole gives, in our units.

    OpenCV's k1 and k2 count r in focal lengths: times f^2 and f^4 they count in half-diagonals.
    """
    import cv2

    board = np.zeros((corners[0] * corners[1], 3), np.float32)
    board[:, :2] = np.mgrid[0 : corners[0], 0 : corners[1]].T.reshape(-1, 2)
    flat = [np.ascontiguousarray(p * [1000.0, -1000.0] + 1000.0, np.float32) for p in places]
    start = np.array([[1500.0, 0, 1000], [0, 1500, 1000], [0, 0, 1]])
    flags = (cv2.CALIB_ZERO_TANGENT_DIST | cv2.CALIB_FIX_K3 | cv2.CALIB_USE_INTRINSIC_GUESS
             | cv2.CALIB_FIX_ASPECT_RATIO)  # fmt: skip
    found = cv2.calibrateCameraExtended(
        [board] * len(flat), [f[:, None] for f in flat], (2000, 2000), start, np.zeros(5),
        flags=flags,
    )  # fmt: skip
    matrix, bend, spread = found[1], found[2].ravel(), found[5].ravel()
    f = matrix[0, 0] / 1000.0
    k1, k2 = float(bend[0] / f**2), float(bend[1] / f**4)
    # k1 and k2 err together: what the corner has of it is about the larger of both.
    error = float(spread[4] / f**2) * coordinates.HD_HALF_PX
    del size
    return Distortion(k1, k2, float(matrix[0, 2] / 1000 - 1), float(1 - matrix[1, 2] / 1000),
                      squeeze, round(error, 3), len(places))  # fmt: skip
