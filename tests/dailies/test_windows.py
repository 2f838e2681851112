"""Windows: pure in (seed, index), balanced, cached within bounds, the same from any worker."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dailies_footage import shot_of, show_of
from footagefit.dailies import pairs, splits
from footagefit.dailies.cache import STRIP, FrameCache
from footagefit.dailies.data import Dailies, InOrder, as_list, generator_at
from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import TRAIN, VAL, Shot
from footagefit.dailies.sampling import Sampling
from footagefit.dailies.scan import scan_show
from footagefit.dailies.show import Show
from footagefit.dailies.windows import Window, framed_as
from footagefit.errors import DiskFull, UsageError


@pytest.fixture(scope="module")
def show(dailies: Path, tmp_path_factory: pytest.TempPathFactory) -> Show:
    made = show_of(dailies, tmp_path_factory.mktemp("work"))
    scan_show(made, workers=0)
    return made


def many() -> list[Shot]:
    """One talky scene of fifty takes, two of one."""
    return [*[shot_of("1", str(t)) for t in range(50)], shot_of("2"), shot_of("3")]


def test_draws_are_a_pure_function_of_seed_and_index() -> None:
    one, two = Sampling(many(), seed=3), Sampling(many()[::-1], seed=3)
    indices = [0, 7, 1000, 123_456]
    assert [one.draw(i) for i in indices] == [two.draw(i) for i in reversed(indices)][::-1]
    assert one.draw(7) != Sampling(many(), seed=4).draw(7)
    assert one.draw(7) != Sampling(many(), seed=3, stream="val").draw(7)


def test_scenes_are_even_whatever_their_length() -> None:
    sampling = Sampling(many(), seed=0)
    drawn = Counter(sampling.shots[sampling.draw(i).shot].scene for i in range(300))
    assert drawn == {"1": 100, "2": 100, "3": 100}


def test_windows_stay_in_their_shot_and_references_come_from_elsewhere() -> None:
    sampling = Sampling(many(), seed=1, length=3, stride=2, references=3)
    for index in range(60):
        draw = sampling.draw(index)
        assert len(draw.numbers) == 3
        assert draw.numbers[0] >= 1 and draw.numbers[-1] <= 20
        for name, number in draw.references:
            assert 1 <= number <= 20
            assert (name, number) not in [(draw.shot, n) for n in draw.numbers]
    with pytest.raises(UsageError, match="no train shot has 99 frames"):
        Sampling(many(), seed=0, length=99)


def test_references_come_from_takes_that_sit_with_the_shot() -> None:
    measured = {"1": (0.0, 5600.0), "2": (0.05, 5700.0), "3": (0.6, 5600.0), "4": (0.0, 4300.0)}
    shots = [
        replace(shot_of("1", take), exposure_ev=ev, white_k=kelvin)
        for take, (ev, kelvin) in measured.items()
    ]
    sampling = Sampling(shots, seed=2, references=1)
    beside: dict[str, set[str]] = defaultdict(set)
    for index in range(400):
        draw = sampling.draw(index)
        beside[draw.shot].add(draw.references[0][0])
    assert beside["1_T1"] == beside["1_T2"] == {"1_T1", "1_T2"}
    assert (beside["1_T3"], beside["1_T4"]) == ({"1_T3"}, {"1_T4"})


def test_missing_frames_are_not_drawn_but_marked() -> None:
    shots = [shot_of("1")]
    missing = {"1_T1": list(range(3, 20))}
    sampling = Sampling(shots, seed=0, missing=missing)
    hits = sum(sampling.draw(i).numbers[0] in missing["1_T1"] for i in range(100))
    assert hits < 50  # chance would give 85


def test_cached_and_decoded_frames_agree(show: Show) -> None:
    data = Dailies(show, long_side_px=64, workers=0, seed=2)
    fresh = data.windows(TRAIN).window(5)
    data.prepare_data()
    cached = data.windows(TRAIN).window(5)
    assert fresh.numbers == cached.numbers
    assert cached.frames_TCHW.shape == (1, 3, 36, 64)
    assert torch.allclose(fresh.frames_TCHW, cached.frames_TCHW, rtol=2e-3, atol=1e-4)
    assert cached.reference_RCHW.shape == (2, 3, 36, 64)
    whole, gone = cached.more([cached.shot.first - 1, cached.shot.first])
    assert gone[:, 0, 0, 0].tolist() == [1.0, 0.0]
    assert float(whole[0].abs().max()) == 0.0
    assert all(t.setup == cached.shot.setup for t in cached.takes())


def test_a_second_preparation_makes_nothing(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Dailies(show, long_side_px=64, workers=0)
    data.prepare_data()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(FrameCache, "fill", refuse)
    data.prepare_data()


def test_the_cache_keeps_its_bound(tmp_path: Path) -> None:
    frame_bytes = 3 * 8 * 8 * 2
    cache = FrameCache(tmp_path, limit_bytes=3 * STRIP * frame_bytes + 600)

    def read(numbers: object) -> np.ndarray:
        return np.full((len(list(numbers)), 3, 8, 8), 1e6, np.float32)  # type: ignore[call-overload]

    for name in ("aa", "bb", "cc", "dd"):
        cache.fill(name, first=1, length=STRIP, read=read)
        assert cache.size_bytes() <= cache.limit_bytes
    assert cache.read("aa", 1) is None
    held = cache.read("dd", STRIP)
    assert held is not None
    assert float(held.max()) == 65504.0  # half's range, not infinity
    with pytest.raises(DiskFull, match="Raise cache_gb"):
        cache.fill("ee", first=1, length=9 * STRIP, read=read)


def test_clips_without_room_are_still_read(show: Show) -> None:
    data = Dailies(show, long_side_px=64, workers=0, cache_gb=0.0, seed=2)
    with pytest.warns(UserWarning, match="Raise cache_gb"):
        data.prepare_data()
    roomy = Dailies(show, long_side_px=64, workers=0, seed=2)
    one, two = data.windows(TRAIN).window(5), roomy.windows(TRAIN).window(5)
    assert torch.allclose(one.frames_TCHW, two.frames_TCHW, atol=0.02)


def mean_and_draw(window: Window, rng: torch.Generator) -> tuple[str, float, float]:
    return window.shot.name, float(window.frames_TCHW.mean()), float(torch.rand(1, generator=rng))


def test_workers_give_what_one_process_gives_and_resume_in_place(show: Show) -> None:
    options = {"batch_size": 4, "steps": 5, "long_side_px": 64, "example": mean_and_draw}
    alone = Dailies(show, workers=0, **options)
    alone.prepare_data()
    want = [batch for batch in alone.train_dataloader()]
    helped = Dailies(show, workers=2, **options)
    assert [batch for batch in helped.train_dataloader()] == want
    alone.start_step = 3
    assert [batch for batch in alone.train_dataloader()] == want[3:]
    assert len(alone.train_dataloader()) == 5


def test_sides_of_the_module_do_not_meet(show: Show) -> None:
    data = Dailies(show, workers=0)
    train, val = data.shots(TRAIN), data.shots(VAL)
    assert train and val
    assert not {s.scene for s in train} & {s.scene for s in val}


def test_a_leak_in_the_catalogue_stops_the_module(show: Show, tmp_path: Path) -> None:
    import shutil
    from dataclasses import replace

    other = replace(show, work=tmp_path / "w")
    shutil.copytree(show.work, other.work)
    with Catalogue(other.catalogue, write=True) as catalogue, catalogue.change() as db:
        db.execute("UPDATE shots SET side = 'val' WHERE name = '42A_T2_A'")
        db.execute("UPDATE shots SET side = 'train' WHERE name != '42A_T2_A'")
    with pytest.raises(splits.LeakedSplit):
        Dailies(other, workers=0).shots(TRAIN)


def test_generators_and_order() -> None:
    assert torch.equal(
        torch.rand(3, generator=generator_at(1, 9)), torch.rand(3, generator=generator_at(1, 9))
    )
    assert not torch.equal(
        torch.rand(3, generator=generator_at(1, 9)), torch.rand(3, generator=generator_at(1, 10))
    )
    order = InOrder(10, start=4)
    assert (list(order), len(order)) == ([4, 5, 6, 7, 8, 9], 10)
    assert as_list([1]) == [1]


def test_references_keep_their_aspect() -> None:
    wide = torch.zeros(1, 3, 20, 60)
    wide[..., 25:35] = 1.0
    cut = framed_as(wide, (20, 20))
    assert cut.shape == (1, 3, 20, 20)
    assert float(cut[..., 5:15].mean()) == 1.0


def test_mined_pairs_mark_what_stands_still(tmp_path: Path) -> None:
    from dailies_footage import shot, write_movie

    root = tmp_path / "show"
    one = shot(71, 24, pan=(0, 0), take=1)
    other = (np.roll(shot(71, 24, pan=(0, 0), take=2), 3, axis=2) * 0.75).astype(np.uint8)
    write_movie(root / "42A_T1_A.mov", one)
    write_movie(root / "42A_T2_A.mov", other)
    for scene in ("43", "44", "45"):
        write_movie(root / f"{scene}_T1_A.mov", shot(int(scene), 12))
    made = show_of(root, tmp_path / "w")
    scan_show(made, workers=0)
    with Catalogue(made.catalogue) as catalogue:
        shots = [s for s in catalogue.shots() if s.scene == "42"]
    (worst, *_) = pairs.mismatches(shots)
    assert {worst.one, worst.other} == {"42A_T1_A", "42A_T2_A"}
    assert worst.exposure_ev == pytest.approx(2.4 * np.log2(0.75), abs=0.25)
    reader = Dailies(made, long_side_px=160, workers=0)._reader(shots)
    pair = pairs.mined(reader, worst)
    assert pair is not None
    mask = pair.mask_1HW[0] > 0.5
    assert 0.2 < float(mask.float().mean()) < 0.95
    gain = (pair.other_CHW[1][mask] / pair.one_CHW[1][mask].clamp_min(1e-3)).log2()
    assert float(gain.median()) == pytest.approx(2.4 * np.log2(0.75), abs=0.15)
    assert float((gain - gain.median()).abs().median()) < 0.15
    later = pairs.mined(reader, worst, moment=0.9)
    assert later is not None
    assert later.numbers[0] > pair.numbers[0] + 5
