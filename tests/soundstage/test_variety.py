"""Training scenes range far wider than any show."""

from __future__ import annotations

import json

import numpy as np
import pytest

from footagefit.soundstage import training, variety


@pytest.fixture(scope="module")
def figures():
    return variety.of_scenes(variety.measured(seed=2, count=40, size_px=(32, 32)))


def test_histograms_are_shares(figures):
    for name, shares in figures.items():
        assert shares.sum() == pytest.approx(1.0), name


@pytest.mark.parametrize(
    ("name", "least"),
    [("normal x", 0.9), ("normal y", 0.9), ("key azimuth, degrees", 0.8),
     ("key elevation, degrees", 0.6), ("luminance, stops over grey", 0.7),
     ("albedo", 0.7), ("picture saturation", 0.8), ("subject distance, log2 m", 0.4)],
)  # fmt: skip
def test_scenes_cover_the_range(figures, name, least):
    assert variety.covered(figures[name]) >= least


def test_no_framing_is_the_rule(figures):
    """A floor or wall in every scene is what a net would learn instead of light."""
    filled = figures["share of frame with a set"]
    assert filled[-1] < 0.85
    assert filled[: len(filled) // 2].sum() > 0.05


def test_pages_draw_and_pictures_measure(tmp_path, write_picture):
    rng = np.random.default_rng(0)
    write_picture(tmp_path / "a.png", rng.integers(0, 255, (32, 32, 3), np.uint8))
    beside = variety.of_pictures(tmp_path)
    assert "luminance, stops over grey" in beside and "picture saturation" in beside
    shares = {name: np.full(variety.BINS, 1 / variety.BINS) for name in variety.RANGES}
    record, page = variety.report(shares, tmp_path / "report", beside=beside)
    assert page.stat().st_size > 10_000
    figures = json.loads(record.read_text())["figures"]
    assert set(figures) == set(variety.RANGES)
    real = figures["picture saturation"]["real"]
    assert sum(real) == pytest.approx(1.0, abs=1e-4) and real != figures["normal x"]["stage"]
    assert figures["normal x"]["real"] is None


def test_known_lights_tell_normals_and_where_they_stood(tmp_path, write_picture):
    """A matte ball under six lights: its normals cover a disc, x as often left as right."""
    y, x = np.meshgrid(*(np.linspace(1.1, -1.1, 96), np.linspace(-1.1, 1.1, 96)), indexing="ij")
    z = np.sqrt(np.clip(1 - x * x - y * y, 0, None))
    ways = np.array(
        [[0.3, 0, 1], [-0.3, 0, 1], [0, 0.3, 1], [0, -0.3, 1], [0, 0, 1], [0.2, 0.2, 1]]
    )
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    (tmp_path / "ball").mkdir()
    for number, way in enumerate(ways):
        light = np.clip(np.tensordot(way, np.stack([x, y, z]), 1), 0, 1) * (z > 0)
        code = np.where(light < 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        rgb = np.repeat(np.uint8(np.round(255 * code))[..., None], 3, -1)
        write_picture(tmp_path / "ball" / f"{number}.png", rgb)
    np.savetxt(tmp_path / "ball" / "lights.txt", ways)
    beside = variety.of_pictures(tmp_path)
    middles = np.linspace(-1, 1, variety.BINS + 1)[:-1] + 1 / variety.BINS
    assert abs(float(beside["normal x"] @ middles)) < 0.03
    assert float(beside["normal x"] @ middles**2) == pytest.approx(0.25, abs=0.04)  # of a disc
    azimuths = beside["key azimuth, degrees"]
    assert azimuths.sum() == pytest.approx(1.0) and (azimuths > 0).sum() <= 4


def test_histograms_count_what_is_there():
    """Every value in the bin it belongs to, values beyond the range in the outermost ones."""
    low, high = variety.RANGES["normal x"]
    values = {name: np.full(4, np.mean(r)) for name, r in variety.RANGES.items()}
    values["normal x"] = np.array([low - 1, low, 0.01, high + 1])
    shares = variety.of_scenes([values])["normal x"]
    assert shares[0] == 0.5 and shares[variety.BINS // 2] == 0.25 and shares[-1] == 0.25


def test_most_scenes_show_something():
    """A wall alone teaches nothing: the draw brings the camera to bear on a subject."""
    for index in range(0, 24, 4):
        batch = training.draw(seed=6, index=index, count=4, size_px=(32, 32), lights=1)
        for depth, normals in zip(batch.depth[:, 0], batch.normals, strict=True):
            hit = depth > 0
            assert float(hit.float().mean()) > 0.02
            spread = normals[:, hit].std(1).sum() + (~hit).float().mean()
            assert float(spread) > 0.02  # not one flat face


def test_a_cache_gives_what_was_drawn(tmp_path):
    cache = training.Cache(tmp_path, seed=1, count=2, size_px=(24, 24), lights=2)
    one, two = cache.batch(3), cache.batch(3)
    drawn = training.draw(seed=1, index=6, count=2, size_px=(24, 24), lights=2)
    assert np.array_equal(one["images"].numpy(), two["images"].numpy())
    assert np.allclose(one["images"].numpy(), drawn.images.numpy(), rtol=2e-3, atol=1e-4)
