"""Holes: of the kinds that clean-up and extension meet, the same again from the same draw."""

import pytest
import torch

from footagefit.tasks.draws import generator
from footagefit.tasks.holes import KINDS, borders, dropped, handles, tubes, wires

SIZE = (48, 64)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_hole_is_there_in_the_frame_to_fill_and_repeats(kind):
    shares = []
    for seed in range(12):
        made, again = kind(generator(seed), 5, SIZE), kind(generator(seed), 5, SIZE)
        assert torch.equal(made.holes_T1HW, again.holes_T1HW)
        assert made.at == again.at
        assert made.holes_T1HW.shape == (5, 1, *SIZE)
        assert set(made.holes_T1HW.unique().tolist()) <= {0.0, 1.0}
        shares.append(float(made.holes_T1HW[made.at].mean()))
    assert sum(share > 0.0 for share in shares) >= 10


def test_borders_lie_along_sides_and_stay():
    for seed in range(30):
        holes = borders(generator(seed), 4, SIZE).holes_T1HW
        assert torch.equal(holes, holes[:1].expand_as(holes))
        rows, columns = holes[0, 0].amin(1), holes[0, 0].amin(0)
        assert torch.equal(holes[0, 0], torch.maximum(rows[:, None], columns[None]))
        assert float(rows[20:28].max()) == 0.0, "no strip is wider than 40%"
        assert float(columns[27:37].max()) == 0.0


def test_half_of_the_wires_stand():
    still = moved = 0
    for seed in range(40):
        holes = wires(generator(seed), 3, SIZE).holes_T1HW
        if torch.equal(holes[0], holes[2]):
            still += 1
        else:
            moved += 1
        assert 0.0 < float(holes[1].mean()) < 0.5
    assert moved > still > 0, "clips of one or two wires may stand, those of many do not"


def test_tubes_go_their_way_or_stand():
    middles = []
    for seed in range(40):
        holes = tubes(generator(seed), 5, SIZE).holes_T1HW[:, 0]
        if bool(holes.flatten(1).any(1).all()):
            across = torch.arange(SIZE[1], dtype=torch.float32)
            centre = [(h.sum(0) * across).sum() / h.sum() for h in holes]
            middles.append(abs(float(centre[4] - centre[0])))
    assert min(middles) < 1.0
    assert max(middles) > 4.0


def test_frames_that_are_gone_are_gone_whole_and_others_are_left():
    for seed in range(20):
        for kind in (dropped, handles):
            made = kind(generator(seed), 5, SIZE)
            gone = made.holes_T1HW.flatten(1).mean(1)
            assert float(gone[made.at]) == 1.0
            assert set(gone.tolist()) == {0.0, 1.0}
    ends = {handles(generator(seed), 5, SIZE).at for seed in range(40)}
    assert {0, 4} <= ends
