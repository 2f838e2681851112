from __future__ import annotations

import cv2
import numpy as np
import pytest

from footagefit.footage.white import light_rgb
from footagefit.signature import charts, spheres
from footagefit.signature.charts import GREYS

# Linear Rec.709 colours of the first three rows, rounded: enough for a detector.
ROWS = [
    (0.171, 0.083, 0.057), (0.539, 0.302, 0.222), (0.12, 0.19, 0.34), (0.105, 0.149, 0.054),
    (0.233, 0.219, 0.43), (0.13, 0.51, 0.41), (0.69, 0.2, 0.026), (0.072, 0.103, 0.39),
    (0.55, 0.08, 0.12), (0.11, 0.043, 0.14), (0.34, 0.5, 0.05), (0.75, 0.36, 0.027),
    (0.03, 0.045, 0.3), (0.06, 0.3, 0.066), (0.44, 0.036, 0.041), (0.84, 0.57, 0.009),
    (0.5, 0.087, 0.3), (0.0, 0.24, 0.38),
]  # fmt: skip


def chart(ev: float = 0.0, kelvin: float = 5600.0) -> tuple[np.ndarray, np.ndarray]:
    """A frame with a chart in perspective, under a light, and the chart's corners."""
    flat = np.full((400, 600, 3), 0.02, np.float32)
    for k in range(24):
        y, x = divmod(k, 6)
        colour = ROWS[k] if k < 18 else (GREYS[k - 18],) * 3
        flat[y * 100 + 10 : y * 100 + 90, x * 100 + 10 : x * 100 + 90] = colour
    corners = np.array([[300, 180], [690, 200], [680, 470], [290, 440]], np.float32)
    square = np.array([[0, 0], [600, 0], [600, 400], [0, 400]], np.float32)
    warp = cv2.getPerspectiveTransform(square, corners)
    frame = np.full((720, 1080, 3), 0.3, np.float32)
    cv2.warpPerspective(flat, warp, (1080, 720), dst=frame, flags=cv2.INTER_AREA,
                        borderMode=cv2.BORDER_TRANSPARENT)  # fmt: skip
    light = np.array(light_rgb(kelvin), np.float32)
    return frame * light * 2.0**ev, corners


@pytest.mark.parametrize(("ev", "kelvin"), [(0.0, 5600.0), (-1.3, 3400.0), (0.7, 7500.0)])
def test_a_macbeth_chart_tells_exposure_and_white(ev, kelvin):
    frame, corners = chart(ev, kelvin)
    found = charts.read_macbeth(frame, np.roll(corners, 2, axis=0))
    assert found is not None
    assert found.exposure_ev == pytest.approx(ev, abs=0.05)
    assert found.mired == pytest.approx(1e6 / kelvin, abs=4)
    assert abs(found.duv) < 0.002


def test_a_chart_is_found_in_a_frame():
    frame, _ = chart(-0.5, 4300.0)
    found = charts.find_macbeth(frame)
    assert found is not None
    assert found.mired == pytest.approx(1e6 / 4300, abs=8)
    assert charts.find_macbeth(np.full((400, 600, 3), 0.2, np.float32)) is None


def test_chessboards_tell_the_lens():
    from footagefit.signature.distortion import Distortion

    lens = Distortion(k1=-0.11, k2=0.02)
    rng = np.random.default_rng(2)
    board = np.zeros((54, 3))
    board[:, :2] = np.mgrid[0:9, 0:6].T.reshape(-1, 2) - [4, 2.5]
    places = []
    for _ in range(12):
        turn = cv2.Rodrigues(rng.uniform(-0.6, 0.6, 3))[0]
        at = board @ turn.T + [*rng.uniform(-3, 3, 2), 14]
        plain = at[:, :2] / at[:, 2:] * 1.6
        places.append(np.stack(lens.distorted(plain[:, 0], plain[:, 1]), 1))
    found = charts._calibrated(places, (9, 6), (1080, 1920), 1.0)
    assert found is not None
    assert (found.k1, found.k2) == pytest.approx((-0.11, 0.02), abs=2e-3)


def direction(azimuth: float, elevation: float) -> np.ndarray:
    a, e = np.radians([azimuth, elevation])
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])


def apart(light, way: np.ndarray) -> float:
    made = direction(light.azimuth_deg, light.elevation_deg)
    return float(np.degrees(np.arccos(np.clip(made @ way, -1, 1))))


def ball(shade) -> np.ndarray:
    y, x = np.mgrid[0:200, 0:200]
    u, v = (x - 100) / 80, -(y - 100) / 80
    inside = u * u + v * v < 1
    z = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
    frame = np.zeros((200, 200, 3), np.float32)
    frame[inside] = shade(np.stack([u, v, z], -1)[inside])
    return frame


@pytest.mark.parametrize(("azimuth", "elevation"), [(40, 30), (-70, 10), (10, 60)])
def test_a_grey_ball_tells_key_and_fill(azimuth, elevation):
    way = direction(azimuth, elevation)
    key, fill = np.array(light_rgb(4000.0)) * 2.0, np.array(light_rgb(7000.0)) * 0.25
    frame = ball(lambda n: 0.18 * (np.maximum(n @ way, 0)[:, None] * key + fill))
    found = spheres.grey_ball(frame, (100, 100), 80)
    assert found is not None and apart(found, way) < 2
    assert found.key_ev == pytest.approx(1.0, abs=0.05)
    assert found.fill_ev == pytest.approx(-2.0, abs=0.1)
    assert 1e6 / found.key_k == pytest.approx(250, abs=5)


def lat_long(way: np.ndarray, radius_deg: float) -> np.ndarray:
    a = ((np.arange(256) + 0.5) / 256 - 0.5) * 2 * np.pi
    e = (0.5 - (np.arange(128) + 0.5) / 128) * np.pi
    a, e = np.meshgrid(a, e)
    seen = np.stack([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)], -1)
    lit = seen @ way > np.cos(np.radians(radius_deg))
    return np.where(lit[..., None], 40.0, 0.1).astype(np.float32) * np.ones(3, np.float32)


def test_a_lat_long_tells_key_and_softness():
    way = direction(-50, 35)
    found = spheres.lat_long(lat_long(way, 10.0))
    assert found is not None and apart(found, way) < 2
    assert found.softness_deg == pytest.approx(20, abs=3)
    irradiance = 40.0 * np.pi * np.sin(np.radians(10)) ** 2
    assert found.key_ev == pytest.approx(np.log2(irradiance / np.pi), abs=0.1)
    assert found.fill_ev == pytest.approx(np.log2(0.1), abs=0.1)


def test_a_chrome_ball_tells_the_key():
    way = direction(60, 20)

    def mirror(n: np.ndarray) -> np.ndarray:
        seen = 2 * n[:, 2:] * n - np.array([0, 0, 1.0])
        return np.where((seen @ way > np.cos(np.radians(12)))[:, None], 30.0, 0.2) * 0.55

    found = spheres.chrome_ball(ball(mirror), (100, 100), 80)
    assert found is not None and apart(found, way) < 4
    assert spheres.chrome_ball(ball(mirror), (100, 100), 5) is None
