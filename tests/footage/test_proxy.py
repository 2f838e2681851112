import multiprocessing
import random
import warnings

import numpy as np
import pytest

from footage.movies_made import GAMMA, make_movie, quiet
from footagefit.errors import FootagefitWarning, UnknownName
from footagefit.footage import proxy
from footagefit.footage.proxy import ProxyClip, agrees

pytest.importorskip("decord")


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    path = tmp_path_factory.mktemp("proxy") / "proxy é.mp4"
    return make_movie(path, options={"g": "12", "bf": "2"}, size=(128, 96))


def test_a_proxy_reads_what_the_movie_holds(movie):
    with ProxyClip(movie, space=GAMMA) as clip, quiet(movie) as exact:
        assert clip.info.sample == "uint8"
        assert clip.numbers == exact.numbers
        got, truth = clip.data([9, 3, 9], "rgb"), exact.data([9, 3, 9], "rgb").clip(0, 1)
        assert float((got - truth).abs().mean()) * 255 < 5
        assert clip.read([3]).rgb_TCHW.shape == (1, 3, 96, 128)
        assert np.array_equal(clip.native(3).planes[0], exact.native(3).planes[0])
        assert clip.data([3], "mask").shape == (1, 1, 96, 128)
        with pytest.raises(UnknownName):
            clip.data([3], "A")


@pytest.mark.parametrize("given", [{}, {"matrix": "bt601"}, {"matrix": "bt709"}])
@pytest.mark.parametrize("tags", [None, (1, 1, 1, 1), (6, 6, 6, 2)])
def test_matrix_and_levels_are_the_clips_own(tmp_path, tags, given):
    def reddish(i, plane, shape):
        return np.full(shape, (100, 110, 170)[plane])

    path = make_movie(tmp_path / "m.mp4", frames=4, tags=tags, planes=reddish)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FootagefitWarning)
        clip = ProxyClip(path, space=GAMMA, **given)
    with clip, quiet(path, **given) as exact:
        got, truth = clip.data([2], "rgb"), exact.data([2], "rgb").clip(0, 1)
        assert float((got - truth).abs().max()) * 255 < 4


def test_deeper_movies_are_read_at_8_bits_with_a_warning(tmp_path):
    path = make_movie(tmp_path / "deep.mkv", encoder="ffv1", layout="yuv422p10le", frames=2)
    with pytest.warns(FootagefitWarning, match="10 bits are read as 8"):
        ProxyClip(path, space=GAMMA).close()


def _read_in_worker(clip, answers):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FootagefitWarning)
        answers.put(clip.data([5], "rgb").numpy())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_read_what_the_parent_has_open(movie, method):
    context = multiprocessing.get_context(method)
    with ProxyClip(movie, space=GAMMA) as clip:
        here = clip.data([5], "rgb").numpy()
        answers = context.Queue()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            worker = context.Process(target=_read_in_worker, args=(clip, answers))
            worker.start()
        assert np.abs(answers.get(timeout=20) - here).mean() * 255 < 5
        worker.join(30)
        assert worker.exitcode == 0


def test_few_readers_stay_open_and_each_is_replaced(movie, tmp_path, monkeypatch):
    monkeypatch.setattr(proxy, "_READS", 10)
    others = [make_movie(tmp_path / f"{i}.mp4", frames=4) for i in range(4)]
    for path in others:
        ProxyClip(path, space=GAMMA).data([1], "R")
    assert len(proxy._readers) == proxy._KEPT
    with ProxyClip(movie, space=GAMMA) as clip:
        order = random.Random(2)
        first = proxy._reader(movie)
        for _ in range(12):
            clip.data([order.randint(1, 30)], "R")
        assert proxy._reader(movie) is not first


def test_agreement_is_found(movie):
    assert agrees(movie, samples=12)


def test_disagreement_is_found(movie, monkeypatch):
    whole = ProxyClip._picture
    monkeypatch.setattr(ProxyClip, "_picture", lambda self, frame: whole(self, max(frame - 1, 1)))
    assert not agrees(movie, samples=12)


def test_wrong_frames_in_sequence_are_found(movie, tmp_path, monkeypatch):
    exact = proxy.MovieClip.data
    monkeypatch.setattr(
        proxy.MovieClip,
        "data",
        lambda self, frames, layer: exact(self, [30 - frames[0] + 1], layer),
    )
    assert not agrees(movie, samples=12)
