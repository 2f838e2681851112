"""Slates by name, as camera rolls and assistants write them."""

from __future__ import annotations

import pytest

from footagefit.dailies.names import reel_of, script_scene, slate_of
from footagefit.errors import WrongValue


@pytest.mark.parametrize(
    ("path", "scene", "take", "camera", "roll", "clip"),
    [
        ("A001/A001C003_241103_R1AB.mov", "", "", "A", "A001", "C003"),  # ARRI
        ("A001_C003_1103AB_001.mov", "", "", "A", "A001", "C003"),  # RED
        ("B002C010_2411031X.mxf", "", "", "B", "B002", "C010"),  # Sony
        ("B002_11031234_C007.mov", "", "", "B", "B002", "C007"),  # Blackmagic
        ("42A_T3_A.mov", "42A", "3", "A", "", ""),
        ("sc042_tk03_camA.mp4", "42", "3", "A", "", ""),
        ("Scene 42A Take 3.mov", "42A", "3", "", "", ""),
        ("12_3_T2_B.mov", "12_3", "2", "B", "", ""),
        ("sc042/tk03/A_cam/x.####.exr", "42", "3", "A", "", ""),
        ("42A-3A.mov", "42A", "3", "A", "", ""),
        ("42A_T3_A_A001C003_241103_R1AB.mp4", "42A", "3", "A", "A001", "C003"),
        ("car-detection.mp4", "", "", "", "", ""),
        ("05_default_juggle.mp4", "", "", "", "", ""),
        ("sc12a-t2-b.mov", "12A", "2", "B", "", ""),
    ],
)
def test_defaults(path: str, scene: str, take: str, camera: str, roll: str, clip: str) -> None:
    slate = slate_of(path)
    assert (slate.scene, slate.take, slate.camera) == (scene, take, camera)
    assert (slate.roll, slate.clip) == (roll, clip)


def test_a_shows_own_patterns_win() -> None:
    patterns = [r"(?P<scene>[a-z]+)_day/(?P<take>\d+)_(?P<camera>\w)"]
    slate = slate_of("harbour_day/07_b_42A_T3_A.mov", patterns)
    assert (slate.scene, slate.take, slate.camera) == ("HARBOUR", "7", "B")
    assert reel_of("x/r9.mov", [r"(?P<reel>r\d)"]) == "r9"


@pytest.mark.parametrize("pattern", ["(?P<scene>", "(?P<sceen>x)", "scene"])
def test_a_wrong_pattern_is_named(pattern: str) -> None:
    with pytest.raises(WrongValue, match="name pattern"):
        slate_of("a.mov", [pattern])


def test_script_scenes_hold_their_set_ups_together() -> None:
    assert {script_scene(s) for s in ("42", "42A", "042B", "42AA")} == {"42"}
    assert script_scene("A42") == "A42"
    assert script_scene("12_3") == "12_3"


def test_reels_are_whole_camera_file_names() -> None:
    assert reel_of("p/A001C003_241103_R1AB.mov") == "A001C003_241103_R1AB"
    assert reel_of("p/42A_T3_A.mov") == ""
