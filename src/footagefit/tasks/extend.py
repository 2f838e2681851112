"""Extend: the shot goes on beyond its borders, before its head, after its tail, over its gaps.

What belongs here: which holes extension learns on. What does not: all else (`filling.py`).
"""

from footagefit.tasks.filling import Filling


class Extend(Filling):
    """Borders, dropped frames and handles made."""

    name = "extend"
    own = ("borders", "dropped", "handles")
