"""Contact sheets: what form they take."""

from __future__ import annotations

import pytest
from PIL import Image

from footagefit.dailies.sheet import Cell, save_sheet
from footagefit.errors import UnknownName


@pytest.mark.parametrize("name", ["sheet.exr", "sheet", "sheet.jpgg"])
def test_a_sheet_of_another_form_is_refused_by_name(tmp_path, name):
    cells = [Cell(Image.new("RGB", (32, 18)), "a shot", "1001")]
    with pytest.raises(UnknownName, match=r"\.jpg.*Say sheet=contact\.jpg"):
        save_sheet(cells, tmp_path / name)
    assert not list(tmp_path.iterdir())
    assert save_sheet(cells, tmp_path / "sheet.PNG").stat().st_size
