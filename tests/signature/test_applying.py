from __future__ import annotations

import pytest
import torch

from footagefit.errors import UnknownName, WrongValue
from footagefit.signature.applying import Chain, dressed
from footagefit.signature.bloom import Bloom
from footagefit.signature.chromatic import Chromatic
from footagefit.signature.distortion import Distortion
from footagefit.signature.record import Lens
from footagefit.signature.sharpness import Sharpness
from footagefit.signature.vignette import Vignette
from signature_made import grain, smooth

LENS = Lens(
    Vignette(-0.5), Distortion(k1=-0.05), Chromatic(1.0, -1.0), Sharpness(1.0, 1.6, 1.6),
    Bloom(0.02),
)  # fmt: skip
BACK = ("distortion", "chromatic", "bloom", "vignette", "grain")


def test_all_that_can_come_off_comes_off():
    clean = smooth(1)
    chain = Chain(LENS, grain(strength=0.03), effects=BACK, seed=3)
    back = chain.remove(chain.apply(clean, number=4), number=4)
    inner = (slice(None), slice(40, -40), slice(60, -60))
    # Grain comes off by its seed before anything is resampled.
    assert (back - clean)[inner].abs().max() < 2e-3


def test_everything_measured_is_put_on_in_lights_order():
    chain = Chain(LENS, grain(), effects=None)
    assert chain.effects == ("distortion", "chromatic", "sharpness", "bloom", "vignette", "grain")
    assert Chain(Lens(vignette=Vignette(-0.2)), None).effects == ("vignette",)


def test_what_cannot_be_is_said():
    with pytest.raises(UnknownName, match="vignette"):
        Chain(LENS, None, effects=["vignete"])
    with pytest.raises(WrongValue, match="bloom was not measured"):
        Chain(Lens(vignette=Vignette()), None, effects=["bloom"])
    with pytest.raises(WrongValue, match="sharpness cannot"):
        Chain(LENS, None).remove(smooth(1), number=1)


def test_filled_pixels_are_dressed_and_the_plate_is_not_touched():
    plate, fill = smooth(2), smooth(3)
    mask = torch.zeros(1, *plate.shape[1:])
    mask[:, 100:150, 200:300] = 1.0
    chain = Chain(LENS, grain(strength=0.05), effects=["vignette", "grain"], seed=1)
    out = dressed(plate, fill, mask, chain, number=8)
    outside = mask[0] == 0
    assert torch.equal(out[:, outside], plate[:, outside])
    inside = mask[0] == 1
    assert torch.equal(out[:, inside], chain.apply(fill, number=8)[:, inside])
    assert (out - plate)[:, inside].abs().mean() > 0.01


def test_coverage_bends_with_the_picture():
    alpha = torch.zeros(1, 120, 200)
    alpha[:, :, 100:] = 1.0
    chain = Chain(LENS, None, effects=["distortion"])
    bent = chain.bent(alpha, back=False)
    assert float(bent.min()) >= 0 and float(bent.max()) <= 1
    assert torch.equal(Chain(LENS, None, effects=["vignette"]).bent(alpha, back=False), alpha)
