from __future__ import annotations

import json
from dataclasses import replace

import pytest

from footagefit.errors import UnknownName, UsageError
from footagefit.records import Light
from footagefit.signature import record
from footagefit.signature.chromatic import Chromatic
from footagefit.signature.distortion import Distortion
from footagefit.signature.grade import SHARES, Grade
from footagefit.signature.grain_uneven import Uneven
from footagefit.signature.record import Lens, MeasuredLight, SetupLook, Signature
from footagefit.signature.sharpness import Sharpness
from footagefit.signature.vignette import Vignette
from footagefit.tasks.base import lens_coordinates, vector_of
from footagefit.tasks.match import SIGNATURE
from signature_made import grain


def signature() -> Signature:
    lens = Lens(
        Vignette(-0.4, error_rms=0.01), Distortion(k1=-0.05, k2=0.01, centre_x=0.01),
        Chromatic(1.0, -0.9), Sharpness(1.0, 2.0, 2.0, 0.19, 0.1), None, "original", 12,
        ("bloom: no highlights before the dark",),
    )  # fmt: skip
    other = Lens(Vignette(-0.1), frames=3)
    grade = Grade((0.1, 0.0, -0.2), tuple((1.0, 0.5, 0.4) for _ in range(3)),
                  tuple(float(i) for i in range(len(SHARES))), 3)  # fmt: skip
    light = MeasuredLight(Light(azimuth_deg=30.0, key_ev=0.5), 0.7)
    uneven = Uneven(((0.4, 0.1, 0.0), (0.1, 0.5, 0.1), (0.0, 0.1, 0.6)), 0.3)
    thinned = replace(grain(), uneven=uneven)
    return Signature(
        "film", 5600.0, {"32 mm": lens, "65 mm": other},
        {"12": SetupLook("65 mm", grade, thinned, light, "plate", 3, ("12A_t1",))},
        grain(), grade, "0.1.0",
    )  # fmt: skip


def test_what_is_written_is_read_again(tmp_path):
    made = signature()
    path = record.write(tmp_path / record.FILE, made)
    back = record.read(tmp_path)
    assert back.lenses["32 mm"].distortion == made.lenses["32 mm"].distortion
    assert back.setups["12"].light == made.setups["12"].light
    assert back.lenses["32 mm"].bloom is None
    again = record.write(tmp_path / "again.json", back)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("text", ["", "[]", '{"format": 9}', '{"format": 1, "shoe": 2}'])
def test_what_is_no_signature_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / record.FILE
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        record.read(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_no_signature_says_how_to_get_one(tmp_path):
    with pytest.raises(UsageError, match="footagefit measure"):
        record.read(tmp_path / "none.json")


def test_names_that_are_not_there_list_those_that_are():
    with pytest.raises(UnknownName, match="32 mm"):
        signature().lens("50 mm")


def test_models_see_numbers_by_name_and_absence_by_flag():
    vector = vector_of(SIGNATURE, record.plain(signature())).view(-1, 2)
    assert vector[:, 1].bool().all()
    assert vector[SIGNATURE.index("signature.k1"), 0] == pytest.approx(-0.05)
    bare = vector_of(SIGNATURE, record.plain(Signature(lenses={"a": Lens()}))).view(-1, 2)
    assert not bare.any()


def test_a_set_up_has_its_own_lens():
    made = record.plain(signature())
    assert made["signature.vignette_ev"] == pytest.approx(-0.4)  # of the lens seen most
    assert made["setups"]["12"]["signature.vignette_ev"] == pytest.approx(-0.1)
    assert not set(made["setups"]["12"]) & set(record.GRADED)
    json.dumps(made, allow_nan=False)


def test_a_fit_carries_the_whole_record():
    made = signature()
    back = record.of_plain(json.loads(json.dumps(record.plain(made))))
    assert back is not None and back.grain is not None
    assert back.grain.deviation[0] == pytest.approx(made.grain.deviation[0], rel=1e-5)
    assert record.of_plain({}) is None


def test_lens_coordinates_look_behind_the_measured_lens():
    plain = lens_coordinates((9, 16))
    made = record.plain(signature())
    bent = lens_coordinates((9, 16), signature=made)
    lens = Distortion(k1=-0.05, k2=0.01, centre_x=0.01)
    x, y = lens.distorted(bent[0].numpy() + 0.01, bent[1].numpy())
    assert x == pytest.approx(plain[0].numpy(), abs=1e-5)
    assert y == pytest.approx(plain[1].numpy(), abs=1e-5)
    assert bent[0, 0, -1] > plain[0, 0, -1]  # barrel: the pinhole saw further out
    assert (lens_coordinates((9, 16), signature={"signature.grain": 0.2}) == plain).all()
