"""A look at every frame: the same by planes front to back as frame by frame, whatever is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dailies_footage import shot, write_movie
from footage.movies_made import make_movie, quiet
from footagefit.dailies import looking
from footagefit.dailies.thinning import Closer
from footagefit.footage.clip import Lines
from footagefit.footage.movie import MovieClip


@pytest.mark.parametrize("frames", [5, 40])
def test_front_to_back_and_frame_by_frame_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int
) -> None:
    path = write_movie(tmp_path / "a.mov", shot(1, frames), preset="veryfast")
    with MovieClip(path, space="g24_rec709") as clip:
        quick = looking.look_at(clip)
    monkeypatch.setattr(MovieClip, "through", lambda *_, **__: iter(()))
    with MovieClip(path, space="g24_rec709") as clip:
        slow = looking.look_at(clip)
    assert quick.numbers == slow.numbers == list(range(1, frames + 1))
    assert np.array_equal(quick.small_THWC, slow.small_THWC)
    assert np.array_equal(quick.sharp_T, slow.sharp_T)
    assert (quick.matrix, quick.full) == (slow.matrix, slow.full)
    assert quick.thumbs.keys() == slow.thumbs.keys() == set(range(5, frames + 1, 8))
    for one, other in zip(quick.thumbs.values(), slow.thumbs.values(), strict=True):
        assert all(map(np.array_equal, one, other))


@pytest.mark.parametrize(
    ("layout", "values", "want"),
    [
        ("yuv420p", (100, 90, 200), (100, 90, 200)),
        ("yuv422p10le", (600, 300, 700), (150, 75, 174)),
        ("yuv444p12le", (2000, 2048, 2048), (125, 128, 128)),
        ("gray10le", (500,), (125, 128, 128)),
    ],
)
def test_any_depth_and_subsampling_at_odd_sizes(
    tmp_path: Path, layout: str, values: tuple[int, ...], want: tuple[int, ...]
) -> None:
    path = make_movie(
        tmp_path / "flat.mkv", encoder="ffv1", layout=layout, frames=20, size=(101, 67),
        planes=lambda i, plane, shape: np.full(shape, values[plane]),
    )  # fmt: skip
    with quiet(path) as clip:
        look = looking.look_at(clip)
        picture = looking.shown(look.thumbs[5], look, clip.info)
    assert look.small_THWC.shape == (20, 27, 48, 3)
    assert (look.small_THWC == want).all()
    assert picture.shape == (round(192 * 67 / 101), 192, 3)
    assert np.ptp(picture, axis=(0, 1)).max() == 0


def test_tiny_pixels_are_means_of_what_lies_under_them(tmp_path: Path) -> None:
    def ramp(i: int, plane: int, shape: tuple[int, int]) -> np.ndarray:
        if plane:
            return np.full(shape, 128)
        return np.broadcast_to(np.linspace(16, 235, shape[1]).round(), shape)

    path = make_movie(tmp_path / "r.mkv", encoder="ffv1", frames=3, size=(960, 540), planes=ramp)
    with quiet(path) as clip:
        look = looking.look_at(clip)
    want = np.linspace(16, 235, 960).reshape(48, 20).mean(1)
    assert np.abs(look.small_THWC[..., 0] - want).max() <= 1.0
    assert np.ptp(look.small_THWC[..., 0], axis=1).max() == 0


def test_a_broken_frame_does_not_take_the_rest_with_it(tmp_path: Path) -> None:
    import av

    path = make_movie(
        tmp_path / "damaged.mov", encoder="prores_ks", layout="yuv422p10le", frames=30
    )
    with av.open(str(path)) as container:
        entry = list(container.streams.video[0].index_entries)[9]
    data = bytearray(path.read_bytes())
    data[entry.pos : entry.pos + entry.size] = bytes(entry.size)
    path.write_bytes(bytes(data))
    with quiet(path, threads=1) as clip:
        look = looking.look_at(clip)
    assert list(look.broken) == [10]
    assert look.numbers == [n for n in range(1, 31) if n != 10]
    assert len(look.small_THWC) == len(look.sharp_T) == 29


def test_what_is_left_out_when_rough_is_not_to_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = np.repeat(np.repeat(shot(7, 36), 6, 1), 6, 2)
    path = write_movie(tmp_path / "a.mov", film, crf=26, preset="veryfast")
    looks = []
    for least_px in (480, 10_000):
        monkeypatch.setattr(looking, "_ROUGH_PX", least_px)
        with MovieClip(path, space="g24_rec709") as clip:
            looks.append(looking.look_at(clip))
    rough, exact = looks
    away = np.abs(rough.small_THWC.astype(int) - exact.small_THWC)
    assert away.mean() < 0.2
    assert away.max() > 0  # the filter was left out
    assert np.allclose(rough.jump_T, exact.jump_T, atol=0.2)
    assert np.allclose(np.median(rough.sharp_T), np.median(exact.sharp_T), rtol=0.05)


def test_sharpness_is_told_of_filtered_frames_and_held_between() -> None:
    rng = np.random.default_rng(0)
    closer, told = Closer(), []
    for index in range(40):
        filtered = index % 4 == 3
        if index >= closer.due:
            before = len(closer._told)
            plane = rng.integers(0, 255, 64 * 96).astype(np.uint8)
            lines = Lines((plane,), ((64, 96),), {}, filtered)
            closer.look(index + 1, index, lines)
            told += [(index, filtered)] * (len(closer._told) - before)
    assert told[0] == (0, False)  # a clip's first frame, for want of another
    assert [filtered for _, filtered in told[1:]] == [True] * (len(told) - 1)
    assert [index for index, _ in told] == [0, 11, 19, 27, 35]
    sharp = closer.sharp(40)
    assert len(sharp) == 40
    assert np.flatnonzero(np.diff(sharp)).tolist() == [10, 18, 26, 34]
