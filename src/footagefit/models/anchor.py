"""Where plate and reference show the same set, the set says how far a look misses: read off there.

Here: from two pictures of one set, the smooth change of stops that a look still lacks, solved in
closed form. Not here: laying the reference over the plate (`dailies/same_set.py`), the network, the
field it goes into (`field.py`).

A wall that stands in both is lit by what is to be matched, so that no network has to guess: what is
left between the two, over the frame and over depth, is fitted by a matrix on stops and by offsets
that vary smoothly (Tikhonov), whatever moved let go of as outliers (Geman and McClure). Where
people stand the field runs on smoothly, and what the network says of them counts little: it may
take a garment's colour in the reference for light.

Shapes: H rows and W columns of the small picture, Z, h, w cells, N pixels, K unknowns.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.dailies.pairs import same_things
from footagefit.dailies.same_set import SURE, UNSURE, Landmarks, standing
from footagefit.models.nets.light import stops
from footagefit.signature.light_vector import LUMA

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_MOST_KNOWN, _MOST_UNKNOWN = 2400, 600  # pixels that are asked
_LEAST_SHARE = 0.04  # of the picture that must stand still in both
_DARKEST, _BURNT = 2.0**-8, 0.98  # light below which noise rules; of the most there is
_SOFT_PX = 1.0  # grain is averaged away, edges may lie a little off
# What the network's say of light and of hue counts for a pixel of which the set says nothing, over
# the set's for one that stands: of hue less, for it may take what somebody wears for light.
_UNKNOWN = (0.02, 0.003)
_LIGHT_AND_HUES = np.array([LUMA, (1.0, -1.0, 0.0), (0.0, -1.0, 1.0)])
# How stiff the field is between depths, and what pulls it, the matrix and the change of all to
# none; against one pixel's say.
_DEPTHS, _NONE, _MATRIX, _ALL = 3.0, 0.03, 1.0, 0.1
_FAR, _LEAST_FAR_EV = 3.0, 0.03  # outliers lie beyond so many times the usual error
_OTHER_HUE_EV = 0.35  # of which no key that moved makes what it lights


class Firmness(NamedTuple):
    """How a field is fitted.

    Attributes:
        coarser: Of the field's depth, rows and columns of cells: light is smooth.
        places: How stiff it is between places, against one pixel's say.
        turns: In which outliers are let go of, each so many times stiffer.
    """

    coarser: tuple[float, float, float]
    places: float
    turns: tuple[float, ...]


# Stiff first: what stands out of one smooth change over the frame is no light, as somebody in other
# clothes who stands where somebody stood.
_FIRM = Firmness((0.75, 0.65, 0.65), 2.0, (1000.0, 30.0, 1.0))
_LOOSE = Firmness(
    (0.5, 1.0, 1.0), 0.1, (1.0, 1.0)
)  # what stands out may be what a moved key lights


class Sight(NamedTuple):
    """A small plate beside a reference of its set.

    Attributes:
        light_HW3: The reference on the plate's pixels, scene-linear.
        known_HW: Where both show the same, neither black nor burnt out, and the output counts.
        sure: How far that is to be believed, 0 to 1.
    """

    light_HW3: np.ndarray
    known_HW: np.ndarray
    sure: float


class Lacks(NamedTuple):
    """The changes of stops (12,Z,h,w) that an even look lacks.

    Attributes:
        firm: Where one smooth change explains most of what stands.
        relit: What is to be added where the key itself moved.
    """

    firm: Tensor
    relit: Tensor


class Shown(NamedTuple):
    """A small plate, and what is made of it.

    Attributes:
        plate_3HW: Scene-linear.
        made_3HW: With the network's look on it.
        even_3HW: With the look that is to be mended.
        where_HW: Above 0.5 where the output counts.
        depth_HW: Where each pixel reads the field, 0..1.
    """

    plate_3HW: Tensor
    made_3HW: Tensor
    even_3HW: Tensor
    where_HW: Tensor
    depth_HW: Tensor


def landmarks(references_R3HW: Tensor) -> list[Landmarks]:
    """Of each reference, small and scene-linear."""
    return [Landmarks(_rows(reference)) for reference in references_R3HW]


def sighted(plate_3HW: Tensor, where_HW: Tensor, beside: Sequence[Landmarks]) -> Sight | None:
    """The reference that shows most of the plate's set; None where none does.

    Args:
        plate_3HW: Small, scene-linear.
        where_HW: Above 0.5 where the output counts.
        beside: Landmarks of the references.
    """
    plate = Landmarks(_rows(plate_3HW))
    if not np.isfinite(plate.light_HWC).all():
        return None
    seen = [s for reference in beside if (s := standing(plate, reference)) is not None]
    if not seen:
        return None
    best = max(seen, key=lambda s: s.sure * float(s.still_HW.mean()))
    known = _known(plate.light_HWC, best.over_HWC, best.still_HW) & (where_HW > 0.5).cpu().numpy()
    if known.mean() < _LEAST_SHARE:
        return None
    return Sight(best.over_HWC, known, min(1.0, (best.sure - UNSURE) / (SURE - UNSURE)))


def lacking(shown: Shown, sight: Sight, size: tuple[int, int, int]) -> Lacks:
    """What an even look lacks.

    Args:
        shown: The plate.
        sight: Of a reference.
        size: Z, h and w of the field.
    """
    made = _rows(shown.made_3HW)
    known = sight.known_HW | (_alike(made, sight) & (shown.where_HW > 0.5).cpu().numpy())
    wanted = np.where(known[..., None], _soft_stops(sight.light_HW3), _soft_stops(made))
    lacks = wanted - _soft_stops(_rows(shown.even_3HW))
    pixels = _chosen(known)
    wanted = lacks.reshape(-1, 3)[pixels.at] @ _LIGHT_AND_HUES.T
    firm, left = _solved(wanted, pixels, shown, size, _FIRM, np.ones(len(wanted)))
    hue = np.sqrt((left[:, 1:] ** 2).mean(1))
    loose, _ = _solved(wanted, pixels, shown, size, _LOOSE, _believed(hue / _OTHER_HUE_EV))
    return Lacks(firm, loose - firm)


def _alike(made_HWC: np.ndarray, sight: Sight) -> np.ndarray:
    """Where the reference is the same as what the network made: shadows hid that it is."""
    light = sight.light_HW3
    still = same_things(made_HWC, light) * (light.max(-1) > 0)
    return _known(made_HWC, light, still)


def _rows(picture_3HW: Tensor) -> np.ndarray:
    return np.ascontiguousarray(picture_3HW.detach().float().cpu().permute(1, 2, 0).numpy())


def _known(one_HWC: np.ndarray, other_HWC: np.ndarray, still_HW: np.ndarray) -> np.ndarray:
    """Where both show the same, neither black nor burnt out."""
    import cv2

    known = cv2.erode(still_HW, np.ones((3, 3), np.uint8)) > 0.5
    for picture in (one_HWC, other_HWC):
        brightest = picture.max(-1)
        known &= (brightest < _BURNT * brightest.max()) & (brightest > _DARKEST)
    return known


def _soft_stops(light_HWC: np.ndarray) -> np.ndarray:
    """Stops (H,W,3), grain averaged away."""
    import cv2

    soft = cv2.GaussianBlur(np.maximum(light_HWC, 0.0), (0, 0), _SOFT_PX)
    return stops(torch.from_numpy(soft)).numpy()


class _Pixels(NamedTuple):
    """Some pixels of the picture, those that are known first.

    Attributes:
        at: Which (N,).
        counts: What each says of light and of hue (N,2).
        known: How many are known.
    """

    at: np.ndarray
    counts: np.ndarray
    known: int


def _chosen(known_HW: np.ndarray) -> _Pixels:
    """Evenly over what is known and what is not, each counting for those that are left out."""
    at, counts = [], []
    for there, worth, most in (
        (known_HW, (1.0, 1.0), _MOST_KNOWN), (~known_HW, _UNKNOWN, _MOST_UNKNOWN),
    ):  # fmt: skip
        every = np.flatnonzero(there)
        some = min(len(every), most)
        at.append(every[np.linspace(0, len(every) - 1, some).astype(int)] if some else every)
        counts.append(np.tile(np.array(worth) * len(every) / max(1, some), (some, 1)))
    return _Pixels(np.concatenate(at), np.concatenate(counts), len(at[0]))


def _solved(
    wanted_N3: np.ndarray,
    pixels: _Pixels,
    shown: Shown,
    size: tuple[int, int, int],
    how: Firmness,
    kept_N: np.ndarray,
) -> tuple[Tensor, np.ndarray]:
    """The matrix and the offsets (12,Z,h,w) that explain what lacks; what they leave (N,3).

    Args:
        wanted_N3: Light and hues that lack.
        pixels: Where.
        shown: The plate.
        size: Z, h and w of the field.
        how: Firm or loose.
        kept_N: How far each pixel is believed at first.
    """
    deep, rows, columns = (max(1, round(a * n)) for a, n in zip(how.coarser, size, strict=True))
    coarse = (deep, rows, columns)
    height, width = shown.depth_HW.shape
    y, x = np.divmod(pixels.at, width)
    depth = shown.depth_HW.float().cpu().numpy().ravel()[pixels.at]
    view = stops(shown.plate_3HW.float().cpu()).flatten(1).numpy()
    seen = view[:, pixels.at].T
    middle = seen.mean(0)
    places = depth, (y + 0.5) / height, (x + 0.5) / width
    reads = _reads(places, coarse, np.c_[seen - middle, np.ones(len(seen))])
    found = np.zeros((int(np.prod(coarse)) + 4, 3))
    left, certain = wanted_N3, kept_N
    for stiffer in how.turns:
        for says, of in zip(pixels.counts.T, (slice(0, 1), slice(1, 3)), strict=True):
            heavy = reads.multiply((says * certain)[:, None]).T.tocsr()
            squares = (heavy @ reads).toarray() + _stiffness(coarse, stiffer * how.places)
            # Torch's solver keeps to the threads it is given: looks are the same on any machine.
            said = torch.from_numpy(heavy @ wanted_N3[:, of])
            found[:, of] = torch.cholesky_solve(
                said, torch.linalg.cholesky(torch.from_numpy(squares))
            ).numpy()
        left = wanted_N3 - reads @ found
        off = np.sqrt((left**2).mean(1))
        far = max(_LEAST_FAR_EV, _FAR * float(np.median(off[: pixels.known])))
        certain = kept_N * np.where(np.arange(len(off)) < pixels.known, _believed(off / far), 1.0)
    found = found @ np.linalg.inv(_LIGHT_AND_HUES).T
    matrix, level = found[-4:-1].T, found[-1] - found[-4:-1].T @ middle
    cells = torch.from_numpy(found[:-4].T.reshape(3, *coarse)).float()
    cells = F.interpolate(cells[None], size=size, mode="trilinear", align_corners=False)[0]
    change = torch.zeros(3, 4, *size)
    change[:, :3] = torch.from_numpy(matrix).float()[:, :, None, None, None]
    change[:, 3] = cells + torch.from_numpy(level).float()[:, None, None, None]
    return change.flatten(0, 1), left


def _believed(off: np.ndarray) -> np.ndarray:
    """How far what is off is believed (Geman and McClure)."""
    return 1.0 / (1.0 + off**2) ** 2


def _reads(
    places: tuple[np.ndarray, np.ndarray, np.ndarray],
    size: tuple[int, int, int],
    beside: np.ndarray,
) -> csr_matrix:
    """What each pixel reads (N,K): eight cells, and what is the same for all cells.

    Args:
        places: Depth, row and column, each 0..1; depths run from the first cell's middle to the
            last's, places over whole cells, as fields are sliced.
        size: Of the grid.
        beside: The rest (N,4).
    """
    from scipy.sparse import csr_matrix, hstack

    count = len(places[0])
    columns, shares = np.zeros((count, 1), np.int64), np.ones((count, 1))
    for axis, (place, cells) in enumerate(zip(places, size, strict=True)):
        at = place * (cells - 1) if axis == 0 else np.clip(place * cells - 0.5, 0, cells - 1)
        low = np.clip(np.floor(at).astype(np.int64), 0, max(0, cells - 2))
        high = np.minimum(low + 1, cells - 1)
        step = (at - low)[:, None]
        columns = np.c_[columns * cells + low[:, None], columns * cells + high[:, None]]
        shares = np.c_[shares * (1.0 - step), shares * step]
    rows = np.repeat(np.arange(count), columns.shape[1])
    grid = csr_matrix((shares.ravel(), (rows, columns.ravel())), shape=(count, int(np.prod(size))))
    return csr_matrix(hstack([grid, csr_matrix(beside)]))


@lru_cache(maxsize=8)
def _stiffness(size: tuple[int, int, int], places: float) -> np.ndarray:
    """What is known without looking (K,K): neighbours alike, little change."""

    def along(axis: int) -> np.ndarray:
        parts = [_neighbours(n) if i == axis else np.eye(n) for i, n in enumerate(size)]
        return np.kron(np.kron(parts[0], parts[1]), parts[2])

    count = int(np.prod(size))
    cells = _DEPTHS * along(0) + places * (along(1) + along(2)) + _NONE * np.eye(count)
    whole = np.zeros((count + 4, count + 4))
    whole[:count, :count] = cells
    whole[range(count, count + 4), range(count, count + 4)] = (_MATRIX, _MATRIX, _MATRIX, _ALL)
    return whole


def _neighbours(count: int) -> np.ndarray:
    """Squares of the differences of neighbours, as a matrix (n,n)."""
    apart = np.eye(count)[:-1] - np.eye(count)[1:]
    return apart.T @ apart
