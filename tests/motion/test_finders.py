"""Finding wires, booms and dust: a mask a frame, by rules for any net, and by the one shipped."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from footagefit.errors import MissingPart, UnknownName
from footagefit.motion import finders
from footagefit.motion.evidence import CHANNELS, evidence
from footagefit.motion.finder_net import KINDS, FinderNet

HEIGHT, WIDTH = 144, 192


def wall(number: int, *, pan_px: float = 2.0, seed: int = 0) -> torch.Tensor:
    """A soft-textured wall that pans, with grain (3,H,W)."""
    rng = torch.Generator().manual_seed(seed)
    wide = torch.rand(1, 3, 5, 12, generator=rng)
    wide = torch.nn.functional.interpolate(wide, (HEIGHT, 320), mode="bicubic")[0].clamp(0.05, 1)
    left = round(20 + pan_px * number)
    grain = torch.Generator().manual_seed(100 + number)
    light = wide[..., left : left + WIDTH] * 0.4
    return light * (1 + 0.02 * torch.randn(3, HEIGHT, WIDTH, generator=grain))


def wire_mask(number: int) -> torch.Tensor:
    """A straight wire 2.5 px wide from top to bottom, swaying a little (1,H,W)."""
    y, x = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    off = (x - 90 - 0.25 * y - 0.5 * number).abs() * 0.97
    return (1.75 - off).clamp(0, 1)[None]


def wired(number: int) -> torch.Tensor:
    share = wire_mask(number)
    return wall(number) * (1 - share) + 0.015 * share


def by_hand(monkeypatch: pytest.MonkeyPatch, likely: dict[int, np.ndarray]) -> None:
    """Likelihoods as given, frame by frame."""
    given = iter(likely.values())
    monkeypatch.setattr(finders, "shipped", lambda: FinderNet(width=4).eval())
    monkeypatch.setattr(finders, "looked", lambda *_: seen(next(given)))


def seen(likely: np.ndarray, stops: np.ndarray | None = None) -> finders.Seen:
    """On a plain wall where no light is given."""
    plain = np.zeros(likely.shape, np.float32)
    return finders.Seen(likely, np.zeros(likely.shape, bool), plain if stops is None else stops)


def a_line(at: int, *, rows: slice = slice(0, HEIGHT)) -> np.ndarray:
    likely = np.zeros((HEIGHT, WIDTH), np.float32)
    likely[rows, at : at + 3] = 0.9
    return likely


def test_every_number_comes_once_in_order_with_a_mask_of_its_size():
    numbers = [1001, 1002, 1004, 1005, 1006, 1007, 1008]
    found = list(finders.find("dust", lambda n: wall(n - 1000), numbers))
    assert [number for number, _ in found] == numbers
    assert all(mask.shape == (1, HEIGHT, WIDTH) for _, mask in found)
    assert all(set(mask.unique().tolist()) <= {0.0, 1.0} for _, mask in found)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_short_shots_are_looked_at_too(count):
    assert len(list(finders.find("wire", wall, range(count)))) == count


def test_unknown_things_are_answered_with_those_that_are_known():
    with pytest.raises(UnknownName, match=r"crane.*wire, boom, dust, flash, drop"):
        finders.find("crane", wall, [1])


def test_without_weights_the_next_step_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(finders, "WEIGHTS", tmp_path / "none.safetensors")
    finders.shipped.cache_clear()
    with pytest.raises(MissingPart, match="mask="):
        next(finders.find("wire", wall, [1, 2]))
    finders.shipped.cache_clear()


def test_wires_are_long_and_slender():
    likely = a_line(90) + a_line(20, rows=slice(10, 40))
    likely[60:100, 130:180] = 0.9
    mask = finders.judged("wire", seen(likely))
    assert mask[:, 90:93].mean() == 1.0 and mask[:, :80].sum() == 0 and mask[:, 120:].sum() == 0
    assert not finders.judged("wire", seen(0.3 * likely)).any()  # nowhere sure


def test_gaps_in_a_wire_are_closed_and_wide_ones_are_not():
    likely = a_line(90)
    likely[40:52] = 0.0
    assert finders.judged("wire", seen(likely))[:, 91].mean() > 0.97
    likely[60:130] = 0.0
    assert not finders.judged("wire", seen(likely)).any()


def test_crossing_and_hanging_wires_are_each_followed():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    hanging = np.abs(y - 30 - 60 * (x / WIDTH) * (1 - x / WIDTH) * 2) < 1.5
    slanted = np.abs(x - 40 - 0.6 * y) < 1.5
    mask = finders.judged("wire", seen(np.where(hanging | slanted, 0.9, 0.0).astype(np.float32)))
    assert mask[hanging].mean() > 0.95 and mask[slanted].mean() > 0.95
    near = torch.from_numpy((hanging | slanted).astype(np.float32))[None]
    assert not mask[torch.nn.functional.max_pool2d(near, 7, 1, 3)[0].numpy() == 0].any()


def test_outlines_with_corners_are_no_wires():
    likely = np.zeros((HEIGHT, WIDTH), np.float32)
    likely[40:100, 60:120] = 0.9
    likely[42:98, 62:118] = 0.0
    assert not finders.judged("wire", seen(likely)).any()


def test_a_wire_has_a_light_of_its_own_and_a_groove_that_of_the_floor():
    floor = np.repeat(np.linspace(-2.0, 2.0, HEIGHT, dtype=np.float32)[:, None], WIDTH, 1)
    likely = a_line(90)
    line = likely > 0
    groove = np.where(line, floor - 1.0, floor)
    assert not finders.judged("wire", seen(likely, groove)).any()
    wire = np.where(line, np.float32(-3.0), floor)
    assert finders.judged("wire", seen(likely, wire))[:, 91].all()
    assert finders.judged("wire", seen(0.4 * likely, wire))[:, 91].all()  # plainly its own
    assert not finders.judged("wire", seen(0.4 * likely[:, ::-1], groove[:, ::-1])).any()


def test_an_edge_between_two_things_is_no_wire():
    likely = a_line(90)
    sides = np.where(np.arange(WIDTH) < 91, np.float32(-1.5), np.float32(1.5))
    edge = np.repeat(sides[None], HEIGHT, 0)
    assert not finders.judged("wire", seen(likely, edge)).any()
    edge[likely > 0] = -4.0
    assert finders.judged("wire", seen(likely, edge))[:, 91].all()


def test_a_line_along_the_frames_own_border_is_no_wire():
    assert not finders.judged("wire", seen(a_line(0))).any()


def test_a_boom_comes_in_from_the_border():
    likely = np.zeros((HEIGHT, WIDTH), np.float32)
    likely[60:80, 90:110] = 0.95
    assert not finders.judged("boom", seen(likely)).any()
    likely[:30, 40:60] = 0.95
    mask = finders.judged("boom", seen(likely))
    assert mask[:30, 40:60].all() and not mask[60:].any()


def test_a_speck_where_all_is_restless_is_no_dust():
    likely = np.zeros((HEIGHT, WIDTH), np.float32)
    likely[50:54, 60:64] = likely[50:54, 120:124] = 0.95
    restless = np.zeros(likely.shape, bool)
    restless[30:80, 100:150] = True
    mask = finders.judged("dust", seen(likely)._replace(restless_HW=restless))
    assert mask[50:54, 60:64].all() and not mask[:, 100:].any()


def test_a_wire_in_one_frame_alone_is_none(monkeypatch):
    nothing = np.zeros((HEIGHT, WIDTH), np.float32)
    by_hand(monkeypatch, {n: a_line(90) if n == 3 else nothing for n in range(7)})
    assert not any(m.any() for _, m in finders.find("wire", wall, range(7)))


def test_a_wire_that_sways_lasts(monkeypatch):
    by_hand(monkeypatch, {n: a_line(90 + n) for n in range(7)})
    assert all(m.any() for _, m in finders.find("wire", wall, range(7)))


def test_a_large_frame_gets_a_mask_of_its_size(monkeypatch):
    large = torch.full((3, 1080, 1920), 0.2)
    working = np.zeros((540, 960), np.float32)
    working[:, 400:402] = 0.9
    by_hand(monkeypatch, {1: working})
    [(_, mask)] = list(finders.find("wire", lambda _: large, [1]))
    columns = mask[0, 500].nonzero().flatten()
    assert mask.shape == (1, 1080, 1920) and bool(mask.amax(2).all())
    assert int(columns.min()) <= 800 and 803 <= int(columns.max()) <= 808


def test_evidence_is_finite_whatever_the_pixels_are():
    frame = wall(0)
    frame[:, 3, 3], frame[:, 4, 4], frame[:, 5, 5] = float("nan"), float("inf"), -2.0
    found = evidence(wall(1), frame, wall(2))
    assert found.shape == (CHANNELS, HEIGHT, WIDTH) and bool(torch.isfinite(found).all())


def test_what_neighbours_do_not_show_stands_out_and_what_moves_along_does_not():
    speck = wall(5)
    speck[:, 70:74, 100:104] = 1.5
    found = evidence(wall(4), speck, wall(6))
    assert float(found[4:6, 71:73, 101:103].min()) > 1.5
    assert float(found[4:6, 30:110, 30:90].abs().median()) < 0.5


def test_a_line_leaves_evidence_of_its_own_sign():
    dark = evidence(wired(0), wired(0), wired(0))
    on, off = wire_mask(0)[0] > 0.9, wire_mask(0)[0] == 0
    assert float(dark[7][on].median()) > 2.5 * float(dark[7][off].median())
    assert float(dark[6][on].median()) < float(dark[7][on].median())


def test_the_net_takes_any_whole_cells_and_begins_by_finding_nothing():
    net = FinderNet(width=8).eval()
    with torch.no_grad():
        logits = net(torch.randn(2, CHANNELS, 48, 80))
    assert logits.shape == (2, len(KINDS), 48, 80) and float(logits.max()) < -3


def test_the_shipped_net_is_small_and_finds_a_wire_and_none_on_a_plain_wall():
    assert finders.WEIGHTS.stat().st_size <= 2_000_000
    numbers = range(5)
    for number, mask in finders.find("wire", wired, numbers):
        truth = wire_mask(number) > 0.5
        wide = torch.nn.functional.max_pool2d(truth.float(), 5, 1, 2) > 0
        hits, false = (mask.bool() & wide).sum(), (mask.bool() & ~wide).sum()
        missed = (truth & ~(torch.nn.functional.max_pool2d(mask, 5, 1, 2) > 0)).sum()
        assert float(hits / (hits + false + missed)) > 0.6
    assert not any(m.any() for _, m in finders.find("wire", wall, numbers))
