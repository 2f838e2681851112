"""Real pixels come to holes: moving cameras, standing ones, missing frames, other takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from footagefit.errors import UnknownName, UsageError
from footagefit.evaluation import fills
from footagefit.motion.propagation import Propagation
from footagefit.records import Box
from footagefit.signature import coordinates
from footagefit.signature.distortion import Distortion
from footagefit.signature.record import Lens
from motion_made import SIZE, Scene, Shot, decibels, disc, pan, shifted, view
from signature_made import grain

COUNT = 9
MIDDLE = COUNT // 2


def grained(frames, seed=0, strength=0.02):
    draw = torch.Generator().manual_seed(seed)
    return [f * (1 + strength * torch.randn(f.shape, generator=draw)) for f in frames]


@pytest.mark.parametrize("by", [3.3, -2.6])
def test_under_a_moving_camera_it_beats_inpainting_by_far(by):
    frames = pan(Scene(20), COUNT, by=by, down=0.6)
    shot = Shot(grained(frames), [disc(56, 34, 9)] * COUNT)
    hole = shot.hole(1001)
    made = Propagation(shot).at(1001 + MIDDLE)
    best = max(
        decibels(fills.inpainted(frames[MIDDLE], hole, way=way), frames[MIDDLE], hole)
        for way in ("telea", "navier-stokes")
    )
    assert decibels(made.rgb_CHW, frames[MIDDLE], hole) > best + 10.0
    assert float(made.confidence_1HW[hole > 0].mean()) > 0.7
    assert float(made.confidence_1HW[hole == 0].max()) == 0.0
    assert float(made.rgb_CHW.abs().sum(0)[hole[0] == 0].max()) == 0.0


def test_a_standing_camera_sees_the_background_elsewhere():
    background = view(Scene(21), np.eye(3))
    holes = [disc(20 + 9 * i, 36, 12) for i in range(COUNT)]
    shot = Shot(grained([background] * COUNT), holes)
    made = Propagation(shot).at(1001 + MIDDLE)
    hole = holes[MIDDLE]
    assert decibels(made.rgb_CHW, background, hole) > 40.0
    assert float(made.grain_1HW[hole > 0].mean()) < 0.4  # a mean of several frames
    assert float(made.confidence_1HW[hole > 0].min()) > 0.8


@pytest.mark.parametrize("by", [0.0, 0.5])
def test_what_lies_right_beside_a_hole_of_another_frame_is_carried(by):
    """A swaying wire leaves its neighbour frames little else to show."""
    frames = pan(Scene(24), 2, by=by, down=0.0)
    holes = [torch.zeros(1, *SIZE) for _ in frames]
    holes[0][..., 50:54] = holes[1][..., 54:58] = 1.0
    shot = Shot([torch.where(h > 0, 0.0, f) for f, h in zip(frames, holes, strict=True)], holes)
    made = Propagation(shot).at(1001)
    hole = holes[0]
    sees = hole * (torch.arange(SIZE[1]) < 54 - by)
    assert float((made.confidence_1HW[sees > 0] > 0.2).float().mean()) > 0.9
    assert decibels(made.rgb_CHW, frames[0], sees) > 30.0


def test_what_is_said_of_the_grain_of_carried_pixels_goes_by_grain_and_light():
    frames = pan(Scene(20), COUNT, by=3.3, down=0.6)
    darker = [0.5 * f if n == MIDDLE else f for n, f in enumerate(frames)]
    holes, asked = [disc(56, 34, 9)] * COUNT, list[float]()

    def said_of(plates, size_px: float) -> float:
        def told():
            asked.append(size_px)
            return grain(size_px=size_px)

        shot = Propagation(Shot(plates, holes), grain=told)
        shot.prepare()
        assert not asked, "before anything is carried"
        shot.at(1002 + MIDDLE)
        made = shot.at(1001 + MIDDLE)
        assert asked.pop() == size_px and not asked, "once"
        return float(made.grain_1HW[made.confidence_1HW > 0.5].mean())

    said = {size: said_of(frames, size) for size in (0.1, 2.0)}
    assert 0.7 < said[0.1] / said[2.0] < 0.85
    assert said_of(darker, 2.0) == pytest.approx(0.5 * said[2.0], rel=0.1)


def test_another_exposure_is_matched():
    frames = pan(Scene(22), COUNT, by=3.0)
    stepped = [f * 2.0 ** (0.25 * (i - MIDDLE)) for i, f in enumerate(frames)]
    shot = Shot(stepped, [disc(50, 30, 8)] * COUNT)
    made = Propagation(shot).at(1001 + MIDDLE)
    hole = shot.hole(1001)
    ratio = (made.rgb_CHW / frames[MIDDLE])[:, hole[0] > 0].log2()
    assert abs(float(ratio.median())) < 0.02
    assert float(ratio.abs().mean()) < 0.06


def test_what_no_frame_shows_is_not_made_up():
    shot = Shot([view(Scene(23), np.eye(3))] * 5, [disc(56, 36, 10)] * 5)
    made = Propagation(shot).at(1003)
    assert not made.rgb_CHW.any()
    assert not made.confidence_1HW.any()


def test_no_hole_is_nothing_and_an_unknown_frame_is_named():
    shot = Shot(pan(Scene(24), 3, by=2.0))
    ready = Propagation(shot)
    assert not ready.at(1002).confidence_1HW.any()
    with pytest.raises(UnknownName, match="1009"):
        ready.at(1009)


def test_every_frame_a_hole_is_an_error():
    whole = torch.ones(1, *SIZE)
    shot = Shot(pan(Scene(24), 3, by=2.0), [whole] * 3)
    with pytest.raises(UsageError, match="every one is a hole"):
        Propagation(shot).prepare()


def test_a_hole_that_touches_every_border_is_filled():
    frames = pan(Scene(25), COUNT, by=4.0, down=1.5)
    hole = torch.zeros(1, *SIZE)
    hole[:, 34:38] = 1.0
    hole[..., 54:58] = 1.0
    made = Propagation(Shot(frames, [hole] * COUNT)).at(1001 + MIDDLE)
    shown = (made.confidence_1HW > 0.3) & (hole > 0)
    assert float(shown.sum() / hole.sum()) > 0.9
    assert decibels(made.rgb_CHW, frames[MIDDLE], shown.float()) > 33.0


def test_borders_come_from_where_the_pan_has_been_and_will_be():
    wide = (72, 160)
    scene = Scene(26)
    frames = [view(scene, shifted(5.0 * i), wide) for i in range(13)]
    border = torch.ones(1, *wide)
    border[..., 24:-24] = 0.0
    made = Propagation(Shot(frames, [border] * 13)).at(1007)
    assert float((made.confidence_1HW > 0.2)[border > 0].float().mean()) > 0.9
    assert decibels(made.rgb_CHW, frames[6], border) > 30.0
    mirrored = torch.nn.functional.pad(frames[6][None, ..., 24:-24], (24, 24, 0, 0), "reflect")[0]
    assert decibels(made.rgb_CHW, frames[6], border) > decibels(mirrored, frames[6], border) + 8.0


def test_the_lens_is_taken_into_account():
    """Under a strong lens a pan's far border is a pixel and more off without it."""
    wide, lens = (72, 160), Distortion(-0.09, 0.0)
    scene, half = Scene(27), coordinates.half_diagonal_px(wide)
    x, y = np.broadcast_arrays(*coordinates.grid(wide))
    x, y = lens.undistorted(x.astype(float), y.astype(float))
    frames = [scene.at(x * half + 6.0 * i, -y * half) for i in range(11)]
    border = torch.ones(1, *wide)
    border[..., 20:-20] = 0.0
    shot = Shot(frames, [border] * 11)
    plain = Propagation(shot).at(1006)
    known = Propagation(shot, lens=Lens(distortion=lens), plate=Box(0, 0, 160, 72)).at(1006)
    both = ((plain.confidence_1HW > 0) & (known.confidence_1HW > 0) & (border > 0)).float()
    through = decibels(known.rgb_CHW, frames[5], both)
    assert through > 27.0
    assert through > decibels(plain.rgb_CHW, frames[5], both) + 1.0


def test_a_dropped_frame_is_between_its_neighbours_and_beats_a_blend():
    frames = pan(Scene(28), 7, by=4.0)
    holes = [torch.zeros(1, *SIZE)] * 7
    holes[3] = torch.ones(1, *SIZE)
    made = Propagation(Shot(frames, holes)).at(1004)
    there = (made.confidence_1HW > 0.3).float()
    assert float(there.mean()) > 0.97
    blend = decibels(0.5 * (frames[2] + frames[4]), frames[3], there)
    assert decibels(made.rgb_CHW, frames[3], there) > blend + 8.0


def test_handles_go_where_the_camera_goes_and_their_border_comes_from_the_shot():
    frames = pan(Scene(29), 14, by=3.0)
    holes = [torch.zeros(1, *SIZE)] * 10 + [torch.ones(1, *SIZE)] * 4
    ready = Propagation(Shot(frames, holes))
    for step in range(4):
        made = ready.at(1011 + step)
        there = (made.confidence_1HW > 0.2).float()
        held = decibels(frames[9], frames[10 + step], there)
        assert decibels(made.rgb_CHW, frames[10 + step], there) > held + 8.0
    assert float(made.confidence_1HW[..., -10:].max()) == 0.0  # no frame has been there
    head = Propagation(Shot(frames, holes[::-1])).at(1004)
    assert decibels(head.rgb_CHW, frames[3], (head.confidence_1HW > 0.2).float()) > 33.0


def test_another_take_shows_what_this_one_never_does():
    scene = Scene(30)
    shot = Shot([view(scene, np.eye(3))] * 4, [disc(56, 36, 10)] * 4)
    other = Shot([view(scene, shifted(2.5, -1.5)) * 0.6] * 3)
    made = Propagation(shot, takes=[other]).at(1002)
    hole = shot.hole(1002)
    assert float((made.confidence_1HW > 0.2)[hole > 0].float().mean()) > 0.95
    assert decibels(made.rgb_CHW, shot.frames[1], hole) > 30.0
    stranger = Shot([view(Scene(31), np.eye(3))] * 3)
    assert not Propagation(shot, takes=[stranger]).at(1002).confidence_1HW.any()
    large = Shot([view(scene, np.eye(3), (80, 120))] * 2)
    with pytest.raises(UsageError, match="120x80"):
        Propagation(shot, takes=[large]).prepare()


def test_what_was_kept_gives_the_same_bits_and_reads_less(tmp_path):
    def shot():
        return Shot(pan(Scene(32), 5, by=3.0), [disc(50, 30, 7)] * 5)

    first = Propagation(shot(), cache=tmp_path).at(1003)
    again = shot()
    ready = Propagation(again, cache=tmp_path)
    ready.prepare()
    assert again.read == 0
    plain = Propagation(shot()).at(1003)
    for one, kept, none in zip(first, ready.at(1003), plain, strict=True):
        assert torch.allclose(one, kept, atol=2e-3)  # looks are kept in half
        assert torch.equal(one, none)
    (tmp_path / "motion.npz").write_bytes(b"torn")
    assert torch.equal(Propagation(shot(), cache=tmp_path).at(1003).rgb_CHW, first.rgb_CHW)


def test_memory_is_bounded_and_changes_no_bit():
    shot = Shot(pan(Scene(33), COUNT, by=3.0), [disc(50, 30, 7)] * COUNT)
    roomy, tight = Propagation(shot), Propagation(shot, most_bytes=1)
    for number in (1003, 1006):
        for one, other in zip(roomy.at(number), tight.at(number), strict=True):
            assert torch.equal(one, other)


def test_something_that_moves_by_itself_behind_a_hole_is_met_on_its_way():
    background = view(Scene(34), np.eye(3))

    def frame(place: float) -> torch.Tensor:
        here = view(Scene(35), shifted(-place))
        return torch.where(disc(30 + place, 36, 13) > 0, here, background)

    frames = [frame(5.0 * i) for i in range(COUNT)]
    holes = [torch.zeros(1, *SIZE)] * COUNT
    holes[MIDDLE] = disc(50, 36, 18)
    hole = holes[MIDDLE]
    made = Propagation(Shot(frames, holes)).at(1001 + MIDDLE)
    still = decibels(background, frames[MIDDLE], hole)
    assert decibels(made.rgb_CHW, frames[MIDDLE], hole) > still + 8.0


@pytest.mark.parametrize("there", [[2], [0, 4], [4]])
def test_a_shot_of_which_little_is_left(there):
    """What is not there is held, met between, or gone on to; nothing fails."""
    frames = pan(Scene(36), 5, by=1.0)
    whole = torch.ones(1, *SIZE)
    holes = [0 * whole if i in there else whole for i in range(5)]
    ready = Propagation(Shot(frames, holes))
    for number in range(1001, 1006):
        made = ready.at(number)
        if number - 1001 not in there:
            assert float(made.confidence_1HW.mean()) > 0.2
            assert torch.isfinite(made.rgb_CHW).all()
    alone = Propagation(Shot(frames[:1], [disc(40, 30, 6)])).at(1001)
    assert not alone.confidence_1HW.any()


def test_pixels_that_are_no_numbers_harm_nobody():
    frames = pan(Scene(37), COUNT, by=3.0)
    frames[2][:, 10:14, 60:64] = float("nan")
    frames[6][:, 50:54, 30:34] = float("inf")
    hole = disc(56, 34, 8)
    made = Propagation(Shot(frames, [hole] * COUNT)).at(1001 + MIDDLE)
    assert torch.isfinite(made.rgb_CHW).all()
    assert decibels(made.rgb_CHW, frames[MIDDLE], hole) > 30.0
