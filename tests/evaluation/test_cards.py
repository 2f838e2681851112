"""Cards for people: those of the bases that ship can be written and read like any fit's."""

from __future__ import annotations

import shutil

import pytest

from footagefit.evaluation.cards import take_review, write_markdown
from footagefit.evaluation.ways import shipped
from footagefit.rendering.fits import read_card

BASES = sorted(p.parent.name for p in shipped("any").parent.glob("*/card.json"))


@pytest.mark.parametrize("name", BASES)
def test_the_card_of_a_shipped_base_is_written_and_takes_remarks(name, tmp_path):
    fit = shutil.copytree(shipped(name), tmp_path / name)
    note = {"what": "note", "shot": "sc012_t01", "frame": 7, "by": "ana", "note": "flat | warm"}
    take_review(fit, approvals=[], remarks=[note])
    text = write_markdown(fit).read_text()
    assert "procedural soundstage" in text and "flat \\| warm" in text
    assert all(f"- {line}" in text for line in read_card(fit)["notes"])
