import multiprocessing
import pickle
import random
import warnings
from fractions import Fraction

import numpy as np
import pytest

from footage.movies_made import GAMMA, make_movie, native_hash, quiet, sequential_hashes
from footagefit.errors import (
    FootagefitWarning,
    MissingFrames,
    UnknownName,
    UnknownSpace,
    UnreadableClip,
    UnreadableFrame,
)
from footagefit.footage import colour
from footagefit.footage.movie import MovieClip

KINDS = {
    "h264 with B-frames.mp4": dict(options={"g": "12", "bf": "3"}),
    "h264 open GOP.mkv": dict(options={"x264-params": "open-gop=1:keyint=8:bframes=3"}),
    "h264.avi": dict(options={"g": "10", "bf": "2"}),
    "h264.mxf": dict(encoder="mpeg2video", options={"g": "6", "bf": "2"}, rate=Fraction(25)),
    "hevc 10-bit.mp4": dict(
        encoder="libx265",
        layout="yuv420p10le",
        options={"x265-params": "keyint=8:bframes=3:open-gop=1:log-level=none"},
    ),
    "hevc 12-bit.mkv": dict(
        encoder="libx265", layout="yuv422p12le", options={"x265-params": "log-level=none"}
    ),
    "prores 422.mov": dict(
        encoder="prores_ks", layout="yuv422p10le", options={"profile": "hq"}, frames=12
    ),
    "prores 4444.mov": dict(
        encoder="prores_ks", layout="yuva444p10le", options={"profile": "4444"}, frames=12
    ),
    "dnxhr.mov": dict(
        encoder="dnxhd", layout="yuv422p10le", options={"profile": "dnxhr_hqx"}, frames=6,
        size=(256, 128),
    ),
    "ffv1.mkv": dict(encoder="ffv1", layout="yuv444p12le", frames=12),
    "ffv1 grey 10.mkv": dict(encoder="ffv1", layout="gray10le", frames=8),
}  # fmt: skip


@pytest.fixture(scope="session")
def movies(tmp_path_factory):
    folder = tmp_path_factory.mktemp("movies é %#")
    made = {}

    def get(name):
        if name not in made:
            made[name] = make_movie(folder / name, **KINDS[name])
        return made[name]

    return get


@pytest.mark.parametrize("name", KINDS)
def test_any_order_gives_the_frames_of_the_sequence(movies, name):
    path = movies(name)
    truth = sequential_hashes(path)
    with quiet(path) as clip:
        assert len(clip) == len(truth) == KINDS[name].get("frames", 30)
        numbers = clip.numbers * 2
        random.Random(3).shuffle(numbers)
        first = clip.info.first_frame
        assert [native_hash(clip, n) for n in numbers] == [truth[n - first] for n in numbers]


@pytest.mark.parametrize("name", KINDS)
def test_front_to_back_gives_the_same_planes(movies, name):
    path = movies(name)
    with quiet(path) as clip, quiet(path) as other:
        through = clip.through()
        for number in other.numbers:
            lines, stored = next(through), other.native(number)
            assert lines.filtered
            assert lines.attributes == stored.attributes
            for plane, picture in enumerate(stored.planes):
                assert np.array_equal(lines.picture(plane), picture)
        assert next(through, None) is None
        assert native_hash(clip, number) == native_hash(other, number)


def test_rough_frames_are_those_that_nothing_is_made_from(tmp_path):
    path = make_movie(
        tmp_path / "soft.mp4", options={"bf": "2", "b-pyramid": "0", "crf": "40", "g": "12"}
    )
    with quiet(path) as clip, quiet(path) as other:
        exact = [
            np.array_equal(lines.picture(0), other.native(number).planes[0])
            for number, lines in zip(other.numbers, clip.through(rough=True), strict=True)
        ]
        told = [lines.filtered for lines in clip.through(rough=True)]
        assert all(same for same, filtered in zip(exact, told, strict=True) if filtered)
        assert not all(exact)
        assert all(lines.filtered for lines in clip.through())  # and what is read after is not
        assert native_hash(clip, other.numbers[1]) == native_hash(other, other.numbers[1])


@pytest.mark.parametrize("name", ["h264 open GOP.mkv", "prores 422.mov", "hevc 10-bit.mp4"])
def test_reading_on_never_seeks(movies, name):
    with quiet(movies(name)) as clip:
        for number in clip.numbers:
            clip.native(number)
        assert clip._decoder is not None
        assert clip._decoder.seeks == 0


def test_read_keeps_the_order_asked_for_and_one_array(movies):
    with quiet(movies("h264 with B-frames.mp4")) as clip:
        got = clip.read([7, 2, 7])
        assert got.numbers == (7, 2, 7)
        assert got.rgb_TCHW.shape == (3, 3, 64, 96)
        assert got.rgb_TCHW.permute(0, 2, 3, 1).is_contiguous()
        assert got.alpha_T1HW is None
        assert np.array_equal(got.rgb_TCHW[0], got.rgb_TCHW[2])
        assert np.array_equal(got.rgb_TCHW[1], clip.read([2]).rgb_TCHW[0])
        codes = clip.data([7], "rgb")[0].permute(1, 2, 0).numpy().copy()
        colour.to_working(codes, GAMMA)
        assert np.array_equal(got.rgb_TCHW[0].permute(1, 2, 0).numpy(), codes)


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p10le", "yuv444p12le"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", ["bt709", "bt601", "bt2020"])
def test_every_level_of_a_ramp_survives(tmp_path, layout, full, matrix):
    bits = int(layout[7:9]) if layout[-2:] == "le" else 8
    top = 1 << bits

    def ramp(i, plane, shape):
        if plane:
            return np.full(shape, top // 2)
        return np.arange(shape[0] * shape[1]).reshape(shape) % top

    tags = (1, 1, {"bt709": 1, "bt601": 6, "bt2020": 9}[matrix], 2 if full else 1)
    path = make_movie(
        tmp_path / "ramp.mkv", encoder="ffv1", layout=layout, frames=1, tags=tags, planes=ramp
    )
    with quiet(path) as clip:
        assert (clip.matrix, clip.full) == (matrix, full)
        green = clip.data([1], "G")[0, 0].numpy().ravel()
        more = top // 256
        black, reach = (0, top - 1) if full else (16 * more, 219 * more)
        codes = np.arange(64 * 96) % top
        assert np.abs(green - (codes - black) / reach).max() < 1e-6
        assert len(np.unique(clip.read([1]).rgb_TCHW[0, 1])) == min(top, 64 * 96)


def test_alpha_is_kept_and_multiplied_after_conversion(tmp_path):
    values = {0: 3000, 1: 2048, 2: 2048, 3: 1024}
    path = make_movie(
        tmp_path / "alpha.mkv", encoder="ffv1", layout="yuva444p12le", frames=2,
        planes=lambda i, plane, shape: np.full(shape, values[plane]),
    )  # fmt: skip
    with quiet(path) as clip:
        got = clip.read([1])
        assert clip.info.alpha
        assert got.alpha_T1HW is not None
        assert float(got.alpha_T1HW[0, 0, 5, 5]) == pytest.approx(1024 / 4095, abs=1e-7)
        straight = np.full((1, 1, 3), (3000 - 256) / 3504, np.float32)
        colour.to_working(straight, GAMMA)
        expected = straight[0, 0] * (1024 / 4095)
        assert got.rgb_TCHW[0, :, 5, 5].numpy() == pytest.approx(expected, rel=1e-5)
        assert clip.data([1], "A").unique().tolist() == clip.data([1], "mask").unique().tolist()
        assert clip.data([1], "rgba").shape == (1, 4, 64, 96)


def test_pickled_clips_read_the_same(movies):
    with quiet(movies("hevc 10-bit.mp4")) as clip:
        here = native_hash(clip, 11)
        with pickle.loads(pickle.dumps(clip)) as copy:
            assert native_hash(copy, 11) == here
            assert copy.info == clip.info


def _hashes_in_worker(clip, numbers, answers):
    answers.put([native_hash(clip, n) for n in numbers])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_read_a_clip_their_parent_has_open(movies, method):
    context = multiprocessing.get_context(method)
    with quiet(movies("h264 with B-frames.mp4")) as clip:
        numbers = [9, 3, 20]
        here = [native_hash(clip, n) for n in numbers]
        answers = context.Queue()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # fork in a threaded process
            worker = context.Process(target=_hashes_in_worker, args=(clip, numbers, answers))
            worker.start()
        assert answers.get(timeout=60) == here
        worker.join(30)
        assert worker.exitcode == 0
        assert [native_hash(clip, n) for n in numbers] == here


def _resident_mib():
    with open("/proc/self/statm") as handle:
        return int(handle.read().split()[1]) * 4096 / 2**20


def test_memory_stays_flat(movies):
    with quiet(movies("h264 with B-frames.mp4")) as clip:
        order = random.Random(5)
        for _ in range(100):
            clip.read([order.choice(clip.numbers)])
        before = _resident_mib()
        for _ in range(400):
            clip.read([order.choice(clip.numbers)])
        assert _resident_mib() - before < 16


@pytest.mark.parametrize("suffix", [".mov", ".mkv", ".mxf"])
def test_start_timecode_numbers_the_frames(tmp_path, suffix):
    path = make_movie(
        tmp_path / f"tc{suffix}", encoder="mpeg2video", rate=Fraction(30000, 1001), frames=4,
        timecode="01:00:00;02",
    )  # fmt: skip
    with quiet(path) as clip:
        assert clip.info.timecode == "01:00:00;02"
        assert clip.info.first_frame == 107894
        assert clip.info.rate == Fraction(30000, 1001)
        with pytest.raises(MissingFrames, match="107894-107897"):
            clip.read([1])
    with quiet(path, start=1001) as clip:
        assert clip.numbers == [1001, 1002, 1003, 1004]


@pytest.mark.parametrize(
    ("tags", "space"),
    [
        ((1, 1, 1, 1), "Gamma 2.4 Encoded Rec.709"),
        ((1, 13, 1, 1), "sRGB Encoded Rec.709 (sRGB)"),
        ((9, 18, 9, 1), "Rec.2100-HLG - Display"),
        ((9, 16, 9, 1), "Rec.2100-PQ - Display"),
    ],
)
def test_certain_tags_name_the_space(tmp_path, tags, space):
    path = make_movie(tmp_path / "tagged.mp4", frames=2, tags=tags)
    with MovieClip(path, space="auto") as clip:
        assert clip.info.space == space


def test_untagged_movies_ask_for_a_space_and_say_what_they_assume(tmp_path):
    path = make_movie(tmp_path / "untagged.mov", frames=2, tags=None)
    with (
        pytest.warns(FootagefitWarning, match="matrix=bt601 and levels=limited"),
        pytest.raises(UnknownSpace, match="space="),
    ):
        MovieClip(path, space="auto")
    hd = make_movie(tmp_path / "hd.mov", frames=1, tags=None, size=(1280, 64))
    with pytest.warns(FootagefitWarning, match="bt709") as caught:
        clip = MovieClip(hd, space=GAMMA)
        clip.read([1])
        clip.read([1])
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MovieClip(hd, space=GAMMA, matrix="bt601", levels="full").close()


def test_wrong_words_are_refused(movies):
    path = movies("h264 with B-frames.mp4")
    with pytest.raises(UnknownName, match="bt709"):
        MovieClip(path, space=GAMMA, matrix="rec709")
    with pytest.raises(UnknownName, match="limited"):
        MovieClip(path, space=GAMMA, levels="legal")
    with quiet(path) as clip, pytest.raises(UnknownName, match="rgb"):
        clip.data([1], "depth")


@pytest.mark.parametrize("content", [b"", b"not a movie at all" * 500])
def test_what_is_no_movie_is_said_in_one_line(tmp_path, content):
    path = tmp_path / "broken.mov"
    path.write_bytes(content)
    with pytest.raises(UnreadableClip) as caught:
        MovieClip(path, space=GAMMA)
    assert "\n" not in str(caught.value)
    assert "broken.mov" in str(caught.value)


def test_a_missing_movie_is_unreadable(tmp_path):
    with pytest.raises(UnreadableClip, match="no such"):
        MovieClip(tmp_path / "gone.mov", space=GAMMA)


@pytest.mark.parametrize(
    "name", ["h264 open GOP.mkv", "h264.avi", "h264 with B-frames.mp4", "prores 422.mov"]
)
@pytest.mark.parametrize("share", [0.3, 0.7, 0.9])
def test_cut_off_movies_are_found_out_on_opening(movies, tmp_path, name, share):
    whole = movies(name).read_bytes()
    path = tmp_path / f"cut{movies(name).suffix}"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UnreadableClip, match=r"cut off|its index says"):
        quiet(path)


def test_cut_off_movies_with_the_index_in_front(tmp_path):
    path = make_movie(
        tmp_path / "fast.mov", encoder="prores_ks", layout="yuv422p10le", frames=8,
        options={"profile": "hq"},
    )  # fmt: skip
    import av

    front = tmp_path / "front.mov"
    with (
        av.open(str(path)) as source,
        av.open(str(front), "w", options={"movflags": "faststart"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert len(quiet(front)) == 8
    data = front.read_bytes()
    front.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(UnreadableClip, match=r"its index says 8 frames, the file holds [3-6]"):
        quiet(front)


def test_a_damaged_frame_is_named_and_its_neighbours_stand(tmp_path):
    path = make_movie(
        tmp_path / "damaged.mov", encoder="prores_ks", layout="yuv422p10le", frames=8,
        options={"profile": "hq"},
    )  # fmt: skip
    truth = sequential_hashes(path)
    import av

    with av.open(str(path)) as container:
        entry = list(container.streams.video[0].index_entries)[4]
    data = bytearray(path.read_bytes())
    data[entry.pos : entry.pos + entry.size] = bytes(entry.size)
    path.write_bytes(bytes(data))
    with quiet(path, start=1001) as clip:
        with pytest.raises(UnreadableFrame, match="frame 1005"):
            clip.read([1005])
        assert native_hash(clip, 1004) == truth[3]
        assert native_hash(clip, 1006) == truth[5]
    with quiet(path, start=1001, threads=1) as clip:
        assert sum(1 for _ in clip.through()) == 4  # and no word of what is the matter
        with pytest.raises(UnreadableFrame, match="frame 1005"):
            clip.native(1005)
