"""Sources apart: they add up, they come back the same, and each says where it stands."""

import pytest
import torch

from footagefit.errors import UnknownName
from footagefit.soundstage import apart
from footagefit.soundstage.apart import KEYS, Apart, draw_apart


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    made = Apart(tmp_path_factory.mktemp("apart"), 3, 4, (24, 24))
    made.render()
    return made


def test_a_scene_is_the_same_from_memory_and_from_the_cache(scenes):
    drawn = draw_apart(seed=3, index=0, count=4, size_px=(24, 24))
    kept = scenes.scene(2)
    assert kept.keys() == drawn.keys()
    for name, tensor in kept.items():
        assert torch.allclose(tensor, drawn[name][2].clamp(-6e4, 6e4), rtol=2e-3, atol=2e-3), name


def test_long_renderings_say_how_far_they_are(monkeypatch, capsys):
    monkeypatch.setattr(apart, "_SAID_EVERY_S", 0.0)
    assert list(apart.told([3, 5, 8], each=4)) == [3, 5, 8]
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "soundstage: 4/12 scenes", "soundstage: 8/12 scenes",
    ]  # fmt: skip


def test_keys_stand_in_front_but_for_the_last_ones(scenes):
    ways = torch.stack([scenes.scene(n)["ways"] for n in range(4)])
    assert ways.shape == (4, KEYS, 3)
    assert torch.allclose(ways.norm(dim=2), torch.ones(4, KEYS), atol=1e-2)
    assert bool((ways[:, 2 : KEYS - 1, 2] >= 0).all())


def test_what_faces_a_key_is_brighter_than_what_turns_away(scenes):
    scene = scenes.scene(1)
    there = scene["depth"][0] > 0
    for k in range(2, KEYS - 1):
        facing = (scene["normals"] * scene["ways"][k][:, None, None]).sum(0)
        light = (scene["keys"][k] / scene["albedo"].clamp_min(0.05)).mean(0)
        seen = there & (scene["shadow"][k, 0] > 0.9)
        if bool((seen & (facing > 0.6)).any()) and bool((there & (facing < -0.1)).any()):
            towards = light[seen & (facing > 0.6)].mean()
            assert float(towards) > 2.0 * float(light[there & (facing < -0.1)].mean())


def test_a_family_that_is_not_known_is_named(tmp_path):
    with pytest.raises(UnknownName, match="crew"):
        draw_apart(seed=0, index=0, count=1, size_px=(8, 8), family="croew")
