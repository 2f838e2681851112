"""What a set is made of, as tensors, and what a ray finds there. Records and small vector maths.

Batched over scenes. Shapes: B scenes, N rays, K blobs, H heads, J boxes, P planes, F bushes.
Nothing here knows colour. Distances are in metres. `turn` takes world axes to an object's own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

import torch
from torch import Tensor

from footagefit.soundstage.face import Face

FAR = 1.0e4


@dataclass
class Planes:
    """Infinite planes with a hole each: points x with normal . x = offset, seen from the front."""

    normal: Tensor  # (B,P,3)
    offset: Tensor  # (B,P)
    turn: Tensor  # (B,P,3,3) world to the plane's own axes, for textures
    hole: Tensor  # (B,P,4) middle x, y and half sizes x, y in its own axes; negative: none
    material: Tensor  # (B,P) row of the material table


@dataclass
class Boxes:
    """Boxes, with edges rounded in shading."""

    centre: Tensor  # (B,J,3)
    turn: Tensor  # (B,J,3,3)
    half: Tensor  # (B,J,3)
    material: Tensor  # (B,J)


@dataclass
class Blobs:
    """Ellipsoids, alone or melted together."""

    centre: Tensor  # (B,K,3)
    turn: Tensor  # (B,K,3,3)
    radii: Tensor  # (B,K,3)
    material: Tensor  # (B,K)
    group: Tensor  # (B,K) blobs of one group melt into one surface; -1 stands alone
    melt: Tensor  # (B,K) over what distance they melt, metres
    rest: Tensor  # (B,K,3) the centre in the group's own cloth: textures run across seams


@dataclass
class Heads:
    """Star-shaped surfaces: an ellipsoid with a radius by direction, read from a chart."""

    centre: Tensor  # (B,H,3)
    turn: Tensor  # (B,H,3,3)
    radii: Tensor  # (B,H,3)
    chart: Tensor  # (B,H,C,R,R) see `heads.chart`
    face: Tensor  # (B,H,P) the numbers of a `Face`
    material: Tensor  # (B,H)


@dataclass
class Bushes:
    """Ellipsoids full of leaves."""

    centre: Tensor  # (B,F,3)
    turn: Tensor  # (B,F,3,3)
    radii: Tensor  # (B,F,3)
    cell: Tensor  # (B,F) distance between leaves, metres
    density: Tensor  # (B,F) 0..1
    material: Tensor  # (B,F)


@dataclass
class Shown:
    """What is seen of a head.

    Attributes:
        scene: Which scene.
        head: Which of its heads.
        face: Whose it is.
        turn: (3,3) world to its axes.
        rays: (n,) rays that met it, b N + n.
        way: (n,3) directions in its axes over its radii.
        radius: (n,) how far the surface is there.
        chart: (n,3) hair cover, its locks, and how hollow the place is.
    """

    scene: int
    head: int
    face: Face
    turn: Tensor
    rays: Tensor
    way: Tensor
    radius: Tensor
    chart: Tensor


@dataclass
class Hits:
    """Where rays meet the set.

    Attributes:
        distance: (B,N) along the unit ray; FAR where nothing is hit.
        point: (B,N,3) in the world.
        normal: (B,N,3) geometric, unit, towards the ray's origin.
        local: (B,N,3) the point in the object's own axes, in metres: motion hangs on it.
        texture: (B,N,3) where the point is in the object's cloth: textures hang on it.
        item: (B,N) which object: planes, boxes, blobs, heads, bushes in that order; -1 for none.
        material: (B,N) row of the material table.
        faces: What is seen of each head.
    """

    distance: Tensor
    point: Tensor
    normal: Tensor
    local: Tensor
    texture: Tensor
    item: Tensor
    material: Tensor
    faces: list[Shown]


def unit(v: Tensor) -> Tensor:
    """Vectors of length 1."""
    return v * dots(v, v).clamp_min_(1e-12).rsqrt_()[..., None]


def dots(a: Tensor, b: Tensor) -> Tensor:
    """Scalar products over the last axis: it is short, a sum over it takes three times as long."""
    (x, y, z), (u, v, w) = a.unbind(-1), b.unbind(-1)
    return torch.addcmul(x * u, y, v).addcmul_(z, w)


def applied(turn: Tensor, v: Tensor) -> Tensor:
    """Each vector through its own matrix (...,3,3) and (...,3)."""
    return torch.matmul(turn, v[..., None])[..., 0]


def forms(turn: Tensor, radii: Tensor) -> Tensor:
    """(...,3,3) symmetric M of each ellipsoid: |v / radii|^2 = v M v in the world's axes."""
    scaled = turn / radii[..., :, None]
    return torch.matmul(scaled.transpose(-1, -2), scaled)


def spans(turn: Tensor, radii: Tensor) -> Tensor:
    """(...,3,3) E of each ellipsoid: along a unit direction v it reaches sqrt(v E v)."""
    return torch.matmul(turn.transpose(-1, -2), radii.square()[..., None] * turn)


def squares(form: Tensor) -> Tensor:
    """(...,6) coefficients of v M v on the first six `features`."""
    m = form
    diagonal = [m[..., i, i] for i in range(3)]
    mixed = [2 * m[..., 0, 1], 2 * m[..., 0, 2], 2 * m[..., 1, 2]]
    return torch.stack([*diagonal, *mixed], -1)


def features(v: Tensor) -> Tensor:
    """(...,N,3) to (...,6,N): squares and products of coordinates."""
    x, y, z = v.unbind(-1)
    return torch.stack([x * x, y * y, z * z, x * y, x * z, y * z], -2)


def pick(values: Tensor, index: Tensor) -> Tensor:
    """(B,K,...) and (B,N): the row of each ray's object."""
    shape = (*index.shape, *values.shape[2:])
    flat = index.reshape(*index.shape, *([1] * (values.dim() - 2))).expand(shape)
    return torch.gather(values, 1, flat)


def flat(values: Tensor) -> Tensor:
    """(B,K,...) as (B*K,...)."""
    return values.reshape(-1, *values.shape[2:])


Part = TypeVar("Part", Blobs, Heads, Boxes, Planes, Bushes)


def moved(part: Part, device: torch.device) -> Part:
    """The same objects on another device."""
    values = {f.name: getattr(part, f.name).to(device) for f in fields(part)}
    return type(part)(**values)
