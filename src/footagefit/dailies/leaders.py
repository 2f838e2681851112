"""What stands before, between and after shots: black, colour bars, slates.

Here: telling them in the scan's small pictures, and cutting a clip into parts. Not here: what a
slate says (names, logs and, with a reader of letters installed, the catalogue's own measures).

Shape suffixes: T frames, H rows, W columns, C channels (Y, Cb, Cr).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from footagefit.dailies import cuts
from footagefit.dailies.entries import BARS, BLACK, FADE, SHOT, SLATE, Part
from footagefit.dailies.mixes import spreads

_BLACK_CODE = 30.0
_EMPTY = 3.5
_LONGEST_SLATE_S = 8.0
_LEAST_RUN = 2


def parts_of(
    small_THWC: np.ndarray,
    numbers: Sequence[int],
    *,
    rate: float = 24.0,
    changes: Sequence[cuts.Change] | None = None,
) -> tuple[Part, ...]:
    """Cut a clip into shots and what lies between them.

    Args:
        small_THWC: Tiny pictures of all its frames.
        numbers: Their frame numbers, ascending.
        rate: Frames a second.
        changes: Transitions found by another detector; our own finds them otherwise.
    """
    total = len(small_THWC)
    if total == 0:
        return ()
    kind_T = np.full(total, SHOT, dtype=object)
    if changes is None:
        changes = cuts.find_changes(small_THWC)
    kind_T[_runs(_black(small_THWC))] = BLACK
    for change in changes:
        if cuts.is_mix(change):
            mixed = slice(change.start, change.at)
            kind_T[mixed] = np.where(kind_T[mixed] == SHOT, change.kind, kind_T[mixed])
    kind_T[_runs(_bars(small_THWC))] = BARS
    borders = {0, total} | {c.at for c in changes} | {c.start for c in changes}
    borders |= {int(i) + 1 for i in np.flatnonzero(kind_T[1:] != kind_T[:-1])}
    edges = sorted(b for b in borders if 0 <= b <= total)
    spans = [(kind_T[a], a, b - 1) for a, b in pairwise(edges) if b > a]
    spans = _joined(_slated(_joined(_crumbs(spans)), small_THWC, rate))
    return tuple(Part(str(kind), numbers[a], numbers[b]) for kind, a, b in spans)


def _crumbs(spans: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """A frame or two between a fade and its black belong to the black."""
    out = list(spans)
    for i, (kind, first, last) in enumerate(spans):
        beside = {s[0] for s in spans[max(0, i - 1) : i + 2]}
        if kind == SHOT and last - first < 2 and beside & {BLACK, FADE}:
            out[i] = (BLACK if BLACK in beside else FADE, first, last)
    return out


def _black(small_THWC: np.ndarray) -> np.ndarray:
    luma = small_THWC[..., 0].reshape(len(small_THWC), -1)
    dark = np.array([float(row.max()) for row in luma]) < _BLACK_CODE + 8
    return dark & (spreads(small_THWC) < _EMPTY) & (luma.mean(1) < _BLACK_CODE)


def _bars(small_THWC: np.ndarray) -> np.ndarray:
    """Vertical stripes of strong colours, the same from row to row."""
    found = np.zeros(len(small_THWC), bool)
    for index, picture in enumerate(small_THWC):
        top = picture[2:14].astype(np.float32)
        if picture[8, :, 1].std() < 20 or picture[8, :, 2].std() < 20:
            continue
        if top.std(0).mean() > 2.5:
            continue
        row = top.mean(0)
        steps = np.abs(np.diff(row, axis=0)).sum(1)
        stripes = 1 + int((np.convolve(steps > 24, [1, 1, 1], "same")[::3] > 0).sum())
        flat = float((steps < 6).mean())
        found[index] = stripes >= 5 and flat > 0.55
    return found


def _runs(flag_T: np.ndarray) -> np.ndarray:
    """The flags, without runs shorter than two frames: a flash to black is part of its shot."""
    out = flag_T.copy()
    edges = np.flatnonzero(np.diff(np.pad(flag_T.astype(np.int8), 1)))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start < _LEAST_RUN:
            out[start:end] = False
    return out


def _slated(
    spans: list[tuple[str, int, int]], small_THWC: np.ndarray, rate: float
) -> list[tuple[str, int, int]]:
    """Mark cards at the head and, upside down or not, at the tail."""
    marked = list(spans)
    shots = [i for i, span in enumerate(spans) if span[0] == SHOT]
    if len(shots) < 2:
        return marked
    for order in (shots, shots[::-1]):
        for index in order[:-1]:
            _, first, last = marked[index]
            if last - first + 1 > _LONGEST_SLATE_S * rate or not _is_card(
                small_THWC[first : last + 1]
            ):
                break
            marked[index] = (SLATE, first, last)
    return marked


def _is_card(run_THWC: np.ndarray) -> bool:
    """A still, drawn picture: few tones, no grain of life in it."""
    jump = cuts.jumps(run_THWC)[1:]
    if len(jump) and float(np.median(jump)) > 1.2:
        return False
    luma = run_THWC[len(run_THWC) // 2, ..., 0].ravel()
    counts = np.bincount(luma, minlength=256).astype(np.float32)
    near = np.convolve(counts, np.ones(9), mode="same") / len(luma)
    ground = float(near.max())  # share of the picture that is the card's own flat tone
    chroma = run_THWC[len(run_THWC) // 2, ..., 1:].astype(np.float32)
    flat_chroma = float((np.abs(chroma - np.median(chroma, axis=(0, 1))).max(-1) < 6).mean())
    return ground > 0.45 and (flat_chroma > 0.55 or ground > 0.6) and float(luma.std()) > 8


def _joined(spans: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Neighbours of one kind as one, but for shots, whose borders are cuts."""
    out: list[tuple[str, int, int]] = []
    for span in spans:
        if out and out[-1][0] == span[0] != SHOT:
            out[-1] = (span[0], out[-1][1], span[2])
        else:
            out.append(span)
    return out
