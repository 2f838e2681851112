"""What a compositor may count on: judged by OpenImageIO, not by our own readers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import footagefit
from footagefit.errors import AlreadyThere, FootagefitWarning
from rendering_helpers import ACESCG, make_fit, picture, stored


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.suffix == ".exr"}


def light(pattern: Path, number: int, layer: str = "") -> torch.Tensor:
    clip = footagefit.open_clip(pattern, space="ACEScg", layer=layer)
    return clip.read([number]).rgb_TCHW[0]


def test_frames_come_out_as_the_camera_made_them(fit, shot, reference, tmp_path):
    plate = shot(attributes={"reelName": "A001", "compression": "piz"})
    done = footagefit.render(plate, fit=fit, reference=reference, out=tmp_path / "o" / "m.####.exr")
    assert done.frames == tuple(range(1001, 1007))
    assert done.written == 6
    for number in done.frames:
        before, was = stored(Path(str(plate).replace("####", str(number))))
        after, now = stored(tmp_path / "o" / f"m.{number}.exr")
        assert now.channelnames == was.channelnames
        assert str(now.format) == "half"
        for name in ("compression", "reelName", "smpte:TimeCode", "PixelAspectRatio"):
            assert now.getattribute(name) == was.getattribute(name)
        assert now.getattribute("footagefit/frame") == number
        assert now.getattribute("footagefit/fit") == footagefit.load_fit(fit).hash
        assert json.loads(now.getattribute("footagefit/controls")) == {
            "strength": 1.0, "local": 1.0, "tone": 1.0, "colour": 1.0, "anchor": 1.0,
            "relit": 0.0,
        }  # fmt: skip
        assert now.getattribute("footagefit/source") == f"plate.{number}.exr"
        assert np.abs(after.astype(float) - before.astype(float)).mean() > 0.005
    manifest = json.loads((tmp_path / "o" / "m.manifest.json").read_text())
    assert [f["frame"] for f in manifest["frames"]] == list(done.frames)
    assert manifest["job"]["recipe"] == "match field"


def test_outside_the_mask_stored_bits_stay(fit, shot, reference, tmp_path, write_picture):
    """A log-encoded plate: a round trip through light would not give its bits back."""
    rng = np.random.default_rng(0)
    ramp = np.zeros((48, 80, 3), np.float16)
    ramp[:, 20:40] = np.linspace(0, 1, 20)[None, :, None]
    ramp[10:30, 40:] = 1.0
    plate = shot(attributes={"chromaticities": ("float[8]", ACESCG)})
    matte = tmp_path / "matte"
    matte.mkdir()
    for number in range(1001, 1007):
        write_picture(matte / f"matte.{number}.exr", ramp + 0 * rng.random())
    done = footagefit.render(
        plate,
        fit=fit,
        reference=reference,
        mask=matte / "matte.####.exr",
        out=tmp_path / "o" / "m.####.exr",
        space="arri_logc4",
        reference_space="ACEScg",
        form=footagefit.OutputForm(space="arri_logc4"),
    )
    outside = ramp[..., 0] == 0
    for number in done.frames:
        before, _ = stored(Path(str(plate).replace("####", str(number))))
        after, _ = stored(tmp_path / "o" / f"m.{number}.exr")
        assert (after.view(np.uint16)[outside] == before.view(np.uint16)[outside]).all()
        inside = np.abs(after.astype(float) - before.astype(float)).max(-1)[~outside]
        assert (inside > 0).mean() > 0.5


def test_soft_mattes_are_honoured(fit, shot, reference, tmp_path, write_picture):
    plate = shot(frames=[1001])
    out = tmp_path / "o"
    footagefit.render(plate, fit=fit, reference=reference, out=out / "whole.####.exr")
    half = write_picture(tmp_path / "half.exr", np.full((48, 80, 1), 0.5, np.float16),
                         channels=["A"])  # fmt: skip
    footagefit.render(
        plate, fit=fit, reference=reference, out=out / "half.####.exr", mask=half,
        temporal="none",
    )  # fmt: skip
    before, made = light(plate, 1001), light(out / "half.####.exr", 1001)
    mixed = before + 0.5 * (light(out / "whole.####.exr", 1001) - before)
    # The model sees the matte as well, so that its look is a little another.
    assert (made - mixed).abs().mean() < 0.5 * (made - before).abs().mean()


@pytest.mark.parametrize("strength", [0.0, {1001: 0.0, 1006: 0.0}])
def test_no_strength_gives_the_plate_to_the_bit(fit, shot, reference, tmp_path, strength):
    plate = shot()
    footagefit.render(plate, fit=fit, reference=reference, out=tmp_path / "o" / "m.####.exr",
                      controls={"strength": strength}, space="arri_logc4",
                      reference_space="ACEScg")  # fmt: skip
    for number in range(1001, 1007):
        before, _ = stored(Path(str(plate).replace("####", str(number))))
        after, _ = stored(tmp_path / "o" / f"m.{number}.exr")
        assert (before.view(np.uint16) == after.view(np.uint16)).all()


def test_an_animated_strength_grows(fit, shot, reference, tmp_path):
    plate = shot()
    footagefit.render(plate, fit=fit, reference=reference, out=tmp_path / "o" / "m.####.exr",
                      controls={"strength": "{1001:0,1006:1}"}, temporal="locked")  # fmt: skip
    off = [
        float((light(tmp_path / "o" / "m.####.exr", n) - light(plate, n)).abs().mean())
        for n in range(1001, 1007)
    ]
    assert off[0] == 0.0
    assert off == sorted(off)


def test_a_frame_does_not_depend_on_which_were_asked_for(fit, shot, reference, tmp_path):
    plate = shot(frames=range(1001, 1021), gain=lambda n: 1.0 + 0.05 * (n % 3))
    whole = tmp_path / "whole" / "m.####.exr"
    some = tmp_path / "some" / "m.####.exr"
    for temporal in ("none", "smooth", "locked"):
        options = {"fit": fit, "reference": reference, "temporal": temporal}
        footagefit.render(plate, out=whole, existing="replace", **options)
        footagefit.render(plate, out=some, existing="replace", frames="1005-1015x5", **options)
        whole_files, some_files = files(whole.parent), files(some.parent)
        assert list(some_files) == ["m.1005.exr", "m.1010.exr", "m.1015.exr"]
        assert all(whole_files[name] == data for name, data in some_files.items())


def test_handles_are_written_as_far_as_the_plate_has_them(fit, shot, reference, tmp_path):
    done = footagefit.render(shot(), fit=fit, reference=reference, frames="1002-1004",
                             handles=2, out=tmp_path / "m.####.exr")  # fmt: skip
    assert done.frames == (1001, 1002, 1003, 1004, 1005, 1006)


def test_the_same_job_is_found_done_and_another_is_refused(fit, shot, reference, tmp_path):
    plate, out = shot(), tmp_path / "o" / "m.####.exr"
    footagefit.render(plate, fit=fit, reference=reference, out=out)
    before = files(out.parent)
    again = footagefit.render(plate, fit=fit, reference=reference, out=out)
    assert again.written == 0
    with pytest.raises(AlreadyThere, match="not this job's"):
        footagefit.render(plate, fit=fit, reference=reference, out=out,
                          controls={"strength": 0.5})  # fmt: skip
    assert files(out.parent) == before


def test_layers_rebuild_the_result(fit, shot, reference, tmp_path, write_picture):
    plate, out = shot(frames=[1001, 1002]), tmp_path / "o" / "m.####.exr"
    ramp = np.linspace(0, 1, 80, dtype=np.float32)[None, :, None].repeat(48, 0)
    matte = write_picture(tmp_path / "matte.exr", ramp, channels=["A"])
    footagefit.render(
        plate, fit=fit, reference=reference, out=out, mask=matte, controls={"strength": 0.7},
        layers=["gain", "offset", "mask"], form=footagefit.OutputForm(depth="float"),
    )  # fmt: skip
    clip = footagefit.open_clip(out, space="ACEScg")
    assert {"gain", "offset", "mask"} <= set(clip.info.layers)
    for number in (1001, 1002):
        gain, offset = clip.data([number], "gain")[0], clip.data([number], "offset")[0]
        rebuilt = light(plate, number) * gain + offset
        assert torch.allclose(rebuilt, light(out, number), rtol=1e-5, atol=1e-5)
        matte_back = clip.data([number], "mask")[0, 0]
        assert torch.allclose(matte_back, torch.from_numpy(ramp[..., 0]), atol=1e-6)


def test_alpha_and_layers_of_the_plate_stay(fit, reference, tmp_path, write_picture):
    """Premultiplied colour with coverage, a depth layer, overscan, anamorphic, log, odd sizes."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "cg"
    folder.mkdir()
    names = ["A", "B", "G", "R", "depth.Z"]
    for number in (1, 2, 3):
        colour = picture(number, 53, 91)
        a = np.clip(rng.random((53, 91)) * 3 - 1, 0, 1)
        code = (np.log2(np.maximum(colour, 0) + 0.01) / 16 + 0.6) * a[..., None]
        pixels = np.concatenate([a[..., None], code[..., ::-1], rng.random((53, 91, 1))], -1)
        write_picture(
            folder / f"cg.{number:04d}.exr", pixels.astype(np.float16), channels=names,
            x=-4, y=-3, full_x=0, full_y=0, full_width=83, full_height=47,
            attributes={"PixelAspectRatio": 2.0, "compression": "zip", "lensModel": "C50"},
        )  # fmt: skip
    out = tmp_path / "o" / "m.####.exr"
    footagefit.render(
        folder / "cg.####.exr", fit=fit, reference=reference, out=out, space="arri_logc4",
        reference_space="ACEScg",
    )  # fmt: skip
    for number in (1, 2, 3):
        before, was = stored(folder / f"cg.{number:04d}.exr")
        after, now = stored(tmp_path / "o" / f"m.{number:04d}.exr")
        assert sorted(now.channelnames) == sorted(was.channelnames)
        assert (now.x, now.y, now.width, now.height) == (-4, -3, 91, 53)
        assert (now.full_width, now.full_height) == (83, 47)
        assert now.getattribute("PixelAspectRatio") == 2.0
        assert now.getattribute("lensModel") == "C50"
        for name in ("A", "depth.Z"):
            one = before[..., was.channelnames.index(name)].view(np.uint16)
            other = after[..., now.channelnames.index(name)].view(np.uint16)
            assert (one == other).all()
        clear = before[..., was.channelnames.index("A")] == 0
        for name in "RGB":
            one = before[..., was.channelnames.index(name)]
            other = after[..., now.channelnames.index(name)]
            assert (one.view(np.uint16)[clear] == other.view(np.uint16)[clear]).all()
            assert np.abs(one.astype(float) - other.astype(float))[~clear].mean() > 1e-3


def test_proxies_give_the_same_picture(fit, reference, tmp_path, write_picture):
    """Full, half and quarter, compared at the quarter's size: 40 dB and better."""
    about = {"chromaticities": ("float[8]", ACESCG)}
    full = np.repeat(np.repeat(picture(1, 48, 80), 4, 0), 4, 1)
    full += 0.02 * np.random.default_rng(0).standard_normal(full.shape) * full
    made = {}
    for name, step in (("full", 1), ("half", 2), ("quarter", 4)):
        small = full.reshape(192 // step, step, 320 // step, step, 3).mean((1, 3))
        path = write_picture(tmp_path / f"{name}.exr", small.astype(np.float32), attributes=about)
        out = tmp_path / f"{name}_out.exr"
        footagefit.render(path, fit=fit, reference=reference, out=out)
        result = light(out, 1).numpy()
        again = 4 // step
        rows, columns = result.shape[1] // again, result.shape[2] // again
        made[name] = result.reshape(3, rows, again, columns, again).mean((2, 4))
    for name in ("half", "quarter"):
        error = np.mean((made[name] - made["full"]) ** 2)
        assert 10 * np.log10(1.0 / error) > 40.0
        assert (
            np.abs(
                made[name] - full.reshape(48, 4, 80, 4, 3).mean((1, 3)).transpose(2, 0, 1)
            ).mean()
            > 0.01
        )


def test_a_nan_in_the_plate_stays_where_it_is(fit, shot, reference, tmp_path, write_picture):
    plate = shot(frames=[1001, 1002, 1003], seed=5)
    broken = picture(1002, seed=5).astype(np.float16)
    broken[20, 30] = np.nan
    about = {"chromaticities": ("float[8]", ACESCG), "compression": "zip"}
    write_picture(plate.parent / "plate.1002.exr", broken, attributes=about)
    with pytest.warns(FootagefitWarning, match="1 NaN"):
        footagefit.render(plate, fit=fit, reference=reference, out=tmp_path / "o" / "m.####.exr")
    after, _ = stored(tmp_path / "o" / "m.1002.exr")
    assert np.isnan(after).any(-1).sum() == 1
    assert np.isnan(after[20, 30]).all()


def test_next_versions_go_beside_the_work_folder(shot, reference, tmp_path):
    fit = make_fit(tmp_path / "film" / "film_work" / "fits" / "match_v001")
    plate = shot(frames=[1, 2])
    one = footagefit.render(plate, fit=fit, reference=reference)
    two = footagefit.render(plate, fit=fit, reference=reference)
    renders = tmp_path / "film" / "renders"
    assert one.out == renders / "plate_match_v001" / "plate_match_v001.####.exr"
    assert two.out == renders / "plate_match_v002" / "plate_match_v002.####.exr"
    assert (renders / "plate_match_v001" / "plate_match_v001.0002.exr").exists()


def test_dpx_keeps_its_codes_outside_the_mask(fit, shot, reference, tmp_path, write_picture):
    from footagefit import cli

    dpx = tmp_path / "dpx" / "p.####.dpx"
    words = ["output.space=arri_logc4", "output.depth=10"]
    assert cli.main(["convert", f"in={shot(frames=[1, 2])}", f"out={dpx}", *words]) == 0
    matte = np.zeros((48, 80, 1), np.float16)
    matte[10:20, 30:60] = 1.0
    mask = write_picture(tmp_path / "matte.exr", matte, channels=["A"])
    done = footagefit.render(dpx, fit=fit, reference=reference, mask=mask, space="arri_logc4",
                             out=tmp_path / "o" / "m.####.dpx")  # fmt: skip
    for number in done.frames:
        before, was = stored(tmp_path / "dpx" / f"p.{number:04d}.dpx")
        after, now = stored(tmp_path / "o" / f"m.{number:04d}.dpx")
        bits = "oiio:BitsPerSample"
        assert now.getattribute(bits) == was.getattribute(bits) == 10
        outside = matte[..., 0] == 0
        assert (before[outside] == after[outside]).all()
        assert (before[~outside] != after[~outside]).any(-1).mean() > 0.5


def test_a_change_that_differs_much_from_place_to_place_is_pointed_out(shot, reference, tmp_path):
    plate = shot()
    calm = make_fit(tmp_path / "calm", std=0.0005)
    wild = make_fit(tmp_path / "wild", std=0.3)
    common = {"reference": reference, "temporal": "locked"}
    done = footagefit.render(plate, fit=calm, out=tmp_path / "a.####.exr", **common)
    assert [n.partition(":")[0] for n in done.notes] == ["temporal"]
    done = footagefit.render(plate, fit=wild, out=tmp_path / "b.####.exr", **common)
    assert "say local=0" in done.notes[-1]
    flat = {"controls": {"local": 0.0}}
    done = footagefit.render(plate, fit=wild, out=tmp_path / "c.####.exr", **common, **flat)
    assert "say local=0" not in done.notes[-1]
