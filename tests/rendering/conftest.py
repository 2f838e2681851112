"""A tiny fit that changes pictures, and shots to take through it."""

from rendering_helpers import fit, reference, shot

__all__ = ["fit", "reference", "shot"]
