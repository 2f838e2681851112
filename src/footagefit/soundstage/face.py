"""Who somebody is: the numbers that make one face another, drawn from a row of genes.

What belongs here: the record of a face and how wide it ranges. What does not: what the numbers
shape (`sculpt.py`, `openings.py`) and paint (`makeup.py`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

GENES = 81  # more than are used: what is drawn after a figure stays as it was


class Face(NamedTuple):
    """A face. Numbers are 0 for the middle of mankind and +-1 for the rare, but where told.

    Attributes:
        age: 0 young .. 1 old.
        male: 0..1 how much brow, jaw and beard there is.
        fat: Round or gaunt.
        jaw: Wide or narrow.
        chin: Strong or receding.
        long: Long or short in the lower face.
        cheek: Cheekbones.
        brow: Ridge.
        forehead: Steep or sloping.
        apart: Between the eyes.
        eye_size: Their size.
        eye_tilt: Outer corners high or low.
        eye_deep: How deep they lie.
        open: 0 shut .. 1 wide.
        crease: 0..1 fold of the upper lid.
        bags: 0..1 under the eyes.
        nose_long: Length.
        nose_high: Bridge.
        nose_wide: Wings.
        nose_tip: Turned up or down.
        hook: Hump or hollow of the bridge.
        mouth: Wide or narrow.
        lip_upper: Full or thin.
        lip_lower: Full or thin.
        smile: Corners up or down.
        part: 0..1 how far the lips are open.
        ear: How far ears stand off.
        ear_long: Their size.
        lean: Left and right differ.
        gaze_x: Where the eyes look: + image right.
        gaze_y: + up.
        iris: 0 dark brown .. 1 pale.
        brow_thick: Of eyebrows.
        brow_arch: How arched they are.
        stubble: 0 shaved or none .. 1 a beard.
        lipstick: 0..1.
        shadow: 0..1 paint on the lids.
        liner: 0..1 of lashes.
        blush: 0..1 red of the cheeks.
        freckles: 0..1.
        oil: 0..1 how it shines.
        seed: Of moles, mottling and hair.
    """

    age: float
    male: float
    fat: float
    jaw: float
    chin: float
    long: float
    cheek: float
    brow: float
    forehead: float
    apart: float
    eye_size: float
    eye_tilt: float
    eye_deep: float
    open: float
    crease: float
    bags: float
    nose_long: float
    nose_high: float
    nose_wide: float
    nose_tip: float
    hook: float
    mouth: float
    lip_upper: float
    lip_lower: float
    smile: float
    part: float
    ear: float
    ear_long: float
    lean: float
    gaze_x: float
    gaze_y: float
    iris: float
    brow_thick: float
    brow_arch: float
    stubble: float
    lipstick: float
    shadow: float
    liner: float
    blush: float
    freckles: float
    oil: float
    seed: float


def faced(genes: np.ndarray, *, pale: float) -> Face:
    """The face that genes make.

    Args:
        genes: (`GENES`,) standard normal.
        pale: 0..1 how light the skin is: pale eyes and freckles are hardly found in the dark.
    """
    share = [0.5 * (1 + math.erf(g / math.sqrt(2))) for g in genes[:24].tolist()]
    free = (0.62 * genes[24:]).clip(-1.5, 1.5).tolist()
    male = min(1.0, max(0.0, 0.5 + 1.6 * (share[0] - 0.5)))
    age = share[1] ** 1.4
    painted = share[2] > 0.35 + 0.6 * male
    shut = share[3] < 0.1
    open_ = 0.0 if shut else 0.45 + 0.55 * share[4]
    parted = share[5] < 0.25
    bearded = male > 0.5 and share[6] < 0.2
    rough = male * share[7] ** 2
    return Face(
        age=age, male=male, fat=free[0] - 0.3 * age, jaw=free[1] + 0.5 * (male - 0.5),
        chin=free[2] + 0.4 * (male - 0.5), long=free[3], cheek=free[4] + 0.2 * (0.5 - male),
        brow=free[5] + 0.9 * (male - 0.5), forehead=free[6] - 0.5 * (male - 0.5),
        apart=free[7], eye_size=free[8] + 0.4 * (0.5 - male), eye_tilt=free[9],
        eye_deep=free[10] + 0.4 * (male - 0.5), open=open_ * (1 - 0.2 * age), crease=share[8],
        bags=share[9] * (0.25 + 0.75 * age), nose_long=free[11] + 0.2 * (male - 0.5),
        nose_high=free[12], nose_wide=free[13], nose_tip=free[14], hook=free[15],
        mouth=free[16], lip_upper=free[17] - 0.4 * age, lip_lower=free[18] - 0.3 * age,
        smile=free[19], part=share[10] if parted else 0.0, ear=free[20],
        ear_long=free[21] + 0.4 * age, lean=free[22], gaze_x=free[23], gaze_y=0.5 * free[24],
        iris=share[11] * pale, brow_thick=free[25] + 0.5 * (male - 0.5),
        brow_arch=free[26] - 0.4 * (male - 0.5),
        stubble=0.6 + 0.4 * share[12] if bearded else 0.45 * rough,
        lipstick=share[13] if painted else 0.0, shadow=share[14] ** 2 if painted else 0.0,
        liner=share[15] if painted else 0.1 * share[15],
        blush=share[16] * (1.0 if painted else 0.6), freckles=share[17] ** 4 * pale,
        oil=share[18], seed=20 * share[19],
    )  # fmt: skip
