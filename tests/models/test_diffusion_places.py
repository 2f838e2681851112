"""A fit's base under any roof and any name: found by content, another refused, read whole once."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from diffusion_made import a_given, a_model, base
from footagefit.errors import FootagefitWarning, MissingPart
from footagefit.models import diffusion_bases as bases
from footagefit.models import diffusion_hashes as hashes
from footagefit.models import diffusion_places as places
from footagefit.rendering.fits import Part, Recipe, load_fit, save_fit
from tiny_bases import tiny_base

__all__ = ["base"]
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def house(tmp_path, monkeypatch) -> Path:
    """Where the house keeps bases; nothing is in Hugging Face's cache."""
    monkeypatch.setenv(places.BASES, str(tmp_path / "house"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "house").mkdir()
    return tmp_path / "house"


@pytest.fixture
def fit(base, house, tmp_path) -> Path:
    """Taught on a base that lies where no other machine has it."""
    here = tmp_path / "here" / "sd15"
    shutil.copytree(base("sd15"), here)
    recipe = Recipe(Part("match", {"size": [32, 64]}),
                    Part("diffusion", {"base": str(here), "side_px": 32, "rank": 2}))  # fmt: skip
    model = recipe.build_model(recipe.build_task().spec)
    weights = {n: torch.randn_like(w) if w.is_floating_point() else w
               for n, w in model.state_dict().items()}  # fmt: skip
    return save_fit(tmp_path / "fit", recipe=recipe, weights=weights, card={},
                    about=model.about())  # fmt: skip


def away(fit: Path, place: Path) -> Path:
    """The base as another machine has it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(fit.parent / "here" / "sd15", place)
    return place


def folder_of(fit: Path, **said) -> Path:
    return load_fit(fit, **said).model.found.folder


def test_a_base_that_moved_is_found_by_its_name(fit, house):
    assert folder_of(fit) == fit.parent / "here" / "sd15"
    assert folder_of(fit, bases=[str(house)]) == fit.parent / "here" / "sd15"
    moved = away(fit, house / "sd15")
    assert folder_of(fit) == moved


@pytest.mark.parametrize(
    "place", ["house/v1-5-pruned", "house/someone/base", "hub/models--x--y/snapshots/abc"]
)
def test_a_base_of_another_name_is_found_by_its_content_and_said(fit, house, place, base):
    before = load_fit(fit)
    tiny_base(house / "another", "sd15", seed=4, towers=True)
    tiny_base(house / "flux", "flux")
    (house / "half").mkdir()
    (house / "half" / "model_index.json").write_text("{}")
    shutil.copytree(base("sd15"), house / "broken")
    (house / "broken" / WEIGHTS).write_bytes(b"12345678 not a header")
    renamed = away(fit, house.parent / place)
    with pytest.warns(FootagefitWarning, match=re.escape("found by its content (") + ".*" + place):
        after = load_fit(fit)
    assert after.model.found.folder == renamed
    assert after.model.about() == before.model.about()  # its own name is kept
    state = before.model.state_dict()
    assert all(torch.equal(w, state[n]) for n, w in after.model.state_dict().items())


def test_folders_said_come_first_and_need_no_variable(fit, house, monkeypatch):
    moved = away(fit, fit.parent / "shelf" / "sd15")
    shutil.copytree(moved, house / "sd15")
    assert folder_of(fit, bases=[str(fit.parent / "shelf")]) == moved
    monkeypatch.delenv(places.BASES)
    assert folder_of(fit, bases=[str(moved.parent)]) == moved
    with pytest.warns(FootagefitWarning, match="found by its content"):
        again = shutil.copytree(moved, fit.parent / "a" / "b")
        shutil.rmtree(moved)
        assert folder_of(fit, bases=[str(again)]) == again  # the base's own folder
    found = load_fit(fit, bases=[str(house)])
    assert found.recipe.bases == [str(house)]


def test_another_base_of_the_right_name_is_passed_over_and_refused(fit, house):
    where = fit.parent / "here" / "sd15"
    moved = away(fit, house / "kept")
    tiny_base(where, "sd15", seed=9, towers=True)
    with pytest.warns(FootagefitWarning, match="found by its content"):
        assert folder_of(fit) == moved
    shutil.rmtree(moved)
    tiny_base(house / "sd15", "sd15", seed=8, towers=True)
    with pytest.raises(MissingPart) as refused:
        load_fit(fit)
    for folder in (where, house / "sd15"):
        assert f"{folder} is another" in str(refused.value)


def test_one_byte_makes_another_base(fit, house, tmp_path):
    """Wherever it lies: most bytes are in no mark."""
    copy = away(fit, house / "sd15")
    raw = bytearray((copy / WEIGHTS).read_bytes())
    parts = ("unet", "vae")
    mark = hashes.mark(copy, parts)
    header, start = hashes._header(copy / WEIGHTS)
    begin, end = max((e["data_offsets"] for e in header.values()), key=lambda p: p[1] - p[0])
    raw[start + begin + (end - begin) // 4] ^= 1
    (copy / WEIGHTS).write_bytes(bytes(raw))
    assert hashes.mark(copy, parts) == mark
    with pytest.raises(MissingPart, match=f"{copy} is another"):
        load_fit(fit)


def test_a_base_that_is_nowhere_is_one_line_that_says_what_to_set(fit, house):
    content = bases.find(str(fit.parent / "here" / "sd15")).hash
    shutil.rmtree(fit.parent / "here")
    with pytest.raises(MissingPart) as missing:
        load_fit(fit)
    line = str(missing.value)
    assert "\n" not in line
    assert f"the base {fit.parent}/here/sd15 of content {content[:12]} is not at hand" in line
    for place in (fit.parent / "here" / "sd15", house, fit.parent / "hub"):
        assert str(place) in line.partition("looked in")[2]
    assert f"{places.BASES}= or bases=" in line


def test_a_model_that_is_told_its_bases_content_takes_no_other(base, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    folder = base("sd15")
    found = bases.find(str(folder))
    given = a_given()
    model = a_model(folder, base_hash=found.hash)
    assert torch.equal(model.predict(given), given.plate)
    with pytest.raises(MissingPart, match="is another"):
        a_model(folder, base_hash=found.hash[::-1])


@pytest.fixture
def count(monkeypatch) -> Callable[[], int]:
    """Weights that were read whole since it was last asked."""
    seen: list[Path] = []
    read = hashes._read
    monkeypatch.setattr(hashes, "_read", lambda path, said: seen.append(path) or read(path, said))

    def since() -> int:
        number = len(seen)
        seen.clear()
        return number

    return since


def test_large_files_are_read_whole_once(base, tmp_path, monkeypatch, capsys, count):
    monkeypatch.setenv(hashes.CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(hashes, "_LARGE_BYTES", 1)
    monkeypatch.setattr(hashes, "_BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(hashes, "_FIRST_SAID_S", 0.0)
    folder = shutil.copytree(base("sd15"), tmp_path / "sd15")
    files = sorted(folder.glob("*/diffusion_pytorch_model.safetensors"))
    for path in files:
        os.utime(path)  # written now, it may be again before its time tells
    first = bases.find(str(folder)).hash
    assert re.search(r"base .*sd15: read once to know it again, 0\.0 of 0\.\d GB, ETA \d+ s",
                     capsys.readouterr().err)  # fmt: skip
    bases.find(str(folder))
    assert count() == 4
    for path in files:
        os.utime(path, (1e9, 1e9))
    bases.find(str(folder))
    assert count() == 2
    assert bases.find(str(folder)).hash == first
    assert count() == 0
    raw = bytearray(files[0].read_bytes())
    raw[-1] ^= 1
    files[0].write_bytes(bytes(raw))
    assert bases.find(str(folder)).hash != first
    assert count() == 1
    raw[-1] ^= 1
    files[0].write_bytes(bytes(raw))
    os.utime(files[0], (1e9 + 1, 1e9 + 1))
    assert bases.find(str(folder)).hash == first
    assert count() == 1
    for kept in (tmp_path / "cache" / "hashes").iterdir():
        kept.write_text(kept.read_text()[:-9])  # cut short
    assert bases.find(str(folder)).hash == first
    assert count() == 2
    monkeypatch.setenv(hashes.CACHE, str(files[0]))  # where nothing can be kept
    assert bases.find(str(folder)).hash == first
