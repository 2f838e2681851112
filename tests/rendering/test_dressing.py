"""Made pixels dressed as their neighbours; everything else is the plate."""

from __future__ import annotations

import pytest
import torch

from footagefit.rendering.dressing import Dressing, matched
from footagefit.signature import record, sharpness
from footagefit.signature.chromatic import Chromatic
from footagefit.signature.grain_synthesis import Synthesis
from footagefit.signature.record import Lens, Signature
from footagefit.signature.sharpness import Sharpness
from signature_made import shot_noise


def clean(height: int = 160, width: int = 256) -> torch.Tensor:
    """A set without detail: light that falls off."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack([0.1 + 0.4 * x, 0.12 + 0.3 * y, 0.2 + 0.2 * x * y])


def hole(height: int = 160, width: int = 256) -> torch.Tensor:
    mask = torch.zeros(1, height, width)
    mask[:, 40:120, 70:190] = 1.0
    return mask


def test_outside_the_mask_it_is_the_plate_to_the_bit():
    plate = Synthesis(shot_noise(), seed=9).apply(clean(), number=3)
    mask = hole()
    mask[:, 39] = 0.5 * mask[:, 40]  # a soft rim
    out = Dressing(None, grain=shot_noise())(clean(), plate, mask, frame=3)
    assert torch.equal(out[:, mask[0] == 0], plate[:, mask[0] == 0])
    assert not torch.equal(out, plate)
    assert Dressing(None, grain=shot_noise())(clean(), plate, mask * 0, frame=3) is plate


@pytest.mark.parametrize("left", [0.0, 0.3])
def test_variance_inside_is_that_outside(left):
    """Whether none of the grain or a part of it is there already."""
    base, mask = clean(), hole()
    plate = Synthesis(shot_noise(), seed=9).apply(base, number=3)
    had = Synthesis(shot_noise(), seed=11).apply(base, number=3)
    made = base + (had - base) * left**0.5
    share = torch.full_like(mask, left)
    out = Dressing(None, grain=shot_noise())(made, plate, mask, frame=3, seed=4, grain_1HW=share)
    scale = Synthesis(shot_noise()).deviation(base)
    noise = (out - base) / scale
    inside, outside = (noise[:, chosen] for chosen in (mask[0] > 0, mask[0] == 0))
    assert float(inside.var() / outside.var()) == pytest.approx(1.0, abs=0.1)
    beside = [float((noise[..., 1:] * noise[..., :-1])[:, m[0, :, 1:] > 0].mean()) for m in (
        mask, 1 - mask)]  # fmt: skip
    assert beside[0] == pytest.approx(beside[1], abs=0.06)


@pytest.mark.parametrize(("strength", "kept"), [(0.8, (0.0, 0.1)), (12.0, (0.8, 1.1))])
def test_made_up_texture_as_faint_as_grain_goes_and_what_is_more_stays(strength, kept):
    """Carried pixels keep theirs: of them it is known what is grain."""
    base, mask = clean(), hole()
    plate = Synthesis(shot_noise(), seed=9).apply(base, number=3)
    texture = Synthesis(shot_noise(), seed=11).apply(base, number=5) - base
    made = base + strength * texture
    dress = Dressing(None, grain=shot_noise())

    def dressed(made: torch.Tensor, **named: torch.Tensor) -> torch.Tensor:
        return dress(made, plate, mask, frame=3, seed=4, **named)

    invented = torch.ones_like(mask)
    inner = mask[0] > 0
    there = (dressed(made, invented_1HW=invented) - dressed(base, invented_1HW=invented))[:, inner]
    power = float((there**2).mean() / ((strength * texture[:, inner]) ** 2).mean())
    assert kept[0] <= power <= kept[1]
    carried = (dressed(made, invented_1HW=1.0 - invented) - dressed(base))[:, inner]
    assert float((carried**2).mean() / ((strength * texture[:, inner]) ** 2).mean()) > 0.9


def test_grain_is_its_frames_and_its_seeds():
    base, mask = clean(), hole()
    dress = Dressing(None, grain=shot_noise())
    one = dress(base, base, mask, frame=3, seed=4)
    assert torch.equal(one, dress(base, base, mask, frame=3, seed=4))
    assert not torch.equal(one, dress(base, base, mask, frame=4, seed=4))
    assert not torch.equal(one, dress(base, base, mask, frame=3, seed=5))


def test_a_seam_is_closed_and_an_edge_that_runs_along_it_is_left():
    base, mask = clean(), hole()
    off = torch.where(mask > 0, base * 2.0**0.25, base)
    step = (matched(off, mask) / base).log2()
    rim = torch.zeros_like(mask)
    rim[:, 40:43, 70:190] = rim[:, 117:120, 70:190] = 1.0
    assert float(step[:, rim[0] > 0].abs().mean()) < 0.06
    box = torch.where(mask > 0, base * 2.0**3, base)  # a window, not a seam
    kept = (matched(box, mask) / box).log2()
    assert float(kept.abs().max()) <= 0.36
    assert torch.equal(matched(base, mask * 0 + 1), base)


def test_what_no_lens_has_seen_gets_the_lens_and_what_is_soft_already_does_not():
    mask = hole()
    draw = torch.Generator().manual_seed(1)
    sharp = clean() * (1 + 0.8 * torch.rand(1, 160, 256, generator=draw))
    lens = Lens(sharpness=Sharpness(9.0, 9.0, 9.0), chromatic=Chromatic(20.0, -20.0))
    dress = Dressing(record.plain(Signature("film", lenses={"32 mm": lens})))
    plate = sharpness.apply(sharp, Sharpness(9.0, 9.0, 9.0))
    inner = (slice(None), slice(60, 100), slice(90, 170))
    soft = dress(sharp, plate, mask, frame=1, invented_1HW=mask)
    assert float(soft[inner].std()) < 0.7 * float(sharp[inner].std())
    assert float(soft[inner].std()) == pytest.approx(float(plate[inner].std()), rel=0.15)
    again = dress(plate, plate, mask, frame=1, invented_1HW=mask)
    assert float(again[inner].std()) > 0.9 * float(plate[inner].std())
    real = dress(sharp, plate, mask, frame=1, invented_1HW=mask * 0)
    assert torch.equal(real[:, mask[0] > 0], sharp[:, mask[0] > 0])
