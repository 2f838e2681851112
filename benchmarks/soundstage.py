"""How fast the soundstage lights pictures, beside Mitsuba where its wheel is installed.

    python benchmarks/soundstage.py
    python benchmarks/soundstage.py --quick --json soundstage.json

One process, two threads; scenes as training draws them, with albedo, normals, depth and soft
shadows, four lights a scene. Mitsuba renders a like scene (spheres, a plane, an area light) at 16
samples a pixel with its LLVM variant.
"""

from __future__ import annotations

import time

import torch
from rows import Row, arguments, medians, show

from footagefit.soundstage import training

LIGHTS = 4
SCENES = 8  # divisible by every batch; a single scene may be a bare wall and say nothing
TARGET_128 = 60.0


def main() -> None:
    options = arguments(__doc__ or "")
    torch.set_num_threads(2)
    sizes = (64,) if options.quick else (64, 128, 256)
    rows = [rate(size, 1 if options.quick else 3) for size in sizes]
    show(f"Lit pictures a second, {LIGHTS} lights a scene", rows, options.json)


def rate(size: int, turns: int) -> Row:
    """Median over turns; the same scenes at every size, in batches of about as many pixels."""
    count = max(1, min(SCENES, 4 * 128 * 128 // (size * size)))

    def ours() -> None:
        for index in range(0, SCENES, count):
            training.draw(seed=1, index=index, count=count, size_px=(size, size), lights=LIGHTS)

    training.draw(seed=1, index=0, count=count, size_px=(size, size), lights=LIGHTS)
    value = SCENES * LIGHTS / medians({"ours": ours}, rounds=turns)["ours"]
    others = {}
    mitsuba = mitsuba_rate(size)
    if mitsuba is not None:
        others["Mitsuba llvm 16 spp"] = mitsuba
    if size != 128:
        return Row(f"{size} px", "pictures/s", value, others)
    return Row(
        f"{size} px", "pictures/s", value, others, f">= {TARGET_128:.0f}", value >= TARGET_128
    )


def mitsuba_rate(size: int) -> float | None:
    """Pictures a second of a like scene, or None where Mitsuba does not run."""
    try:
        import mitsuba as mi  # pyright: ignore[reportMissingImports]

        mi.set_variant("llvm_ad_rgb")
        scene = mi.load_dict(like_scene(size))
    except (ImportError, RuntimeError, AttributeError):
        return None
    mi.render(scene, spp=16)
    begun = time.perf_counter()
    for seed in range(3):
        import numpy as np

        np.array(mi.render(scene, spp=16, seed=seed))
    return 3 / (time.perf_counter() - begun)


def like_scene(size: int) -> dict:
    rng = torch.Generator().manual_seed(0)
    place = torch.randn(14, 3, generator=rng) * 0.4
    spheres = {
        f"s{i}": {"type": "sphere", "center": place[i].tolist(), "radius": 0.15,
                  "bsdf": {"type": "roughplastic"}}
        for i in range(14)
    }  # fmt: skip
    import mitsuba as mi  # pyright: ignore[reportMissingImports]

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
    main()
