"""Differences between pictures whose difference is known."""

from __future__ import annotations

import numpy as np
import pytest

from dailies_footage import scenery, shot_of
from footagefit.catalogue import comparing, hung, things
from footagefit.catalogue.laying import Moments, laid
from footagefit.footage.white import light_rgb

HEIGHT, WIDTH = 135, 240


def moments(change=None, *, shift=(0, 0), seed=3, noise=0.01, paint=None) -> Moments:
    """Three moments of one set: light, then what the camera or the crew did to it."""
    world = scenery(seed, HEIGHT + 40, WIDTH + 40) ** 2.2 * 0.6 + 0.01
    rng = np.random.default_rng((seed, 100 + shift[0], 100 + shift[1]))
    frames = []
    for k in range(3):
        y, x = 20 + shift[0], 20 + shift[1] + k
        frame = world[y : y + HEIGHT, x : x + WIDTH].astype(np.float32)
        frame = frame if paint is None else paint(frame.copy())
        frame = frame if change is None else change(frame)
        grain = rng.normal(0, noise, frame.shape)
        frames.append(np.maximum(frame * (1 + grain), 0).astype(np.float32))
    return Moments(shot_of("12"), (1, 2, 3), np.stack(frames))


def between(one: Moments, other: Moments):
    base, over = (laid(one.middle, m.frames_KHWC) for m in (one, other))
    assert base is not None and over is not None
    fit = comparing.fitted(base, over)
    assert fit is not None
    return base, over, fit


@pytest.mark.parametrize("ev", [-0.7, 0.3, 1.0])
def test_exposure_in_stops(ev):
    _, _, fit = between(moments(), moments(lambda f: f * 2.0**ev, shift=(2, -3)))
    assert fit.exposure_ev == pytest.approx(ev, abs=0.03)
    assert fit.slope == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("mired", [-40.0, 25.0])
def test_white_in_mired(mired):
    kelvin = 1e6 / (1e6 / 5600 + mired)
    gains = np.array(light_rgb(kelvin)) / np.array(light_rgb(5600.0))
    _, _, fit = between(moments(), moments(lambda f: f * gains.astype(np.float32)))
    assert fit.white(white_k=5600.0)[0] == pytest.approx(mired, abs=3)
    assert fit.exposure_ev == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("slope", [0.75, 1.3])
def test_contrast_about_grey(slope):
    _, _, fit = between(moments(), moments(lambda f: 0.18 * (f / 0.18) ** slope))
    assert fit.slope == pytest.approx(slope, abs=0.04)
    assert fit.exposure_ev == pytest.approx(0.0, abs=0.05)


def plain_set(change=None, *, at: int = 100) -> Moments:
    """Somebody dark before a wall of nearly one level, who stands elsewhere in each take."""
    rng = np.random.default_rng(at)
    wall = 0.09 * 2.0 ** np.linspace(-0.1, 0.1, WIDTH, dtype=np.float32)
    frames = []
    for k in range(3):
        frame = np.repeat(np.repeat(wall[None, :, None], HEIGHT, 0), 3, 2).astype(np.float32)
        frame[20::24, ::3] *= 0.9  # something to lay takes over each other by
        frame[:, 30::40] *= 0.93
        body = np.linspace(0.015, 0.06, HEIGHT - 30, dtype=np.float32)
        frame[30:, at + k : at + k + 45] = body[:, None, None]
        frame = frame if change is None else change(frame)
        grain = rng.normal(0, 0.01, frame.shape)
        frames.append(np.maximum(frame * (1 + grain), 0).astype(np.float32))
    return Moments(shot_of("12"), (1, 2, 3), np.stack(frames))


@pytest.mark.parametrize("slope", [0.72, 1.4])
def test_contrast_where_all_that_stands_is_one_level(slope):
    _, _, fit = between(plain_set(), plain_set(lambda f: 0.18 * (f / 0.18) ** slope, at=118))
    assert fit.slope == pytest.approx(slope, abs=0.08)
    assert fit.exposure_ev == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("ev", [-0.5, 0.6])
def test_exposure_where_all_that_stands_is_one_level(ev):
    _, _, fit = between(plain_set(), plain_set(lambda f: f * 2.0**ev, at=118))
    assert fit.slope == 1.0
    assert fit.exposure_ev == pytest.approx(ev, abs=0.05)


def test_light_from_elsewhere_is_what_no_line_explains():
    across = np.linspace(-0.8, 0.8, WIDTH, dtype=np.float32)[None, :, None]
    _, _, same = between(moments(), moments(shift=(1, 1)))
    _, _, moved = between(moments(), moments(lambda f: f * 2.0**across))
    assert same.light_ev < 0.1  # half of the limit
    assert moved.light_ev > 0.3


def test_other_places_are_not_compared():
    one, other = moments(seed=3), moments(seed=4)
    over = laid(one.middle, other.frames_KHWC)
    base = laid(one.middle, one.frames_KHWC)
    assert base is not None
    assert over is None or comparing.fitted(base, over) is None


def test_a_soft_take_is_softer_whatever_its_exposure_and_grain():
    import cv2

    def soft(frame):
        return 0.6 * cv2.GaussianBlur(frame, (0, 0), 1.6)

    sharp, grainy = moments(), moments(lambda f: 1.5 * f, noise=0.05)
    assert comparing.detail_stops(sharp.frames_KHWC, moments(soft).frames_KHWC) < -0.5
    assert abs(comparing.detail_stops(sharp.frames_KHWC, grainy.frames_KHWC)) < 0.25


def test_what_is_burnt_out_is_counted():
    frames = moments().frames_KHWC
    assert comparing.clipped_share(frames * 0.5) == 0.0
    burnt = np.minimum(frames * 20, 1.0)
    assert comparing.clipped_share(burnt) > 0.2


def test_a_bright_wall_with_grain_is_not_burnt_out_and_a_ceiling_is_that_a_codec_overshoots():
    rng = np.random.default_rng(1)
    wall = 1.2 * (1 + rng.normal(0, 0.015, (3, HEIGHT, WIDTH, 1))).astype(np.float32).repeat(3, -1)
    assert comparing.clipped_share(wall) < 0.02
    ceiling = np.ones_like(wall)
    ceiling[:, :, ::40] = 1.1
    ceiling[:, HEIGHT // 2 :] = 0.2
    assert comparing.clipped_share(ceiling) > 0.3


def test_what_a_take_burnt_out_is_darker_than_the_other_says_it_should_be():
    def brighter(frame):
        frame[: HEIGHT // 3] = 0.9  # a plain sky
        return frame

    hero = moments(paint=brighter)
    base, over, fit = between(hero, moments(lambda f: np.minimum(f * 4, 1.0), paint=brighter))
    assert fit.exposure_ev == pytest.approx(2.0, abs=0.1)
    assert comparing.burnt_more(base, over, fit) > 0.3
    base, over, fit = between(hero, moments(lambda f: f * 1.6, paint=brighter))
    assert abs(comparing.burnt_more(base, over, fit)) < 0.02


def test_a_wire_is_found_and_boxed():
    def wired(frame):
        rows = np.arange(HEIGHT)
        frame[rows, (150 + rows * 0.12).astype(int)] *= 0.45
        return frame

    base, over, fit = between(moments(), moments(paint=wired, shift=(1, 0)))
    found = things.things(base, over, fit)
    assert found and found[0].kind == "wire"
    x, _, w, h = found[0].box
    assert 135 <= x <= 160 and x + w <= 180 and h > 100


def leafy(frame: np.ndarray) -> np.ndarray:
    """The same leaves in every take: light and dark as thin as wires are."""
    rng = np.random.default_rng(8)
    leaves = np.repeat(np.repeat(rng.normal(0, 0.8, (HEIGHT // 3, WIDTH // 3, 1)), 3, 0), 3, 1)
    return (frame * 2.0 ** leaves.astype(np.float32)).astype(np.float32)


def test_a_wire_before_leaves_is_found_by_what_differs():
    def wired(frame):
        rows = np.arange(HEIGHT)
        frame = leafy(frame)
        frame[rows, (150 + rows * 0.12).astype(int)] = 0.02
        return frame

    base, over, fit = between(moments(leafy), moments(wired))
    found = [t for t in things.things(base, over, fit) if t.kind == "wire"]
    assert len(found) == 1
    x, _, w, h = found[0].box
    assert 140 <= x <= 160 and x + w <= 175 and h > 100
    base, over, fit = between(moments(leafy), moments(leafy, noise=0.03))
    assert things.things(base, over, fit) == []


def test_a_wire_that_sways_is_found_before_a_person_of_many_folds():
    """At each moment it hangs elsewhere, so that no median over moments shows it."""
    at = iter((90, 97, 104))

    def wired(frame):
        rows = np.arange(HEIGHT)
        frame = leafy(frame)
        frame[rows, (next(at) + rows * 0.2).astype(int)] = 0.02
        return frame

    base, over, fit = between(moments(leafy), moments(wired))
    found = hung.wire(base, over, fit)
    assert found is not None and found.length > hung.LEAST
    x, y, w, h = found.box
    assert 84 <= x <= 110 and x + w <= 140 and y < 10 and h > 110


def test_an_edge_of_something_new_is_no_wire():
    """The line along which what differs ends has one side that differs too."""

    def built(frame):
        frame[:, 120:] *= 0.5
        return frame

    base, over, fit = between(moments(), moments(paint=built))
    assert hung.wire(base, over, fit) is None


def test_what_stands_a_pixel_off_is_no_wire():
    """Edges and bars differ along all of their length where takes lie a pixel off each other."""

    def edge(at):
        def paint(frame):
            frame[:, at:] *= 2.0
            return frame

        return paint

    def bar(at):
        def paint(frame):
            frame[:, at : at + 3] = 0.03
            return frame

        return paint

    for standing in (edge, bar):
        base, over, fit = between(moments(paint=standing(120)), moments(paint=standing(121)))
        assert hung.wire(base, over, fit) is None


def test_a_boom_hangs_in_from_above():
    def boomed(frame):
        frame[:14, 90:125] = 0.004
        return frame

    base, over, fit = between(moments(), moments(paint=boomed))
    assert "boom" in [t.kind for t in things.things(base, over, fit)]


def test_wardrobe_of_another_colour_is_found_where_it_is():
    def dressed(colour):
        def paint(frame):
            frame[50:120, 80:140] = np.array(colour, np.float32) * (
                0.9 + 0.2 * np.random.default_rng(0).random((70, 60, 1), np.float32)
            )
            return frame

        return paint

    base, over, fit = between(
        moments(paint=dressed((0.3, 0.12, 0.1))), moments(paint=dressed((0.1, 0.16, 0.3)))
    )
    found = [t for t in things.things(base, over, fit) if t.kind == "wardrobe"]
    assert found
    x, y, w, h = found[0].box
    assert 70 <= x <= 90 and 40 <= y <= 60 and 45 <= w <= 75 and 55 <= h <= 85


def test_a_garment_of_nearly_the_same_colour_is_told_and_grain_is_not():
    def dressed(colour):
        def paint(frame):
            frame[50:120, 80:140] = np.array(colour, np.float32)
            return frame

        return paint

    pink, salmon = (0.42, 0.36, 0.40), (0.46, 0.36, 0.33)
    kinds = []
    for colour in (salmon, pink):
        one, other = moments(paint=dressed(pink)), moments(paint=dressed(colour), noise=0.04)
        base, over, fit = between(one, other)
        kinds.append([t.kind for t in things.things(base, over, fit)])
    assert kinds == [["wardrobe"], []]


def test_a_garment_that_one_take_burnt_out_is_no_other_garment():
    """Its colour is lost in the hero: the ceiling is white, and less exposure shows it coloured."""
    colour = np.array([1.5, 1.0, 0.7], np.float32)

    def dressed(frame):
        frame[50:120, 80:140] = 1.2 * colour
        return frame

    def exposed(ev):
        return lambda f: np.minimum(f * 2.0**ev, 1.0)

    base, over, fit = between(
        moments(exposed(0.0), paint=dressed), moments(exposed(-1.0), paint=dressed)
    )
    assert fit.exposure_ev == pytest.approx(-1.0, abs=0.05)
    assert things._tinted(base, over, fit) == []


def test_a_prop_that_moved_is_found_once():
    wall = np.array([0.2, 0.2, 0.2], np.float32)

    def with_ball(at):
        def paint(frame):
            frame[:] = 0.85 * wall + 0.15 * frame
            y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
            frame[(x - at) ** 2 + (y - 80) ** 2 < 8**2] = (0.5, 0.1, 0.05)
            return frame

        return paint

    base, over, fit = between(moments(paint=with_ball(70)), moments(paint=with_ball(110)))
    found = things.things(base, over, fit)
    assert [t.kind for t in found] == ["prop"]
    assert found[0].moved_px == pytest.approx(40, abs=4)


def test_nothing_is_told_of_two_clean_takes():
    base, over, fit = between(moments(), moments(shift=(1, 2)))
    assert things.things(base, over, fit) == []


def test_a_slope_that_explains_little_is_not_believed():
    def hazy(frame):
        rng = np.random.default_rng(5)
        rough = np.repeat(np.repeat(rng.normal(0, 0.35, (9, 16, 1)), 15, 0), 15, 1)
        return (0.18 * (frame / 0.18) ** 1.06 * 2.0**rough).astype(np.float32)

    _, _, fit = between(moments(), moments(hazy))
    assert fit.slope == 1.0


def test_light_is_judged_beside_what_somebody_wears():
    def dressed(frame):
        frame[40:, 60:150] *= np.float32(2.0)
        return frame

    _, _, fit = between(moments(), moments(dressed))
    assert fit.light_ev > 0.2 and fit.light_beside([(50, 30, 110, 105)]) < 0.1
    assert fit.light_beside([(0, 0, WIDTH, HEIGHT)]) == fit.light_ev
