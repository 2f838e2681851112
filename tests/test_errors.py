"""Errors are one line: where, what, next step."""

from __future__ import annotations

import pickle

from footagefit.errors import FootagefitError, UnknownName, UnreadableFrame


def test_one_line_with_place_and_next_step():
    error = UnreadableFrame("does not decode", path="a.exr", frame=7, hint="Copy it again")
    assert str(error) == "a.exr, frame 7: does not decode. Copy it again."


def test_unknown_names_list_the_nearest_first():
    assert str(UnknownName("verb", "trian", ["infer", "train"])).startswith(
        "unknown verb 'trian'; known: train, infer"
    )


def test_errors_cross_processes():
    error = UnknownName("verb", "x", ["y"])
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (UnknownName, str(error))
    assert isinstance(again, FootagefitError)
