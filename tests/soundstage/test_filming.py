"""Set-ups, frames and their truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from footagefit.errors import UnknownName, UnreadableClip
from footagefit.records import Light
from footagefit.soundstage import truth
from footagefit.soundstage.filming import FRAME_S, film
from footagefit.soundstage.specs import KEY, LensSpec, Obstacle, SetUp

SIZE = (54, 96)


def shot(**changes):
    return film(SetUp(**{"set_seed": 4, **changes}), size_px=SIZE, samples=1)


def test_sources_of_the_truth_add_up_to_the_picture():
    frame = shot(kind="interior").frame(0.2)
    total = sum(v for n, v in frame.truth.items() if n.startswith("light."))
    assert torch.allclose(total, frame.image_CHW, atol=1e-4, rtol=1e-3)


def test_the_same_set_up_is_the_same_picture_and_performances_differ():
    one, two = shot().frame(0.3, truth=False), shot().frame(0.3, truth=False)
    assert torch.equal(one.image_CHW, two.image_CHW)
    other = shot(performance_seed=9).frame(0.3, truth=False)
    assert not torch.allclose(one.image_CHW, other.image_CHW, atol=0.01)


@pytest.mark.parametrize("move", ["static", "handheld", "pan"])
def test_motion_carries_a_frame_onto_the_next(move):
    """Frame t samples t+1 at x + forward(x): where both see it, the albedo is the same."""
    filming = film(SetUp(set_seed=6, kind="interior", move=move), size_px=(108, 192), samples=1)
    now, then = filming.frame(0.5), filming.frame(0.5 + FRAME_S)
    u, v = now.truth["motion.forward"]
    rows, columns = torch.meshgrid(torch.arange(108.0), torch.arange(192.0), indexing="ij")
    at = torch.stack([(columns + u + 0.5) / 96 - 1, (rows + v + 0.5) / 54 - 1], -1)[None]
    depth = functional.grid_sample(then.truth["depth"][None], at, align_corners=False)[0]
    albedo = functional.grid_sample(then.truth["albedo"][None], at, align_corners=False)[0]
    near = (depth - now.truth["depth"]).abs()[0] < 0.02
    inner = torch.zeros(108, 192, dtype=torch.bool)
    inner[4:-4, 4:-4] = True
    apart = (albedo - now.truth["albedo"]).abs().mean(0)[near & inner]
    assert int((near & inner).sum()) > 12_000
    assert float(apart.median()) < 0.004
    assert float(apart.mean()) < 0.02
    if move == "pan":
        assert float(u.abs().median()) > 0.3
        unmoved = (then.truth["albedo"] - now.truth["albedo"]).abs().mean(0)[near & inner]
        assert float(apart.mean()) < 0.8 * float(unmoved.mean())


def test_the_key_is_where_it_was_asked_for():
    light = Light(**{**KEY.__dict__, "azimuth_deg": -55.0, "elevation_deg": 20.0})
    frame = shot(kind="limbo", light=light).frame(0.0)
    assert frame.light.azimuth_deg == pytest.approx(-55.0, abs=0.01)
    assert frame.light.elevation_deg == pytest.approx(20.0, abs=0.01)
    left, right = frame.image_CHW[..., :48], frame.image_CHW[..., 48:]
    normals = frame.truth["normals"]
    shading = frame.truth["light.key.direct"].mean(0) / frame.truth["albedo"].mean(0)
    face = (frame.truth["ids"][0] > 1) & (frame.truth["shadow.key"][0] > 0.9)
    way = torch.tensor([-0.7698, 0.3420, 0.5390])
    cosine = (normals * way[:, None, None]).sum(0)
    both = torch.stack([shading[face], cosine[face].clamp_min(0)])
    assert float(torch.corrcoef(both)[0, 1]) > 0.85
    assert left.shape == right.shape


def test_camera_b_sees_the_same_lamp_from_where_it_stands():
    a, b = shot(camera="A").light_at(0.0), shot(camera="B").light_at(0.0)
    assert a.azimuth_deg is not None
    assert b.azimuth_deg is not None
    assert abs(b.azimuth_deg - a.azimuth_deg) > 20


@pytest.mark.parametrize("kind", ["wire", "boom"])
def test_obstacles_have_a_mask_and_a_clean_plate(kind):
    frame = shot(obstacle=Obstacle(kind, seed=2), kind="limbo").frame(0.1)
    assert frame.mask_1HW is not None
    assert frame.clean_CHW is not None
    inside = frame.mask_1HW[0] > 0
    assert 20 < int(inside.sum()) < inside.numel() * 0.35
    apart = (frame.image_CHW - frame.clean_CHW).abs().amax(0)
    assert float(apart[inside].mean()) > 10 * float(apart[~inside].mean() + 1e-6)


def test_wardrobe_and_props_change_only_themselves():
    hero = shot(kind="interior").frame(0.0)
    dressed = shot(kind="interior", wardrobe_hue=120.0).frame(0.0)
    apart = (hero.truth["albedo"] - dressed.truth["albedo"]).abs().amax(0)
    changed = apart > 0.02
    assert 0.005 < float(changed.float().mean()) < 0.6
    assert torch.equal(hero.truth["depth"], dressed.truth["depth"])
    moved = shot(kind="interior", prop_shift_m=0.3).frame(0.0)
    assert not torch.equal(hero.truth["depth"], moved.truth["depth"])


def test_a_lens_reads_beyond_the_gate_without_smearing():
    frame = shot(kind="exterior", lens=LensSpec(k1=-0.12, vignette=0.0)).frame(0.0)
    assert frame.image_CHW.shape == (3, *SIZE)
    edge = frame.truth["depth"][0, :, :3]
    assert float((edge[:, 0] - edge[:, 2]).abs().mean()) > 0


def test_truth_reads_back_as_it_was(tmp_path):
    frame = shot(kind="night").frame(0.0)
    truth.write_shot(tmp_path, "A001C003", {"lens": "32 mm"})
    truth.write_frame(tmp_path, "A001C003", 1001, frame.truth)
    again = truth.read(tmp_path, "A001C003", 1001)
    assert set(again.layers) == set(frame.truth)
    for name, values in frame.truth.items():
        assert np.array_equal(again.layers[name].numpy(), values.numpy()), name
    assert again.shot["lens"] == "32 mm"
    assert {"key", "fill", "practical0"} <= set(again.sources)
    kinds = {n.split(".")[0] for n in truth.SCHEMA}
    assert {n.split(".")[0] for n in frame.truth} <= kinds


def test_missing_or_foreign_truth_is_one_line(tmp_path):
    with pytest.raises(UnreadableClip, match="no truth here"):
        truth.read_json(tmp_path / "show.json")
    truth.write_json(tmp_path / "show.json", {"version": 99})
    with pytest.raises(UnreadableClip, match="version 99"):
        truth.read_json(tmp_path / "show.json")


def test_unknown_kinds_name_the_known_ones():
    with pytest.raises(UnknownName, match="interior"):
        film(SetUp(kind="studio"), size_px=SIZE)
    with pytest.raises(UnknownName, match="medium"):
        film(SetUp(framing="huge"), size_px=SIZE)


def test_edges_are_smoothed_and_what_is_flat_is_left_alone():
    """One against five rays, beside the mean over a picture four times as fine."""
    setup = SetUp(set_seed=4, kind="limbo")
    plain, smooth = (film(setup, size_px=SIZE, samples=n).frame(0.2) for n in (1, 5))
    fine = film(setup, size_px=(4 * SIZE[0], 4 * SIZE[1]), samples=1).frame(0.2, truth=False)
    mean = functional.avg_pool2d(fine.image_CHW, 4)
    changed = (plain.image_CHW != smooth.image_CHW).any(0)
    assert 0.02 < float(changed.float().mean()) < 0.4
    edge = changed & ((plain.image_CHW - mean).abs().amax(0) > 0.02)
    before = (plain.image_CHW - mean).abs()[:, edge].mean()
    after = (smooth.image_CHW - mean).abs()[:, edge].mean()
    assert float(after) < 0.5 * float(before)
    for name, values in plain.truth.items():
        assert torch.equal(values, smooth.truth[name]), name


def test_a_focus_pull_ends_sharp():
    def detail(picture):
        return float((picture[..., 1:] - picture[..., :-1]).abs().mean())

    pulled, held = shot(rack_px=60.0), shot()
    assert [round(pulled.lens_at(t).defocus_px) for t in (0.0, 0.5, 1.0, 2.0)] == [60, 30, 0, 0]
    soft, sharp = (c.frame(0.0, truth=False).image_CHW for c in (pulled, held))
    assert detail(soft) < 0.8 * detail(sharp)
    assert torch.equal(
        pulled.frame(1.0, truth=False).image_CHW, held.frame(1.0, truth=False).image_CHW
    )


def test_an_anamorphic_lens_squeezes_the_width_alone():
    """The middle half of a 2x picture, pulled to its width, is what a round lens sees."""
    size = (SIZE[0], 2 * SIZE[1])
    asked = {"setup": SetUp(set_seed=4, kind="limbo"), "size": size}
    plain, wide = (_depth(**asked, squeeze=s) for s in (1.0, 2.0))
    quarter = size[1] // 4
    middle = wide[:, quarter : 3 * quarter]
    assert float(((plain[:, ::2] - middle).abs() < 0.05).float().mean()) > 0.93


def _depth(*, setup: SetUp, size: tuple[int, int], squeeze: float) -> torch.Tensor:
    made = film(replace(setup, lens=LensSpec(squeeze=squeeze)), size_px=size, samples=1)
    return made.frame(0.2).truth["depth"][0]
