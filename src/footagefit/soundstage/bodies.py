"""Blobs that melt into one body: a smooth union of ellipsoids, found by a few steps per ray."""

from __future__ import annotations

import torch
from torch import Tensor

from footagefit.soundstage.shapes import FAR, Blobs, unit

INFLATE = 0.9  # blobs of a group are looked for this many melting distances further out
_STEPS = 9
_NEAR_M = 0.08  # rays that are still nearer than this are walked on with


class Body:
    """The blobs of one group of one scene, ready to be marched at by rays from one place.

    Args:
        blobs: All blobs.
        scene: Which scene.
        keep: (k,) the group's own.
    """

    def __init__(self, blobs: Blobs, scene: int, keep: Tensor) -> None:
        self.keep = keep
        self._centre, self._turn = blobs.centre[scene, keep], blobs.turn[scene, keep]
        self._radii, self._rest = blobs.radii[scene, keep], blobs.rest[scene, keep]
        self._melt = float(blobs.melt[scene, keep[0]])
        self._scaled = self._turn / self._radii[..., None]  # world to a ball of radius 1

    def hit(self, origin: Tensor, way: Tensor, start: Tensor) -> Tensor:
        """Distances (n,) of rays (n,3) from `origin` (3,), begun at `start`; FAR where missed."""
        out = torch.matmul(self._scaled, (origin - self._centre)[..., None])[..., 0]  # (k,3)
        step = torch.matmul(self._scaled, way.T)  # (k,3,n)
        inverse = 1.0 / self._radii.square()
        # |q|^2 and |q / r|^2 along the ray are quadratics in t.
        a, b = (step * step).sum(1), (out[..., None] * step).sum(1)
        c = (out * out).sum(-1, keepdim=True)
        a2 = (step * step * inverse[..., None]).sum(1)
        b2 = ((out * inverse)[..., None] * step).sum(1)
        c2 = (out * out * inverse).sum(-1, keepdim=True)
        t = start.clone()
        gap = torch.full_like(t, FAR)
        left = torch.arange(len(t), device=t.device)
        for steps in (_STEPS, 2 * _STEPS):  # most rays are there soon; some pass close by an arm
            at, apart = t[left], gap[left]
            rows = [v[:, left] for v in (a, b, a2, b2)] if len(left) < len(t) else [a, b, a2, b2]
            for _ in range(steps):
                k0 = ((rows[0] * at + 2 * rows[1]) * at + c).clamp_min_(1e-12).sqrt_()
                k1 = ((rows[2] * at + 2 * rows[3]) * at + c2).clamp_min_(1e-12).rsqrt_()
                apart = self._melted((k0 * (k0 - 1)).mul_(k1))
                at = at + 0.93 * apart
            t[left], gap[left] = at, apart
            left = torch.nonzero((gap.abs() > 0.001) & (gap.abs() < _NEAR_M))[:, 0]
            if left.numel() == 0:
                break
        return torch.where(gap.abs() < 0.002 + 0.001 * t, t, t.new_tensor(FAR))

    def _melted(self, gap: Tensor) -> Tensor:
        """A smooth minimum of (k,n)."""
        least = gap.amin(0)
        total = torch.exp((least - gap).div_(self._melt).clamp_min_(-20.0)).sum(0)
        return least - self._melt * torch.log(total)

    def surface(self, point: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Which blob (n,), normal, local point and cloth (n,3) at points (n,3) on the body."""
        local = torch.matmul(self._turn, (point[None] - self._centre[:, None]).transpose(1, 2))
        scaled = local / self._radii[..., None]  # (k,3,n)
        k0 = (scaled * scaled).sum(1).sqrt()
        steep = scaled / self._radii[..., None]
        k1 = (steep * steep).sum(1).sqrt().clamp_min(1e-6)
        gap = k0 * (k0 - 1) / k1
        weight = torch.softmax(-(gap - gap.amin(0)) / self._melt, 0)
        # cloth follows a wider blend than the shape, so that it does not crease
        wide = torch.softmax(-(gap - gap.amin(0)) / (2.5 * self._melt), 0)
        facing = torch.matmul(self._turn.transpose(1, 2), steep / k1[:, None])  # (k,3,n)
        normal = unit((facing * weight[:, None]).sum(0).T)
        nearest = gap.argmin(0)
        own = local.permute(2, 0, 1)[torch.arange(len(nearest)), nearest]
        cloth = ((local + self._rest[..., None]) * wide[:, None]).sum(0).T
        return self.keep[nearest], normal, own, cloth
