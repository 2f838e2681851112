"""One suite that every reader and writer passes, on clips made on the fly at every depth."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from footagefit.errors import MissingFrames, UnreadableClip
from footagefit.footage.clip import Clip
from footagefit.footage.opening import open_clip
from footagefit.footage.writing import OutputForm, open_writer
from footagefit.records import Box, ClipInfo

SIZE = (64, 96)
FRAMES = range(1001, 1007)


@dataclass(frozen=True)
class Kind:
    """One form that a clip can have.

    Attributes:
        name: Output name.
        form: How it is written.
        step: Largest error of one code, in 0..1.
        exact: Whether stored code values survive being written again.
        reader: How it is read.
    """

    name: str
    form: OutputForm
    step: float
    exact: bool = True
    reader: str = "auto"

    def __str__(self) -> str:
        return f"{self.name}-{self.form.depth}-{self.form.codec}-{self.reader}"


KINDS = [
    Kind("a.####.exr", OutputForm(depth="half"), 1e-3),
    Kind("a.####.exr", OutputForm(depth="float"), 1e-7),
    Kind("a.####.dpx", OutputForm(depth="10"), 0.5 / 1023),
    Kind("a.####.dpx", OutputForm(depth="12"), 0.5 / 4095),
    Kind("a.####.dpx", OutputForm(depth="16"), 0.5 / 65535),
    Kind("a.####.tif", OutputForm(depth="8"), 0.5 / 255),
    Kind("a.####.tif", OutputForm(depth="16"), 0.5 / 65535),
    Kind("a.####.png", OutputForm(depth="8"), 0.5 / 255),
    Kind("a.####.png", OutputForm(depth="16"), 0.5 / 65535),
    Kind("a.####.jpg", OutputForm(depth="8"), 0.05, exact=False),
    Kind("a.mkv", OutputForm(codec="ffv1"), 0.6 / 1023),
    Kind("a.mov", OutputForm(codec="prores_hq"), 0.02, exact=False),
    Kind("a.mov", OutputForm(codec="prores_4444"), 0.02, exact=False),
    Kind("a.mp4", OutputForm(codec="h264"), 0.06, exact=False),
    Kind("a.mp4", OutputForm(codec="h264"), 0.06, exact=False, reader="decord"),
]


def picture(number: int) -> np.ndarray:
    """A smooth picture that differs by frame: codes 0.1 to 0.9."""
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]].astype(np.float32)
    shift = (number - FRAMES[0]) * 6
    red = 0.5 + 0.35 * np.sin((columns + shift) / 17)
    green = 0.5 + 0.35 * np.cos(rows / 13)
    return np.stack([red, green, 0.3 + 0.4 * columns / SIZE[1]], -1).astype(np.float32)


def about() -> ClipInfo:
    box = Box(0, 0, SIZE[1], SIZE[0])
    return ClipInfo(
        path=Path("made"), raster=box, display=box, data=box, first_frame=FRAMES[0],
        length=len(FRAMES), rate=Fraction(24), sample="float", space="ACEScg",
    )  # fmt: skip


@pytest.fixture(scope="module", params=KINDS, ids=str)
def made(request, tmp_path_factory) -> tuple[Kind, Path]:
    kind: Kind = request.param
    path = tmp_path_factory.mktemp("clip") / kind.name
    with open_writer(path, info=about(), form=kind.form) as writer:
        for number in FRAMES:
            writer.write(number, torch.from_numpy(picture(number)).permute(2, 0, 1))
    return kind, path


@pytest.fixture
def clip(made) -> Clip:
    kind, path = made
    start = {} if "#" in kind.name else {"start": FRAMES[0]}
    return open_clip(path, space="ACEScg", reader=kind.reader, **start)


def test_numbers_size_and_length(clip):
    assert clip.numbers == list(FRAMES)
    assert (clip.info.height, clip.info.width) == SIZE
    assert len(clip) == len(FRAMES)


def test_each_frame_is_itself_within_its_depth(made, clip):
    for number in FRAMES:
        frames = clip.read([number])
        assert frames.rgb_TCHW.dtype == torch.float32
        got = frames.rgb_TCHW[0].permute(1, 2, 0).numpy()
        error = np.abs(got - picture(number))
        assert error.max() <= made[0].step * 1.5 + 1e-6
        other = picture(number + 2 if number + 2 in FRAMES else number - 2)
        assert error.mean() < np.abs(got - other).mean() / 2


def test_any_order_gives_the_same_pixels(clip):
    together = clip.read(list(FRAMES)).rgb_TCHW
    for number in (1004, 1001, 1006, 1002, 1005, 1003):
        assert torch.equal(clip.read([number]).rgb_TCHW[0], together[number - FRAMES[0]])


def test_data_is_never_colour_converted(made, clip):
    kind, path = made
    start = {} if "#" in kind.name else {"start": FRAMES[0]}
    logged = open_clip(path, space="arri_logc4", reader=kind.reader, **start)
    assert torch.equal(logged.data([1002], "mask"), clip.data([1002], "mask"))
    assert logged.data([1002], "R").shape == (1, 1, *SIZE)
    assert not torch.allclose(logged.read([1002]).rgb_TCHW, clip.read([1002]).rgb_TCHW, atol=0.05)


def test_native_values_repeat_and_carry_their_layout(clip):
    one, two = clip.native(1003), clip.native(1003)
    assert one.layout == two.layout
    assert all(np.array_equal(a, b) for a, b in zip(one.planes, two.planes, strict=True))
    assert all(plane.dtype != np.float64 for plane in one.planes)


def test_a_copy_works_in_another_process(clip):
    again = pickle.loads(pickle.dumps(clip))
    assert torch.equal(again.read([1005]).rgb_TCHW, clip.read([1005]).rgb_TCHW)


def test_frames_that_are_not_there_are_refused(clip):
    with pytest.raises(MissingFrames, match="1001-1006"):
        clip.read([1000])
    with pytest.raises(MissingFrames):
        clip.native(1007)


def test_a_truncated_file_is_an_error_that_names_it(made, tmp_path):
    kind, path = made
    source = Path(str(path).replace("####", "1003"))
    content = source.read_bytes()
    broken = tmp_path / source.name
    broken.write_bytes(content[: len(content) // 3])
    with pytest.raises(Exception, match=broken.name.replace(".", r"\.")) as caught:
        opened = open_clip(broken, space="ACEScg", reader=kind.reader)
        opened.read(opened.numbers)
    assert type(caught.value).__module__ == "footagefit.errors"
    broken.write_bytes(b"")
    with pytest.raises(UnreadableClip, match="empty"):
        open_clip(broken, space="ACEScg", reader=kind.reader)


def test_stored_values_written_again_are_the_same(made, clip, tmp_path):
    kind, _ = made
    if not kind.exact or "#" not in kind.name:
        return
    with open_writer(tmp_path / kind.name, info=clip.info) as writer:
        for number in FRAMES:
            writer.write(number, None, native=clip.native(number))
    again = open_clip(tmp_path / kind.name, space="ACEScg")
    for number in FRAMES:
        assert np.array_equal(again.native(number).planes[0], clip.native(number).planes[0])
