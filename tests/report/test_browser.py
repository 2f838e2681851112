"""The report in a browser: what is seen, clicked, dragged and typed, with the network cut off."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest
from PIL import Image

from footagefit.report import decisions
from report_made import FRAMES, STILL, code_of, key_of, psnr_of

FIT = [key_of(n) for n in range(4)]  # FIT[1] is the first
VIEW = "document.getElementById('viewer')"


def seen(page: Any, *, name: str = "#stage") -> np.ndarray:
    """A screenshot of the stage (H,W,3)."""
    return np.asarray(Image.open(io.BytesIO(page.locator(name).screenshot())).convert("RGB"))


def code_at(pixels: np.ndarray, x: float, y: float = 0.25) -> int:
    """The code at a share of the width and height: between the name tags and the white spot."""
    return int(pixels[int(y * pixels.shape[0]), int(x * pixels.shape[1]), 1])


def open_viewer(page: Any, *, row: int = 0, key: str = FIT[1]) -> None:
    page.locator(f'.rows [aria-rowindex="{row + 2}"] [data-column="{key}"]').click()
    page.wait_for_selector("#viewer[open]")
    settled(page)


def settled(page: Any) -> None:
    """Every picture of the stage is there, and drawn."""
    page.wait_for_function(
        "() => [...document.querySelectorAll('#stage .layer')].every("
        "l => l.firstChild && l.firstChild.complete && l.firstChild.naturalWidth > 0)"
    )
    page.evaluate("() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
    settled(page)


def shown_names(page: Any) -> list[str]:
    lines = page.locator(".rows [role=row]")
    rows = lines.evaluate_all(
        "rs => rs.map(r => [+r.ariaRowIndex, r.querySelector('.name div').innerText])"
    )
    return [name for _, name in sorted(rows)]


def test_the_grid_opens_with_few_rows_and_no_full_pictures(browser, report):
    context = browser.new_context(viewport={"width": 1366, "height": 900}, offline=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((report[0] / "index.html").as_uri())
    page.wait_for_load_state("networkidle")
    assert page.locator("#grid").get_attribute("aria-rowcount") == "61"
    assert 4 <= page.locator(".rows [role=row]").count() < 20
    assert all(address.startswith("file:") for address in asked)
    pictures = [a for a in asked if a.endswith(".jpg")]
    assert pictures
    assert all(a.endswith("strip.jpg") for a in pictures)
    assert sum(Path(a.removeprefix("file://")).stat().st_size for a in set(asked)) < 5_000_000
    context.close()


def test_shots_are_sorted_and_found(page, report):
    order = [shot["name"] for shot in report[1]["shots"]]
    assert shown_names(page)[:3] == order[:3]
    page.get_by_role("columnheader", name="match_v001").get_by_role("button").click()
    by_first = sorted(range(60), key=lambda n: psnr_of(n, 1))
    assert shown_names(page)[:3] == [order[n] for n in by_first[:3]]
    heading = page.get_by_role("columnheader", name="match_v001")
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").click()
    most = max(range(60), key=lambda n: psnr_of(n, 1))
    assert shown_names(page)[0] == order[most]
    page.get_by_label("find").fill("scene-less")
    assert page.locator(".rows [role=row]").count() == 0
    page.get_by_label("find").fill("C05")
    assert len(shown_names(page)) == 10
    assert "10 of 60 shots" in page.locator("#counted").inner_text()
    page.get_by_label("find").fill("")
    page.get_by_label("show").select_option("worse")
    worse = [n for n in range(60) if min(psnr_of(n, k) for k in (1, 2, 3)) < psnr_of(n, 0)]
    assert f"{len(worse)} of 60 shots" in page.locator("#counted").inner_text()


def test_keys_move_through_the_grid_and_open_the_viewer(page, report):
    page.locator(".rows .cell").first.focus()
    page.keyboard.press("End")
    assert report[1]["shots"][-1]["name"] in shown_names(page)
    focused = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused).startswith(report[1]["shots"][-1]["name"])
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focused).startswith(f"{report[1]['shots'][1]['name']}, target")
    page.keyboard.press("Enter")
    page.wait_for_selector("#viewer[open]")
    assert page.locator("#viewer-title").inner_text() == report[1]["shots"][1]["name"]
    page.keyboard.press("ArrowDown")
    assert page.locator("#viewer-title").inner_text() == report[1]["shots"][2]["name"]
    page.keyboard.press("Escape")
    assert page.locator("#viewer[open]").count() == 0
    page.wait_for_function(  # the viewer says a moment later that it is closed
        f"name => ({focused} ?? '').startsWith(name)", arg=report[1]["shots"][2]["name"]
    )
    page.keyboard.press("?")
    assert page.locator("#keys").get_by_text("pick this fit").count() == 1
    page.keyboard.press("Escape")


def test_the_wipe_follows_the_pointer(page):
    open_viewer(page)
    pixels = seen(page)
    assert abs(code_at(pixels, 0.3) - code_of("plate")) <= 1
    assert abs(code_at(pixels, 0.7) - code_of(FIT[1])) <= 1
    box = page.locator("#stage").bounding_box()
    y = box["y"] + 0.5 * box["height"]
    page.mouse.move(box["x"] + 0.5 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], y, steps=4)
    page.mouse.up()
    pixels = seen(page)
    assert abs(code_at(pixels, 0.7) - code_of("plate")) <= 1
    assert abs(code_at(pixels, 0.9) - code_of(FIT[1])) <= 1
    line = page.get_by_role("slider", name="Wipe")
    assert line.get_attribute("aria-valuenow") == "80"
    line.focus()
    page.keyboard.press("Home")
    assert abs(code_at(seen(page), 0.1) - code_of(FIT[1])) <= 1


def test_a_flip_a_difference_and_all_at_once(page):
    open_viewer(page)
    press(page, "1")
    assert abs(code_at(seen(page), 0.5) - code_of("plate")) <= 1
    press(page, "x")
    assert abs(code_at(seen(page), 0.5) - code_of(FIT[1])) <= 1
    assert "match_v001" in page.locator("#stage .tag").inner_text()
    press(page, "d")
    apart = abs(code_of(FIT[1]) - code_of("plate"))
    assert abs(code_at(seen(page), 0.5) - 8 * apart) <= 8
    press(page, "]")
    assert abs(code_at(seen(page), 0.5) - 16 * apart) <= 16
    press(page, "t")
    tags = page.locator("#stage .tag").all_inner_texts()
    assert tags == ["reference", "plate", "target", "match_v001", "match_v002", "match_v003"]


def test_zoom_and_pan_are_one_for_all_pictures(page):
    open_viewer(page)
    press(page, "t", "z")
    assert page.locator("#viewer-tools").get_by_text("1:1", exact=True).count() == 1
    assert page.evaluate("footagefit.viewer.stage().scale") == 1.0
    forms = "fs => fs.map(f => f.style.transform)"
    before = page.locator("#stage .frame").evaluate_all(forms)
    assert len(before) == 6
    assert len(set(before)) == 1
    box = page.locator("#stage .pane").nth(4).bounding_box()
    x, y = box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 12, steps=3)
    page.mouse.up()
    moved = page.evaluate("(({x, y}) => [x, y])(footagefit.viewer.stage())")
    assert moved == [48 - 30, 27 - 12]
    page.mouse.wheel(0, -400)
    scale = page.evaluate("footagefit.viewer.stage().scale")
    assert scale == pytest.approx(np.e, rel=0.02)
    after = page.locator("#stage .frame").evaluate_all(forms)
    assert len(set(after)) == 1
    assert after != before
    press(page, "Shift+ArrowRight", "f")
    assert page.evaluate("footagefit.viewer.stage().fitted")


def test_at_one_to_one_a_pixel_is_a_pixel(page):
    open_viewer(page)
    press(page, "1", "z")
    white = seen(page)[:, :, 1] > 250
    white[:60] = False  # the name tag
    rows, columns = np.nonzero(white)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (6, 6)


def test_exposure_and_gamma_are_those_of_light(page):
    open_viewer(page)
    press(page, "1")
    press(page, *["]"] * 4)
    light = ((code_of("plate") / 255 + 0.055) / 1.055) ** 2.4 * 2.0
    wanted = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    assert abs(code_at(seen(page), 0.5) - wanted) <= 2
    assert page.locator("#viewer-tools").get_by_text("+1.000 ev, gamma 1.00").count() == 1
    press(page, "0", "g", "g")
    assert abs(code_at(seen(page), 0.5) - 255 * (code_of("plate") / 255) ** (1 / 1.2)) <= 2
    press(page, "0")
    assert abs(code_at(seen(page), 0.5) - code_of("plate")) <= 1


def test_a_loop_plays_its_frames_and_rests_on_the_still(page, report):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    open_viewer(page)
    press(page, "1", ".")
    after = FRAMES[FRAMES.index(STILL) + 1]
    assert page.get_by_text(f"frame {after}").count() == 1
    assert abs(code_at(seen(page), 0.5) - (code_of("plate") + 20)) <= 2
    page.keyboard.press("l")
    numbers = set()
    for _ in range(40):
        numbers.add(page.locator("#viewer-tools").get_by_text("frame").inner_text())
        page.wait_for_timeout(25)
    assert len(numbers) >= 3
    assert {f"plate.{n}.jpg" for n in FRAMES} <= set(asked)
    page.keyboard.press("l")
    page.get_by_text(f"frame {STILL}").wait_for()
    settled(page)
    assert abs(code_at(seen(page), 0.5) - code_of("plate")) <= 1


def test_scopes_tell_levels_and_follow_the_exposure(page):
    open_viewer(page)
    page.locator("#scopes canvas").nth(3).wait_for()
    middle = round(100 * code_of("plate") / 255)
    said = page.locator("#scopes .digits").first.inner_text()
    assert f"middle {middle} %" in said
    lit = page.locator("#scopes canvas").first.evaluate(
        "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
        " const rows = []; for (let y = 0; y < c.height; y += 1) {"
        " let n = 0; for (let x = 0; x < c.width; x += 1) n += d.data[4 * (y * c.width + x)] > 120;"
        " if (n > c.width / 2) rows.push(y); } return rows; }"
    )
    row = round((1 - code_of("plate") / 255) * 179)
    assert lit
    assert all(abs(y - row) <= 1 for y in lit)
    page.keyboard.press("]")
    page.wait_for_function(
        "before => document.querySelector('#scopes .digits').innerText !== before", arg=said
    )


def decide(page: Any) -> None:
    """A pick, two notes and an approval, by a person who has a name."""
    open_viewer(page, row=1, key=FIT[2])
    page.keyboard.press("p")
    page.keyboard.press("n")
    page.keyboard.type("too warm | in the face")
    page.locator("#keep-note").click()
    page.locator("#stage").focus()
    page.keyboard.press("a")
    page.keyboard.press("Escape")
    page.locator("#tab-decisions").click()
    page.locator("#by").fill("Kim")
    page.locator("#by").blur()


def downloaded(page: Any, button: str) -> str:
    with page.expect_download() as coming:
        page.locator(button).click()
    return Path(coming.value.path()).read_text(encoding="utf-8")


def test_decisions_are_kept_exported_and_loaded_back(page, browser, report, tmp_path):
    decide(page)
    page.reload()
    page.locator("#tab-decisions").click()
    text = downloaded(page, "#export-json")
    path = tmp_path / "decisions.json"
    path.write_text(text, encoding="utf-8")
    found = decisions.read(path)
    name = report[1]["shots"][1]["name"]
    assert (found.by, found.show) == ("Kim", "long_road")
    assert [(d.what, d.shot, d.fit) for d in found.items] == [
        ("pick", name, "match_v002"),
        ("note", name, "match_v002"),
        ("approval", "", "match_v002"),
    ]
    assert found.items[0].content.startswith(FIT[2].removeprefix("fit_"))
    assert found.items[1].text == "too warm | in the face"
    timeline = otio.adapters.read_from_string(downloaded(page, "#export-otio"), "otio_json")
    (clip,) = timeline.find_clips()
    assert clip.name == name
    assert [m.marked_range.start_time.value for m in clip.markers] == [STILL, STILL]
    assert clip.markers[1].comment == "too warm | in the face"
    assert clip.source_range.start_time.value == 1001
    other = browser.new_context(offline=True)
    fresh = other.new_page()
    fresh.goto((report[0] / "index.html").as_uri())
    fresh.locator("#tab-decisions").click()
    fresh.get_by_label("Load decisions from JSON").set_input_files(path)
    fresh.get_by_text("1 picks").wait_for()
    again = fresh.evaluate("footagefit.decisions.asJson()")
    assert again == json.loads(text)
    fresh.locator("#tab-shots").click()
    fresh.get_by_label("show").select_option("picked")
    assert shown_names(fresh) == [name]
    other.close()


def test_a_browser_that_keeps_nothing_says_so(browser, report):
    context = browser.new_context(offline=True)
    context.add_init_script(
        "Storage.prototype.setItem = () => { throw new Error('no room'); };"
        "Storage.prototype.getItem = () => { throw new Error('not here'); };"
    )
    page = context.new_page()
    page.goto((report[0] / "index.html").as_uri())
    page.locator("#tab-decisions").click()
    assert page.get_by_text("keeps nothing").count() == 1
    context.close()


def test_numbers_curves_recipes_and_lineage_say_what_is_known(page):
    page.locator("#tab-numbers").click()
    assert page.get_by_role("columnheader", name="over match_v001").count() == 1
    page.locator("#tab-curves").click()
    assert page.locator("#curves polyline").count() == 3
    page.locator("#curves select").select_option("loss")
    assert "loss by step" in page.locator("#curves svg.chart").get_attribute("aria-label")
    page.locator("#tab-recipes").click()
    assert page.locator("#recipes tbody tr").count() == 1
    page.get_by_label("settings that are the same").check()
    assert page.locator("#recipes tbody tr").count() == 3
    page.locator("#tab-lineage").click()
    assert page.locator("#lineage").get_by_text("<b>bold</b>").count() == 1
    assert page.locator("#lineage b").count() == 0


def test_nothing_stands_in_the_way_of_those_who_see_or_move_otherwise(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    wrong = []

    def check(where: str) -> None:  # axe would fetch the styles a second time: preload says no
        found = axe.run(page, options={"preload": False}).response["violations"]
        wrong.extend((where, v["id"], v["nodes"][0]["html"][:120]) for v in found)

    check("grid")
    for tab in ("numbers", "curves", "recipes", "lineage", "decisions"):
        page.locator(f"#tab-{tab}").click()
        check(tab)
    page.locator("#tab-shots").click()
    open_viewer(page)
    page.locator("#scopes canvas").nth(1).wait_for()
    check("viewer")
    press(page, "t")
    check("all pictures")
    page.keyboard.press("?")
    check("keys")
    assert not wrong


def test_a_tablet_shows_all_of_it(browser, report):
    context = browser.new_context(
        viewport={"width": 1024, "height": 768}, has_touch=True, is_mobile=True, offline=True
    )
    page = context.new_page()
    page.goto((report[0] / "index.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 1024
    assert page.locator("#tab-numbers").bounding_box()["height"] >= 44
    page.locator(f'.rows [aria-rowindex="2"] [data-column="{FIT[1]}"]').tap()
    settled(page)
    assert page.evaluate(f"{VIEW}.scrollWidth") <= 1024
    box = page.locator("#stage").bounding_box()
    assert box["width"] > 600
    assert box["height"] > 400
    page.locator("#mode-difference").tap()
    settled(page)
    assert page.locator("#stage .difference").count() == 1
    context.close()
