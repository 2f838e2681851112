"""Edges to a fraction of a pixel, and runs of them that may be straight lines.

Here: where edges lie and which run on. Not here: what follows from them for a lens.

Shapes: H rows, W columns, N points.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from footagefit.signature import coordinates

LEAST_LENGTH = 0.11  # of the half-diagonal
_MOST_BEND = 0.06  # sagitta over length: what bends more is no line behind any lens
_SMOOTH_PX = 1.1
_STRONG = 0.06  # of `coordinates.tones`, a pixel
_LEAST_PIECE = 0.04  # of the half-diagonal: shorter pieces are not even joined
_MOST_PIECES = 120  # of a frame: leaves make thousands, and none of them is a line
_LEAST_COVER = 0.4  # of a joined edge's length that points lie on
_LEAST_PLACES = 5  # tenths of a pixel along an edge that points of it lie at
_OFF_PX = 0.25  # scatter of a run's points about a smooth curve


class Edges(NamedTuple):
    """Edge points of a frame.

    Attributes:
        at_N2: Pixel positions x, y (down), to a fraction of a pixel.
        way_N2: Unit gradient, x right and y down, towards the brighter side.
        slope_N: Tones a pixel across the edge.
    """

    at_N2: np.ndarray
    way_N2: np.ndarray
    slope_N: np.ndarray


def find(luma_HW: np.ndarray, *, least: float = _STRONG) -> Edges:
    """Ridges of the gradient of `coordinates.tones`, placed by a parabola (Devernay 1995)."""
    import cv2

    # Blurred as light, which moves no edge; seen as tones, in which edges are of one strength.
    smooth = coordinates.tones(cv2.GaussianBlur(luma_HW.astype(np.float32), (0, 0), _SMOOTH_PX))
    gx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    gy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    slope = cv2.magnitude(gx, gy)
    inner = np.zeros(slope.shape, bool)
    inner[3:-3, 3:-3] = slope[3:-3, 3:-3] > least
    rows, columns = np.nonzero(inner)
    here = slope[rows, columns]
    way = np.stack([gx[rows, columns], gy[rows, columns]], 1) / here[:, None]
    ahead = _between(slope, columns + way[:, 0], rows + way[:, 1])
    behind = _between(slope, columns - way[:, 0], rows - way[:, 1])
    top = (here >= ahead) & (here > behind)
    rows, columns, way = rows[top], columns[top], way[top]
    here, ahead, behind = here[top], ahead[top], behind[top]
    off = 0.5 * (ahead - behind) / np.maximum(2 * here - ahead - behind, 1e-6)
    off = np.clip(off, -0.7, 0.7)
    at = np.stack([columns, rows], 1) + way * off[:, None]
    return Edges(at, way, here)


def _between(picture_HW: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - left, y - top
    upper = picture_HW[top, left] * (1 - fx) + picture_HW[top, left + 1] * fx
    lower = picture_HW[top + 1, left] * (1 - fx) + picture_HW[top + 1, left + 1] * fx
    return upper * (1 - fy) + lower * fy


def lines(edges: Edges, size: tuple[int, int], *, squeeze: float = 1.0) -> list[np.ndarray]:
    """Runs of edge points that a lens could have made of straight lines, in lens coordinates.

    Args:
        edges: Of one frame.
        size: Rows and columns of the frame.
        squeeze: Its anamorphic squeeze.
    """
    half = coordinates.half_diagonal_px(size, squeeze=squeeze)
    pieces: list[_Piece] = []
    for run in _runs(edges, size, least=int(_LEAST_PIECE * half)):
        piece = _smooth_run(edges.at_N2[run], least_px=_LEAST_PIECE * half, cover=0.6)
        if piece is not None:
            pieces.append(_Piece(piece, edges.way_N2[run].mean(0)))
    long = [p for p in _joined(pieces) if np.linalg.norm(p[-1] - p[0]) >= LEAST_LENGTH * half]
    return [coordinates.to_lens(p, size, squeeze=squeeze) for p in long]


class _Piece(NamedTuple):
    """Points (N,2) of an edge in order, and the way to its brighter side."""

    at_N2: np.ndarray
    way: np.ndarray


def _joined(pieces: list[_Piece]) -> list[np.ndarray]:
    """Pieces that run on in one another as one, the longest first.

    Edges of tones lie a little to the darker side of those of light: pieces are of one edge only
    where their brighter sides are on the same side of it.
    """
    left = sorted(pieces, key=lambda piece: len(piece.at_N2), reverse=True)[:_MOST_PIECES]
    done = []
    while left:
        (whole, brighter), grown = left.pop(0), True
        while grown:
            grown = False
            way = whole[-1] - whole[0]
            length = float(np.linalg.norm(way))
            across = np.array([-way[1], way[0]]) / length
            for i, (other, other_brighter) in enumerate(left):
                if brighter @ other_brighter <= 0:
                    continue
                ends = other[[0, -1]] - whole.mean(0)
                lean = abs(float((other[-1] - other[0]) @ across))
                reach = float(np.linalg.norm(other[-1] - other[0]))
                if lean > 0.09 * reach or np.abs(ends @ across).max() > 3 + 0.03 * length:
                    continue
                both = np.concatenate([whole, other])
                made = _smooth_run(both, least_px=length, cover=_LEAST_COVER)
                if made is not None and len(made) > 0.93 * len(both):
                    whole, grown = made, True
                    left.pop(i)
                    break
        done.append(whole)
    return done


def _runs(edges: Edges, size: tuple[int, int], *, least: int) -> list[np.ndarray]:
    """Connected edge points whose gradients agree: one set of eight directions, then another."""
    import cv2

    where = np.round(edges.at_N2).astype(int)
    where[:, 0] = where[:, 0].clip(0, size[1] - 1)
    where[:, 1] = where[:, 1].clip(0, size[0] - 1)
    angle = np.arctan2(edges.way_N2[:, 1], edges.way_N2[:, 0])
    runs: list[np.ndarray] = []
    for turn in (0.0, 0.5):
        sector = np.floor((angle / (2 * np.pi)) * 12 + turn).astype(int) % 12
        for which in range(12):
            mine = np.nonzero(sector == which)[0]
            if len(mine) < least:
                continue
            canvas = np.zeros(size, np.uint8)
            canvas[where[mine, 1], where[mine, 0]] = 1
            wide = cv2.dilate(canvas, np.ones((3, 3), np.uint8))
            _, label = cv2.connectedComponents(wide, connectivity=8)
            mark = label[where[mine, 1], where[mine, 0]]
            order = np.argsort(mark, kind="stable")
            ends = np.nonzero(np.diff(mark[order]))[0] + 1
            runs += [mine[part] for part in np.split(order, ends) if len(part) >= least]
    return _once_each(runs, len(edges.at_N2))


def _once_each(runs: list[np.ndarray], count: int) -> list[np.ndarray]:
    """The longest runs, none of them mostly made of points of another."""
    taken = np.zeros(count, bool)
    kept = []
    for run in sorted(runs, key=len, reverse=True):
        if taken[run].mean() < 0.3:
            kept.append(run)
            taken[run] = True
    return kept


def _smooth_run(at_N2: np.ndarray, *, least_px: float, cover: float) -> np.ndarray | None:
    """The points in order, without strays; None where they are no single, gently bent edge."""
    along, rest = np.zeros(0), np.zeros(0)
    curve, length = np.zeros(1), 0.0
    for _ in range(3):
        middle = at_N2.mean(0)
        about = at_N2 - middle
        way = np.linalg.svd(about, full_matrices=False)[2][0]
        along, off = about @ way, about @ np.array([-way[1], way[0]])
        if len(np.unique(along.round(1))) < _LEAST_PLACES:
            return None
        curve = np.polyfit(along, off, 3 if len(along) > 40 else 2)
        rest = off - np.polyval(curve, along)
        near = np.abs(rest) < max(3 * 1.48 * float(np.median(np.abs(rest))), 0.15)
        length = float(np.ptp(along[near])) if near.any() else 0.0
        if length < least_px or near.sum() < cover * length:
            return None
        at_N2, along, off, rest = at_N2[near], along[near], off[near], rest[near]
    order = np.argsort(along)
    bend = abs(np.polyval(curve, along[order]).max() - np.polyval(curve, along[order]).min())
    if float(np.sqrt((rest**2).mean())) > _OFF_PX or bend > _MOST_BEND * length:
        return None
    return at_N2[order]
