"""What the page says where there is little to say."""

from __future__ import annotations

from footagefit.signature import page
from footagefit.signature.chromatic import Chromatic
from footagefit.signature.record import Lens, SetupLook, Signature


def written(tmp_path, lens: Lens, look: SetupLook) -> str:
    made = Signature("show", lenses={"of /night": lens}, setups={"/night": look})
    return page.write(tmp_path / "page.html", made, samples={}, sizes={}).read_text()


def test_names_that_no_slate_told_are_readable(tmp_path):
    text = written(tmp_path, Lens(), SetupLook("of /night"))
    assert "Lens of night" in text and "Set-up night" in text and "/night" not in text


def test_why_there_is_no_light_is_said(tmp_path):
    look = SetupLook(remarks=("light: the estimator is not sure (0.57)",))
    assert "the estimator is not sure (0.57)" in written(tmp_path, Lens(), look)


def test_lateral_colour_within_its_error_is_none(tmp_path):
    look = SetupLook()
    little = written(tmp_path, Lens(chromatic=Chromatic(0.02, -0.05, error_px=0.03)), look)
    assert "none that can be told: under 0.06 px" in little
    some = written(tmp_path, Lens(chromatic=Chromatic(0.02, -0.5, error_px=0.03)), look)
    assert "blue -0.50 px" in some and "none that can be told" not in some


def test_how_many_frames_were_looked_at_for_edges(tmp_path):
    some = written(tmp_path, Lens(frames=1000, closely=194), SetupLook())
    assert "194 of them for edges" in some
    assert "for edges" not in written(tmp_path, Lens(frames=40, closely=40), SetupLook())
