"""How near a picture comes to its target, in numbers that others publish too.

What belongs here: PSNR in three spaces and free of exposure, SSIM, delta E 2000 and ITP, the error
of a light's direction. LPIPS has a module of its own (`perceptual.py`), what a change does wrong
to pixels another (`artefacts.py`), what happens over time a third (`steadiness.py`). What does
not: choosing frames, tables, plots.

Pictures are scene-linear ACEScg (B,3,H,W); masks (B,1,H,W). One value per picture comes back
(B,). Display metrics see pictures as a plain sRGB display would show them, clipped to it; `log`,
`linear` and ITP ones see values above 1. With a mask, PSNR is what harmonisation papers call fPSNR.
"""

from __future__ import annotations

import torch
from torch import Tensor

from footagefit.errors import WrongValue

# ACEScg (AP1, D60) to linear Rec.709 (D65), Bradford: the ACES project's published matrix.
AP1_TO_REC709 = (
    (1.70505099, -0.62179212, -0.08325887),
    (-0.13025642, 1.14080474, -0.01054832),
    (-0.02400336, -0.12896898, 1.15297233),
)
# ACEScg to linear Rec.2020 (D65), Bradford: the matrix above in the wider primaries.
AP1_TO_REC2020 = (
    (1.02582475, -0.02005319, -0.00577156),
    (-0.00223437, 1.00458650, -0.00235213),
    (-0.00501335, -0.02529007, 1.03030342),
)
ITP_WHITE_NITS = 100.0  # luminance that scene-linear 1.0 is shown at for delta E ITP
LOG_TOE = 2.0**-8
LOG_RANGE_STOPS = 16.0  # a full scale: from the toe to 8 stops above 1
_PERFECT = 1e-12


def display(light: Tensor) -> Tensor:
    """Code values 0..1 of a plain sRGB display."""
    matrix = light.new_tensor(AP1_TO_REC709)
    linear = torch.einsum("ij,bjhw->bihw", matrix, light).clamp(0.0, 1.0)
    high = 1.055 * linear.clamp_min(1e-8).pow(1.0 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, high)


def psnr(made: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Display PSNR in dB, of sRGB code values: 10 log10 (1 / mean squared error).

    Range: 0 (black beside white) and up; 120 stands for no difference, as it does for the others.
    """
    return _decibels(display(made) - display(target), mask, peak=1.0)


def psnr_log(made: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """PSNR in dB of log2 (light + 2^-8), 16 stops being full scale; negatives are 0.

    Highlights count as all else does: an error of a stop everywhere is 24.1 dB. Range: as `psnr`,
    below 0 where the error is above 16 stops.
    """
    return _decibels(_log(made) - _log(target), mask, peak=LOG_RANGE_STOPS)


def psnr_linear(made: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """PSNR in dB of scene-linear light, 1.0 being full scale, highlights and negatives in it.

    Range: up to 120; below 0 where highlights are off by more than 1.0.
    """
    return _decibels(made - target, mask, peak=1.0)


def si_psnr(made: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Display PSNR in dB after the one gain that brings the picture nearest in linear light.

    Scale-invariant: it forgives exposure and nothing else. The gain is <made, target> over
    <made, made> (Eigen et al. 2014, eq. 1, with a gain instead of an offset in log). Range: as
    `psnr`.
    """
    weight = torch.ones_like(made[:, :1]) if mask is None else mask.to(made.dtype)
    both = (made * target * weight).flatten(1).double().sum(1)
    own = (made.square() * weight).flatten(1).double().sum(1)
    gain = (both / own.clamp_min(_PERFECT)).to(made.dtype)
    return psnr(made * gain[:, None, None, None], target, mask=mask)


def ssim(made: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Structural similarity of display pictures (Wang et al. 2004, eq. 13), 11 px Gaussian window.

    Range: -1 to 1 (the same); mean over channels and pixels, edges mirrored.
    """
    from kornia.metrics import ssim as kornia_ssim

    each = kornia_ssim(display(made), display(target), window_size=11, max_val=1.0)
    return _mean(each, mask)


def delta_e_2000(made: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Mean CIEDE2000 of display pictures, D65 (Sharma, Wu and Dalal 2005, eq. 2 to 22).

    Range: 0 to about 100 (black beside white); 1 is just noticeable.
    """
    from kornia.color import rgb_to_lab

    one, other = rgb_to_lab(display(made)), rgb_to_lab(display(target))
    return _mean(ciede2000(one, other), mask)


def ciede2000(one: Tensor, other: Tensor) -> Tensor:
    """CIEDE2000 of two Lab pictures (B,3,H,W) as (B,1,H,W), weights 1."""
    l1, a1, b1 = one.double().unbind(1)
    l2, a2, b2 = other.double().unbind(1)
    mean_c = 0.5 * (torch.hypot(a1, b1) + torch.hypot(a2, b2))
    g = 0.5 * (1.0 - (mean_c**7 / (mean_c**7 + 25.0**7)).sqrt())
    a1, a2 = a1 * (1.0 + g), a2 * (1.0 + g)
    c1, c2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    h1 = torch.rad2deg(torch.atan2(b1, a1)) % 360.0
    h2 = torch.rad2deg(torch.atan2(b2, a2)) % 360.0
    grey = c1 * c2 == 0.0
    dh = (h2 - h1 + 180.0) % 360.0 - 180.0
    dh = torch.where(grey, torch.zeros_like(dh), dh)
    mean_h = torch.where(grey, h1 + h2, (h1 + 0.5 * dh) % 360.0)
    d_l, d_c = l2 - l1, c2 - c1
    d_h = 2.0 * (c1 * c2).sqrt() * torch.sin(torch.deg2rad(0.5 * dh))
    mean_l, mean_c = 0.5 * (l1 + l2), 0.5 * (c1 + c2)
    t = (
        1.0
        - 0.17 * torch.cos(torch.deg2rad(mean_h - 30.0))
        + 0.24 * torch.cos(torch.deg2rad(2.0 * mean_h))
        + 0.32 * torch.cos(torch.deg2rad(3.0 * mean_h + 6.0))
        - 0.20 * torch.cos(torch.deg2rad(4.0 * mean_h - 63.0))
    )
    s_l = 1.0 + 0.015 * (mean_l - 50.0) ** 2 / (20.0 + (mean_l - 50.0) ** 2).sqrt()
    s_c, s_h = 1.0 + 0.045 * mean_c, 1.0 + 0.015 * mean_c * t
    turn = 30.0 * torch.exp(-(((mean_h - 275.0) / 25.0) ** 2))
    r_c = 2.0 * (mean_c**7 / (mean_c**7 + 25.0**7)).sqrt()
    r_t = -torch.sin(torch.deg2rad(2.0 * turn)) * r_c
    square = (d_l / s_l) ** 2 + (d_c / s_c) ** 2 + (d_h / s_h) ** 2
    return (square + r_t * (d_c / s_c) * (d_h / s_h)).clamp_min(0.0).sqrt()[:, None].float()


def delta_e_itp(made: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Mean delta E ITP (ITU-R BT.2124, eq. 1), 1.0 shown at 100 cd/m2: 1 is just noticeable.

    Sees highlights up to 10,000 cd/m2, which display metrics clip; negatives of Rec.2020 are 0.
    Range: 0 to some 700.
    """
    one, other = _ictcp(made), _ictcp(target)
    apart = (one - other) * one.new_tensor((1.0, 0.5, 1.0)).view(1, 3, 1, 1)
    return _mean(720.0 * apart.square().sum(1, keepdim=True).sqrt(), mask).float()


def light_direction_error_deg(made: tuple[float, float], true: tuple[float, float]) -> float:
    """Great-circle angle between two lights, each (azimuth_deg, elevation_deg), 0..180."""
    a, b = (torch.deg2rad(torch.tensor(way, dtype=torch.float64)) for way in (made, true))
    ways = [
        torch.stack([w[1].cos() * w[0].sin(), w[1].sin(), w[1].cos() * w[0].cos()]) for w in (a, b)
    ]
    across = torch.linalg.vector_norm(torch.linalg.cross(ways[0], ways[1]))
    return float(torch.rad2deg(torch.atan2(across, ways[0] @ ways[1])))


def light_direction_deg(made: Tensor, target: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Angle between the keys that the light estimator reads in two pictures, 0..180 degrees (B,).

    Reads scene-linear light. The estimator itself errs by tens of degrees (README, Numbers): only
    differences between methods on the same frames say anything. `light_direction_error_deg` sets
    known directions beside each other.
    """
    from footagefit.signature.light import angles, estimate

    both = [estimate(p, mask_T1HW=mask) for p in (made, target)]
    off = [
        light_direction_error_deg(angles(a.way), angles(b.way)) for a, b in zip(*both, strict=True)
    ]
    return made.new_tensor(off)


def _ictcp(light: Tensor) -> Tensor:
    """ICtCp by PQ (ITU-R BT.2100, tables 4 and 7), double precision."""
    rec2020 = light.new_tensor(AP1_TO_REC2020, dtype=torch.float64)
    to_lms = light.new_tensor(
        ((1688.0, 2146.0, 262.0), (683.0, 2951.0, 462.0), (99.0, 309.0, 3688.0)),
        dtype=torch.float64,
    )
    to_itp = light.new_tensor(
        ((2048.0, 2048.0, 0.0), (6610.0, -13613.0, 7003.0), (17933.0, -17390.0, -543.0)),
        dtype=torch.float64,
    )
    wide = torch.einsum("ij,bjhw->bihw", rec2020, light.double()).clamp_min(0.0)
    lms = torch.einsum("ij,bjhw->bihw", to_lms / 4096.0, wide) * (ITP_WHITE_NITS / 10_000.0)
    powered = lms.clamp(0.0, 1.0) ** (2610.0 / 16384.0)
    coded = (3424.0 / 4096.0 + 2413.0 / 128.0 * powered) / (1.0 + 2392.0 / 128.0 * powered)
    coded = coded ** (2523.0 / 32.0)
    return torch.einsum("ij,bjhw->bihw", to_itp / 4096.0, coded)


def _log(light: Tensor) -> Tensor:
    return torch.log2(light.clamp_min(0.0) + LOG_TOE)


def _decibels(off: Tensor, mask: Tensor | None, *, peak: float) -> Tensor:
    error = _mean((off.double() / peak).square(), mask)
    return (-10.0 * torch.log10(error.clamp_min(_PERFECT))).float()


def _mean(each: Tensor, mask: Tensor | None) -> Tensor:
    """Mean per picture, over the mask where there is one."""
    if mask is None:
        return each.flatten(1).mean(1)
    if mask.shape[-2:] != each.shape[-2:]:
        raise WrongValue(f"mask {tuple(mask.shape)} does not fit pictures {tuple(each.shape)}")
    weight = mask.to(each.dtype).expand_as(each).flatten(1)
    return (each.flatten(1) * weight).sum(1) / weight.sum(1).clamp_min(1e-6)
