"""footagefit: train on one film's own dailies, then make its problem shots sit in the cut."""

from footagefit import torchvision_ops as _torchvision_ops

__version__ = "0.1.0"

_torchvision_ops.install()
