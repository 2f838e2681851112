"""Pictures out: round trips to the bit, what passes through, what stays, what is refused."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
import torch

from footagefit.errors import AlreadyThere, DiskFull, FootagefitWarning, UnknownName, WrongValue
from footagefit.footage.opening import open_clip
from footagefit.footage.tags import pack_timecode, unpack_timecode
from footagefit.footage.writing import OutputForm, open_writer
from footagefit.records import Box, ClipInfo


def info(width=20, height=12, **changes):
    box = Box(0, 0, width, height)
    values = {
        "path": Path("made.mov"), "raster": box, "display": box, "data": box, "first_frame": 1001,
        "length": 10, "rate": Fraction(24), "sample": "float", "space": "ACEScg",
    }  # fmt: skip
    return ClipInfo(**{**values, **changes})


def put(path, rgb_HWC, *, form=None, alpha=None, about=None, number=1001, **options):
    height, width, _ = rgb_HWC.shape
    with open_writer(path, info=about or info(width, height), form=form) as out:
        a = None if alpha is None else torch.from_numpy(alpha)[None]
        out.write(number, torch.from_numpy(rgb_HWC).permute(2, 0, 1), a, **options)
    return path


def raw(path, kind="float"):
    """Judged by OpenImageIO alone."""
    opened = oiio.ImageInput.open(str(path))
    return opened.spec(), opened.read_image(kind)


def attributes(path):
    return {a.name: a.value for a in raw(path)[0].extra_attribs}


@pytest.mark.parametrize("compression", ["none", "zip", "piz"])
def test_exr_float_is_exact_and_half_is_exact_to_half(tmp_path, noise, compression):
    pixels = noise()
    whole = put(tmp_path / "f.exr", pixels, form=OutputForm(depth="float", compression=compression))
    assert np.array_equal(raw(whole)[1], pixels)
    half = put(tmp_path / "h.exr", pixels, form=OutputForm(depth="half", compression=compression))
    assert np.array_equal(raw(half, "half")[1], pixels.astype(np.float16))


@pytest.mark.parametrize(
    ("name", "depth", "top"),
    [("a.dpx", "10", 1023), ("a.dpx", "12", 4095), ("a.tif", "16", 65535), ("a.png", "16", 65535),
     ("a.png", "8", 255), ("a.tif", "8", 255)],
)  # fmt: skip
def test_integer_files_hold_every_code(tmp_path, name, depth, top):
    codes = np.arange(0, top + 1, max(1, top // 2048), dtype=np.float32) / top
    pixels = np.repeat(codes[None, :, None], 3, 2).repeat(2, 0)
    path = put(tmp_path / name, pixels, form=OutputForm(depth=depth))
    again = open_clip(path, space="ACEScg")
    back = again.read(again.numbers).rgb_TCHW[0].permute(1, 2, 0).numpy()
    assert again.info.bit_depth == int(depth)
    assert np.abs(back - pixels).max() * top <= 0.5


@pytest.mark.parametrize(
    ("space", "bound"),
    [("acescct", 1e-4), ("arri_logc3_ei800", 1e-4), ("slog3_sgamut3", 1e-4),
     ("log3g10_redwidegamutrgb", 1e-4), ("vlog_vgamut", 1e-4), ("apple_log", 1e-4),
     ("davinci_intermediate_widegamut", 1e-4), ("lin_rec709", 1e-4),
     ("arri_logc4", 2e-4)],  # one float32 step of its code at 100 in linear is 1.2e-4
)  # fmt: skip
def test_log_encodings_round_trip(tmp_path, space, bound):
    ramp = np.concatenate([np.linspace(-0.05, 1, 512), np.geomspace(1, 100, 512)])
    pixels = np.repeat(ramp.astype(np.float32)[None, :, None], 3, 2).repeat(2, 0)
    path = put(tmp_path / "a.exr", pixels, form=OutputForm(space=space, depth="float"))
    back = open_clip(path, space=space).read([1]).rgb_TCHW[0].permute(1, 2, 0).numpy()
    assert np.abs(back - pixels).max() < bound


def test_the_header_passes_through_and_says_the_colour(tmp_path, write_picture, noise):
    tags = {
        "smpte:TimeCode": ("timecode", (pack_timecode("10:11:12:13"), 0)),
        "reelName": "A001", "custom/knob": 3.5, "PixelAspectRatio": 2.0,
        "FramesPerSecond": ("rational", (24000, 1001)), "compression": "piz",
    }  # fmt: skip
    source = write_picture(
        tmp_path / "in.1001.exr", noise().astype(np.float16), attributes=tags, x=3, y=2,
        full_x=0, full_y=0, full_width=30, full_height=20,
    )  # fmt: skip
    clip = open_clip(source, space="lin_rec709")
    frame = clip.read([1001])
    out = tmp_path / "out.####.exr"
    with open_writer(out, info=clip.info, form=OutputForm(space="ACEScg")) as writer:
        writer.write(1001, frame.rgb_TCHW[0] * 2, native=clip.native(1001))
    spec, pixels = raw(tmp_path / "out.1001.exr")
    found = attributes(tmp_path / "out.1001.exr")
    assert unpack_timecode(found["smpte:TimeCode"][0]) == "10:11:12:13"
    assert found["custom/knob"] == 3.5
    assert found["FramesPerSecond"] == (24000, 1001)
    assert found["PixelAspectRatio"] == 2.0
    assert found["compression"] == "piz"
    assert found["colorInteropID"] == "lin_ap1_scene"
    assert np.allclose(found["chromaticities"][:2], (0.713, 0.293))
    assert (spec.x, spec.y, spec.full_width, spec.full_height) == (3, 2, 30, 20)
    assert str(spec.format) == "half"
    expected = (frame.rgb_TCHW[0] * 2)[:, 2:14, 3:23].permute(1, 2, 0).numpy()
    assert np.array_equal(pixels, expected.astype(np.float16))


def test_untouched_layers_alpha_and_parts_pass_through(tmp_path, write_picture, noise):
    names = ["R", "G", "B", "A", "crypto.R", "Z"]
    pixels = noise(channels=6)
    source = write_picture(
        tmp_path / "in.1.exr", pixels, channels=names,
        formats=["half", "half", "half", "half", "float", "float"],
    )  # fmt: skip
    clip = open_clip(source, space="ACEScg")
    frame = clip.read([1])
    with open_writer(tmp_path / "o.1.exr", info=clip.info) as writer:
        ratio = torch.full((3, 12, 20), 1.5)
        writer.write(
            1, frame.rgb_TCHW[0] + 1, frame.alpha_T1HW[0], native=clip.native(1),
            layers={"ratio": ratio},
        )  # fmt: skip
    spec, out = raw(tmp_path / "o.1.exr")
    place = {name: i for i, name in enumerate(spec.channelnames)}
    assert np.array_equal(out[..., place["Z"]], pixels[..., 5])
    assert np.array_equal(out[..., place["crypto.R"]], pixels[..., 4])
    assert np.array_equal(out[..., place["A"]], pixels[..., 3].astype(np.float16))
    assert (out[..., place["ratio.G"]] == 1.5).all()
    changed = pixels[..., 0].astype(np.float16).astype(np.float32) + 1
    assert np.array_equal(out[..., place["R"]], changed.astype(np.float16))
    assert str(spec.channelformats[place["Z"]]) == "float"


def test_a_multi_part_file_keeps_its_other_parts(tmp_path, noise):
    path = tmp_path / "in.1.exr"
    specs = []
    for name, channels in (("rgb", ("R", "G", "B")), ("depth", ("Z",))):
        spec = oiio.ImageSpec(20, 12, len(channels), "float")
        spec.channelnames = channels
        spec.attribute("oiio:subimagename", name)
        specs.append(spec)
    output = oiio.ImageOutput.create(str(path))
    output.open(str(path), tuple(specs))
    output.write_image(noise())
    output.open(str(path), specs[1], "AppendSubimage")
    output.write_image(noise(channels=1, seed=5))
    output.close()
    clip = open_clip(path, space="ACEScg")
    assert np.array_equal(clip.data([1], "depth")[0, 0].numpy(), noise(channels=1, seed=5)[..., 0])
    with open_writer(tmp_path / "o.1.exr", info=clip.info) as writer:
        writer.write(1, clip.read([1]).rgb_TCHW[0] * 2, native=clip.native(1))
    opened = oiio.ImageInput.open(str(tmp_path / "o.1.exr"))
    assert np.array_equal(opened.read_image("float"), noise() * 2)
    assert opened.seek_subimage(1, 0)
    assert opened.spec().channelnames == ("Z",)
    assert np.array_equal(opened.read_image(1, 0, 0, 1, "float"), noise(channels=1, seed=5))


@pytest.mark.parametrize("suffix", ["exr", "dpx", "tif", "png"])
def test_kept_pixels_keep_their_stored_bits(tmp_path, write_picture, noise, suffix):
    rng = np.random.default_rng(3)
    kind = np.float16 if suffix == "exr" else np.uint16
    pixels = noise().astype(kind) if suffix == "exr" else rng.integers(0, 65536, (12, 20, 3), kind)
    source = write_picture(tmp_path / f"in.0001.{suffix}", pixels)
    clip = open_clip(source, space="arri_logc3_ei800")
    keep = torch.from_numpy(rng.random((12, 20)) < 0.5)
    with open_writer(tmp_path / f"o.####.{suffix}", info=clip.info) as writer:
        frame = clip.read([1]).rgb_TCHW[0] * 0 + 0.5
        writer.write(1, frame, native=clip.native(1), keep_HW=keep)
    out = raw(tmp_path / f"o.0001.{suffix}", "half" if suffix == "exr" else "uint16")[1]
    mask = keep.numpy()
    assert np.array_equal(out[mask], pixels[mask])
    assert (out[~mask] != pixels[~mask]).any(-1).all()


def test_keeping_bits_that_cannot_be_kept_is_said(tmp_path, write_picture, noise):
    clip = open_clip(write_picture(tmp_path / "in.1.exr", noise()), space="ACEScg")
    keep = torch.ones(12, 20, dtype=torch.bool)
    form = OutputForm(depth="half")
    with (
        pytest.warns(FootagefitWarning, match="source stores float, the output half"),
        open_writer(tmp_path / "o.1.exr", info=clip.info, form=form) as writer,
    ):
        writer.write(1, clip.read([1]).rgb_TCHW[0], native=clip.native(1), keep_HW=keep)


def test_alpha_is_stored_as_each_type_wants_it(tmp_path):
    rgb = np.full((4, 4, 3), 0.25, np.float32)
    alpha = np.full((4, 4), 0.5, np.float32)
    exr = put(tmp_path / "a.exr", rgb, alpha=alpha, form=OutputForm(depth="float"))
    assert np.allclose(raw(exr)[1][0, 0], [0.25, 0.25, 0.25, 0.5])
    png = put(tmp_path / "a.png", rgb, alpha=alpha, form=OutputForm(depth="16"))
    straight = oiio.ImageSpec()
    straight.attribute("oiio:UnassociatedAlpha", 1)
    assert np.allclose(
        oiio.ImageInput.open(str(png), straight).read_image("float")[0, 0], 0.5, atol=1e-4
    )
    for path in (exr, png):
        again = open_clip(path, space="ACEScg")
        frames = again.read(again.numbers)
        assert torch.allclose(frames.rgb_TCHW, torch.tensor(0.25), atol=1e-4)


def test_pixels_from_a_movie_get_its_timecode_and_rate(tmp_path, noise):
    about = info(timecode="00:59:59:28", rate=Fraction(30000, 1001), first_frame=100,
                 metadata={"reel": "B007", "iso": 800})  # fmt: skip
    with open_writer(tmp_path / "o.####.exr", info=about) as writer:
        writer.write(103, torch.from_numpy(noise()).permute(2, 0, 1))
    found = attributes(tmp_path / "o.0103.exr")
    assert unpack_timecode(found["smpte:TimeCode"][0]) == "01:00:00:01"
    assert found["FramesPerSecond"] == (30000, 1001)
    assert found["reelName"] == "B007"
    assert found["isoSpeed"] == 800


def test_the_same_job_writes_the_same_bytes(tmp_path, noise):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = put(tmp_path / "one" / "a.exr", noise()).read_bytes()
    assert put(tmp_path / "two" / "a.exr", noise()).read_bytes() == first


def test_nothing_is_overwritten_unless_asked(tmp_path, noise):
    out = tmp_path / "o.####.exr"
    put(out, noise())
    before = (tmp_path / "o.1001.exr").read_bytes()
    other = OutputForm(depth="half")
    with (
        pytest.raises(AlreadyThere, match="existing=replace"),
        open_writer(out, info=info(), form=other) as writer,
    ):
        writer.write(1001, torch.zeros(3, 12, 20))
    assert (tmp_path / "o.1001.exr").read_bytes() == before
    with open_writer(out, info=info(), existing="skip") as writer:
        assert writer.has(1001)
        writer.write(1001, torch.zeros(3, 12, 20))
    assert (tmp_path / "o.1001.exr").read_bytes() == before
    with open_writer(out, info=info(), existing="replace") as writer:
        writer.write(1001, torch.zeros(3, 12, 20))
    assert (tmp_path / "o.1001.exr").read_bytes() != before


def test_the_manifest_names_source_frame_and_hash(tmp_path, noise):
    out = tmp_path / "shot.####.exr"
    with open_writer(out, info=info(), source=Path("plate.mov")) as writer:
        for number in (1003, 1001, 1002):
            writer.write(number, torch.from_numpy(noise(seed=number)).permute(2, 0, 1))
    manifest = json.loads((tmp_path / "shot.manifest.json").read_text())
    assert [entry["frame"] for entry in manifest["frames"]] == [1001, 1002, 1003]
    assert manifest["frames"][0]["source"] == "plate.mov"
    from footagefit.footage.manifest import sha256

    for entry in manifest["frames"]:
        assert sha256(tmp_path / entry["file"]) == entry["sha256"]
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk_is_one_line_and_leaves_no_half(tmp_path, noise, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(DiskFull, match=r"o\.1001\.exr, frame 1001: no space left.*goes on"):
        put(tmp_path / "o.####.exr", noise())
    assert not list(tmp_path.glob("*.exr"))


def test_a_write_that_fails_midway_leaves_no_half(tmp_path, noise, monkeypatch):
    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(Exception, match="Input/output error"):
        put(tmp_path / "o.####.exr", noise())
    assert not list(tmp_path.glob("*.exr"))
    assert not list(tmp_path.glob(".*part"))


def test_wrong_forms_name_the_right_ones(tmp_path):
    with pytest.raises(UnknownName, match="known: half"):
        OutputForm(depth="hlf")
    with pytest.raises(WrongValue, match=r"\.exr does not store depth 10"):
        open_writer(tmp_path / "a.exr", info=info(), form=OutputForm(depth="10"))
    with pytest.raises(UnknownName, match=r"\.gif.*\.exr"):
        open_writer(tmp_path / "a.gif", info=info())
    for name in ("folder", "a.gif"):  # also where a form is settled before a file is opened
        with pytest.raises(UnknownName, match=r"\.exr.*Say out=.*shot\.####\.exr"):
            OutputForm().resolved(info(), tmp_path / name)
    with (
        pytest.raises(WrongValue, match="#### into its name"),
        open_writer(tmp_path / "a.exr", info=info()) as writer,
    ):
        writer.write(1, torch.zeros(3, 12, 20))
        writer.write(2, torch.zeros(3, 12, 20))


@pytest.mark.parametrize("delay_s", [0.0, 0.15, 0.4])
def test_a_killed_convert_goes_on_and_ends_the_same(tmp_path, write_picture, noise, delay_s):
    (tmp_path / "in").mkdir()
    for number in range(1001, 1041):
        write_picture(tmp_path / "in" / f"a.{number}.exr", noise(90, 160, seed=number))
    words = [sys.executable, "-m", "footagefit.cli", "convert", f"in={tmp_path}/in/a.####.exr",
             "space=lin_rec709", "output.space=acescct", "output.depth=half"]  # fmt: skip

    def run(folder):
        return subprocess.Popen([*words, f"out={folder}/b.####.exr"], stdout=subprocess.DEVNULL)

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run(whole).wait() == 0
    process = run(cut)
    while process.poll() is None and not list(cut.glob("*.exr")):
        pass
    try:
        process.wait(delay_s)
    except subprocess.TimeoutExpired:
        process.kill()
    process.wait()
    assert run(cut).wait() == 0
    names = sorted(p.name for p in whole.iterdir())
    assert sorted(p.name for p in cut.iterdir()) == names
    for name in names:
        if name.endswith(".exr"):
            assert (cut / name).read_bytes() == (whole / name).read_bytes()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own that holds little, where the machine lets us mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_really_fills_up(small_disk, noise):
    out = small_disk / "o.####.exr"
    pixels = torch.from_numpy(noise(100, 100)).permute(2, 0, 1)

    def render(numbers):
        form = OutputForm(compression="none", depth="float")
        with open_writer(out, info=info(100, 100), form=form, existing="resume") as writer:
            for number in numbers:
                writer.write(number, pixels)

    with pytest.raises(DiskFull, match=r"o\.10\d\d\.exr, frame 10\d\d: no space left.*goes on"):
        render(range(1001, 1021))
    whole = sorted(small_disk.glob("*.exr"))
    assert 2 <= len(whole) < 20
    for file in whole:
        assert oiio.ImageBuf(str(file)).read(force=True)
    assert not list(small_disk.glob("*part*"))
    # Frames are written side by side: those there need not be the first ones. All are kept.
    render([int(file.name.split(".")[1]) for file in whole])
