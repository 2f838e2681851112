"""Match: examples are honest, repeatable, and every family does what it says."""

import math

import pytest
import torch

from footagefit.errors import UnknownName, WrongValue
from footagefit.tasks.base import PlainWindow
from footagefit.tasks.codecs import CODECS
from footagefit.tasks.degrade import FAMILIES
from footagefit.tasks.draws import generator
from footagefit.tasks.match import SIGNATURE, Match


def a_frame(height: int = 48, width: int = 80) -> torch.Tensor:
    y = torch.linspace(0, 1, height).view(1, -1, 1)
    x = torch.linspace(0, 1, width).view(1, 1, -1)
    waves = 0.3 + 0.25 * torch.sin(12 * x + torch.tensor([0.0, 1.0, 2.0]).view(3, 1, 1)) * y
    frame = waves * 2 ** (3 * x - 2)
    frame[:, 5:9, 5:9] = 12.0
    return frame


@pytest.mark.parametrize("name", list(FAMILIES))
def test_a_change_of_light_is_repeatable_finite_and_keeps_highlights_open(name):
    frame = a_frame()
    changes = []
    for seed in range(12):
        one = FAMILIES[name].change(frame.clone(), generator(seed))
        again = FAMILIES[name].change(frame.clone(), generator(seed))
        assert torch.equal(one, again)
        assert one.shape == frame.shape
        assert bool(torch.isfinite(one).all())
        changes.append(float((one - frame).abs().mean()))
    assert max(changes) > 0.01
    assert len(set(changes)) > 6
    brightest = max(
        float(FAMILIES[name].change(frame.clone(), generator(s)).amax()) for s in range(6)
    )
    assert brightest > 2.0


@pytest.mark.parametrize("name", ["lobes", "gradient", "soft_shadow", "mixed_kelvin"])
def test_fields_do_not_depend_on_resolution(name):
    small, big = torch.ones(3, 36, 64), torch.ones(3, 144, 256)
    one = FAMILIES[name].change(small, generator(4))
    other = FAMILIES[name].change(big, generator(4))
    other = torch.nn.functional.adaptive_avg_pool2d(other, (36, 64))
    assert torch.allclose(one.log2(), other.log2(), atol=0.12)


def test_warm_is_warm_and_exposure_is_even():
    grey = torch.full((3, 8, 8), 0.18)
    ratios = [FAMILIES["exposure"].change(grey, generator(s)) / grey for s in range(8)]
    for ratio in ratios:
        assert float(ratio.max() - ratio.min()) < 1e-6
    balanced = [FAMILIES["white_balance"].change(grey, generator(s))[:, 0, 0] for s in range(30)]
    for red, _, blue in balanced:
        warmer = math.log2(float(red / blue))
        assert abs(warmer) < 1.2
    luma = torch.tensor([0.2722287, 0.6740818, 0.0536895])
    assert all(float((b * luma).sum()) == pytest.approx(0.18, rel=1e-4) for b in balanced)


@pytest.mark.parametrize("name", list(CODECS))
def test_a_codec_is_repeatable_and_near_the_picture(name):
    frame = a_frame().clamp(0, 0.9)
    for seed in range(4):
        one = CODECS[name].change(frame.clone(), generator(seed))
        again = CODECS[name].change(frame.clone(), generator(seed))
        assert torch.equal(one, again)
        assert bool(torch.isfinite(one).all())
        assert float((one - frame).abs().mean()) < 0.12


def test_jpeg_and_h264_really_lose_and_clipping_clips():
    frame = a_frame().clamp(0, 0.9)
    for name in ("jpeg", "h264"):
        errors = [
            float((CODECS[name].change(frame, generator(s)) - frame).abs().mean())
            for s in range(10)
        ]
        assert 1e-4 < min(errors) < max(errors) / 1.5
    assert float(CODECS["clipping"].change(a_frame(), generator(0)).amax()) <= 4.0


def test_the_target_is_the_frame_itself():
    task = Match(size=(48, 80), worlds=0.0, keep=0.0, harmonise=0.0)
    frame = a_frame()
    found = 0
    for seed in range(20):
        pair = task.pair(PlainWindow(frame[None]), generator(seed))
        found += torch.allclose(pair.target[0], frame, atol=1e-6)
        assert not torch.equal(pair.given.plate, pair.target)
        assert bool(torch.isfinite(pair.given.plate).all())
    assert 1 <= found < 20


def test_the_same_generator_gives_the_same_pair_and_another_another():
    task, window = Match(size=(32, 64)), PlainWindow(a_frame()[None], a_frame()[None] * 0.5)
    one, again, other = (task.pair(window, generator(s)) for s in (3, 3, 4))
    assert torch.equal(one.given.plate, again.given.plate)
    assert torch.equal(one.given.reference, again.given.reference)
    assert not torch.equal(one.given.plate, other.given.plate)


def test_keep_returns_the_frame_and_harmonise_changes_the_element_only():
    window = PlainWindow(a_frame()[None])
    kept = Match(size=(32, 64), keep=1.0).pair(window, generator(0))
    assert torch.equal(kept.given.plate, kept.target)
    pair = Match(size=(32, 64), harmonise=1.0, keep=0.0).pair(window, generator(1))
    outside = (pair.given.mask < 1e-4).expand_as(pair.target)
    assert 0.02 < float(pair.given.mask.mean()) < 0.98
    assert torch.allclose(pair.given.plate[outside], pair.target[outside], atol=2e-3)


def test_families_can_be_held_out_and_unknown_ones_are_listed():
    task = Match(families=["exposure"], codecs=[], size=(32, 64), keep=0, harmonise=0, worlds=0)
    pair = task.pair(PlainWindow(a_frame()[None]), generator(2))
    ratio = pair.given.plate / pair.target
    assert float(ratio.max() - ratio.min()) < 1e-3
    with pytest.raises(UnknownName, match=r"unknown family 'exposur'; known: exposure"):
        Match(families=["exposur"])
    with pytest.raises(UnknownName, match="unknown codec"):
        Match(codecs=["mp3"])
    with pytest.raises(WrongValue, match="rows and columns"):
        Match(size=(144,))


def test_given_for_a_shot_takes_alpha_as_the_mask():
    frames = a_frame()[None].expand(3, -1, -1, -1)
    alpha = torch.rand(3, 1, 48, 80)
    window = PlainWindow(frames, a_frame()[None], {"alpha": alpha}, {SIGNATURE[0]: 0.5})
    given = Match().given(window, {"strength": 1.0})
    assert torch.equal(given.mask, alpha)
    assert torch.equal(given.plate, frames)
    assert given.reference.shape == (3, 1, 3, 48, 80)
    assert given.vector[2, :2].tolist() == [0.5, 1.0]
    whole = Match().given(PlainWindow(frames), {})
    assert float(whole.mask.min()) == 1.0
    assert whole.reference.shape[1] == 0


def test_black_stays_black_under_contrast_and_nothing_becomes_a_number_no_more():
    dark = torch.zeros(3, 16, 16)
    dark[0, 0, 0] = -0.17
    for name in FAMILIES:
        for seed in range(4):
            out = FAMILIES[name].change(dark.clone(), generator(seed))
            assert bool(torch.isfinite(out).all()), name
            assert float(out.abs().max()) < 2.0, name


def test_plate_and_references_are_mirrored_together():
    ramp = torch.linspace(0.1, 0.9, 80).expand(3, 48, 80).clone()
    task = Match(families=[], codecs=[], size=(32, 48), worlds=0.0, harmonise=0.0, keep=1.0)
    window = PlainWindow(ramp[None], ramp[None])
    mirrored = 0
    for index in range(24):
        pair = task.pair(window, generator(3, index))
        plate, reference, place = (
            torch.diff(picture, dim=-1).mean()
            for picture in (pair.given.plate, pair.given.reference, pair.given.guide[:, :1])
        )
        assert torch.sign(plate) == torch.sign(reference) == torch.sign(place)
        mirrored += int(plate < 0)
    assert 6 <= mirrored <= 18


def test_what_is_judged_by_eye_is_whole_and_the_right_way_round():
    window = PlainWindow(a_frame()[None], reference_RCHW=a_frame(24, 40)[None])
    task = Match(size=None, least=1.0, mirror=0.0, keep=0.0, harmonise=0.0, worlds=0.0)
    for seed in range(6):
        pair = task.pair(window, generator(seed))
        assert torch.equal(pair.target[0], a_frame())
        assert pair.given.plate.shape == (1, 3, 48, 80)
        assert pair.given.reference.shape == (1, 1, 3, 48, 80)
        assert not torch.equal(pair.given.plate, pair.target)
    with pytest.raises(WrongValue, match="least"):
        Match(least=0.0)
    with pytest.raises(WrongValue, match="pairs: expected a share from 0 to"):
        Match(pairs=0.7)
    with pytest.raises(WrongValue, match="replay: expected a share from 0 to"):
        Match(replay=-0.1)
