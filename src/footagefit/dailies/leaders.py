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
_BURNT_OUT = 225.0
_CHANGED = 9  # code values that a thing that comes or goes changes a pixel by
_LEAST_STEP = 6  # code values that grain and breath do not move a burnt-out pixel by
_LEAST_HIDDEN = 0.015  # of the picture, that a board must hide to be told
_MORE_INK = 3.0  # what a board may have of faint writing, over what it hides
_ALONE = 2.5  # a board comes and goes with so many times the change of the frames it is held for
_REST = 3  # so many of them
_MOST_TRIED = 3  # places where one may have come or gone


def parts_of(
    small_THWC: np.ndarray,
    numbers: Sequence[int],
    *,
    rate: float = 24.0,
    changes: Sequence[cuts.Change] | None = None,
    jump_T: np.ndarray | None = None,
) -> tuple[Part, ...]:
    """Cut a clip into shots and what lies between them.

    Args:
        small_THWC: Tiny pictures of all its frames.
        numbers: Their frame numbers, ascending.
        rate: Frames a second.
        changes: Transitions found by another detector; our own finds them otherwise.
        jump_T: `cuts.jumps` of the pictures, where they are at hand.
    """
    total = len(small_THWC)
    if total == 0:
        return ()
    kind_T = np.full(total, SHOT, dtype=object)
    jump_T = cuts.jumps(small_THWC) if jump_T is None else jump_T
    if changes is None:
        changes = cuts.find_changes(small_THWC, jump_T)
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
    spans = _hidden_boards(_joined(_crumbs(spans)), small_THWC, jump_T, rate)
    spans = _joined(_slated(spans, small_THWC, rate))
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
    dark = luma.max(1) < _BLACK_CODE + 8
    if dark.any():
        dark[dark] = (spreads(small_THWC[dark]) < _EMPTY) & (luma[dark].mean(1) < _BLACK_CODE)
    return dark


def _bars(small_THWC: np.ndarray) -> np.ndarray:
    """Vertical stripes of strong colours, the same from row to row."""
    row_TWC = small_THWC[:, 8, :, 1:]
    found = (row_TWC.max(1) - row_TWC.min(1) >= 40).all(1)  # no less spreads by 20
    found[found] = (row_TWC[found].astype(np.float32).std(1) >= 20).all(1)
    for index in np.flatnonzero(found):
        found[index] = _is_bars(small_THWC[index, 2:14].astype(np.float32))
    return found


def _is_bars(top_HWC: np.ndarray) -> bool:
    if top_HWC.std(0).mean() > 2.5:
        return False
    steps = np.abs(np.diff(top_HWC.mean(0), axis=0)).sum(1)
    stripes = 1 + int((np.convolve(steps > 24, [1, 1, 1], "same")[::3] > 0).sum())
    return stripes >= 5 and float((steps < 6).mean()) > 0.55


def _runs(flag_T: np.ndarray) -> np.ndarray:
    """The flags, without runs shorter than two frames: a flash to black is part of its shot."""
    out = flag_T.copy()
    edges = np.flatnonzero(np.diff(np.pad(flag_T.astype(np.int8), 1)))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start < _LEAST_RUN:
            out[start:end] = False
    return out


def _hidden_boards(
    spans: list[tuple[str, int, int]], small_THWC: np.ndarray, jump_T: np.ndarray, rate: float
) -> list[tuple[str, int, int]]:
    """Split boards off a clip's head and tail that no cut was seen at.

    A board of the wall's own tone, or burnt out before a burnt-out wall, leaves most of the picture
    as it was: that is no cut, unless a board is what it uncovers.
    """
    out = list(spans)
    shots = [i for i, span in enumerate(spans) if span[0] == SHOT]
    if not shots:
        return out
    reach = int(_LONGEST_SLATE_S * rate)
    for at, step in ((shots[-1], -1), (shots[0], 1)):  # the tail first: places before it stay
        _, first, last = out[at]
        low, high = (first + 2, first + reach) if step > 0 else (last - reach, last - 1)
        near = _may_come_or_go(jump_T, max(low, first + 2), min(high, last - 1), step)
        for border in near[np.argsort(-jump_T[near], kind="stable")][:_MOST_TRIED]:
            board, scene = slice(first, border), border
            if step < 0:
                board, scene = slice(border, last + 1), border - 1
            if _is_in_front(small_THWC[board][::step], small_THWC[scene]):
                out[at : at + 1] = [(SHOT, first, int(border) - 1), (SHOT, int(border), last)]
                break
    return out


def _may_come_or_go(jump_T: np.ndarray, low: int, high: int, step: int) -> np.ndarray:
    """Frames low..high that change most of those beside them, and far more than the board's side.

    A board is held still: before a camera that moves, its coming is no more of a change than the
    frames before it, but there the picture comes to rest.

    Args:
        jump_T: Change from the frame before.
        low: The first of the frames.
        high: The last.
        step: 1 for a board at the head, which is before the frame; -1 for one at the tail.
    """
    padded_T = np.pad(jump_T[1:], (_REST + 1, _REST), constant_values=np.inf)
    sides_TN = np.lib.stride_tricks.sliding_window_view(padded_T, 2 * _REST + 1)[low : high + 1]
    jumps_T, board_TN = jump_T[low : high + 1], sides_TN[:, :_REST]
    if step < 0:
        board_TN = sides_TN[:, _REST + 1 :]
    beside_T = np.maximum(jump_T[low - 1 : high], np.append(jump_T, 0.0)[low + 1 : high + 2])
    far = (jumps_T > cuts.LEAST_JUMP) & (jumps_T >= beside_T) & (jumps_T > _ALONE * board_TN.min(1))
    found = []
    for index in np.flatnonzero(far):  # few are left
        rest_N = board_TN[index][np.isfinite(board_TN[index])]
        if jumps_T[index] > _ALONE * np.median(rest_N):
            found.append(low + int(index))
    return np.array(found, int)


def _slated(
    spans: list[tuple[str, int, int]], small_THWC: np.ndarray, rate: float
) -> list[tuple[str, int, int]]:
    """Mark slates at the head and, upside down or not, at the tail; one shot always stays."""
    marked = list(spans)
    shots = [i for i, span in enumerate(spans) if span[0] == SHOT]
    orders = (shots, shots[::-1])  # the shorter end first: of two that may be slates, it is one
    for order in sorted(orders, key=lambda o: spans[o[0]][2] - spans[o[0]][1] if o else 0):
        for index in order:
            kind, first, last = marked[index]
            others = sum(span[0] == SHOT for span in marked) - (kind == SHOT)
            brief = last - first + 1 <= _LONGEST_SLATE_S * rate
            step = 1 if order is shots else -1
            beside = _beside(marked, index, step)
            next_HWC = None if beside is None else small_THWC[beside]
            run_THWC = small_THWC[first : last + 1][::step]
            if not others or not brief or not _is_slate(run_THWC, next_HWC):
                break
            marked[index] = (SLATE, first, last)
    return marked


def _beside(spans: list[tuple[str, int, int]], index: int, step: int) -> int | None:
    """The nearest frame of the shot beside a span, if there is one that is not shorter."""
    if not 0 <= index + step < len(spans):
        return None
    (_, first, last), (kind, begins, ends) = spans[index], spans[index + step]
    if kind != SHOT or ends - begins < last - first:
        return None
    return begins if step > 0 else ends


def _is_slate(run_THWC: np.ndarray, next_HWC: np.ndarray | None) -> bool:
    """A board that fills much of the picture: pale paper in a scene, or light words on black.

    Args:
        run_THWC: The frames, the one nearest to the performance last.
        next_HWC: The frame of the performance next to them.
    """
    if not _is_held_still(run_THWC):
        return False
    picture = run_THWC[len(run_THWC) // 2].astype(np.float32)
    luma, chroma = picture[..., 0], picture[..., 1:]
    if _is_paper(luma, chroma) or _is_black_card(luma, chroma):
        return True
    return next_HWC is not None and _is_in_front(run_THWC, next_HWC)


def _is_held_still(run_THWC: np.ndarray) -> bool:
    return len(run_THWC) < 3 or float(np.median(cuts.jumps(run_THWC)[1:])) <= 10.0


def _is_in_front(run_THWC: np.ndarray, behind_HWC: np.ndarray) -> bool:
    """Whether a run, the frame nearest to the performance last, shows a board before its scene."""
    if not _is_held_still(run_THWC):
        return False
    behind = behind_HWC.astype(np.float32)
    near = run_THWC[-3:].astype(np.float32)
    if not (np.abs(near[-1] - behind) > _CHANGED).any(-1).mean() > _LEAST_HIDDEN:
        return False
    return _is_held_in(near[-1], behind) or _is_burnt_out(near, behind)


def _is_paper(luma: np.ndarray, chroma: np.ndarray) -> bool:
    """An upright rectangle of one pale tone with writing on it, and other things around it."""
    bright = float(np.percentile(luma, 90))
    tone = np.median(chroma[luma > 0.9 * bright], axis=0)
    pale = (luma > 0.62 * bright) & (np.abs(chroma - tone).max(-1) < 9)
    rows = np.flatnonzero(pale.mean(1) > 0.4)
    columns = np.flatnonzero(pale.mean(0) > 0.4)
    if len(rows) < 8 or len(columns) < 16:
        return False
    box = pale[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside = luma[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    share = box.size / pale.size
    around = float(pale.sum() - box.sum()) / max(1, pale.size - box.size)
    writing = float((inside < 0.93 * bright).mean())
    edge = _edge(pale, columns)
    solid = float(box.mean()) > 0.8 and 0.25 < share < 0.92
    return solid and around < 0.2 and writing > 0.12 and edge > 0.6


def _is_held_in(picture_HWC: np.ndarray, behind_HWC: np.ndarray) -> bool:
    """A board of one hue with writing, in front of the picture that is seen without it after."""
    changed = np.abs(picture_HWC - behind_HWC).max(-1) > _CHANGED
    rows = np.flatnonzero(changed.mean(1) > 0.2)
    columns = np.flatnonzero(changed.mean(0) > 0.2)
    if len(rows) < 8 or len(columns) < 16:
        return False
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    share = changed[box].size / changed.size
    around = float(changed.sum() - changed[box].sum()) / max(1, changed.size - changed[box].size)
    luma, chroma = picture_HWC[box][..., 0], picture_HWC[box][..., 1:]
    bright = float(np.percentile(luma, 90))
    tone = np.median(chroma[luma > 0.9 * bright], axis=0)
    one_hue = float((np.abs(chroma - tone).max(-1) < 9).mean())
    writing = float((luma < 0.93 * bright).mean())
    burnt_out = bright > _BURNT_OUT  # and the writing with it
    board = one_hue > 0.75 and writing < 0.7 and (writing > 0.04 or burnt_out)
    return 0.2 < share < 0.92 and around < 0.1 and board


def _is_burnt_out(run_THWC: np.ndarray, behind_HWC: np.ndarray) -> bool:
    """A board as white as film goes: what it hides turns to paper, all over one upright box.

    Of such a board there is neither writing nor, before a white wall, an edge.
    """
    if float((run_THWC[-1, ..., 0] > _BURNT_OUT).mean()) < 0.1:
        return False
    board_HWC = np.median(run_THWC, axis=0)
    bright = float(np.percentile(board_HWC[..., 0], 90))
    step = np.maximum(run_THWC.min(0) - behind_HWC, behind_HWC - run_THWC.max(0)).max(-1)
    stepped = step > _LEAST_STEP
    tone = np.median(board_HWC[board_HWC[..., 0] > 0.9 * bright][:, 1:], axis=0)
    of_tone, was_of_tone = (np.abs(p[..., 1:] - tone).max(-1) < 9 for p in (board_HWC, behind_HWC))
    paper = of_tone & (board_HWC[..., 0] > 0.9 * bright)
    white = of_tone & (board_HWC[..., 0] > bright - _LEAST_STEP)
    ink = stepped & was_of_tone & (behind_HWC[..., 0] > bright - _LEAST_STEP)
    hidden = stepped & ~ink
    faint = float((ink & paper).sum())  # writing that is all but burnt out
    if float(hidden.mean()) < _LEAST_HIDDEN:
        return False
    if hidden.sum() < max(ink.sum() - faint, ink.sum() / _MORE_INK):
        return False
    rows, columns = (np.flatnonzero(stepped.sum(a) >= 2) for a in (1, 0))
    if len(rows) < 2 or len(columns) < 2:
        return False
    box = paper[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    whole = 0.15 < box.size / paper.size < 0.95 and float(box.mean()) > 0.85
    return whole and float(white[hidden].mean()) > 0.7


def _edge(pale: np.ndarray, columns: np.ndarray) -> float:
    """How straight the board's sides are: share of its rows that begin and end where it does."""
    rows = np.flatnonzero(pale.sum(1) > 0.6 * len(columns))
    if not len(rows):
        return 0.0
    starts = np.array([np.flatnonzero(pale[r])[0] for r in rows])
    ends = np.array([np.flatnonzero(pale[r])[-1] for r in rows])
    near = (np.abs(starts - np.median(starts)) <= 1) & (np.abs(ends - np.median(ends)) <= 1)
    return float(near.mean())


def _is_black_card(luma: np.ndarray, chroma: np.ndarray) -> bool:
    """Light words on a dark ground without colour."""
    ground = float(np.percentile(luma, 35))
    dark = float((luma < ground + 12).mean())
    light = float((luma > ground + 60).mean())
    grey = float((np.abs(chroma - 128.0).max(-1) < 6).mean())
    return ground < 60 and dark > 0.35 and 0.06 < light < 0.5 and grey > 0.95


def _joined(spans: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Neighbours of one kind as one, but for shots, whose borders are cuts."""
    out: list[tuple[str, int, int]] = []
    for span in spans:
        if out and out[-1][0] == span[0] != SHOT:
            out[-1] = (span[0], out[-1][1], span[2])
        else:
            out.append(span)
    return out
