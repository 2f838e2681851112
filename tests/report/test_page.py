"""Pages: one look, nothing fetched, the same bytes each time."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from footagefit.report import page, pictures, side_by_side
from report_made import SIZE, STILL, flat_picture, make_report

HOSTILE = "</script><script>alert(1)</script> & \u2028 'x' \"y\""


def test_what_a_show_is_called_ends_no_script():
    made = page.one_file(page.Page(HOSTILE, "<p>body</p>", data={"name": HOSTILE}))
    assert made.count("<script>") == made.count("</script>") == 1
    (script,) = re.findall(r"<script>\n(.*?)</script>", made, re.S)
    stored = script.removeprefix("window.footagefit = { data: ").removesuffix(" };\n")
    assert json.loads(stored) == {"name": HOSTILE}
    assert "<title>&lt;/script&gt;" in made


def test_one_file_holds_everything(tmp_path):
    path = page.write_file(page.Page("t", "<p>b</p>", scripts=["saved.js"]), tmp_path / "p.html")
    text = path.read_text(encoding="utf-8")
    assert "--ground" in text
    assert "localStorage" in text
    assert set(re.findall(r"(?:src|href)=(\S+)", text)) == {'"data:,">'}  # no icon is asked for
    assert [p.name for p in tmp_path.iterdir()] == ["p.html"]


def test_no_part_of_any_page_names_an_address():
    known = {"http://www.w3.org/2000/svg"}  # a name, never fetched
    for path in page.ASSETS.iterdir():
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"https?://[^\"' )]+", text)) <= known, path.name
        asks = "" if path.name == "ball.js" else r"|\bfetch\("  # it asks the server it came from
        assert not re.search(r"XMLHttpRequest|WebSocket|innerHTML|\beval\(" + asks, text), path
        assert not re.search(r"^\s*import |type=.module", text, re.M), path.name


def test_surrounds_are_neutral():
    look = page.asset(page.LOOK)
    greys = re.findall(r"--(ground|raised|line|held|text|faint|strong): #(\w{6});", look)
    assert len(greys) == 7
    for name, code in greys:
        assert len({code[:2], code[2:4], code[4:]}) == 1, name


def test_every_script_is_used_and_there():
    there = {p.name for p in page.ASSETS.glob("*.js")}
    assert set(side_by_side.SCRIPTS) <= there


def test_a_report_repeats_to_the_byte_and_tells_no_path(tmp_path):
    for name in ("a", "b"):
        make_report(tmp_path / name, shots=2, fits=2, plays=1)
    files = [{p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*")
              if p.is_file()} for n in ("a", "b")]  # fmt: skip
    assert files[0] == files[1]
    for path, stored in files[0].items():
        assert str(tmp_path).encode() not in stored, path


def test_sizes_are_those_on_disk_and_the_first_view_is_small(report):
    folder, data = report
    size = side_by_side.size_of(folder, data)
    assert size.all_bytes == sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    assert size.first_bytes < 5_000_000
    assert size.first_bytes < size.all_bytes


def test_what_is_no_longer_compared_is_removed(tmp_path):
    data = make_report(tmp_path, shots=3, fits=2, plays=1)
    before = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert side_by_side.prune(tmp_path, data) == 0
    key = data["columns"][-1]["key"]
    fewer = {**data, "columns": data["columns"][:-1], "shots": data["shots"][:2]}
    side_by_side.prune(tmp_path, fewer)
    after = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    gone = before - after
    assert gone
    assert all(key in name or name.startswith(data["shots"][2]["folder"]) for name in gone)
    assert not any(key in name for name in after)
    assert not (tmp_path / data["shots"][2]["folder"]).exists()


@pytest.mark.parametrize("form", ["jpeg", "png"])
def test_pictures_say_that_they_are_srgb_and_no_more(form):
    rows, columns = np.mgrid[:40, :60]
    pixels = np.stack([4 * columns, 6 * rows, 250 - 2 * (rows + columns)], 2).astype(np.uint8)
    stored = pictures.encoded(pixels, form=form)
    assert stored == pictures.encoded(pixels, form=form)
    with Image.open(io.BytesIO(stored)) as opened:
        assert not opened.getexif()
        said = set(opened.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert said == ({"icc_profile"} if form == "jpeg" else {"srgb"})
        back = np.asarray(opened.convert("RGB")).astype(int)
    assert np.abs(back - pixels).max() <= (3 if form == "jpeg" else 0)


def test_a_strip_is_cells_side_by_side():
    row = pictures.strip([flat_picture("plate"), None, flat_picture("target")], cell=(32, 18))
    assert row.shape == (18, 96, 3)
    assert row[2, 2, 0] == 100
    assert row[9, 48, 0] == 23
    assert row[2, 66, 0] == 130


def test_scopes_read_a_pictures_own_pixels():
    pixels = np.arange(90 * 400 * 3, dtype=np.uint32).reshape(90, 400, 3).astype(np.uint8)
    taken = pictures.samples(pixels)
    assert taken.shape == (54, 160, 3)
    own = {tuple(p) for p in pixels.reshape(-1, 3)}
    assert {tuple(p) for p in taken.reshape(-1, 3)} <= own
    assert pictures.samples(flat_picture("plate")).shape == (54, 96, 3)
    assert pictures.shrunk(pixels, 100).shape == (22, 100, 3)
    assert pictures.shrunk(pixels, 500) is pixels


def test_the_data_holds_what_was_measured(report):
    folder, data = report
    assert [c["key"] for c in data["columns"][:3]] == ["reference", "plate", "target"]
    assert [m["name"] for m in data["metrics"]] == ["psnr", "delta_e_2000"]
    shot = data["shots"][5]
    assert shot["still"] == STILL
    assert shot["size"] == [SIZE[1], SIZE[0]]
    fits = [c["key"] for c in data["columns"] if c["fit"]]
    assert [shot["values"][k][0] for k in ("plate", *fits)] == [20.5, 24.05, 24.05, 25.05]
    mean, low, high = data["gains"][fits[0]][fits[1]]["psnr"]
    assert low < 0 < high
    assert mean == pytest.approx(0.0)
    assert data["gains"][fits[2]][fits[0]]["delta_e_2000"] == [1.0, 1.0, 1.0]
    assert (
        (folder / shot["folder"] / "samples.js").read_text().startswith("footagefit.scopes.take(")
    )
