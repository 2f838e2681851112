"""Motion: what moves between frames, and pixels carried along it.

Here: global motion (`homography.py`), dense flow (`flow.py`), reading a picture along either
(`warps.py`), real pixels from the rest of a shot (`propagation.py`), frames between and beyond
those that were shot (`between.py`, `onward.py`). Not here: pixels that no frame shows (`models`),
grain and glass put on what is made (`rendering/dressing.py`).

Frame t samples t+1 at x + forward(x): u to the right, v down, in px, the first pixel's centre at
0, 0. A homography takes a frame's pixels to the other's, likewise.
"""
