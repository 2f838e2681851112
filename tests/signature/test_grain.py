from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from footagefit.signature import grain as measuring
from footagefit.signature import grain_table
from footagefit.signature.grain_patches import Patches, patches
from footagefit.signature.grain_removal import Removal
from footagefit.signature.grain_synthesis import Synthesis
from footagefit.signature.grain_uneven import BANDS, Uneven
from signature_made import NO_SHRINK, array, grain, smooth, steps


def measured(true, clean: torch.Tensor, frames: int = 3):
    made = Synthesis(true, seed=3)
    parts = [
        patches(
            array(made.apply(clean, number=10 * i)), array(made.apply(clean, number=10 * i + 1))
        )
        for i in range(frames)
    ]
    return measuring.fit(Patches.joined(parts))


@pytest.mark.filterwarnings("error")
def test_black_has_no_grain_where_it_rises_steeply_above():
    """Rounding must not make a variance of it that is less than nothing."""
    rng = np.random.default_rng(4)
    black = np.array([0.0, -0.02, 1e-12])
    for _ in range(200):
        levels = tuple(np.sort(rng.uniform(0.1, 1.5, 4)))
        rising = tuple(np.sort(rng.uniform(0.001, 0.05, 4)) ** 2)
        told = replace(grain(), levels=levels, deviation=(rising,) * 3).at(black, 0)
        assert np.isfinite(told).all() and (told >= 0.0).all()


@settings(max_examples=3, phases=NO_SHRINK)
@given(strength=st.floats(0.015, 0.06), size=st.floats(0.0, 1.0), shared=st.floats(0.0, 0.9))
def test_what_is_put_on_is_what_is_measured(strength, size, shared):
    true = grain(strength=strength, size_px=size, shared=shared)
    found = measured(true, steps((512, 768)))
    assert found is not None
    levels = np.array(found.levels)
    ratio = (np.array(found.deviation[1]) / true.at(levels, 1)) ** 2
    assert np.abs(ratio - 1).mean() < 0.1
    assert abs(found.correlation()[0, 1] - true.correlation()[0, 1]) < 0.05
    assert abs(found.correlation()[1, 0] - true.correlation()[1, 0]) < 0.05
    assert abs(found.channels[0][1] - shared) < 0.06
    assert found.temporal is not None and abs(found.temporal) < 0.1
    assert found.uneven is None


@settings(max_examples=2, phases=NO_SHRINK)
@given(amount=st.floats(0.6, 0.85), beside=st.floats(0.0, 0.7))
def test_grain_that_a_codec_thinned_out_is_measured_as_uneven(amount, beside):
    shared = amount**2 * (0.8 + 0.2 * np.eye(BANDS))
    spread = tuple(tuple(float(v) for v in row) for row in shared)
    true = replace(grain(strength=0.03, size_px=0.5), uneven=Uneven(spread, beside))
    found = measured(true, steps((512, 768)), frames=4)
    assert found is not None and found.uneven is not None
    told = np.sqrt(np.diag(np.array(found.uneven.spread)))
    assert told == pytest.approx([amount] * BANDS, rel=0.25)
    assert abs(found.uneven.beside - beside) < 0.25
    ratio = np.array(found.deviation[1]) / true.at(np.array(found.levels), 1)
    assert float(np.exp(np.log(ratio).mean())) == pytest.approx(1, abs=0.25)
    assert abs(found.correlation()[0, 1] - true.correlation()[0, 1]) < 0.08


def uneven_grain(amount: float = 0.5) -> measuring.Grain:
    spread = tuple(tuple(float(v) for v in row) for row in amount**2 * np.ones((BANDS, BANDS)))
    return replace(grain(strength=0.03, size_px=0.5), uneven=Uneven(spread))


def test_what_a_codec_holds_from_frame_to_frame_is_not_grain():
    true, clean = uneven_grain(), steps((512, 768))
    made, held = Synthesis(true, seed=3), Synthesis(true, seed=8)
    parts = []
    for i in range(4):
        stays = held.apply(clean, number=10 * i)
        now, after = (array(made.apply(stays, number=10 * i + k)) for k in (0, 1))
        parts.append(patches(now, after))
    found = measuring.fit(Patches.joined(parts))
    assert found is not None and found.uneven is not None
    ratio = np.array(found.deviation[1]) / true.at(np.array(found.levels), 1)
    assert float(np.exp(np.log(ratio).mean())) == pytest.approx(1, abs=0.15)
    assert found.temporal is not None and found.temporal > 0.25


def test_texture_stays_as_strong_as_it_was_under_uneven_grain_made_anew():
    true, base = uneven_grain(), steps((512, 768))
    texture = 0.06 * torch.randn(1, 512, 768, generator=torch.Generator().manual_seed(1))
    plate = Synthesis(true, seed=3).apply(base * (1 + texture), number=1)
    again = Synthesis(true, seed=4).apply(Removal(true).remove(plate), number=2)

    def strength(frame):
        rest = ((frame - base)[1] / base[1]).view(32, 16, 48, 16)
        return float(rest.square().mean((1, 3)).log().mean())

    assert strength(again) == pytest.approx(strength(plate), abs=0.22)


def test_uneven_grain_keeps_its_strength_and_its_blocks():
    spread = ((0.5,) * BANDS,) * BANDS
    made = Synthesis(replace(grain(strength=0.01, size_px=0.0), uneven=Uneven(spread)), seed=2)
    one, again = (made.field((512, 512), number=7).numpy() for _ in range(2))
    assert (one == again).all()
    assert one.std() == pytest.approx(1, rel=0.25)
    power = np.log((one[1].reshape(32, 16, 32, 16) ** 2).mean((1, 3)))
    assert power.std() == pytest.approx(2 * 0.5**0.5, rel=0.15)
    shifted = np.log((one[1][8:-8, 8:-8].reshape(31, 16, 31, 16) ** 2).mean((1, 3)))
    assert shifted.std() < 0.85 * power.std()
    clean = smooth(3)
    assert (made.remove(made.apply(clean, number=9), number=9) - clean).abs().max() < 1e-3


def test_texture_does_not_pass_for_grain_where_the_camera_stands():
    true = grain(strength=0.03)
    texture = 1 + 0.1 * torch.randn(1, 512, 768, generator=torch.Generator().manual_seed(1))
    found = measured(true, steps((512, 768)) * texture)
    assert found is not None
    ratio = (np.array(found.deviation[1]) / true.at(np.array(found.levels), 1)) ** 2
    assert np.median(ratio) == pytest.approx(1, abs=0.1)
    assert found.temporal is not None and found.temporal > 0.3
    assert found.uneven is None


def test_synthesis_has_the_spectrum_asked_for():
    true = grain(size_px=0.9, shared=0.5)
    field = Synthesis(true, seed=1).field((512, 512), number=7).numpy().astype(np.float64)
    assert field.std((1, 2)) == pytest.approx([1, 1, 1], abs=0.03)
    beside = [(p[:, 1:] * p[:, :-1]).mean() / p.var() for p in field]
    assert beside == pytest.approx([true.correlation()[0, 1]] * 3, abs=0.04)
    assert np.corrcoef(field.reshape(3, -1))[0, 1] == pytest.approx(0.5, abs=0.03)


def test_frames_differ_and_a_frame_repeats():
    made = Synthesis(grain(), seed=2)
    one, again, other = (made.field((200, 300), number=n) for n in (5, 5, 6))
    assert torch.equal(one, again)
    assert abs(float(np.corrcoef(one.flatten(), other.flatten())[0, 1])) < 0.05
    assert not torch.equal(one, Synthesis(grain(), seed=3).field((200, 300), number=5))


def test_a_part_of_a_frame_gets_the_grain_it_would_get_in_the_frame():
    light = torch.linspace(0.01, 2.0, 3 * 150 * 260).view(3, 150, 260)
    whole = Synthesis(grain(), seed=4).apply(light, number=1003)
    part = Synthesis(grain(), seed=4)
    for corner in ((90, 31), (0, 0), (149, 259)):
        cut = light[:, corner[0] :, corner[1] :]
        made = part.apply(cut, number=1003, corner=corner)
        assert torch.equal(made, whole[:, corner[0] :, corner[1] :])


def test_any_light_has_a_deviation():
    light = torch.tensor([-0.0, 0.0, -3.0, 1e-9, 0.18, 7.0, 500.0, float("inf"), float("nan")])
    true = grain(strength=0.04)
    told = Synthesis(true).deviation(light.expand(3, 1, -1))[0, 0]
    assert told[:7].numpy() == pytest.approx(true.at(light[:7].double().numpy(), 0), rel=2e-3)
    assert torch.isfinite(told).all() and (told > 0).all()


def test_grain_of_a_known_seed_comes_off():
    made = Synthesis(grain(strength=0.05), seed=4)
    clean = smooth(3)
    back = made.remove(made.apply(clean, number=9), number=9)
    assert (back - clean).abs().max() < 1e-3


def test_grain_of_unknown_seed_mostly_goes_and_edges_stay():
    true = grain(strength=0.04, size_px=0.6)
    clean = smooth(3)
    clean[:, :, 240:] *= 0.3
    noisy = Synthesis(true, seed=8).apply(clean, number=1)
    kept = Removal(true).remove(noisy)
    before, after = (noisy - clean).square().mean(), (kept - clean).square().mean()
    assert after < 0.12 * before
    step = (slice(None), slice(None), slice(236, 244))
    assert (kept - clean)[step].square().mean() < (noisy - clean)[step].square().mean()


def test_without_flat_patches_there_is_no_answer():
    empty = patches(np.zeros((64, 64, 3), np.float32))
    assert measuring.fit(empty) is None


def test_the_table_reads_as_encoders_read_it():
    true = grain(strength=0.05, size_px=0.7)
    lines = grain_table.lines(true)
    assert lines[0] == "filmgrn1"
    assert lines[1].split() == ["E", "0", "9223372036854775807", "1", "7391", "1"]
    parts = [line.split() for line in lines[2:]]
    assert [p[0] for p in parts] == ["p", "sY", "sCb", "sCr", "cY", "cCb", "cCr"]
    assert [len(parts[0]), len(parts[4]), len(parts[5])] == [13, 25, 26]
    points = np.array(parts[1][2:], int).reshape(-1, 2)
    assert int(parts[1][1]) == len(points) <= 14
    assert (np.diff(points[:, 0]) > 0).all() and points.min() >= 0 and points.max() <= 255
    assert points[:, 1].max() >= 40  # the shift uses the range there is


def test_a_decoder_makes_the_strength_that_was_measured():
    """The noise of the specification (7.18.3.5), its filter and scaling, on one grey."""
    true = grain(strength=0.05, size_px=0.7)
    parts = [line.split() for line in grain_table.lines(true)[2:]]
    shift = int(parts[0][4])
    points = np.array(parts[1][2:], int).reshape(-1, 2)
    field = np.array(parts[4][1:], float) / 2 ** int(parts[0][2])
    rng = np.random.default_rng(1)
    grains = rng.normal(0, 32, (100, 100))
    for y in range(3, 100):
        for x in range(3, 97):
            before = np.concatenate(
                [grains[y - 3 : y, x - 3 : x + 4].ravel(), grains[y, x - 3 : x]]
            )
            grains[y, x] += field @ before
    code = int(points[7, 0])
    made = grains[20:, 20:-20].std() * points[7, 1] / 2**shift
    codes, planes = grain_table._on_grey(true, "g24_rec709")
    wanted = planes[int(np.argmin(abs(codes - code))), 0].std()
    assert made == pytest.approx(wanted, rel=0.15)
