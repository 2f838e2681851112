"""Degrain, work, regrain: grain comes back, as strong as it is at the light there is then."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from footagefit.errors import UsageError
from footagefit.rendering.ask import Ask
from footagefit.rendering.plan import Plan
from footagefit.rendering.regrain import Regrain
from footagefit.rendering.render import run
from footagefit.signature import record
from footagefit.signature.grain import Grain
from footagefit.signature.grain_patches import BLOCK_PX
from footagefit.signature.grain_synthesis import Synthesis
from footagefit.signature.record import Signature
from rendering_helpers import make_fit, stored

LEVELS = tuple((2.0 ** np.arange(-8.0, 4.1, 0.5)).tolist())


def measured() -> Signature:
    deviation = tuple((0.05 * np.sqrt(0.18 * np.array(LEVELS))).tolist())
    flat = tuple(tuple(1.0 for _ in range(BLOCK_PX)) for _ in range(BLOCK_PX))
    apart = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    return Signature("film", grain=Grain(LEVELS, (deviation,) * 3, (flat,) * 3, apart))


def test_grain_grows_with_the_root_of_light_and_not_with_light(tmp_path):
    signature = record.plain(measured())
    regrain = Regrain(signature, path=tmp_path)
    flat = torch.full((1, 3, 128, 192), 0.18)
    assert measured().grain is not None
    plate = Synthesis(measured().grain, seed=1).apply(flat[0], number=1)[None]
    clean = regrain.clean(plate)
    brighter = regrain.grained(clean * 4.0, clean_BCHW=clean, plate_BCHW=plate)
    ratio = float(brighter.std() / plate.std())
    assert ratio == pytest.approx(2.0, rel=0.1)  # two stops up: the plain gain would make it 4
    same = regrain.grained(clean, clean_BCHW=clean, plate_BCHW=plate)
    assert torch.allclose(same, plate, atol=1e-6)


def test_a_fit_without_grain_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match=r"signature=<signature\.json>"):
        Regrain({}, path=tmp_path)


def test_a_render_regrains_keeps_the_rest_and_its_layers_still_add_up(tmp_path, shot):
    fit = make_fit(tmp_path / "fit", std=0.02)
    path = record.write(tmp_path / "signature.json", measured())
    plate = shot("plate", range(1001, 1003))
    reference = shot("hero", range(1, 2), seed=3)
    outs = {}
    for grain in ("keep", "match"):
        out = tmp_path / grain / "out.####.exr"
        ask = Ask(
            plate, fit, out, reference=reference, grain=grain, signature=path,
            layers=("gain", "offset"), device="cpu",
        )  # fmt: skip
        run(Plan(ask))
        pixels, spec = stored(tmp_path / grain / "out.1001.exr")
        names = list(spec.channelnames)
        outs[grain] = {n: pixels[..., i].astype(np.float64) for i, n in enumerate(names)}
    original, spec = stored(plate.parent / "plate.1001.exr")
    for made in outs.values():
        for i, c in enumerate("RGB"):
            lit = original[..., i].astype(np.float64) * made[f"gain.{c}"]
            off = made[f"offset.{c}"]
            half = 3e-3 * (np.abs(lit) + np.abs(off)) + 1e-3  # each is stored as half
            assert (np.abs(lit + off - made[c]) < half).all()
    assert np.abs(outs["keep"]["G"] - outs["match"]["G"]).max() > 1e-4
    job = json.loads((tmp_path / "match" / "out.manifest.json").read_text())["job"]
    assert job["grain"] == "match"
