"""What a change does wrong to pixels, whatever it gets right: detail, grain, seams, clipping.

What belongs here: measures of one frame that compositors reject work for. What does not: nearness
to a target (`metrics.py`), what happens from frame to frame (`steadiness.py`).

Pictures are scene-linear ACEScg (B,3,H,W); masks (B,1,H,W). One value per picture comes back (B,).
Stops are log2 light over a toe of 2^-8, so that noise in black does not rule.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from footagefit.evaluation.metrics import LOG_TOE, display

_LUMA = (0.2722287, 0.6740818, 0.0536895)  # of AP1
_GRAIN_BINS = 6
_LEAST_PIXELS = 48  # in a bin, for its grain to be told
_MAD_TO_SIGMA = 1.4826
_WHITE = 1.0 - 1e-4  # the display curve of 1 is not 1 to the last bit


def detail_kept(made: Tensor, plate: Tensor) -> Tensor:
    """How much of the plate's detail is the plate's own: 1 - E|grad ratio|^2 / E|grad plate|^2.

    The ratio is made over plate, in stops of luminance: a smooth change of light has next to no
    gradient, smearing and invented detail have as much as the picture. Range: up to 1 (all kept);
    0 where as much changed as there was; can be negative.
    """
    own = _stops(plate)
    return 1.0 - _energy(_stops(made) - own) / _energy(own).clamp_min(1e-12)


def grain_distance(made: Tensor, target: Tensor) -> Tensor:
    """How far the grain's strength is from the target's, in stops: mean |log2 (s_made / s_target)|.

    Strength is the robust deviation (1.4826 x median) of what a 3x3 mean takes away, in stops of
    luminance, in six bins of the target's luminance; flat patches only would leave too few pixels,
    and detail is common to both. Range: 0 (the same) and up; 1 is grain twice or half as strong.
    """
    values = []
    for one, other in zip(made, target, strict=True):
        a, b = _residue(one[None]), _residue(other[None])
        level = _stops(other[None]).flatten()
        edges = torch.quantile(level, torch.linspace(0, 1, _GRAIN_BINS + 1).to(level))
        steps = []
        for low, high in pairwise(edges):
            inside = (level >= low) & (level <= high)
            if int(inside.sum()) < _LEAST_PIXELS:
                continue
            sigma = [_MAD_TO_SIGMA * r[inside].abs().median() + 1e-5 for r in (a, b)]
            steps.append(torch.log2(sigma[0] / sigma[1]).abs())
        values.append(torch.stack(steps).mean() if steps else level.new_zeros(()))
    return torch.stack(values)


def seam_step(made: Tensor, target: Tensor, *, mask: Tensor) -> Tensor:
    """The step across the mask's edge beyond the target's own, in stops of luminance.

    Mean |inside - outside| over neighbouring pixels that the mask (at 0.5) parts, less the same in
    the target. Range: 0 where no seam shows (or there is no edge), 1 a seam of one stop; negative
    where an edge that should be there was smoothed away.
    """
    inside = mask >= 0.5
    total, count = made.new_zeros(made.shape[0]), made.new_zeros(made.shape[0])
    for axis in (2, 3):
        size = made.shape[axis] - 1
        near, far = inside.narrow(axis, 0, size), inside.narrow(axis, 1, size)
        edge = (near != far).to(made.dtype)
        steps = [
            (p.narrow(axis, 0, size) - p.narrow(axis, 1, size)).abs()
            for p in (_stops(made), _stops(target))
        ]
        total += ((steps[0] - steps[1]) * edge).flatten(1).sum(1)
        count += edge.flatten(1).sum(1)
    return total / count.clamp_min(1.0)


def distinct_codes(made: Tensor, *, bits: int = 10) -> Tensor:
    """Banding: of the display codes from a picture's least to its greatest, the share that occurs.

    Mean over channels, at `bits` a channel. On a ramp that passes through every code 1.0 is none
    missing, 0.25 an 8-bit source in a 10-bit file. Range 0..1; of pictures other than ramps only
    differences from the plate's own say anything.
    """
    top = 2**bits - 1
    codes = (display(made) * top).round().long().flatten(2)
    values = []
    for picture in codes:
        shares = []
        for channel in picture:
            low, high = int(channel.min()), int(channel.max())
            shares.append(channel.unique().numel() / (high - low + 1))
        values.append(sum(shares) / len(shares))
    return made.new_tensor(values)


def clipped_delta(made: Tensor, target: Tensor) -> Tensor:
    """Share of pixels clipped at display white in any channel, less the target's own; -1..1."""
    shares = [(display(p) >= _WHITE).any(1).flatten(1).float().mean(1) for p in (made, target)]
    return shares[0] - shares[1]


def outside_mask_max(made: Tensor, plate: Tensor, *, mask: Tensor) -> Tensor:
    """The largest change where the mask is 0, in scene-linear light: must be 0 to the bit."""
    off = (made - plate).abs() * (mask == 0.0)
    return off.flatten(1).amax(1)


def _stops(light: Tensor) -> Tensor:
    """Stops of luminance (B,1,H,W)."""
    luma = (light * light.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return torch.log2(luma.clamp_min(0.0) + LOG_TOE)


def _energy(picture: Tensor) -> Tensor:
    across = (picture[..., 1:] - picture[..., :-1]).square().flatten(1).mean(1)
    down = (picture[..., 1:, :] - picture[..., :-1, :]).square().flatten(1).mean(1)
    return across + down


def _residue(light: Tensor) -> Tensor:
    stops = _stops(light)
    calm = F.avg_pool2d(F.pad(stops, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return (stops - calm).flatten()
