"""The numbers that light is asked for by, in one order: what tasks write and models read.

What belongs here: names and their order. What does not: degrees and kelvin as people set them
(`tasks/light_controls.py`), what a network makes of the numbers (`models/nets/light_code.py`).
"""

# Each takes a value and a present flag. Directions are unit vectors: azimuth in the ground plane,
# elevation as its sine; colours are stops of R, G, B at luminance 1; `by` is beside the plate's
# own; `plate` says what that is, where it is known.
VECTOR = (
    "light.azimuth_x", "light.azimuth_z", "light.elevation_y", "light.softness_log2",
    "light.key_ev", "light.key_r", "light.key_g", "light.key_b",
    "light.fill_ev", "light.fill_r", "light.fill_g", "light.fill_b",
    "light.by.azimuth", "light.by.elevation", "light.by.softness_deg",
    "light.by.key_ev", "light.by.key_r", "light.by.key_g", "light.by.key_b",
    "light.by.fill_ev", "light.by.fill_r", "light.by.fill_g", "light.by.fill_b",
    "light.plate.azimuth_x", "light.plate.azimuth_z", "light.plate.elevation_y",
    "light.add",
)  # fmt: skip
LUMA = (0.2722287, 0.6740818, 0.0536895)  # ACEScg luminance
