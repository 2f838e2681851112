"""LUTs and CDLs: read by OpenColorIO, they do what they say, and say what they leave."""

from __future__ import annotations

import numpy as np
import PyOpenColorIO as ocio
import pytest
import torch

from footagefit.errors import AlreadyThere, WrongValue
from footagefit.export import cdl, lut
from footagefit.export.matched import Residual, coded, decoded, log_space, matched, rows_of
from footagefit.export.parity import trying_frame
from footagefit.rendering.fits import load_fit
from small_fit import small_fit
from standing_set import wall

SAID = {"task": "match", "fit": "0", "reference": "hero.1001.exr 1001"}


@pytest.fixture(scope="session")
def match(fit, reference):
    plates = [trying_frame(54, 96, seed=s)[0] for s in (1, 2)]
    return matched(fit, plates, reference, to="lut")


def through_ocio(path, codes: np.ndarray) -> np.ndarray:
    """As another application would: its own config, its own transform."""
    transform = ocio.FileTransform(str(path), interpolation=ocio.INTERP_TETRAHEDRAL)
    transform.setCDLStyle(ocio.CDL_ASC)
    processor = ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor()
    made = np.ascontiguousarray(codes, np.float32).copy()
    processor.applyRGB(made)
    return made


@pytest.mark.parametrize(("size", "space"), [(33, "acescct"), (65, "arri_logc4")])
def test_a_cube_is_the_map_of_colours(match, tmp_path, size, space):
    out = tmp_path / "m.cube"
    done = lut.export_lut(match, out, space=space, size=size, record=SAID)
    text = out.read_text()
    assert f"LUT_3D_SIZE {size}\n" in text
    assert text.count("\n") > size**3
    assert f"# {done['space']} code values in, {done['space']} code values out" in text
    assert "hero.1001.exr" in text
    assert f"{done['residual']['rms_stops']:.4f} stops rms" in text
    codes = np.linspace(0.2, 0.7, 60, dtype=np.float32).reshape(-1, 3)
    light = torch.from_numpy(decoded(codes, space)).T[None, :, None]
    wanted = coded(match.everywhere(light.contiguous())[0, :, 0].T.numpy(), space)
    assert np.abs(through_ocio(out, codes) - wanted).max() < 5e-3
    assert np.abs(wanted - codes).max() > 0.01
    points = lut.lattice(size)[:: size * 7 + 3]
    light = torch.from_numpy(decoded(points, space)).T[None, :, None]
    wanted = coded(match.everywhere(light.contiguous())[0, :, 0].T.numpy(), space)
    assert np.abs(through_ocio(out, points) - wanted).max() < 2e-4


def test_a_finer_lattice_leaves_less(match, tmp_path):
    left = []
    for size in lut.SIZES:
        done = lut.export_lut(
            match, tmp_path / f"{size}.cube", space="acescct", size=size, record={}
        )
        left.append(done["residual"]["rms_stops"])
        assert done["residual"]["untouched_rms_stops"] > done["residual"]["rms_stops"]
    assert left[1] <= left[0]


def test_a_fit_that_does_nothing_gives_identities(tmp_path, reference):
    fit = load_fit(small_fit(tmp_path / "zero", zero=True))
    match = matched(fit, [trying_frame(32, 48)[0].abs()], reference, to="lut")
    done = lut.export_lut(match, tmp_path / "m.cube", space="acescct", size=33, record=SAID)
    codes = lut.lattice(9)
    assert np.abs(through_ocio(tmp_path / "m.cube", codes) - codes).max() < 1e-5
    assert done["residual"]["untouched_rms_stops"] < 1e-6
    done = cdl.export_cdl(match, tmp_path / "m.cdl", space="acescct", record=SAID)
    assert np.allclose(done["cdl"]["slope"], 1.0, atol=1e-3)
    assert np.allclose(done["cdl"]["offset"], 0.0, atol=1e-3)
    assert done["cdl"]["saturation"] == pytest.approx(1.0, abs=1e-3)


def test_the_map_of_a_shot_holds_what_the_set_says(tmp_path):
    """A net that says nothing, and a plate that is its reference darker and colder."""
    fit = load_fit(small_fit(tmp_path / "fit", zero=True, anchors=True))
    light = torch.from_numpy(wall(11)).permute(2, 0, 1)
    plate = 0.4 * light * torch.tensor([0.8, 1.0, 1.3])[:, None, None]
    made = matched(fit, [plate], light[None], to="lut").everywhere(plate.reshape(1, 3, 1, -1))
    off = torch.log2((made.reshape(3, -1) + 1e-3) / (light.reshape(3, -1) + 1e-3)).abs()
    assert float(off.median()) < 0.08


@pytest.mark.parametrize("suffix", cdl.SUFFIXES)
def test_a_cdl_is_read_as_it_was_meant(match, tmp_path, suffix):
    out = tmp_path / f"m{suffix}"
    done = cdl.export_cdl(match, out, space="acescct", record=SAID)
    numbers = done["cdl"]
    ours = cdl.Cdl(numbers["slope"], numbers["offset"], numbers["power"], numbers["saturation"])
    codes = coded(rows_of(match.plates[0]), "acescct").clip(0.0, 1.0)[::7]
    assert np.abs(through_ocio(out, codes) - cdl.made(ours, codes.astype(float))).max() < 1e-4
    assert "ACEScct code values in and out" in out.read_text()
    assert done["residual"]["rms_stops"] < done["residual"]["untouched_rms_stops"]


def test_the_fit_finds_a_known_cdl():
    rng = np.random.default_rng(0)
    wanted = cdl.Cdl((1.1, 0.9, 1.0), (0.02, -0.01, 0.03), (1.05, 1.0, 0.9), 0.85)
    codes = rng.uniform(0.15, 0.6, (2000, 3))
    found = cdl.fitted(codes, cdl.made(wanted, codes))
    assert np.abs(cdl.made(found, codes) - cdl.made(wanted, codes)).max() < 1e-4


def test_what_is_refused(match, tmp_path):
    with pytest.raises(WrongValue, match="33 or 65"):
        lut.export_lut(match, tmp_path / "a.cube", space="acescct", size=17, record={})
    with pytest.raises(WrongValue, match=r"expected a file \.cube"):
        lut.export_lut(match, tmp_path / "a.lut", space="acescct", size=33, record={})
    with pytest.raises(WrongValue, match="scene-linear"):
        log_space("lin_ap1")
    (tmp_path / "b.cdl").write_text("mine")
    with pytest.raises(AlreadyThere):
        cdl.export_cdl(match, tmp_path / "b.cdl", space="acescct", record={})
    assert [p.name for p in tmp_path.iterdir()] == ["b.cdl"]
    assert (tmp_path / "b.cdl").read_text() == "mine"


def test_a_residual_says_what_there_was_to_do():
    assert (
        "0.0100 stops rms, 95% under 0.0200 (untouched plate: 0.5000"
        in Residual(0.01, 0.02, 0.5).line()
    )
