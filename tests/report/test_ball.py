"""The page of `footagefit ui` in a browser: dragged, typed, clicked, with the network cut off."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from footagefit.commands.desk import Desk
from footagefit.commands.ui import routes_of
from footagefit.rendering.ask import Ask
from footagefit.report.local import Local
from night_fit import night_fit
from rendering_helpers import fit, reference, shot

__all__ = ["fit", "reference", "shot"]


@pytest.fixture(scope="module")
def night(tmp_path_factory) -> Path:
    return night_fit(tmp_path_factory.mktemp("fits") / "night")


@pytest.fixture
def opened(browser) -> Iterator[Callable[..., Any]]:
    """Opens the page of a desk; errors of scripts and requests elsewhere fail the test."""
    closing: list[Callable[[], object]] = []
    wrong: list[str] = []

    def page_of(desk: Desk) -> Any:
        local = Local(routes_of(desk))
        context = browser.new_context(viewport={"width": 1366, "height": 900})
        closing.extend([context.close, local.close, desk.close])
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("request", lambda r: None if r.url.startswith(("blob:", local.address))
                else wrong.append(r.url))  # fmt: skip
        page.goto(local.address)
        return page

    yield page_of
    for close in closing:
        close()
    assert not [line for line in wrong if "400 (Bad Request)" not in line]


@pytest.fixture
def lit(opened, night, shot, tmp_path) -> Any:
    """The page of a relight fit, its first picture shown."""
    desk = Desk(Ask(plate=shot(), fit=night, out=tmp_path / "o" / "lit.####.exr"), catalogue=None)
    page = opened(desk)
    shown(page)
    return page


def until(page: Any, said: str) -> None:
    """Waits until an expression holds; asked from outside, since the page itself may not `eval`."""
    for _ in range(400):
        if page.evaluate(f"() => Boolean({said})"):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"it never came to {said}")


def shown(page: Any) -> np.ndarray:
    """The picture's pixels, once there is one."""
    until(page, "document.body.dataset.shown")
    return np.asarray(Image.open(io.BytesIO(page.locator("#frame").screenshot())).convert("RGB"))


def settled(page: Any) -> dict[str, Any]:
    """What is set, once the picture of it is shown and nothing more is asked for."""
    desk = "footagefit.desk"
    until(page, f"document.body.dataset.shown === {desk}.now() && !{desk}.busy()")
    return json.loads(page.evaluate("() => document.body.dataset.shown"))


def test_the_key_is_dragged_on_the_ball(lit):
    before = shown(lit)
    box = lit.locator("#ball").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lit.mouse.move(x, y)
    lit.mouse.down()
    for step in range(1, 9):
        lit.mouse.move(x + 8 * step, y - 4 * step)
    lit.mouse.up()
    tracks = settled(lit)["tracks"]
    assert 20 < tracks["light.azimuth_deg"] < 90 and 5 < tracks["light.elevation_deg"] < 60
    typed = lit.get_by_label("light.azimuth_deg, exactly").input_value()
    assert float(typed) == tracks["light.azimuth_deg"]
    assert f"light.azimuth_deg={tracks['light.azimuth_deg']:g}" in lit.inner_text("#command")
    after = shown(lit)
    right = slice(after.shape[1] // 2 + 40, None)
    assert np.abs(after[:, right].astype(int) - before[:, right]).mean() > 0.5
    lit.mouse.click(box["x"] + box["width"] - 6, y)  # beyond the rim: from behind
    assert abs(settled(lit)["tracks"]["light.azimuth_deg"]) > 120
    lit.locator("#ball").focus()
    lit.keyboard.press("Shift+ArrowUp")
    assert settled(lit)["tracks"]["light.elevation_deg"] == pytest.approx(10, abs=4)


def test_every_control_has_a_slider_and_can_be_left_to_the_plate(lit):
    lit.get_by_label("light.key_k, exactly").fill("3200")
    lit.keyboard.press("Tab")
    assert settled(lit)["tracks"] == {"light.key_k": 3200}
    lit.get_by_label("light.mode", exact=True).select_option("add")
    assert settled(lit)["tracks"]["light.mode"] == 1
    assert "light.mode=add" in lit.inner_text("#command")
    lit.get_by_label("light.key_k as it is by default").click()
    assert settled(lit)["tracks"] == {"light.mode": 1}
    lit.get_by_role("button", name="reset").click()
    assert settled(lit)["tracks"] == {}
    ranges = lit.locator('#groups input[type="range"]').count()
    assert ranges + lit.locator("#groups select").count() == lit.evaluate(
        "() => footagefit.data.controls.length"
    )


def test_keys_are_set_by_hand(lit):
    lit.get_by_label("light.azimuth_deg, exactly").fill("-30")
    lit.keyboard.press("Tab")
    lit.get_by_label("key of light.azimuth_deg").click()
    for _ in range(3):
        lit.click("#later")
    lit.get_by_label("light.azimuth_deg, exactly").fill("30")
    lit.keyboard.press("Tab")
    held = settled(lit)
    assert held["tracks"]["light.azimuth_deg"] == {"1003": -30, "1006": 30}
    assert lit.locator("#keys i").count() == 2
    assert "light.azimuth_deg=1003:-30,1006:30" in lit.inner_text("#command")
    lit.click("#earlier")
    settled(lit)
    between = float(lit.get_by_label("light.azimuth_deg, exactly").input_value())
    assert -30 < between < 30
    lit.click("#key-before")
    assert settled(lit)["frame"] == 1003
    lit.get_by_label("key of light.azimuth_deg").click()
    assert settled(lit)["tracks"]["light.azimuth_deg"] == {"1006": 30}
    lit.reload()
    shown(lit)
    assert settled(lit)["tracks"]["light.azimuth_deg"] == {"1006": 30}, "a reload keeps it"


def test_the_wipe_runs_against_the_plate(lit):
    lit.get_by_label("light.by.key_ev, exactly").evaluate("e => e.closest('details').open = true")
    lit.get_by_label("light.by.key_ev, exactly").fill("3")
    lit.keyboard.press("Tab")
    settled(lit)
    half = shown(lit).astype(int)
    box = lit.locator("#frame").bounding_box()
    lit.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    lit.mouse.down()
    lit.mouse.move(box["x"] + 4, box["y"] + 60, steps=4)
    lit.mouse.up()
    result = shown(lit).astype(int)
    left, right = np.s_[80:-80, 80:300], np.s_[80:-80, -300:-80]
    assert result[left].mean() > half[left].mean() + 5
    assert np.abs(result[right] - half[right]).mean() < 2
    lit.locator("#wipe").focus()
    lit.keyboard.press("ArrowRight")
    assert int(lit.locator("#wipe").get_attribute("aria-valuenow")) in range(1, 6)
    lit.evaluate("() => document.activeElement.blur()")
    lit.keyboard.down(" ")
    flipped = shown(lit).astype(int)
    lit.keyboard.up(" ")
    assert flipped[right].mean() < result[right].mean() - 5
    lit.keyboard.press("w")
    assert "whole" in lit.locator("#frame").get_attribute("class")


def test_a_shot_is_rendered_from_the_page(lit, tmp_path):
    lit.fill("#frames", "1002-1003")
    lit.get_by_label("light.fill_ev, exactly").fill("1")
    lit.keyboard.press("Tab")
    lit.click("#render")
    lit.wait_for_function(
        "() => /^done/.test(document.getElementById('progress-said').textContent)"
    )
    assert sorted(p.name for p in (tmp_path / "o").glob("lit.*.exr")) == [
        "lit.1002.exr", "lit.1003.exr",
    ]  # fmt: skip
    lit.fill("#frames", "1-9")
    lit.click("#render")
    until(lit, "document.getElementById('line').textContent")
    assert "the clip has frames 1001-1006" in lit.inner_text("#line")
    before = lit.locator("#result").get_attribute("src")
    lit.evaluate("footagefit.desk.everything()")
    until(lit, f"document.getElementById('result').getAttribute('src') !== '{before}'")
    assert "the clip has frames 1001-1006" in lit.inner_text("#line")  # a picture wipes it not
    lit.fill("#frames", "1002")
    lit.click("#render")
    until(lit, "!document.getElementById('line').textContent")


def test_what_is_wrong_is_one_line_and_goes_away(lit):
    lit.fill("#mask-path", "/nowhere/roto.####.exr")
    lit.locator("#mask-form button").first.click()
    until(lit, "document.getElementById('line').textContent")
    said = lit.inner_text("#line")
    assert re.fullmatch(
        r"/nowhere/roto\.####\.exr: no files match[^\n]*/nowhere does not exist\.", said
    )
    lit.click("#later")
    settled(lit)
    assert lit.inner_text("#line") == ""


def test_a_match_shows_nothing_until_there_is_a_reference(opened, fit, shot, reference):
    page = opened(Desk(Ask(plate=shot(), fit=fit), catalogue=None, long_px=64))
    assert page.locator("#waits").inner_text() == "pick what the plate must sit beside"
    assert page.locator("#ball-panel").is_hidden()
    page.fill("#reference-path", str(reference))
    page.locator("#reference-form button").first.click()
    shown(page)
    assert page.locator("#waits").is_hidden()
    assert f"reference={reference}" in page.inner_text("#command")
    assert page.locator("#reference-said").inner_text() == "hero.1001.exr"


def test_the_page_can_be_used_by_all(lit):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(lit).response["violations"]
    assert not [(one["id"], [n["html"][:200] for n in one["nodes"]]) for one in found]
