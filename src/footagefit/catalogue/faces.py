"""Faces: how many and how large, and vectors to tell people by, where dlib is installed.

Here: dlib's detector and its identity network, as plain records. Not here: who is the same person
(`people`), what a face's size is called (`words`). Both packages carry their weights; nothing is
downloaded. Nothing that could name anybody is made unless `identity` is called.

Shapes: H rows, W columns, C channels. Pictures are scene-linear ACEScg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from footagefit.errors import MissingPart

LONG_SIDE_PX = 640  # faces from a sixteenth of that on are found
VECTOR = 128
PART = "dlib"  # named in the version of measures: installing it makes those without it stale
_PACKAGES = ("dlib", "face_recognition_models")
_SURE = 0.1  # of dlib's detector: below, folds and leaves are faces too
_LARGER = 1  # times the picture is doubled for small faces
_MIDDLE_EV = -1.0  # the brightness of a picture's middle, stops about grey, that faces are read at


@dataclass(frozen=True)
class Face:
    """A face.

    Attributes:
        box: Left, top, width and height, as shares of the picture's.
        sure: The detector's score, above 0.
    """

    box: tuple[float, float, float, float]
    sure: float


def installed() -> bool:
    """Whether the detector and its models are there."""
    return all(find_spec(name) is not None for name in _PACKAGES)


def check() -> None:
    """Raise where they are not."""
    if not installed():
        raise MissingPart(
            "dlib-bin and face-recognition-models are not installed", hint="Run: make extras"
        )


def find(picture_HWC: np.ndarray) -> list[Face]:
    """The faces of a picture, surest first."""
    codes = _codes(picture_HWC)
    height, width = codes.shape[:2]
    boxes, scores, _ = _detector().run(codes, _LARGER, _SURE)
    found = [
        Face((b.left() / width, b.top() / height, b.width() / width, b.height() / height), float(s))
        for b, s in zip(boxes, scores, strict=True)
    ]
    return sorted(found, key=lambda f: -f.sure)


def of_shot(frames: Sequence[Sequence[Face]]) -> tuple[float, float | None]:
    """How many faces a shot shows, and how high the largest is, by the faces of some frames.

    Medians: who passes by, or turns away, counts while they are seen.
    """
    count = float(np.median([len(f) for f in frames])) if frames else 0.0
    highs = [max(face.box[3] for face in f) for f in frames if f]
    return count, float(np.median(highs)) if count and highs else None


def identity(picture_HWC: np.ndarray, face: Face) -> np.ndarray:
    """A vector (128,) that is near, within about 0.6, for the same person."""
    import dlib  # pyright: ignore[reportMissingImports]

    codes = _codes(picture_HWC)
    height, width = codes.shape[:2]
    x, y, w, h = face.box
    left, top = round(x * width), round(y * height)
    box = dlib.rectangle(left, top, left + round(w * width), top + round(h * height))
    marks, network = _identifier()
    vector = network.compute_face_descriptor(codes, marks(codes, box))
    return np.asarray(vector, np.float32)


def _codes(picture_HWC: np.ndarray) -> np.ndarray:
    """8-bit sRGB with the picture's middle at one brightness: night is dark to a detector."""
    from footagefit.footage import colour
    from footagefit.signature.coordinates import luma

    middle = float(np.median(np.maximum(luma(picture_HWC), 2.0**-9)))
    gain = np.float32(np.clip(0.18 * 2.0**_MIDDLE_EV / middle, 0.25, 16.0))
    return np.ascontiguousarray(colour.preview(np.ascontiguousarray(picture_HWC * gain)))


@lru_cache(maxsize=1)
def _detector() -> Any:
    check()
    import dlib  # pyright: ignore[reportMissingImports]

    return dlib.get_frontal_face_detector()


@lru_cache(maxsize=1)
def _identifier() -> tuple[Any, Any]:
    """Five points of a face, and the network (the 68-point file is for research only)."""
    check()
    from pathlib import Path

    import dlib  # pyright: ignore[reportMissingImports]

    spec = find_spec("face_recognition_models")  # importing it wants an old setuptools
    folder = Path(str(spec.origin if spec else "")).parent / "models"
    return (
        dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat")),
        dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat")),
    )
