"""Charts as references: a Macbeth chart for white and exposure, a chessboard for distortion.

Here: finding them in a frame and what they say. Not here: balls and lat-longs (`spheres.py`),
reading light off ordinary footage (`light.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from footagefit.errors import MissingPart
from footagefit.footage.white import SHOW_WHITE_K
from footagefit.records import Light
from footagefit.signature import coordinates
from footagefit.signature.distortion import Distortion
from footagefit.signature.grade import mired_of

# Reflectance of the chart's grey row from white to black (luminance factors published for the
# ColorChecker Classic, X-Rite 2009: L* 96.5, 81.3, 66.8, 50.9, 35.7, 20.5).
GREYS = (0.912, 0.589, 0.363, 0.191, 0.0886, 0.0311)
_LEAST_PX = 60  # a chart narrower than this says nothing
_LOOKS_PX = (1620, 1080, 720, 2200)


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
    """The chart in a frame, or None.

    Args:
        frame_HWC: Scene-linear light.
        white_k: Colour of light that is R=G=B in the show.

    Raises:
        MissingPart: This OpenCV has no chart detector.
    """
    import cv2

    if not hasattr(cv2, "mcc"):
        raise MissingPart(
            "this OpenCV finds no charts", hint="pip install 'opencv-python-headless>=5'"
        )
    for long in _LOOKS_PX:
        corners = _found(frame_HWC, long / max(frame_HWC.shape))
        if corners is not None and np.linalg.norm(corners[1] - corners[0]) >= _LEAST_PX:
            return read_macbeth(frame_HWC, corners, white_k=white_k)
    return None


def _found(frame_HWC: np.ndarray, scale: float) -> np.ndarray | None:
    """Corners of a chart, looked for at some size: the detector's windows are of fixed pixels."""
    import cv2

    small = cv2.resize(frame_HWC, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top = max(float(np.quantile(small, 0.995)), 1e-4)
    shown = (np.clip(small / top, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
    detector = cv2.mcc.CCheckerDetector_create()  # pyright: ignore[reportAttributeAccessIssue]
    bgr = np.ascontiguousarray(shown[..., ::-1])
    try:
        seen = any(detector.process(p, 1) for p in (bgr, cv2.medianBlur(bgr, 5)))
    except cv2.error:  # of its own making, at some sizes: another size is tried
        seen = False
    if not seen:
        return None
    return np.array(detector.getBestColorChecker().getBox(), np.float32) / scale


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
