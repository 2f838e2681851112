"""What the lens does to places and light, so that motion is told as a pinhole would see it.

Here: px of a frame, or of a canvas wider than it, straightened and bent again, and the vignette
over them. Not here: the lens's records (`signature`), softness and fringes (`rendering`).

A homography holds for what a pinhole sees: under a lens that bends by 4% a pan's far border lies a
percent of the frame off.
"""

from __future__ import annotations

import numpy as np

from footagefit.motion import warps
from footagefit.records import Box
from footagefit.signature import coordinates
from footagefit.signature.record import Lens

_STEP_PX = 8


class Glass:
    """A lens over a canvas.

    Args:
        lens: What it measured as; without distortion and vignette nothing changes.
        size: Rows and columns of the canvas.
        plate: Where the plate lies in it; all of it by default.
    """

    def __init__(self, lens: Lens | None, size: tuple[int, int], plate: Box | None = None) -> None:
        self.size = size
        self._plate = plate if plate is not None else Box(0, 0, size[1], size[0])
        self._bends = None if lens is None else lens.distortion
        self._shades = None if lens is None else lens.vignette
        self._field: np.ndarray | None = None

    @property
    def plain(self) -> bool:
        """Whether places stay where they are."""
        return self._bends is None or (self._bends.k1 == 0.0 and self._bends.k2 == 0.0)

    def straight(self, at_xy2: np.ndarray) -> np.ndarray:
        """Places of the canvas as a pinhole would put them."""
        if self.plain:
            return at_xy2
        if self._field is None:
            rows, columns = (n // _STEP_PX + 2 for n in self.size)
            coarse = warps.pixels((rows, columns)) * _STEP_PX
            self._field = self._turned(coarse, back=True) - coarse
        return at_xy2 + warps.at_places(self._field, at_xy2 / np.float32(_STEP_PX), cubic=False)

    def bent(self, at_xy2: np.ndarray) -> np.ndarray:
        """A pinhole's places where the lens puts them."""
        return at_xy2 if self.plain else self._turned(at_xy2, back=False)

    def _turned(self, at_xy2: np.ndarray, *, back: bool) -> np.ndarray:
        lens, plate = self._bends, self._plate
        if lens is None:
            return at_xy2
        size = (plate.height, plate.width)
        corner = np.array([plate.x, plate.y])
        flat = at_xy2.reshape(-1, 2).astype(np.float64) - corner
        at = coordinates.to_lens(flat, size, squeeze=lens.squeeze)
        x, y = (lens.undistorted if back else lens.distorted)(at[:, 0], at[:, 1])
        # Far out the polynomial folds: what no picture holds stays where it is.
        far = np.hypot(at[:, 0], at[:, 1]) > _FURTHEST
        x, y = np.where(far, at[:, 0], x), np.where(far, at[:, 1], y)
        made = coordinates.of_lens(np.stack([x, y], 1), size, squeeze=lens.squeeze) + corner
        return made.reshape(at_xy2.shape).astype(np.float32)

    def gain(self) -> np.ndarray | None:
        """What the vignette leaves of the light (H,W,3); None where there is none."""
        if self._shades is None:
            return None
        at = warps.pixels(self.size).reshape(-1, 2) - np.array([self._plate.x, self._plate.y])
        size = (self._plate.height, self._plate.width)
        lens = coordinates.to_lens(at, size, squeeze=self._shades.squeeze)
        stops = self._shades.stops(lens[:, 0], lens[:, 1]).clip(-_MOST_EV, _MOST_EV)
        return np.exp2(stops).astype(np.float32).reshape(*self.size, 3)


_FURTHEST = 1.8
_MOST_EV = 4.0
