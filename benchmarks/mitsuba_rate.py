"""Mitsuba's pictures a second on a scene like the soundstage's; run by an interpreter that has it.

    python benchmarks/mitsuba_rate.py llvm_ad_rgb 128

Spheres, a floor and an area light, one bounce, 16 samples a pixel. Prints one number.
"""

from __future__ import annotations

import sys
import time

import mitsuba as mi  # pyright: ignore[reportMissingImports]
import numpy as np

SAMPLES = 16


def main(variant: str, size: int) -> None:
    mi.set_variant(variant)
    scene = mi.load_dict(like_scene(size))
    np.array(mi.render(scene, spp=SAMPLES))
    begun = time.perf_counter()
    for seed in range(3):
        np.array(mi.render(scene, spp=SAMPLES, seed=seed))
    print(3 / (time.perf_counter() - begun))


def like_scene(size: int) -> dict:
    place = np.random.default_rng(0).standard_normal((14, 3)) * 0.4
    spheres = {
        f"s{i}": {"type": "sphere", "center": at.tolist(), "radius": 0.15,
                  "bsdf": {"type": "roughplastic"}}
        for i, at in enumerate(place)
    }  # fmt: skip
    at = mi.ScalarTransform4f().look_at(origin=[0, 0, 3], target=[0, 0, 0], up=[0, 1, 0])
    return {
        "type": "scene", "integrator": {"type": "path", "max_depth": 3}, **spheres,
        "floor": {"type": "rectangle",
                  "to_world": mi.ScalarTransform4f().translate([0, 0, -1]).scale(5)},
        "key": {"type": "sphere", "center": [2, 2, 2], "radius": 0.4,
                "emitter": {"type": "area", "radiance": {"type": "rgb", "value": 20.0}}},
        "sensor": {"type": "perspective", "fov": 40, "to_world": at,
                   "film": {"type": "hdrfilm", "width": size, "height": size}},
    }  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
