"""One-light-at-a-time footage, whatever form its table of lights has."""

import numpy as np
import pytest
from PIL import Image

from footagefit.errors import AlreadyThere, FootagefitError, WrongValue
from footagefit.soundstage import truth
from footagefit.soundstage.light_stage import FRAME, import_lights, subjects

WAYS = np.array([[0, 0, 1], [0.6, 0, 0.8], [0, 0.6, 0.8], [-0.6, 0, 0.8]])


def stage(folder, table, name="lights.txt", count=4):
    folder.mkdir(parents=True)
    for index in range(count):
        code = np.full((6, 8, 3), 40 * (index + 1), np.uint8)
        Image.fromarray(code).save(folder / f"p{index:02d}.png")
    (folder / name).write_text(table)
    return folder


def text(rows):
    return "\n".join(" ".join(f"{v:.6f}" for v in row) for row in rows)


@pytest.mark.parametrize("rows", [WAYS, WAYS.T], ids=["rows", "columns"])
def test_a_table_reads_by_rows_and_by_columns(tmp_path, rows):
    (subject,) = subjects(stage(tmp_path / "cat", text(rows)))
    assert np.allclose(subject.directions, WAYS, atol=1e-5)


def test_angles_and_file_names_of_a_csv_count(tmp_path):
    table = "file,azimuth_deg,elevation_deg\np03.png,90,0\np01.png,0,30\n"
    (subject,) = subjects(stage(tmp_path / "cat", table, "lights.csv"))
    assert [p.name for p in subject.pictures] == ["p03.png", "p01.png"]
    assert np.allclose(subject.directions, [[1, 0, 0], [0, 0.5, 0.866025]], atol=1e-5)


def test_sources_come_out_alone_in_the_truth(tmp_path):
    folder = stage(tmp_path / "in" / "cat", text(WAYS))
    Image.fromarray(np.full((6, 8, 3), 255, np.uint8)).save(folder / "mask.png")
    out = tmp_path / "show"
    list(import_lights(subjects(tmp_path / "in"), out, space="srgb_texture"))
    known = truth.read(out, "cat", FRAME)
    assert known.sources == ["l001", "l002", "l003", "l004"]
    levels = [float(known.layers[f"light.{s}.direct"].mean()) for s in known.sources]
    code = np.array([40, 80, 120, 160]) / 255
    assert np.allclose(levels, ((code + 0.055) / 1.055) ** 2.4, atol=2e-3)
    assert float(known.layers["mask"].min()) == 1.0
    assert known.shot["sources"][1]["azimuth_deg"] == pytest.approx(36.8699, abs=1e-3)
    with pytest.raises(AlreadyThere):
        list(import_lights(subjects(tmp_path / "in"), tmp_path / "in"))


def test_a_table_that_does_not_fit_says_so(tmp_path):
    with pytest.raises(WrongValue, match="3 lights for 4 pictures"):
        subjects(stage(tmp_path / "few", text(WAYS[:3])))
    with pytest.raises(WrongValue, match="not a number"):
        subjects(stage(tmp_path / "words", "here be lights\n"))
    (tmp_path / "none").mkdir()
    with pytest.raises(FootagefitError, match="no table of lights"):
        subjects(tmp_path / "none")
