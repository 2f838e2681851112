"""measure, apply and remove, as a person runs them: a small show of one panning EXR take."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
import torch

from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import SHOT, Link, Medium, Part, Shot, Slate
from footagefit.footage.writing import OutputForm, open_writer
from footagefit.records import Box, ClipInfo
from footagefit.signature import record
from footagefit.signature.distortion import Distortion
from footagefit.signature.record import Lens, Signature
from footagefit.signature.vignette import Vignette

SIZE = (216, 384)


def world() -> torch.Tensor:
    rng = torch.Generator().manual_seed(1)
    size = (SIZE[0], SIZE[1] + 120)
    fine = torch.rand(1, 1, 24, 56, generator=rng)
    soft = torch.rand(1, 3, 5, 11, generator=rng)

    def grown(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.interpolate(x, size=size, mode="bicubic")[0]

    texture = 0.7 + 0.6 * grown(fine).clamp(0, 1)
    texture[:, : SIZE[0] // 2] = 1.0  # a plain wall above what tells how the camera moved
    return (0.05 + 0.5 * grown(soft).clamp(0, 1)) * texture


def write_clip(pattern: Path, numbers: range, *, pan: int = 18) -> Path:
    pattern.parent.mkdir(parents=True, exist_ok=True)
    box = Box(0, 0, SIZE[1], SIZE[0])
    info = ClipInfo(
        path=pattern, raster=box, display=box, data=box, first_frame=numbers[0],
        length=len(numbers), rate=None, sample="half", space="ACEScg",
    )  # fmt: skip
    gain = torch.from_numpy(Vignette(-0.5).gain(SIZE)).permute(2, 0, 1)
    scene = world()
    with open_writer(pattern, info=info, form=OutputForm(depth="half"), existing="replace") as out:
        for place, number in enumerate(numbers):
            rng = torch.Generator().manual_seed(number)
            light = scene[:, :, place * pan : place * pan + SIZE[1]] * gain
            noise = 0.03 * (0.18 * light).sqrt() * torch.randn(light.shape, generator=rng)
            out.write(number, light + noise)
    for left in pattern.parent.glob("*.manifest.json"):
        left.unlink()
    return pattern


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("film")
    write_clip(root / "12A" / "12A_t1.####.exr", range(1001, 1007))
    (root / "show.yaml").write_text("name: film\nroots: [12A]\nwork: work\nspace: ACEScg\n")
    medium = Medium(
        "../12A/12A_t1.####.exr", "sequence", "plate", state="scanned", width=SIZE[1],
        height=SIZE[0], first_frame=1001, length=6, sample="half", space="ACEScg",
        parts=(Part(SHOT, 1001, 1006),), metadata={"lens": "32 mm"}, content="x",
    )  # fmt: skip
    path = root / "work" / "catalogue.sqlite"
    with Catalogue(path, write=True) as catalogue, catalogue.change() as db:
        number = catalogue.put_medium(db, medium)
        link = Link(medium.path, "plate", 1001, 1006, 0, number)
        shot = Shot("12A_T1", Slate("12A", "1", "A"), "12", "12A", 1001, 1006, (link,))
        catalogue.replace_shots(db, [shot])
    return root


@pytest.fixture(scope="module")
def measured(show: Path) -> Path:
    from footagefit.cli import main

    assert main(["measure", f"show={show / 'show.yaml'}", "frames=5"]) == 0
    return show / "work" / "signature"


def test_a_panning_take_tells_vignette_and_grain_and_says_what_it_does_not(measured):
    made = record.read(measured)
    lens = made.lenses["32 mm"]
    assert lens.vignette is not None and lens.vignette.source == "overlaps"
    ratio = lens.vignette.gain((27, 48)) / Vignette(-0.5).gain((27, 48))
    assert float((ratio / ratio.mean((0, 1))).std((0, 1))[1]) < 0.03
    assert float((ratio / ratio.mean((0, 1))).std((0, 1)).max()) < 0.04
    assert made.grain is not None and made.grain.share == pytest.approx(0.03, rel=0.15)
    assert lens.distortion is None and any(r.startswith("distortion") for r in lens.remarks)
    assert made.setups["12A"].shots == ("12A_T1",) and made.setups["12A"].light is None


def test_the_page_holds_everything_in_one_file(measured):
    page = (measured / "signature.html").read_text()
    assert "32 mm" in page and "data:image/png;base64," in page
    assert "not measurable from this footage" in page and "the estimator is not sure" in page
    assert 'src="http' not in page and set(re.findall(r'href="([^"]*)"', page)) == {"data:,"}
    assert (measured / "grain.tbl").read_text().startswith("filmgrn1\n")


def test_measuring_again_gives_the_same_bytes(measured, show, footagefit, tmp_path):
    code, _out, err = footagefit("measure", f"show={show / 'show.yaml'}", "frames=5",
                                f"out={tmp_path}")  # fmt: skip
    assert code == 0, err
    for name in (record.FILE, "signature.html", "grain.tbl"):
        assert (tmp_path / name).read_bytes() == (measured / name).read_bytes()
    code, _, err = footagefit("measure", f"show={show / 'show.yaml'}", f"out={tmp_path}",
                              "existing=error")  # fmt: skip
    assert code == 2 and "measured already" in err


def test_a_flat_and_a_dry_run(show, footagefit, tmp_path, write_picture):
    gain = Vignette(-0.8).gain((108, 192))
    about = {"chromaticities": ("float[8]", (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168,
                                             0.33767))}  # fmt: skip
    flat = write_picture(tmp_path / "flat.exr", (0.4 * gain).astype(np.float32), attributes=about)
    words = ("measure", f"show={show / 'show.yaml'}", f"out={tmp_path / 'sig'}", "frames=2")
    code, out, err = footagefit(*words, "dry_run=true")
    assert code == 0 and "12A_t1" in out and not (tmp_path / "sig").exists()
    code, _, err = footagefit(*words, f"flat={flat}", "lens=32 mm")
    assert code == 0, err
    lens = record.read(tmp_path / "sig").lenses["32 mm"]
    assert lens.vignette is not None and lens.vignette.corner_ev == pytest.approx(-0.8, abs=0.02)
    code, _, err = footagefit(*words, f"flat={flat}")
    assert code == 2 and "lens=" in err


@pytest.mark.parametrize(
    "words",
    [
        ("chessboard={0}/board.####.png", "lens=32 mm"), ("flat={0}/flat.exr", "lens=32 mm"),
        ("chessboard={0}", "lens=32 mm"), ("hdri={0}/sky.exr", "setup=12A"),
    ],
)  # fmt: skip
def test_references_that_are_not_there_are_told_before_footage_is_read(
    show, footagefit, tmp_path, words, monkeypatch
):
    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr("footagefit.commands.measure._picked", never)
    given = [word.format(tmp_path) for word in words]
    code, _, err = footagefit("measure", f"show={show / 'show.yaml'}", f"out={tmp_path}", *given)
    assert code == 2 and str(tmp_path) in err and err.count("\n") == 1


def pixels(pattern: Path, number: int) -> np.ndarray:
    path = pattern.with_name(pattern.name.replace("####", f"{number:04d}"))
    opened = oiio.ImageInput.open(str(path))
    return opened.read_image(0, 0, 0, 3, "float")


@pytest.fixture
def signature(tmp_path: Path) -> Path:
    lens = Lens(vignette=Vignette(-0.7), distortion=Distortion(k1=-0.03))
    return record.write(tmp_path / "sig.json", Signature("film", lenses={"32 mm": lens}))


def test_off_and_on_again_is_the_same_clip(tmp_path, footagefit, signature):
    plate = write_clip(tmp_path / "in" / "a.####.exr", range(1, 3))
    words = (f"signature={signature}", "effects=vignette", "output.depth=float")
    flat, back = tmp_path / "flat" / "a.####.exr", tmp_path / "back" / "a.####.exr"
    code, out, err = footagefit("remove", f"in={plate}", f"out={flat}", *words)
    assert code == 0 and "remove: vignette" in out, err
    assert pixels(flat, 1)[0, 0, 1] > 1.5 * pixels(plate, 1)[0, 0, 1]
    code, _, err = footagefit("apply", f"in={flat}", f"out={back}", *words)
    assert code == 0, err
    assert np.allclose(pixels(back, 2), pixels(plate, 2), rtol=1e-5)
    job = json.loads((flat.parent / "a.manifest.json").read_text())["job"]
    assert job["verb"] == "remove" and job["effects"] == ["vignette"]


def test_a_stopped_job_goes_on_and_another_is_refused(tmp_path, footagefit, signature):
    plate = write_clip(tmp_path / "in" / "a.####.exr", range(1, 4))
    out = tmp_path / "out" / "a.####.exr"
    words = (f"in={plate}", f"out={out}", f"signature={signature}", "effects=vignette")
    assert footagefit("apply", *words, "frames=1-2")[0] == 0
    code, said, err = footagefit("apply", *words, "frames=1-3")
    assert code == 0 and "2 frames were there already" in said, err
    code, _, err = footagefit("remove", *words)
    assert code == 2 and "there" in err


def test_what_cannot_be_done_is_one_line(tmp_path, footagefit, signature):
    plate = write_clip(tmp_path / "in" / "a.####.exr", range(1, 2))
    words = ("apply", f"in={plate}", f"out={tmp_path / 'o.####.exr'}")
    for more, said in (
        ((f"signature={signature}", "effects=grain"), "grain was not measured"),
        ((f"signature={signature}", "lens=50 mm"), "32 mm"),
        ((f"signature={tmp_path / 'no.json'}",), "footagefit measure"),
    ):
        code, _, err = footagefit(*words, *more)
        assert code == 2 and said in err and err.count("\n") == 1
    code, out, _ = footagefit(*words, f"signature={signature}", "dry_run=true")
    assert code == 0 and "distortion, vignette" in out and not (tmp_path / "o.0001.exr").exists()
