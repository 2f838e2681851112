from __future__ import annotations

import numpy as np
import OpenImageIO as oiio
import pytest

from footagefit.errors import UnreadableClip
from footagefit.signature import distortion, stmaps
from footagefit.signature.distortion import Distortion
from signature_made import smooth

LENS = Distortion(k1=-0.06, k2=0.01, centre_x=0.01, centre_y=-0.005)


def test_maps_are_float_and_a_straight_lens_reads_where_it_stands(tmp_path):
    paths = stmaps.write(tmp_path, "32mm", Distortion(), (90, 160))
    spec = oiio.ImageInput.open(str(paths[0])).spec()
    assert str(spec.format) == "float" and tuple(spec.channelnames)[:2] == ("R", "G")
    read = stmaps.read(paths[0])
    assert read[89, 0] == pytest.approx([0.5 / 160, 0.5 / 90], abs=1e-6)  # G counts from the bottom


def test_a_frame_through_a_map_is_a_frame_through_the_lens(tmp_path):
    frame = smooth(2)
    undistort, distort = (stmaps.read(p) for p in stmaps.write(tmp_path, "a", LENS, (270, 480)))
    inner = (slice(None), slice(25, -25), slice(40, -40))
    through = stmaps.through(frame, distort)
    assert (through - distortion.apply(frame, LENS))[inner].abs().max() < 1e-4
    back = stmaps.through(through, undistort)
    assert (back - frame)[inner].abs().max() < 2e-3


def test_a_map_tells_its_lens():
    found = stmaps.fit(stmaps.maps(LENS, (270, 480))[0])
    assert (found.k1, found.k2) == pytest.approx((LENS.k1, LENS.k2), abs=1e-4)
    assert (found.centre_x, found.centre_y) == pytest.approx((0.01, -0.005), abs=1e-4)


def test_a_picture_without_r_and_g_is_no_map(tmp_path, write_picture):
    path = write_picture(tmp_path / "z.exr", np.zeros((4, 4, 1), np.float32), channels=["Z"])
    with pytest.raises(UnreadableClip, match="no ST-map"):
        stmaps.read(path)
