"""What is on record as wrong is wrong in the pixels, by as much as the record says."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch

from footagefit.footage.white import light_rgb
from footagefit.soundstage import script
from footagefit.soundstage.filming import film
from footagefit.soundstage.sensor import expose

SIZE = (72, 128)
SHOW = script.write_script("demo", 0)
HERO = replace(next(t for t in SHOW.takes if t.asked.kind == "interior"), moments=(0, 1, 2, 3))


def with_fault(kind, take=HERO):
    return script._faulty(take, kind, script.PRESETS["small"], random.Random(5))


@lru_cache(maxsize=16)
def filmed(asked):
    return film(asked, size_px=SIZE, samples=1).frame(0.1)


def exposed(take, *, grain=False):
    spec = take.sensor if grain else replace(take.sensor, grain=0.0, read_noise=0.0)
    return expose(filmed(take.asked).image_CHW, spec, seed=1, frame=1)


def pair(kind):
    take = with_fault(kind)
    return take, exposed(HERO), exposed(take)


def test_a_drift_in_exposure_is_so_many_stops():
    take, hero, wrong = pair("exposure")
    stops = torch.log2(wrong.clamp_min(1e-4) / hero.clamp_min(1e-4)).median()
    assert float(stops) == pytest.approx(take.fault.size, abs=0.02)


def test_a_drift_in_white_balance_is_so_many_mired():
    """The change of red over blue, read back to mired by the colour of light itself."""
    take, hero, wrong = pair("white_balance")
    moved = torch.log2((wrong[0] / wrong[2]) / (hero[0] / hero[2])).median()
    mired = np.arange(80, 400)
    ratio = np.array([math.log2(c[0] / c[2]) for c in (light_rgb(1e6 / m) for m in mired)])
    own = 1e6 / HERO.sensor.white_k
    want = np.interp(own, mired, ratio) - float(moved)
    assert np.interp(want, ratio, mired) - own == pytest.approx(take.fault.size, abs=2.0)


def test_a_drift_in_contrast_is_a_gamma():
    take, hero, wrong = pair("contrast")
    lit = hero > 1e-3
    x, y = (torch.log2(p[lit] / 0.18) for p in (hero, wrong))
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())
    assert slope == pytest.approx(take.fault.size, abs=0.02)


def key_direction(asked):
    """Where the key comes from, by least squares on faces and clothes that it reaches."""
    truth = filmed(asked).truth
    shade = truth["light.key.direct"].mean(0) / truth["albedo"].mean(0)
    lit = (truth["shadow.key"][0] > 0.97) & (truth["depth"][0] > 0) & (shade > 0.15 * shade.max())
    lit &= truth["albedo"].mean(0) > 0.03
    lit &= shade < shade[lit].quantile(0.97)  # no highlights
    normals = truth["normals"][:, lit].T
    way = torch.linalg.lstsq(normals, shade[lit][:, None]).solution[:, 0]
    return way / way.norm()


def test_a_key_that_moved_is_so_many_degrees_away():
    frontal = replace(HERO.asked.light, azimuth_deg=-30.0, elevation_deg=25.0, softness_deg=5.0)
    asked = replace(HERO.asked, kind="limbo", framing="medium", light=frontal)
    take = with_fault("key_moved", replace(HERO, asked=asked))
    assert abs(take.fault.size) >= 35
    one, two = key_direction(asked), key_direction(take.asked)
    apart = math.degrees(math.acos(float((one * two).sum().clamp(-1, 1))))
    assert apart == pytest.approx(abs(take.fault.size), abs=12)


def test_a_swapped_lens_stands_off_by_its_focal_length():
    take = with_fault("lens_swap")
    depth = [filmed(t.asked).truth["depth"][0, 26:40, 54:74].median() for t in (HERO, take)]
    focal = take.asked.lens.focal_mm / HERO.asked.lens.focal_mm
    assert take.fault.size == take.asked.lens.focal_mm != HERO.asked.lens.focal_mm
    assert float(depth[1] / depth[0]) == pytest.approx(focal, rel=0.15)


@pytest.mark.parametrize("kind", ["wire", "boom"])
def test_what_should_not_be_in_frame_is(kind):
    take = with_fault(kind)
    frame = filmed(take.asked)
    assert frame.mask_1HW is not None and frame.clean_CHW is not None
    inside = frame.mask_1HW[0] > 0
    apart = (frame.image_CHW - frame.clean_CHW).abs().sum(0)
    assert int(inside.sum()) > 30
    assert float(apart[inside].mean()) > 10 * float(apart[~inside].mean())


def test_another_costume_changes_the_costume():
    take = with_fault("wardrobe")
    albedo = [filmed(t.asked).truth["albedo"] for t in (HERO, take)]
    changed = (albedo[1] - albedo[0]).abs().amax(0) > 0.03
    ids = filmed(HERO.asked).truth["ids"][0]
    assert 0.01 < float(changed.float().mean()) < 0.5
    worn = ids[changed].unique()
    assert not bool(torch.isin(ids[~changed], worn).float().mean() > 0.05)


@pytest.mark.parametrize("kind", ["interior", "night", "exterior", "limbo"])
def test_a_moved_prop_moves_in_every_set(kind):
    asked = replace(HERO.asked, kind=kind, framing="medium")
    still = filmed(asked).truth["depth"]
    moved = filmed(replace(asked, prop_shift_m=0.2)).truth["depth"]
    assert int(((still - moved).abs() > 0.02).sum()) >= 12


def test_a_soft_take_has_lost_its_detail():
    _, hero, wrong = pair("soft")
    fine = [(p[:, 1:] - p[:, :-1]).abs().mean() / p.mean() for p in (hero, wrong)]
    assert float(fine[1]) < 0.8 * float(fine[0])


def test_a_clipped_take_has_flat_highlights():
    take, hero, wrong = pair("clipped")
    assert float((hero >= take.sensor.clip).float().mean()) < 0.3
    flat = float((wrong == take.sensor.clip).float().mean())
    assert flat > 0.05 and float(wrong.max()) == take.sensor.clip
