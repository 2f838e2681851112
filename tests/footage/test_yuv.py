import numpy as np
import pytest

from footagefit.footage import colour, yuv


def _form(name):
    form = yuv.plane_format(name)
    assert form is not None
    return form


def unpack(planes, out, *, form, matrix, full):
    through = yuv.by(yuv.equation(form, matrix=matrix, full=full))
    yuv.to_rgb(planes, out, form=form, through=through)


@pytest.mark.parametrize("matrix", ["bt709", "bt601", "bt2020"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "yuv444p12le"])
def test_every_grey_level_is_kept(name, full, matrix):
    form = _form(name)
    top = 1 << form.bits
    luma = np.arange(top, dtype=np.uint16 if form.bits > 8 else np.uint8)[None].repeat(4, 0)
    grey = np.full((4 >> form.down, top >> form.across), top // 2, luma.dtype)
    out = np.empty((4, top, 3), np.float32)
    unpack((luma, grey, grey), out, form=form, matrix=matrix, full=full)
    more = 1 << (form.bits - 8)
    black, reach = (0, top - 1) if full else (16 * more, 219 * more)
    expected = (np.arange(top) - black) / reach
    assert np.abs(out - expected[None, :, None]).max() < 1e-6
    assert len(np.unique(out[0, :, 1])) == top
    back = yuv.from_rgb(out, form=form, matrix=matrix, full=full)
    assert np.array_equal(back[0], luma)


@pytest.mark.parametrize(
    ("matrix", "red_codes"), [("bt709", (63, 102, 240)), ("bt601", (81, 90, 240))]
)
def test_published_codes_of_red(matrix, red_codes):
    form = _form("yuv444p")
    red = np.zeros((2, 2, 3), np.float32)
    red[..., 0] = 1.0
    planes = yuv.from_rgb(red, form=form, matrix=matrix, full=False)
    assert tuple(int(p[0, 0]) for p in planes) == red_codes
    out = np.empty_like(red)
    unpack(planes, out, form=form, matrix=matrix, full=False)
    assert np.abs(out - red).max() < 0.01


def test_chroma_is_sited_left_across_and_midway_down():
    form = _form("yuv420p10le")
    luma = np.full((16, 32), 64, np.uint16)
    middle = np.full((8, 16), 512, np.uint16)
    ramp = np.broadcast_to(300 + 8 * np.arange(16, dtype=np.uint16), (8, 16)).copy()
    out = np.empty((16, 32, 3), np.float32)
    unpack((luma, middle, ramp), out, form=form, matrix="bt709", full=False)
    expected = (300 + 4 * np.arange(31) - 512) / 896 * 2 * (1 - 0.2126)
    assert np.abs(out[5, :31, 0] - expected).max() < 1e-6
    down = (300 + 8 * np.arange(8, dtype=np.uint16))[:, None].repeat(16, 1)
    unpack((luma, middle, down), out, form=form, matrix="bt709", full=False)
    rows = (300 + 8 * ((np.arange(1, 15) + 0.5) / 2 - 0.5) - 512) / 896 * 2 * (1 - 0.2126)
    assert np.abs(out[1:15, 3, 0] - rows).max() < 1e-6


def test_tall_frames_are_seamless_between_bands():
    form = _form("yuv420p")
    rng = np.random.default_rng(1)
    planes = tuple(
        rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((600, 32), (300, 16), (300, 16))
    )
    whole = np.empty((600, 32, 3), np.float32)
    unpack(planes, whole, form=form, matrix="bt709", full=False)
    part = np.empty((64, 32, 3), np.float32)
    cut = (planes[0][192:256], planes[1][96:128], planes[2][96:128])
    unpack(cut, part, form=form, matrix="bt709", full=False)
    assert np.array_equal(whole[193:255], part[1:63])  # but for the rows chroma is shared with


def test_odd_sizes():
    form = _form("yuv420p")
    planes = tuple(np.full(shape, 100, np.uint8) for shape in ((7, 9), (4, 5), (4, 5)))
    out = np.empty((7, 9, 3), np.float32)
    unpack(planes, out, form=form, matrix="bt601", full=True)
    assert np.ptp(out.reshape(-1, 3), axis=0).max() < 1e-6
    assert [p.shape for p in yuv.from_rgb(out, form=form, matrix="bt601", full=True)] == [
        (7, 9), (4, 5), (4, 5)
    ]  # fmt: skip


def test_unknown_layouts_are_said_to_be_so():
    assert yuv.plane_format("gbrpf32le") is None
    assert yuv.plane_format("nv12") is not None


def test_colour_from_planes_is_colour_from_code_values():
    form = _form("yuv422p10le")
    rng = np.random.default_rng(5)
    shapes = ((40, 32), (40, 16), (40, 16))
    planes = tuple(rng.integers(64, 940, shape, dtype=np.uint16) for shape in shapes)
    expected, out = np.empty((2, 40, 32, 3), np.float32)
    unpack(planes, expected, form=form, matrix="bt709", full=False)
    colour.to_working(expected, "arri_logc4")
    made = yuv.equation(form, matrix="bt709", full=False)
    through = colour.planes_to_working(made.weights, made.offsets, space="arri_logc4")
    yuv.to_rgb(planes, out, form=form, through=through)
    assert np.abs(out - expected).max() < 2e-5 * np.abs(expected).max()
