"""The colour of light by kelvin and tint: Planckian, Bradford-adapted, in ACEScg.

Here: the one place that knows what a black body looks like to a show's white. Not here: measuring
the light of footage (`dailies`, `signature`), or making light (`soundstage`).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

SHOW_WHITE_K = 5600.0

_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
# XYZ to AP1, as published with ACES; its white is the one below.
_XYZ_TO_AP1 = np.array(
    [[1.6410233797, -0.3248032942, -0.2364246952],
     [-0.6636628587, 1.6153315917, 0.0167563477],
     [0.0117218943, -0.0082844420, 0.9883948585]]
)  # fmt: skip
_ACES_WHITE_XY = (0.32168, 0.33767)


def planckian_uv(kelvin: float) -> tuple[float, float]:
    """CIE 1960 u, v of a black body (Krystek 1985, eqs. 1 and 2; 1000 to 15000 K)."""
    t = kelvin
    u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t * t) / (
        1 + 8.42420235e-4 * t + 7.08145163e-7 * t * t
    )
    v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t * t) / (
        1 - 2.89741816e-5 * t + 1.61456053e-7 * t * t
    )
    return u, v


def _xyz(kelvin: float, duv: float) -> np.ndarray:
    """XYZ at Y = 1 of a black body, moved by `duv` off the locus (+ is greener)."""
    u, v = planckian_uv(kelvin)
    u1, v1 = planckian_uv(kelvin * 1.001)
    along = np.array([u1 - u, v1 - v])
    along /= np.linalg.norm(along)
    u, v = u + duv * along[1], v - duv * along[0]
    x, y = 3 * u / (2 * u - 8 * v + 4), 2 * v / (2 * u - 8 * v + 4)
    return np.array([x / y, 1.0, (1 - x - y) / y])


@lru_cache(maxsize=4096)
def light_rgb(kelvin: float, duv: float = 0.0, white_k: float = SHOW_WHITE_K) -> tuple[float, ...]:
    """ACEScg colour of a light, luminance 1, where light of `white_k` is R=G=B.

    Planckian, adapted (Bradford) from the show's white to ACES's.

    Args:
        kelvin: Higher is bluer.
        duv: Off the Planckian locus, + greener.
        white_k: The show's white.
    """
    rgb = _XYZ_TO_AP1 @ (_adapted(white_k) @ _xyz(kelvin, duv))
    return tuple(float(c) for c in rgb)


@lru_cache(maxsize=64)
def _adapted(white_k: float) -> np.ndarray:
    """From XYZ under a white to XYZ under ACES's."""
    x, y = _ACES_WHITE_XY
    target = np.array([x / y, 1.0, (1 - x - y) / y])
    gain = (_BRADFORD @ target) / (_BRADFORD @ _xyz(white_k, 0.0))
    return np.linalg.inv(_BRADFORD) @ np.diag(gain) @ _BRADFORD
