"""Clean-up: what stands in the frame and should not is replaced by what is behind it.

What belongs here: which holes clean-up learns on. What does not: all else (`filling.py`).
"""

from footagefit.tasks.filling import Filling


class Cleanup(Filling):
    """Wires, booms and objects taken out."""

    name = "cleanup"
    own = ("tubes", "wires", "booms")
