"""What propagation stands on: spreading, gains, the middle of views, choice, the lens."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from footagefit.motion import aligning, flow, gains, looks, merging, sources, spreading, warps
from footagefit.motion.carried import RESAMPLED, Resampled
from footagefit.motion.crossing import Side, crossed
from footagefit.motion.filling import View, nearest_first
from footagefit.motion.glass import Glass
from footagefit.motion.sources import Candidate
from footagefit.records import Box
from footagefit.signature import coordinates, distortion
from footagefit.signature.distortion import Distortion
from footagefit.signature.grain_synthesis import Synthesis
from footagefit.signature.record import Lens
from footagefit.signature.vignette import Vignette
from motion_made import Scene, grid, shifted, view
from signature_made import grain


def test_spreading_keeps_what_is_known_and_runs_smoothly_between():
    y, x = np.mgrid[0:60, 0:80].astype(np.float32)
    slope = np.stack([0.1 * x - 0.05 * y, np.full_like(x, 3.0)], -1)
    known = ((x - 40) ** 2 + (y - 30) ** 2 > 15**2).astype(np.float32)
    made = spreading.spread(np.where(known[..., None] > 0, slope, 1e6), known)
    assert np.array_equal(made[known > 0], slope[known > 0])
    assert np.abs(made[..., 0] - slope[..., 0]).max() < 0.7  # of 2.9 across the hole
    assert np.allclose(made[..., 1], 3.0, atol=1e-3)


def test_nothing_known_spreads_nothing():
    assert not spreading.spread(np.ones((9, 9, 1)), np.zeros((9, 9))).any()


def test_the_curve_comes_back_and_keeps_negatives_and_highlights():
    light = np.array([-0.2, 0.0, 1e-4, 0.18, 4.0, 460.0, 60000.0], np.float32)
    assert np.allclose(looks.straight(looks.bent(light)), light, rtol=2e-5, atol=1e-6)


def test_a_gain_that_leans_is_found_among_strangers():
    rng = np.random.default_rng(2)
    place = rng.uniform(0, 200, (4000, 2))
    light = rng.uniform(0.02, 2.0, (4000, 3))
    stops = np.array([0.5, -0.25, 0.0]) + 0.3 * (place[:, :1] - 100) / 100
    wanted = light * np.exp2(stops) * (1 + 0.02 * rng.standard_normal((4000, 3)))
    wanted[:1200] = rng.uniform(0.02, 2.0, (1200, 3))  # an actor who was not there
    found = gains.fitted(wanted, light, place, np.ones(4000), half_px=100.0)
    assert np.allclose(np.log2(found.at(place)), stops, atol=0.06)
    few = gains.fitted(wanted[:5], light[:5], place[:5], np.ones(5), half_px=100.0)
    assert np.array_equal(few.at(place[:3]), np.ones((3, 3)))


def test_the_middle_of_views_leaves_out_who_walks_through_and_averages_the_rest():
    rng = np.random.default_rng(3)
    views = [1.0 + 0.02 * rng.standard_normal((500, 3)).astype(np.float32) for _ in range(6)]
    views.append(np.full((500, 3), 3.0, np.float32))
    ones = np.ones(500, np.float32)
    made = merging.merged(views, *([[ones] * 7] * 3))
    assert np.abs(made.codes_N3 - 1.0).mean() < 0.012
    assert made.grain_N.mean() == pytest.approx(1 / 6, abs=0.02)
    assert made.sure_N.min() > 0.9


def test_views_that_disagree_are_less_sure_and_none_is_nothing():
    ones, weight = np.ones((4, 3), np.float32), np.full(4, 0.8, np.float32)
    agree = merging.merged([ones, ones], *([[weight, weight]] * 3))
    apart = merging.merged([ones, 4 * ones], *([[weight, weight]] * 3))
    none = merging.merged([ones], [0 * weight], [weight], [weight])
    assert apart.sure_N.max() < 0.8 * agree.sure_N.min()
    assert not none.sure_N.any()
    assert not none.codes_N3.any()
    assert (none.grain_N == 1.0).all()


def test_the_frames_chosen_show_every_place_and_near_ones_come_first():
    left, right = np.arange(100) < 50, np.arange(100) >= 50
    near = [Candidate(0, n, left, n) for n in range(1, 20)]
    chosen = sources.choose([*near, Candidate(0, 60, right, 60.0)], most=4)
    assert [c.number for c in chosen] == [1, 2, 3, 60]
    assert sources.choose([Candidate(0, 1, left & right, 1.0)], most=4) == []


def test_each_place_is_seen_from_as_near_as_it_can_be():
    """A hole that passes uncovers more the further one looks, to both sides."""
    places = np.arange(120)
    passing = [Candidate(0, n, places < 15 * abs(n), abs(n)) for n in range(-20, 21) if n]
    chosen = sources.choose(passing, most=10)
    nearest = np.min([np.where(c.seen_N, c.far, np.inf) for c in chosen], 0)
    assert (nearest - (places // 15 + 1) <= 1.0).mean() > 0.9
    assert max(c.far for c in chosen) <= 9.0


def test_where_things_stir_the_nearest_in_time_counts_and_where_all_is_calm_every_view_does():
    sure, codes = np.ones(2, np.float32), np.zeros((2, 3), np.float32)
    worth = np.array([0.5, 0.002], np.float32)  # calm at the one place, stirring at the other
    views = [View(codes, sure, worth, sure)] * 3
    near, further, far = (v.worth_N for v in nearest_first(views, [1.0, 3.0, 9.0]))
    assert near[0] == further[0] == far[0] == pytest.approx(0.5)
    assert near[1] == pytest.approx(0.002)
    assert 10 * further[1] < near[1] and far[1] < further[1]
    blind = [views[0]._replace(weight_N=0.0 * sure), views[2]]  # the near one shows nothing
    assert nearest_first(blind, [1.0, 9.0])[1].worth_N[1] > 0.0


def test_nothing_is_said_of_what_moves_over_many_frames():
    """It does not go straight on so long: neither frame is even looked at."""
    plate = sources.whole_plate(torch.ones(3, 40, 60), None)
    hole = np.zeros((40, 60), bool)
    hole[15:25, 20:40] = True
    known = aligning.Known(aligning.region(hole, long_px=64), plate, hole)

    def track(*_: object) -> np.ndarray:
        raise AssertionError("looked at")

    sides = [Side(plate, lambda at: at, 5.0)] * 2
    assert crossed(known, sides[0], sides[1], track) is None
    with pytest.raises(AssertionError, match="looked at"):
        crossed(known, sides[0]._replace(far=1.0), sides[1]._replace(far=1.0), track)


@pytest.mark.parametrize("size_px", [0.3, 0.6, 1.2])
@pytest.mark.parametrize("place", [(0.5, 0.5), (0.25, 0.0), (0.9, 0.4), (0.0, 0.0)])
def test_what_reading_between_pixels_leaves_of_grain_is_told_by_place_and_coarseness(
    size_px, place
):
    true = grain(size_px=size_px)
    field = Synthesis(true, seed=1).field((240, 320), number=1)[1].numpy()
    at = warps.pixels((230, 310)).reshape(-1, 2) + np.array(place, np.float32) + 4.0
    left = float(warps.at_places(field, at).var() / field[4:-6, 4:-6].var())
    told = Resampled(true).left(at)
    assert told.min() == told.max() == pytest.approx(left, abs=0.03)


def test_grain_that_nobody_measured_loses_a_little_between_pixels():
    at = np.array([[3.0, 4.0], [3.01, 4.0], [3.5, 4.0]], np.float32)
    assert Resampled().left(at).tolist() == pytest.approx([1.0, 1.0, RESAMPLED])


def test_what_does_not_come_to_meet_counts_less_the_later_it_was():
    draw = np.random.default_rng(3)
    light = np.exp2(draw.normal(0.0, 0.4, (96, 128, 1)) - 2.0).repeat(3, -1).astype(np.float32)
    other = np.exp2(draw.normal(0.0, 0.4, (96, 128, 1)) - 2.0).repeat(3, -1).astype(np.float32)
    hole = np.zeros((96, 128), bool)
    hole[40:60, 50:80] = True
    gone, none = (torch.from_numpy(h.astype(np.float32))[None] for h in (hole, hole & False))
    part = aligning.region(hole, long_px=128)

    def worth(source: np.ndarray, far: float) -> float:
        known = aligning.Known(part, sources.seen_plate(light, gone), hole)
        plate = sources.seen_plate(source, none)
        laid = aligning.lay(known, plate, lambda at: at, flow.dis(), still=True, far=far)
        return float(laid.worth_HW.mean())

    assert worth(light, 5.0) == pytest.approx(worth(light, 1.0), rel=0.05)
    assert worth(other, 5.0) < 0.5 * worth(other, 1.0)


def test_a_canvas_knows_the_lens_of_the_plate_that_lies_in_it():
    lens = Lens(distortion=Distortion(-0.06, 0.01), vignette=Vignette(-1.0))
    canvas, plate = Glass(lens, (108, 160), Box(30, 18, 96, 54)), Glass(lens, (54, 96))
    at = np.stack(np.meshgrid(np.arange(0.0, 96.0, 7), np.arange(0.0, 54.0, 5)), -1)
    corner = np.array([30, 18])
    inner = plate.straight(at.astype(np.float32))
    outer = canvas.straight((at + corner).astype(np.float32)) - corner
    assert np.abs(inner - outer).max() < 0.05
    assert np.abs(plate.bent(inner) - at).max() < 0.05
    assert np.abs(inner - at).max() > 1.0
    shades, own = canvas.gain(), plate.gain()
    assert shades is not None and own is not None
    assert np.allclose(shades[18:72, 30:126], own, atol=1e-5)
    assert Glass(None, (54, 96)).gain() is None


def test_straight_places_are_where_the_signature_straightens_pictures():
    lens = Distortion(-0.08, 0.01)
    scene = Scene(14, shortest_px=14.0)
    bent = distortion.apply(view(scene, shifted(0)), lens)
    x, y = grid()
    at = Glass(Lens(distortion=lens), x.shape).bent(np.stack([x, y], -1).astype(np.float32))
    read = warps.at_places(coordinates.channels_last(bent), at)
    known = distortion.remove(bent, lens)
    inner = (slice(8, -8), slice(8, -8))
    assert (looks.tensor(read) - known)[:, 8:-8, 8:-8].abs().max() < 0.02
    apart = coordinates.channels_last(view(scene, shifted(0))) - read
    assert np.abs(apart[inner]).mean() < 0.01


def test_lens_coordinates_come_back():
    at = np.array([[0.0, 0.0], [31.5, 12.25]])
    lens = coordinates.to_lens(at, (54, 96), squeeze=2.0)
    assert np.allclose(coordinates.of_lens(lens, (54, 96), squeeze=2.0), at)


def test_a_look_is_soft_in_its_hole():
    plate = view(Scene(15), shifted(0))
    hole = torch.zeros(1, 72, 112)
    hole[:, 20:40, 30:60] = 1.0
    look = looks.look(plate * (1 - hole), hole, long_px=56)
    assert look.stops_HW.shape == (36, 56)
    assert look.hole_HW[11:19, 16:29].all()
    assert look.stops_HW.min() > -5.0  # no black edge
    assert looks.look(plate, hole * 0 + 1).empty
