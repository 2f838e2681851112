"""footagefit: train on one film's own dailies, then make its problem shots sit in the cut.

    clip = footagefit.open_clip("plate.####.exr", space="arri_logc4")

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

from footagefit import torchvision_ops as _torchvision_ops

if TYPE_CHECKING:
    from footagefit.footage.opening import open_clip as open_clip
    from footagefit.footage.writing import OutputForm as OutputForm
    from footagefit.footage.writing import open_writer as open_writer
    from footagefit.rendering.fits import Fit as Fit
    from footagefit.rendering.fits import load_fit as load_fit
    from footagefit.rendering.render import Rendered as Rendered
    from footagefit.rendering.render import render as render

__version__ = "0.1.0"
__all__ = ["Fit", "OutputForm", "Rendered", "load_fit", "open_clip", "open_writer", "render"]

_HOMES = {
    "Fit": "footagefit.rendering.fits",
    "load_fit": "footagefit.rendering.fits",
    "open_clip": "footagefit.footage.opening",
    "open_writer": "footagefit.footage.writing",
    "OutputForm": "footagefit.footage.writing",
    "Rendered": "footagefit.rendering.render",
    "render": "footagefit.rendering.render",
}

_torchvision_ops.install()
# Threads that wait must sleep, not spin: on a shared machine spinning costs six times the work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'footagefit' has no attribute {name!r}")
