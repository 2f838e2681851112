"""What is written on a board, and what that comes to."""

from __future__ import annotations

import numpy as np
import pytest

from footagefit.dailies import boards
from footagefit.dailies.boards import Line, of_lines
from footagefit.dailies.entries import Slate

# What rapidocr-onnxruntime 1.4.4 read off a staged board of 320x180, as it came.
STAGED = [
    Line("LONGROAD", (50, 55, 152, 70)), Line("SCENE", (45, 82, 84, 92)),
    Line("TAKE", (128, 81, 158, 93)), Line("ROLL", (181, 82, 212, 92)),
    Line("12A", (48, 99, 103, 126)), Line("01", (127, 99, 163, 126)),
    Line("A001", (182, 99, 253, 126)), Line("CAMA", (48, 149, 100, 164)),
    Line("2024-11-03", (142, 150, 229, 163)),
]  # fmt: skip


def test_values_stand_under_their_names():
    assert of_lines(STAGED) == Slate("12A", "1", "A", "A001", "")


def test_a_board_at_the_end_hangs_upside_down():
    """Read off a staged tail slate: the recogniser turns the writing, not the places."""
    lines = [
        Line("CAMA", (221, 16, 272, 31)), Line("A002", (65, 55, 138, 80)),
        Line("03", (156, 55, 192, 81)), Line("42A", (218, 55, 275, 81)),
        Line("ROLL", (108, 88, 139, 99)), Line("TAKE", (162, 88, 193, 99)),
        Line("SCENE", (235, 88, 275, 98)),
    ]  # fmt: skip
    assert of_lines(lines) == Slate("42A", "3", "A", "A002", "")


def test_values_stand_beside_their_names_or_in_one_line_with_them():
    row = [
        Line("Scene: 42", (10, 10, 90, 30)), Line("TAKE", (110, 10, 150, 30)),
        Line("7", (160, 8, 175, 32)), Line("Roll", (10, 50, 40, 66)),
        Line("B012", (50, 48, 99, 68)),
    ]  # fmt: skip
    assert of_lines(row) == Slate("42", "7", "", "B012", "")


def test_words_that_are_no_values_are_left_alone():
    lines = [
        Line("SCOTT", (0, 0, 60, 20)), Line("SCENE", (0, 40, 60, 60)),
        Line("PROD", (0, 64, 60, 90)),
        Line("CAMPBELL", (0, 90, 80, 110)), Line("12", (400, 300, 440, 340)),
    ]  # fmt: skip
    assert of_lines(lines) == Slate()


def test_a_doubtful_line_says_nothing():
    lines = [*STAGED[:4], Line("12A", (48, 99, 103, 126), 0.3), *STAGED[5:]]
    assert of_lines(lines).scene == ""


def test_without_a_recogniser_boards_cannot_come_first(footagefit, monkeypatch, tmp_path):
    monkeypatch.setattr(boards, "_PACKAGES", ("no_such_recogniser",))
    (tmp_path / "show.yaml").write_text("name: x\nroots: [.]\nwork: work\n")
    code, _, err = footagefit("scan", f"show={tmp_path / 'show.yaml'}", "slates=boards")
    assert code == 2 and "make extras" in err


@pytest.mark.skipif(not boards.installed(), reason="no text recogniser is installed")
def test_a_board_is_read():
    from PIL import Image, ImageDraw, ImageFont

    board = Image.new("RGB", (640, 360), (235, 235, 230))
    draw, font = ImageDraw.Draw(board), ImageFont.load_default(size=52)
    for x, name, value in ((40, "SCENE", "42B"), (260, "TAKE", "03"), (440, "ROLL", "A007")):
        draw.text((x, 90), name, fill=(20, 20, 20), font=ImageFont.load_default(size=26))
        draw.text((x, 130), value, fill=(20, 20, 20), font=font)
    found = of_lines(boards.lines_of(np.asarray(board)))
    assert (found.scene, found.take, found.roll) == ("42B", "3", "A007")
