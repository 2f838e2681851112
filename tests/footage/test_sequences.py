"""Pictures in: numbers, windows, layers, alpha, colour, and what is wrong with a file."""

from __future__ import annotations

import os
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from footagefit.errors import (
    FootagefitWarning,
    FrameMismatch,
    MissingFrames,
    UnknownName,
    UnknownSpace,
    UnreadableClip,
    UnreadableFrame,
)
from footagefit.footage.opening import open_clip
from footagefit.footage.tags import pack_timecode

NAMES = ["shot (1) #2 50%", "é,=~", "A001", "x.v02"]


@pytest.fixture
def sequence(tmp_path, write_picture, noise):
    def make(frames=(1001, 1002, 1003), stem="shot", suffix="exr", **options):
        for number in frames:
            write_picture(
                tmp_path / f"{stem}.{number:04d}.{suffix}",
                noise(seed=number).astype(np.float16),
                **options,
            )
        return tmp_path / f"{stem}.####.{suffix}"

    return make


@pytest.mark.parametrize("stem", NAMES)
@pytest.mark.parametrize("pad", ["####", "%04d", "@@@@"])
def test_frames_are_numbered_as_their_files(sequence, noise, stem, pad):
    path = sequence(stem=stem)
    with open_clip(str(path).replace("####", pad), space="ACEScg") as clip:
        assert (clip.info.first_frame, clip.info.length) == (1001, 3)
        frames = clip.read([1003, 1001])
        assert frames.numbers == (1003, 1001)
        expected = noise(seed=1001).astype(np.float16).astype(np.float32)
        assert np.array_equal(frames.rgb_TCHW[1].permute(1, 2, 0).numpy(), expected)


def test_a_range_in_the_name_limits_the_clip(sequence):
    path = sequence(frames=range(1001, 1006))
    clip = open_clip(str(path).replace("####", "1002-1004#"), space="ACEScg")
    assert clip.numbers == [1002, 1003, 1004]


def test_a_folder_and_a_single_picture_open_too(sequence, tmp_path):
    sequence()
    assert open_clip(tmp_path, space="ACEScg").numbers == [1001, 1002, 1003]
    assert open_clip(tmp_path / "shot.1002.exr", space="ACEScg").numbers == [1002]


def test_a_literal_file_wins_over_a_pattern(tmp_path, write_picture, noise):
    write_picture(tmp_path / "a.####.exr", noise(seed=1))
    write_picture(tmp_path / "a.0001.exr", noise(seed=2))
    clip = open_clip(tmp_path / "a.####.exr", space="ACEScg")
    assert clip.info.length == 1
    assert np.array_equal(clip.read(clip.numbers).rgb_TCHW[0].numpy()[0], noise(seed=1)[..., 0])


def test_gaps_are_listed_and_follow_the_policy(sequence):
    path = sequence(frames=(1001, 1002, 1004))
    clip = open_clip(path, space="ACEScg")
    assert clip.info.missing == (1003,)
    with pytest.raises(MissingFrames, match=r"frame 1003.*missing=hold"):
        clip.read([1003])
    held = open_clip(path, space="ACEScg", missing="hold").read([1002, 1003]).rgb_TCHW
    assert torch.equal(held[0], held[1])
    assert not open_clip(path, space="ACEScg", missing="black").read([1003]).rgb_TCHW.any()


def test_frames_outside_the_clip_are_refused(sequence):
    with pytest.raises(MissingFrames, match="1001-1003"):
        open_clip(sequence(), space="ACEScg").read([1004])


def test_values_above_one_and_below_zero_survive_colour(tmp_path, write_picture):
    pixels = np.array([[[-0.05, 0.18, 100.0]]], np.float32)
    clip = open_clip(write_picture(tmp_path / "a.1.exr", pixels), space="lin_rec709")
    rgb = clip.read([1]).rgb_TCHW.flatten().numpy()
    matrix = np.array(  # Rec.709 to AP1, Bradford; published with ACES
        [[0.613097, 0.339523, 0.047379], [0.070194, 0.916354, 0.013452],
         [0.020616, 0.109570, 0.869815]]
    )  # fmt: skip
    assert np.allclose(rgb, matrix @ pixels.flatten(), atol=2e-3)
    assert rgb.max() > 80


def test_space_comes_from_the_header_only_where_it_is_certain(tmp_path, write_picture, noise):
    ap0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
    tagged = write_picture(
        tmp_path / "tagged.1.exr", noise(), attributes={"chromaticities": ("float[8]", ap0)}
    )
    assert open_clip(tagged).info.space == "ACES2065-1"
    plain = write_picture(tmp_path / "plain.1.exr", noise())
    with pytest.raises(UnknownSpace, match="Say space="):
        open_clip(plain)
    with pytest.raises(UnknownName, match="ACEScct"):
        open_clip(plain, space="acesct")


def test_metadata_rate_timecode_and_anamorphic_come_through(tmp_path, write_picture, noise):
    attributes = {
        "FramesPerSecond": ("rational", (24000, 1001)),
        "smpte:TimeCode": ("timecode", (pack_timecode("01:02:03:04"), 0)),
        "reelName": "A001R1AB",
        "PixelAspectRatio": 2.0,
        "isoSpeed": 800.0,
        "custom/knob": "kept",
    }
    path = write_picture(tmp_path / "a.0007.exr", noise(), attributes=attributes)
    info = open_clip(path, space="ACEScg").info
    assert info.rate == Fraction(24000, 1001)
    assert info.timecode == "01:02:03:04"
    assert info.pixel_aspect == 2.0
    assert info.metadata["reel"] == "A001R1AB"
    assert info.metadata["iso"] == 800.0
    assert info.metadata["custom/knob"] == "kept"


def test_overscan_and_a_moving_data_window_share_one_raster(tmp_path, write_picture, noise):
    for number, x in ((1, -2), (2, 3)):
        write_picture(
            tmp_path / f"a.{number}.exr", noise(8, 10, seed=number), x=x, y=1,
            full_x=0, full_y=0, full_width=12, full_height=9,
        )  # fmt: skip
    clip = open_clip(tmp_path / "a.#.exr", space="ACEScg")
    assert clip.info.raster == (-2, 0, 15, 9)
    assert clip.info.display == (0, 0, 12, 9)
    rgb = clip.read([1, 2]).rgb_TCHW.permute(0, 2, 3, 1).numpy()
    assert np.array_equal(rgb[0, 1:9, 0:10], noise(8, 10, seed=1))
    assert np.array_equal(rgb[1, 1:9, 5:15], noise(8, 10, seed=2))
    assert not rgb[0, 0].any()
    assert not rgb[0, :, 10:].any()


def test_layers_alpha_and_data(tmp_path, write_picture, noise):
    names = ["R", "G", "B", "A", "beauty.R", "beauty.G", "beauty.B", "Z", "forward.u", "forward.v"]
    pixels = noise(channels=len(names))
    path = write_picture(tmp_path / "a.1.exr", pixels, channels=names)
    clip = open_clip(path, space="ACEScg")
    assert clip.info.alpha
    assert {"beauty", "forward", "Z", "A"} <= set(clip.info.layers)
    assert np.array_equal(clip.data([1], "Z")[0, 0].numpy(), pixels[..., 7])
    assert np.array_equal(clip.data([1], "forward")[0].numpy(), pixels[..., 8:].transpose(2, 0, 1))
    assert np.array_equal(clip.data([1], "mask")[0, 0].numpy(), pixels[..., 3])
    beauty = open_clip(path, space="ACEScg", layer="beauty").read([1]).rgb_TCHW[0]
    assert np.array_equal(beauty.numpy(), pixels[..., 4:7].transpose(2, 0, 1))
    with pytest.raises(UnknownName, match="forward"):
        clip.data([1], "forwrd")


def test_premultiplied_colour_is_divided_before_decoding(tmp_path, write_picture):
    pixels = np.array([[[0.2, 0.2, 0.2, 0.5], [0.3, 0.3, 0.3, 0.0]]], np.float32)
    path = write_picture(tmp_path / "a.1.exr", pixels)
    frames = open_clip(path, space="acescct").read([1])
    whole = open_clip(
        write_picture(tmp_path / "b.1.exr", np.full((1, 1, 3), 0.4, np.float32)), space="acescct"
    ).read([1])
    assert torch.allclose(frames.rgb_TCHW[0, :, 0, 0], whole.rgb_TCHW[0, :, 0, 0] * 0.5)
    assert frames.rgb_TCHW[0, :, 0, 1].abs().min() > 0  # where alpha is 0, colour passes


def test_straight_png_is_premultiplied_on_reading(tmp_path, write_picture):
    pixels = np.array([[[255, 128, 0, 128]]], np.uint8)
    straight = {"oiio:UnassociatedAlpha": 1}
    frames = open_clip(write_picture(tmp_path / "a.1.png", pixels, attributes=straight)).read([1])
    solid = open_clip(write_picture(tmp_path / "b.1.png", pixels[..., :3])).read([1])
    assert frames.alpha_T1HW is not None
    assert torch.allclose(frames.rgb_TCHW, solid.rgb_TCHW * (128 / 255), atol=1e-6)


def test_single_channel_pictures_are_grey(tmp_path, write_picture, noise):
    pixels = noise(channels=1)
    path = write_picture(tmp_path / "a.1.exr", pixels, channels=["Y"])
    rgb = open_clip(path, space="ACEScg").read([1]).rgb_TCHW[0].numpy()
    assert np.array_equal(rgb, np.repeat(pixels.transpose(2, 0, 1), 3, 0))


@pytest.mark.parametrize("compression", ["none", "zip", "zips", "piz", "rle"])
@pytest.mark.parametrize("tile", [0, 16])
@pytest.mark.parametrize("kind", ["half", "float"])
def test_stored_values_come_back_exactly(tmp_path, write_picture, noise, compression, tile, kind):
    dtype = np.float16 if kind == "half" else np.float32
    pixels = noise(37, 53).astype(dtype)
    options = {"tile_width": tile, "tile_height": tile} if tile else {}
    attributes = {"compression": compression}
    path = write_picture(tmp_path / "a.1.exr", pixels, attributes=attributes, **options)
    native = open_clip(path, space="ACEScg").native(1)
    assert native.sample == kind
    assert np.array_equal(native.planes[0], pixels)


@pytest.mark.parametrize("space", ["ACEScg", "g24_rec709"])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_stored_values_stay_what_they_are_when_a_frame_is_made_of_them(
    tmp_path, write_picture, noise, kind, space
):
    path = tmp_path / "a.0001.exr"
    pixels = noise(seed=2).astype(kind)
    write_picture(path, pixels)
    with open_clip(path, space=space) as clip:
        native = clip.native(1)
        made = [clip.of_stored(native, 1).rgb_TCHW.clone() for _ in range(2)]
        assert np.array_equal(native.planes[0], pixels)
        assert all(torch.equal(frame, clip.read([1]).rgb_TCHW) for frame in made)


def test_nan_and_inf_are_counted_and_stay(tmp_path, write_picture, noise):
    pixels = noise()
    pixels[2, 3] = np.nan
    pixels[4, 5, 0] = np.inf
    clip = open_clip(write_picture(tmp_path / "a.0009.exr", pixels), space="ACEScg")
    with pytest.warns(FootagefitWarning, match="frame 9: 1 NaN and 1 Inf"):
        rgb = clip.read([9]).rgb_TCHW[0]
    assert torch.isnan(rgb[:, 2, 3]).all()
    assert torch.isinf(rgb[0, 4, 5])
    assert int((~torch.isfinite(rgb)).sum()) == 4


def test_broken_files_are_named_with_their_frame(sequence, tmp_path):
    path = sequence()
    (tmp_path / "shot.1002.exr").write_bytes(b"")
    with pytest.raises(UnreadableFrame, match=r"shot.1002.exr, frame 1002: the file is empty"):
        open_clip(path, space="ACEScg").read([1002])
    whole = (tmp_path / "shot.1003.exr").read_bytes()
    (tmp_path / "shot.1002.exr").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFrame, match="frame 1002"):
        open_clip(path, space="ACEScg").read([1002])
    assert open_clip(path, space="ACEScg").read([1003]).numbers == (1003,)


def test_a_corrupt_tile_is_an_error_not_noise(tmp_path, write_picture, noise):
    path = write_picture(
        tmp_path / "a.0001.exr", noise(64, 64).round(), attributes={"compression": "zip"},
        tile_width=16, tile_height=16,
    )  # fmt: skip
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(range(200))
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableFrame, match="frame 1"):
        open_clip(path, space="ACEScg").read([1])


def test_a_frame_of_another_size_or_other_channels_is_named(
    sequence, tmp_path, write_picture, noise
):
    path = sequence()
    write_picture(tmp_path / "shot.1002.exr", noise(10, 10).astype(np.float16))
    with pytest.raises(FrameMismatch, match=r"frame 1002: 10x10 in a sequence of 20x12"):
        open_clip(path, space="ACEScg").read([1002])
    write_picture(tmp_path / "shot.1002.exr", noise(channels=4).astype(np.float16))
    with pytest.raises(FrameMismatch, match="channels R, G, B, A"):
        open_clip(path, space="ACEScg").read([1002])


def test_what_is_not_footage_is_said_so(tmp_path, sequence):
    (tmp_path / "notes.txt").write_text("hello")
    for path, words in [
        (tmp_path / "notes.txt", "not footage"),
        (tmp_path / "gone.exr", "no such file"),
        (tmp_path / "gone.####.exr", "no files match"),
    ]:
        with pytest.raises(UnreadableClip, match=words):
            open_clip(path, space="ACEScg")
    (tmp_path / "fake.1.exr").write_bytes(b"not an exr")
    with pytest.raises(UnreadableClip, match="not a readable picture"):
        open_clip(tmp_path / "fake.1.exr", space="ACEScg")


def test_an_unreadable_folder_is_said_so(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    path = closed / "a.####.exr"
    closed.chmod(0)
    try:
        if os.access(closed, os.R_OK):  # root reads everything
            closed.chmod(0o700)
            closed.rmdir()
        with pytest.raises(UnreadableClip, match=r"cannot be read|no files match"):
            open_clip(path, space="ACEScg")
    finally:
        if closed.exists():
            closed.chmod(0o700)


def test_a_clip_travels_to_a_worker(sequence):
    clip = pickle.loads(pickle.dumps(open_clip(sequence(), space="lin_rec709")))
    assert clip.read([1001]).rgb_TCHW.shape == (1, 3, 12, 20)


@pytest.mark.parametrize(("bits", "dtype"), [(10, np.uint16), (12, np.uint16), (16, np.uint16)])
def test_dpx_codes_are_exact(tmp_path, write_picture, bits, dtype):
    codes = np.linspace(0, (1 << bits) - 1, 1024).astype(dtype)
    wide = (codes << (16 - bits)) | (codes >> max(0, 2 * bits - 16)) if bits < 16 else codes
    pixels = np.repeat(wide[None, :, None], 3, 2).repeat(2, 0)
    path = write_picture(tmp_path / "a.0001.dpx", pixels, attributes={"oiio:BitsPerSample": bits})
    clip = open_clip(path, space="ACEScg")
    assert clip.info.bit_depth == bits
    read = clip.read([1]).rgb_TCHW[0, 0, 0].numpy() * ((1 << bits) - 1)
    assert np.allclose(read, codes, atol=0.01)


def test_path_type_does_not_matter(sequence):
    path = sequence()
    assert (
        open_clip(str(path), space="ACEScg").numbers
        == open_clip(Path(path), space="ACEScg").numbers
    )


def test_what_lies_near_a_path_that_is_none_is_named(tmp_path):
    (tmp_path / "dailies" / "empty").mkdir(parents=True)
    with pytest.raises(UnreadableClip, match="dailies/empty holds no footage"):
        open_clip(tmp_path / "dailies" / "empty" / "a.mov")
    for lost in ("dailys/a.mov", "dailys/empty/a.####.exr"):
        with pytest.raises(UnreadableClip, match=f"does not exist; there is {tmp_path}/dailies"):
            open_clip(tmp_path / lost)
    with pytest.raises(UnreadableClip, match=r"elsewhere does not exist\.$"):
        open_clip(tmp_path / "elsewhere" / "a.mov")
