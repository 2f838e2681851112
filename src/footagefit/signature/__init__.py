"""What a show's lenses, light and grain measure as, and how it is put on pixels and taken off.

Here: one file per effect, each measured from frames and applied to frames, and the record that
holds them. Not here: walking a show's dailies (`commands/measure.py`), and what learns.
"""
