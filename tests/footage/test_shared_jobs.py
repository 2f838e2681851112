"""Stored values decoded once, header entries, and jobs that several processes share."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
import torch

import footagefit
from footagefit.errors import AlreadyThere, FootagefitWarning
from footagefit.footage.manifest import continues, job_of, manifest_path, merge
from footagefit.records import Box, ClipInfo


def info(tmp_path: Path) -> ClipInfo:
    box = Box(0, 0, 20, 12)
    return ClipInfo(
        path=tmp_path / "in", raster=box, display=box, data=box, first_frame=1, length=9,
        rate=Fraction(24), sample="half", space="ACEScg",
    )  # fmt: skip


@pytest.mark.parametrize("space", ["ACEScg", "arri_logc4"])
@pytest.mark.parametrize("channels", [["R", "G", "B"], ["R", "G", "B", "A"], ["B", "Z", "G", "R"]])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_stored_values_give_what_reading_gives(
    tmp_path, write_picture, noise, space, channels, kind
):
    pixels = (noise(channels=len(channels)) * 0.1 + 0.2).astype(kind)
    if "A" in channels:
        pixels[..., 3] = np.clip(pixels[..., 3], 0.25, 1)
    window = {"x": 2, "y": 1, "full_x": 0, "full_y": 0, "full_width": 24, "full_height": 16}
    write_picture(tmp_path / "a.0001.exr", pixels, channels=channels, **window)
    clip = footagefit.open_clip(tmp_path / "a.####.exr", space=space)
    read, made = clip.read([1]), clip.of_stored(clip.native(1), 1)
    assert torch.equal(read.rgb_TCHW, made.rgb_TCHW)
    assert (read.alpha_T1HW is None) == (made.alpha_T1HW is None)
    if read.alpha_T1HW is not None and made.alpha_T1HW is not None:
        assert torch.equal(read.alpha_T1HW, made.alpha_T1HW)


def test_entries_get_into_the_header(tmp_path):
    with footagefit.open_writer(tmp_path / "a.####.exr", info=info(tmp_path)) as out:
        out.write(1, torch.zeros(3, 12, 20), entries={"footagefit/fit": "ab", "footagefit/seed": 3})
    spec = oiio.ImageInput.open(str(tmp_path / "a.0001.exr")).spec()
    assert spec.getattribute("footagefit/fit") == "ab"
    assert spec.getattribute("footagefit/seed") == 3


def test_parts_of_a_job_become_one_manifest(tmp_path):
    out = tmp_path / "a.####.exr"
    about = info(tmp_path)
    for part, frames in (("1-2", (1, 2)), ("3-4", (3, 4))):
        with footagefit.open_writer(out, info=about, job={"fit": "x"}, part=part) as writer:
            for number in frames:
                writer.write(number, torch.zeros(3, 12, 20))
    assert len(list(tmp_path.glob("*.part-manifest.json"))) == 2
    with footagefit.open_writer(out, info=about, job={"fit": "x"}, part="1-4") as writer:
        assert all(writer.has(n) for n in (1, 2, 3, 4))
    assert merge(manifest_path(out)) == 4
    assert not list(tmp_path.glob("*.part-manifest.json"))
    kept = json.loads((tmp_path / "a.manifest.json").read_text())
    assert [entry["frame"] for entry in kept["frames"]] == [1, 2, 3, 4]
    assert kept["job"]["fit"] == "x"


def test_a_stopped_job_is_known_again_and_another_is_not(tmp_path):
    out = tmp_path / "a.####.exr"
    about = info(tmp_path)
    writer = footagefit.open_writer(out, info=about, job={"fit": "x"}, part="1-2")
    writer.write(1, torch.zeros(3, 12, 20))
    writer.abort()
    job = job_of(out, writer.form, about.path, {"fit": "x"})
    assert continues(manifest_path(out), job)
    assert not continues(manifest_path(out), {**job, "fit": "y"})


def test_paths_typed_otherwise_are_no_other_job(tmp_path, monkeypatch):
    """What was rendered goes on, whoever typed a path from where; another fit does not."""
    out, about = tmp_path / "a.####.exr", info(tmp_path)

    def writing(source: str, fit: str, weights: str = "ab", reference: str = "hero.mov"):
        job = {"fit": {"hash": weights, "path": fit}, "reference": reference}
        return footagefit.open_writer(out, info=about, source=Path(source), job=job)

    monkeypatch.chdir(tmp_path)
    with writing(str(tmp_path / "shot.mov"), str(tmp_path / "fits" / "v1")) as writer:
        writer.write(1, torch.zeros(3, 12, 20))
    with writing("shot.mov", "fits/v1", reference=str(tmp_path / "hero.mov")) as writer:
        assert writer.has(1)
    for other in (
        writing("shot.mov", "fits/v1", weights="cd"),
        writing("other.mov", "fits/v1"),
        writing("shot.mov", "fits/v1", reference="other.mov"),
    ):
        with pytest.raises(AlreadyThere):
            other.has(1)
        other.abort()


def test_kept_pixels_are_not_taken_for_another_colour_space(tmp_path, write_picture):
    write_picture(tmp_path / "a.0001.exr", np.full((12, 20, 3), 0.5, np.float16))
    clip = footagefit.open_clip(tmp_path / "a.####.exr", space="arri_logc4")
    form = footagefit.OutputForm(space="ACEScg")
    light = clip.read([1]).rgb_TCHW[0]
    with (
        pytest.warns(FootagefitWarning, match="not bit-identical: the source is"),
        footagefit.open_writer(tmp_path / "b.####.exr", info=clip.info, form=form) as out,
    ):
        keep = torch.ones(12, 20, dtype=torch.bool)
        out.write(1, light, native=clip.native(1), keep_HW=keep)
    made = footagefit.open_clip(tmp_path / "b.####.exr", space="ACEScg").read([1]).rgb_TCHW[0]
    assert torch.allclose(made, light, rtol=1e-3)
    assert not torch.allclose(made, torch.full_like(made, 0.5), rtol=0.1)
