"""Cuts, dissolves and fades found to the frame; flashes, whip pans and light changes let be."""

from __future__ import annotations

import numpy as np
import pytest

from dailies_footage import card, shot, tiny
from footagefit.dailies import cuts, leaders
from footagefit.dailies.entries import BARS, BLACK, DISSOLVE, FADE, SHOT, SLATE


def blended(one: np.ndarray, other: np.ndarray, length: int) -> np.ndarray:
    """A dissolve of `length` mixed frames from the end of one shot into the start of another."""
    share = (np.arange(1, length + 1) / (length + 1))[:, None, None, None]
    mix = one[len(one) - length :] * (1 - share) + other[:length] * share
    return np.concatenate([one[: len(one) - length], mix.astype(np.uint8), other[length:]])


@pytest.mark.parametrize("seed", range(8))
def test_hard_cuts_are_found_to_the_frame(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(12, 40, 5)
    shots = [
        shot(100 * seed + i, int(n), pan=tuple(rng.uniform(-2, 2, 2)), actor=rng.uniform(0, 3))
        for i, n in enumerate(lengths)
    ]
    found = cuts.find_changes(tiny(np.concatenate(shots)))
    assert [(c.kind, c.at) for c in found] == [("cut", int(n)) for n in lengths.cumsum()[:-1]]


@pytest.mark.parametrize("length", [8, 12, 24])
def test_dissolves_are_found_with_their_ends(length: int) -> None:
    one, other = shot(11, 60), shot(12, 60)
    found = cuts.find_changes(tiny(blended(one, other, length)))
    assert [c.kind for c in found] == [DISSOLVE]
    assert abs(found[0].start - (60 - length)) <= max(2, length // 8)
    assert abs(found[0].at - 60) <= max(2, length // 8)


def test_fade_to_black_and_up_again() -> None:
    down = (np.linspace(1, 0, 16) ** 1)[:, None, None, None]
    one, other = shot(21, 50).astype(np.float32), shot(22, 50).astype(np.float32)
    one[-16:] *= down
    other[:16] *= down[::-1]
    film = np.concatenate([one, np.zeros((6, *one.shape[1:]), np.float32), other]).astype(np.uint8)
    found = cuts.find_changes(tiny(film))
    assert [c.kind for c in found] == [FADE, FADE]
    assert abs(found[0].start - 34) <= 2
    assert abs(found[1].at - 72) <= 2
    kinds = [p.kind for p in leaders.parts_of(tiny(film), range(1, len(film) + 1))]
    assert [k for k in kinds if k != FADE] == [SHOT, BLACK, SHOT]


@pytest.mark.parametrize("width", [1, 2, 3])
def test_flashes_are_no_cuts(width: int) -> None:
    film = shot(31, 40).astype(np.float32)
    film[20 : 20 + width] = film[20 : 20 + width] * 0.2 + 220
    assert cuts.find_changes(tiny(film.clip(0, 255).astype(np.uint8))) == []


def test_a_whip_pan_is_no_cut() -> None:
    slow, fast = shot(32, 14, pan=(0.5, 0)), shot(32, 10, pan=(30, 0))
    film = np.concatenate([slow, fast])
    assert cuts.find_changes(tiny(film)) == []


def test_lights_switched_on_and_a_passer_by_are_no_cuts() -> None:
    film = shot(33, 40).astype(np.float32)
    film[20:] *= 1.8
    film[30:34, :, 60:120] = 20
    assert cuts.find_changes(tiny(film.clip(0, 255).astype(np.uint8))) == []


def test_a_still_picture_has_no_cuts() -> None:
    film = np.repeat(shot(34, 1), 30, 0)
    assert cuts.find_changes(tiny(film)) == []
    assert cuts.find_changes(tiny(film[:1])) == []


def test_slate_bars_and_black_are_set_apart() -> None:
    colours = [(192,) * 3, (192, 192, 0), (0, 192, 192), (0, 192, 0), (192, 0, 192), (192, 0, 0)]
    bars = np.zeros((8, 90, 160, 3), np.uint8)
    for index, colour in enumerate(colours):
        bars[:, :, index * 27 : (index + 1) * 27] = colour
    black = np.zeros((6, 90, 160, 3), np.uint8)
    film = np.concatenate([bars, black, card(14), shot(41, 30), black])
    parts = leaders.parts_of(tiny(film), range(1001, 1001 + len(film)))
    assert [(p.kind, p.first, p.last) for p in parts] == [
        (BARS, 1001, 1008),
        (BLACK, 1009, 1014),
        (SLATE, 1015, 1028),
        (SHOT, 1029, 1058),
        (BLACK, 1059, 1064),
    ]


def test_a_dark_scene_is_no_black_and_a_still_set_is_no_slate() -> None:
    dark = (shot(51, 30) * 0.25).astype(np.uint8)
    still = shot(52, 12, pan=(0, 0), actor=0)
    parts = leaders.parts_of(tiny(np.concatenate([still, dark])), range(42))
    assert [p.kind for p in parts] == [SHOT, SHOT]


@pytest.mark.parametrize("tail", [False, True])
def test_a_board_held_before_a_wall_of_its_own_tone_is_a_slate(tail: bool) -> None:
    performance = shot(61, 24, pan=(0, 0), actor=0.5)
    performance = (150 + (performance.astype(np.float32) - 128) * 0.25).astype(np.uint8)
    board = np.repeat(performance[-1:] if tail else performance[:1], 8, 0)
    board[:, 20:84, 24:136] = 158
    for row in range(28, 80, 14):
        board[:, row : row + 6, 34:126:9] = 40
        board[:, row : row + 6, 37:126:9] = 40
    film = np.concatenate([performance, board] if tail else [board, performance])
    parts = leaders.parts_of(tiny(film), range(1, len(film) + 1))
    want = [(SHOT, 1, 24), (SLATE, 25, 32)] if tail else [(SLATE, 1, 8), (SHOT, 9, 32)]
    assert [(p.kind, p.first, p.last) for p in parts] == want


def burnt_out(frames: int, *, actor: int = 25) -> np.ndarray:
    """A performance several stops over: a white set in which an actor is all there is to see."""
    set_ = shot(62, frames, pan=(0, 0), actor=0).astype(np.float32)
    out = (225 + 0.2 * set_).clip(0, 255).astype(np.uint8)
    for t in range(frames):
        left = 56 + t
        out[t, 30:78, left : left + actor] = (150, 110, 90)
    return out


@pytest.mark.parametrize("tail", [False, True])
@pytest.mark.parametrize("frames", [3, 8])
def test_a_board_as_burnt_out_as_its_set_is_a_slate(tail: bool, frames: int) -> None:
    performance = burnt_out(24)
    board = np.repeat(performance[-1:] if tail else performance[:1], frames, 0)
    board[:, 14:19, 24:136:12] = 120
    board[:, 20:84, 24:136] = 255
    film = np.concatenate([performance, board] if tail else [board, performance])
    parts = leaders.parts_of(tiny(film), range(1, len(film) + 1))
    want = [(SHOT, 1, 24), (SLATE, 25, 24 + frames)]
    if not tail:
        want = [(SLATE, 1, frames), (SHOT, frames + 1, frames + 24)]
    assert [(p.kind, p.first, p.last) for p in parts] == want


def test_a_burnt_out_board_may_have_more_faint_writing_than_it_hides() -> None:
    performance = np.full((24, 90, 160, 3), 255, np.uint8)
    performance[:, 60:80, 70:94] = (150, 110, 90)
    board = performance[:5].copy()
    board[:, 20:84, 24:136] = 255
    for row in range(26, 80, 10):
        for column in range(34, 37):
            board[:, row : row + 6, column:126:9] = 232
    parts = leaders.parts_of(tiny(np.concatenate([board, performance])), range(1, 30))
    assert [(p.kind, p.first, p.last) for p in parts] == [(SLATE, 1, 5), (SHOT, 6, 29)]


def test_a_board_may_come_or_go_where_a_moving_picture_comes_to_rest() -> None:
    moving = [4.9, 5.2, 5.7, 5.9, 5.8, 5.9, 5.8]
    tail = np.array([0.0, *moving, 6.6, 2.9, 0.4], np.float32)  # a clapper still swings
    head = np.array([0.0, 0.4, 2.9, 6.6, *moving], np.float32)
    assert leaders._may_come_or_go(tail, 2, 9, -1).tolist() == [8]
    assert leaders._may_come_or_go(head, 2, 9, 1).tolist() == [3]
    assert leaders._may_come_or_go(tail, 2, 9, 1).tolist() == []
    assert leaders._may_come_or_go(np.array([0.0, *moving, *moving]), 2, 12, -1).tolist() == []


def test_a_camera_that_stops_is_no_board() -> None:
    moving = shot(64, 20, pan=(4, 1), actor=2)
    world = shot(64, 20, pan=(4, 1), actor=0)
    still = np.repeat(world[-1:], 12, 0)
    for film in (np.concatenate([moving, still]), np.concatenate([still[::-1], moving[::-1]])):
        assert [p.kind for p in leaders.parts_of(tiny(film), range(len(film)))] == [SHOT]


def test_what_leaves_a_burnt_out_set_is_no_board() -> None:
    performance = burnt_out(30)
    empty = burnt_out(30, actor=0)
    for film in (np.concatenate([performance, empty]), np.concatenate([empty, performance])):
        assert SLATE not in [p.kind for p in leaders.parts_of(tiny(film), range(60))]
